//! `findings`: where the log contradicts itself.

use clap::Args;
use countersign_replay::ask::findings;
use countersign_replay::event::{Observed, What};
use countersign_replay::fold::FindingKind;
use countersign_replay::fold::Keep;

use super::Answered;
use super::heard::{self, Input, Own};

/// Lists where the log contradicts itself: records that are missing or were changed.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// Exit with 1 when there is a finding of these kinds, or of any kind without naming one;
    /// with 3 when such a kind was not looked for, because there are more than two million records.
    #[arg(long, value_name = "KIND", num_args = 0.., value_delimiter = ',', value_parser = kind, require_equals = true)]
    fail_on: Option<Vec<FindingKind>>,
}

fn kind(name: &str) -> Result<FindingKind, String> {
    name.parse()
}

/// Whether an event may contradict another: attempts that failed do not.
fn is_evidence(event: &Observed) -> bool {
    !matches!(event.what, What::AttemptFailed { .. } | What::SignInObserved { success: false, .. })
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let heard = heard::hear(&ask.input, Own::Of(Keep::Changes, Some(&is_evidence)))?;
    let answer = findings(&heard.told);
    let fails = |kind: &str| {
        let of = |kinds: &Vec<FindingKind>| kinds.is_empty() || kinds.iter().any(|wanted| wanted.name() == kind);
        ask.fail_on.as_ref().is_some_and(of)
    };
    let found = answer.findings.iter().any(|finding| fails(finding.kind));
    let missed = answer.not_looked_for.iter().any(|kind| fails(kind));
    heard
        .answer(&ask.input, &answer.integrity, &answer, || answer.text())
        .map(|code| heard.code_if(found, missed, code))
}
