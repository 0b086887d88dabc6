//! `timeline`: what happened to a principal.

use std::path::PathBuf;

use clap::Args;
use countersign_replay::ask::timeline;
use countersign_replay::page::timeline_page;

use super::Answered;
use super::heard::{self, Input, Own, standard_input};

/// Tells what happened to a principal, in order: who did it, what it changed, and which attempts failed.
///
/// The principal may stand behind the logs as well, as in `state`.
#[derive(Args)]
pub(crate) struct Ask {
    /// The principal: an id, `ACCOUNT/NAME`, a name, or a unique id.
    principal: String,
    #[command(flatten)]
    input: Input,
    /// Write a page for people to this file, `-` for standard output; the name goes after `=`.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with = "json", require_equals = true)]
    html: Option<PathBuf>,
}

pub(crate) fn run(mut ask: Ask) -> Answered {
    ask.put_the_principal_first();
    heard::page_is_named(ask.html.as_deref(), &ask.input.paths)?;
    let heard = heard::hear(&ask.input, Own::Principal(&ask.principal))?;
    let lives = heard::principals(&heard.told, std::slice::from_ref(&ask.principal))?;
    let answer = timeline(&heard.told, &lives);
    if let Some(file) = &ask.html {
        heard.trusted(&ask.input, &answer.integrity)?;
        return heard.page(file, timeline_page(&heard.told, &lives));
    }
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}

impl Ask {
    /// Takes the one argument that is no file for the principal, when the first is one.
    fn put_the_principal_first(&mut self) {
        let mut words = self.input.paths.iter_mut().filter(|path| !path.exists());
        let first = standard_input(PathBuf::from(&self.principal));
        if let (true, Some(word), None) = (first.exists(), words.next(), words.next()) {
            self.principal = std::mem::replace(word, first).to_string_lossy().into_owned();
        }
    }
}
