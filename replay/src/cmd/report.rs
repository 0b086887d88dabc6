//! `report`: what auditors' catalogues ask.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use countersign_replay::ask::{self, report};
use countersign_replay::event::{Observed, SignInClass, What};
use countersign_replay::fold::Keep;
use countersign_replay::page::report_page;
use countersign_replay::time::Time;

use super::heard::{self, Input, Own, instant};
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
    /// Write a page for people to this file, `-` for standard output; the name goes after `=`.
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

fn is_sign_in_to_judge(event: &Observed) -> bool {
    matches!(event.what, What::SignInObserved { class: SignInClass::NoMfa | SignInClass::Unknown, .. })
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let standard = match ask.standard {
        Standard::Cis => ask::Standard::Cis,
        Standard::Pci => ask::Standard::Pci,
        Standard::Nist => ask::Standard::Nist,
    };
    heard::page_is_named(ask.html.as_deref(), &ask.input.paths)?;
    let mut heard = heard::hear(&ask.input, Own::Of(Keep::SignIns, Some(&is_sign_in_to_judge)))?;
    heard.told.partial = heard.inputs.is_partial();
    let answer = report(&heard.told, standard, ask.version.as_deref(), ask.at).map_err(Failure::usage)?;
    if let Some(file) = &ask.html {
        heard.trusted(&ask.input, &answer.integrity)?;
        return heard.page(file, report_page(&heard.told, &answer));
    }
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
