//! `forecast`: which device will leave the code window.

use std::fmt::Write as _;

use clap::Args;
use countersign_replay::own::forecast::{Forecast, forecast};
use countersign_replay::own::words::{counted, shown};

use super::stores::{Deployment, Place, note};
use super::{Answered, Ended, show};

/// How each device's clock drifts, which will leave the code window, and when.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    place: Place,
    /// How far to look ahead, in days.
    #[arg(long, default_value_t = 365)]
    days: u32,
    #[command(flatten)]
    deployment: Deployment,
    /// Ends with code 1 when a device leaves.
    #[arg(long)]
    fail: bool,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let policy = ask.deployment.policy()?;
    let answer = forecast(&ask.place.open()?, &policy, ask.days)?;
    note(answer.sealed);
    show(&answer, ask.json, text)?;
    let leaves = answer.devices.iter().any(|device| device.verdict == "leaves");
    Ok(Ended { found: ask.fail && leaves, ..Ended::default() }.code())
}

fn text(answer: &Forecast) -> String {
    let mut out = String::new();
    for device in &answer.devices {
        let verdict = device.verdict.replace('_', " ");
        let when = match (&device.leaves_at, device.verdict) {
            (Some(at), "leaves") => format!(" {at}"),
            _ => String::new(),
        };
        let drift = match (device.ppm, device.ppm_95) {
            (Some(ppm), Some([low, high])) => format!("{ppm} ppm ({low} to {high})"),
            _ => "too few readings".to_owned(),
        };
        let (id, serial) = (shown(&device.id), shown(&device.serial));
        // Writing into a string does not fail.
        let _written = writeln!(
            out,
            "{id}  {serial}  {verdict}{when}  {drift}, {} in {} days",
            counted(device.n, "reading", "readings"),
            device.span_days
        );
    }
    out
}
