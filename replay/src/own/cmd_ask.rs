//! The subcommands that ask who had what when: `state`, `timeline`, `signins`, `rotations`, `findings`, `diff`.

use std::fmt::Write as _;

use clap::Args;
use countersign_domain::ids::UnixMillis;
use serde::Serialize;

use super::ask;
use super::cmd::{FOUND, Output, Place, parse_instant};
use super::error::OwnError;
use super::store::OwnStore;
use super::words::shown;

/// Whether what an answer rests on is what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// `whole`: every checksum that was met holds; `damaged`: see there. Chains and laws are `verify`'s.
    pub verdict: &'static str,
    /// Where the store is not what was written.
    pub damage: Vec<String>,
}

impl Integrity {
    fn of(store: &OwnStore) -> Result<Self, OwnError> {
        let damage: Vec<String> = store.image().broken()?.iter().map(ToString::to_string).collect();
        Ok(Self { verdict: if damage.is_empty() { "whole" } else { "damaged" }, damage })
    }
}

/// An answer with what it rests on.
#[derive(Serialize)]
struct Attested<T> {
    #[serde(flatten)]
    answer: T,
    integrity: Integrity,
}

fn attested<T: Serialize>(
    store: &OwnStore,
    answer: T,
    json: bool,
    sealed: ask::Sealing,
    text: impl FnOnce(&T) -> String,
) -> Result<Output, OwnError> {
    let integrity = Integrity::of(store)?;
    let answer = Attested { answer, integrity };
    let output = Output::of(&answer, json, |attested| text(&attested.answer))?;
    Ok(output.noting(sealed).damaged(&answer.integrity.damage))
}

/// Who has which devices, now or at an instant.
#[derive(Args, Clone, Debug)]
pub struct StateArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// Only this principal: ACCOUNT/NAME#GENERATION, ACCOUNT/root, ACCOUNT/NAME, a name or an immutable id.
    pub principal: Option<String>,
    /// The instant, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_parser = parse_instant)]
    pub at: Option<UnixMillis>,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `state`.
///
/// # Errors
/// See [`ask::state`].
pub fn state(args: &StateArgs) -> Result<Output, OwnError> {
    let store = args.place.open()?;
    let answer = ask::state(&store, args.at, args.principal.as_deref())?;
    if let Some(wanted) = args.principal.as_deref().filter(|_| answer.principals.is_empty()) {
        return Err(OwnError::Usage(format!("the log knows no principal `{}`", shown(wanted))));
    }
    let sealed = answer.sealed;
    attested(&store, answer, args.json, sealed, |answer| {
        let mut text = String::new();
        for found in &answer.principals {
            let basis = found.basis.map_or_else(String::new, |basis| format!(" ({basis})"));
            let status = format!("{}{basis}", found.status);
            let devices = found.devices.join(" ");
            let citations: Vec<String> = found.citations.iter().map(u64::to_string).collect();
            let cited = citations.join(",");
            let line = format!("{:<40} {status:<22} [{cited}] {devices}", found.id);
            line_to(&mut text, line.trim_end());
        }
        text
    })
}

fn line_to(text: &mut String, line: &str) {
    // Writing into a string does not fail.
    let _written = writeln!(text, "{}", shown_line(line));
}

/// A line as a whole is longer than a value may be.
fn shown_line(line: &str) -> String {
    line.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

/// What happened to a principal.
#[derive(Args, Clone, Debug)]
pub struct TimelineArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// The principal: ACCOUNT/NAME#GENERATION, ACCOUNT/root, ACCOUNT/NAME, a name or an immutable id.
    pub principal: String,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `timeline`.
///
/// # Errors
/// See [`ask::timeline`].
pub fn timeline(args: &TimelineArgs) -> Result<Output, OwnError> {
    let store = args.place.open()?;
    let answer = ask::timeline(&store, &args.principal)?;
    let sealed = answer.sealed;
    attested(&store, answer, args.json, sealed, |answer| {
        let mut text = String::new();
        for principal in &answer.principals {
            line_to(&mut text, &principal.id);
            for entry in &principal.entries {
                let detail = entry.detail.unwrap_or_default();
                let device = entry.device.as_deref().unwrap_or_default();
                let line = format!("  {}  [{}] {} {detail} {device}", entry.time, entry.position, entry.kind);
                line_to(&mut text, line.trim_end());
            }
        }
        text
    })
}

/// Who signed in, and on what.
#[derive(Args, Clone, Debug)]
pub struct SignInsArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// Only those that did not rest on a device.
    #[arg(long)]
    pub without_mfa: bool,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `signins`.
///
/// # Errors
/// See [`ask::signins`].
pub fn signins(args: &SignInsArgs) -> Result<Output, OwnError> {
    let store = args.place.open()?;
    let answer = ask::signins(&store, args.without_mfa)?;
    let sealed = answer.sealed;
    attested(&store, answer, args.json, sealed, |answer| {
        let mut text = String::new();
        for found in &answer.signins {
            let id = found.id.as_deref().unwrap_or("-");
            let line = format!("{}  [{}] {} {} {id}", found.time, found.event_id, found.outcome, found.class);
            line_to(&mut text, &line);
        }
        text
    })
}

/// Which device took the place of which, and how long there was none.
#[derive(Args, Clone, Debug)]
pub struct RotationsArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `rotations`.
///
/// # Errors
/// See [`ask::rotations`].
pub fn rotations(args: &RotationsArgs) -> Result<Output, OwnError> {
    let store = args.place.open()?;
    let answer = ask::rotations(&store)?;
    let sealed = answer.sealed;
    attested(&store, answer, args.json, sealed, |answer| {
        let mut text = String::new();
        for found in &answer.rotations {
            let line = format!(
                "{}  {} off {}  {} on {}  gap {} s",
                found.id, found.old, found.off, found.new, found.on, found.gap_s
            );
            line_to(&mut text, &line);
        }
        text
    })
}

/// What in the log should give one pause.
#[derive(Args, Clone, Debug)]
pub struct FindingsArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// Ends with code 1 when there is any.
    #[arg(long)]
    pub fail: bool,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `findings`.
///
/// # Errors
/// See [`ask::findings`].
pub fn findings(args: &FindingsArgs) -> Result<Output, OwnError> {
    let store = args.place.open()?;
    let answer = ask::findings(&store)?;
    let (sealed, any) = (answer.sealed, !answer.findings.is_empty());
    let mut output = attested(&store, answer, args.json, sealed, |answer| {
        let mut text = String::new();
        for found in &answer.findings {
            let line = format!("{}  {} {} {}", found.time, found.id, found.kind, found.devices.join(" "));
            line_to(&mut text, &line);
        }
        text
    })?;
    if args.fail && any && output.code == 0 {
        output.code = FOUND;
    }
    Ok(output)
}

/// What changed between two instants.
#[derive(Args, Clone, Debug)]
pub struct DiffArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// The earlier instant.
    #[arg(long, value_parser = parse_instant)]
    pub from: UnixMillis,
    /// The later instant; the end of the log when it is not given.
    #[arg(long, value_parser = parse_instant)]
    pub to: Option<UnixMillis>,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `diff`.
///
/// # Errors
/// See [`ask::diff`].
pub fn diff(args: &DiffArgs) -> Result<Output, OwnError> {
    let store = args.place.open()?;
    let answer = ask::diff(&store, args.from, args.to)?;
    attested(&store, answer, args.json, ask::Sealing::default(), |answer| {
        let mut text = String::new();
        for change in &answer.changed {
            let side = |state: &ask::PrincipalState| format!("{} {}", state.status, state.devices.join(" "));
            let (before, after) = (side(&change.before), side(&change.after));
            line_to(&mut text, &format!("{}  {} -> {}", change.id, before.trim_end(), after.trim_end()));
        }
        text
    })
}
