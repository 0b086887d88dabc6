//! The subcommand `forecast`.

use std::fmt::Write as _;

use clap::Args;

use super::cmd::{FOUND, Output, Place};
use super::cmd_explain::Deployment;
use super::error::OwnError;
use super::forecast::{self, Forecast};
use super::words::{counted, shown};

/// How each device's clock drifts, which will leave the code window, and when.
#[derive(Args, Clone, Debug)]
pub struct ForecastArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// How far to look ahead, in days.
    #[arg(long, default_value_t = 365)]
    pub days: u32,
    /// The rules that the deployment runs under.
    #[command(flatten)]
    pub deployment: Deployment,
    /// Ends with code 1 when a device leaves.
    #[arg(long)]
    pub fail: bool,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `forecast`.
///
/// # Errors
/// See [`forecast::forecast`].
pub fn forecast(args: &ForecastArgs) -> Result<Output, OwnError> {
    let policy = args.deployment.policy()?;
    let store = args.place.open()?;
    let answer = forecast::forecast(&store, &policy, args.days)?;
    let mut output = Output::of(&answer, args.json, text)?.noting(answer.sealed);
    if args.fail && answer.devices.iter().any(|device| device.verdict == "leaves") {
        output.code = FOUND;
    }
    Ok(output)
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
