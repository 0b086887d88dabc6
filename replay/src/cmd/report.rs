//! `report`: what auditors' catalogues ask.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use countersign_replay::trail::Time;
use countersign_replay::trail::ask::{self, report};
use countersign_replay::trail::page::report_page;

use super::trail::{self, Input, instant};
use super::{Answered, Failure};

/// Answers the controls of a catalogue, with what the log cannot tell listed apart.
#[derive(Args)]
pub(crate) struct Ask {
    /// The catalogue.
    #[arg(value_enum)]
    standard: Standard,
    #[command(flatten)]
    input: Input,
    /// The catalogue's version; the newest, when it is not given.
    #[arg(long)]
    version: Option<String>,
    /// The instant; the end of the log, when it is not given.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Time>,
    /// Write a page for people to this file, `-` for standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with = "json", require_equals = true)]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Standard {
    /// CIS AWS Foundations Benchmark.
    Cis,
    /// PCI DSS.
    Pci,
    /// NIST SP 800-63B and SP 800-53.
    Nist,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let standard = match ask.standard {
        Standard::Cis => ask::Standard::Cis,
        Standard::Pci => ask::Standard::Pci,
        Standard::Nist => ask::Standard::Nist,
    };
    let heard = trail::hear(&ask.input)?;
    let answer = report(&heard.told, standard, ask.version.as_deref(), ask.at).map_err(Failure::usage)?;
    if let Some(file) = &ask.html {
        heard.trusted(&ask.input, &answer.integrity)?;
        return heard.page(file, report_page(&heard.told, &answer));
    }
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
