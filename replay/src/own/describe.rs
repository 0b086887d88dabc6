//! Events and rules in words.

use countersign_domain::caller::{By, Channel};
use countersign_domain::decide::Denial;
use countersign_domain::event::{CodeFault, DeactivateReason, Event, PairFault, Purpose, SignInFactor, SignInFault};
use countersign_domain::ids::StreamId;
use countersign_domain::policy::Policy;
use countersign_domain::totp::{Attempts, Budget};

use super::words::{counted, instant, shown};

/// Gives streams the names that people know.
pub trait Names {
    /// A principal.
    fn principal(&self, stream: StreamId) -> String;
    /// A device.
    fn device(&self, stream: StreamId) -> String;
}

/// What an event says, as one sentence without its end.
#[must_use]
pub fn describe(stream: StreamId, event: &Event, names: &dyn Names) -> String {
    let who = || names.principal(stream);
    let device = |device: StreamId| names.device(device);
    match event {
        Event::AccountOpened(opened) => format!("account {} was opened by {}", opened.account, by(opened.by, names)),
        Event::PrincipalRegistered(registered) => {
            format!("{} was registered under the name `{}`", registered.id, shown(registered.name.as_str()))
        }
        Event::PrincipalRenamed(renamed) => format!("{} is called `{}` now", who(), shown(renamed.name.as_str())),
        Event::PrincipalForgotten(gone) => format!(
            "{} was forgotten by {}: {} to be destroyed",
            who(),
            by(gone.by, names),
            counted(gone.keys.len() as u64, "key is", "keys are")
        ),
        Event::PrincipalRemoved(gone) => format!("{} was removed by {}", who(), by(gone.by, names)),
        Event::VirtualDeviceCreated(created) => {
            format!("virtual device {} was created by {}", shown(created.serial.as_str()), by(created.by, names))
        }
        Event::HardwareTokenImported(token) => format!("hardware token {} was imported", shown(token.serial.as_str())),
        Event::SecurityKeyCreated(created) => format!("security key {} was made", shown(created.serial.as_str())),
        Event::SmsDeviceCreated(created) => format!("SMS device {} was made", shown(created.serial.as_str())),
        Event::DeviceAssigned(assigned) => {
            format!("{} was assigned to {}", device(stream), names.principal(assigned.owner))
        }
        Event::DeviceReleased(released) => {
            format!("{} was released by {}", device(stream), names.principal(released.owner))
        }
        Event::SeedStored(stored) => format!("the seed of {} was stored", device(stored.device)),
        Event::DeviceDeleted(deleted) => format!("{} was deleted by {}", device(stream), by(deleted.by, names)),
        Event::DeviceEnabled(enabled) if enabled.kind.is_totp() => format!(
            "{} was enabled for {} by {}: {}",
            device(enabled.device),
            who(),
            by(enabled.by, names),
            offset(enabled.learned.offset)
        ),
        Event::DeviceEnabled(enabled) => {
            format!("{} was enabled for {} by {}", device(enabled.device), who(), by(enabled.by, names))
        }
        Event::DeviceDeactivated(gone) => format!(
            "{} was taken from {} by {}, {}",
            device(gone.device),
            who(),
            by(gone.by, names),
            reason(gone.reason)
        ),
        other => proof(stream, other, names),
    }
}

/// What an event says of a proof or a sign-in.
fn proof(stream: StreamId, event: &Event, names: &dyn Names) -> String {
    let who = || names.principal(stream);
    let device = |device: StreamId| names.device(device);
    match event {
        Event::DeviceResynced(resynced) => {
            format!("{} of {} was resynced: {}", device(resynced.device), who(), offset(resynced.offset))
        }
        Event::ResyncRefused(refused) => {
            format!("a pair for resyncing {} of {} was refused: {}", device(refused.device), who(), pair(refused.fault))
        }
        Event::PairRefused(refused) => format!(
            "a pair for enabling {} for {} was refused: {}",
            device(stream),
            names.principal(refused.owner),
            pair(refused.fault)
        ),
        Event::CodeAccepted(accepted) => format!(
            "a code of {} was accepted from {} {}, of step {}",
            device(accepted.device),
            who(),
            purpose(accepted.purpose),
            accepted.counter
        ),
        Event::CodeRefused(refused) => format!(
            "a code for {} was refused to {} {}: {}",
            device(refused.device),
            who(),
            purpose(refused.purpose),
            code(refused.fault, refused.steps)
        ),
        Event::BudgetSpent(spent) => {
            let what = if spent.budget == Budget::Codes { "codes" } else { "pairs" };
            format!("the attempts at {what} of {} are used up for now", device(spent.device))
        }
        Event::SignInStarted(started) => format!(
            "{} began to sign in{}, and a second factor is asked for until {}",
            who(),
            from(&started.client),
            instant(started.until)
        ),
        Event::SignedIn(done) => {
            let proof = match (done.factor, done.device) {
                (SignInFactor::Device, Some(proven)) => format!("with {}", device(proven)),
                (SignInFactor::AlternativeFactors, _) => "by e-mail and phone, without a device".to_owned(),
                _ => "without a second factor".to_owned(),
            };
            format!("{} signed in {proof}{}", who(), from(&done.client))
        }
        Event::SignInRefused(refused) => {
            let why = match refused.fault {
                SignInFault::Wrong => "the proof was not good",
                SignInFault::Locked => "the device's attempts are used up",
                SignInFault::NotAsked => "what was answered was not open",
            };
            format!("a sign-in of {} was refused{}: {why}", who(), from(&refused.client))
        }
        Event::SigningKeyRotated(_) => "the log passed on to another signing key".to_owned(),
        Event::HostRecord(record) => format!("a record of the platform, of kind {}", record.kind),
        other => spelled(other.name()),
    }
}

/// `SmsCodeIssued` as `sms code issued`.
pub(super) fn spelled(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn by(by: By, names: &dyn Names) -> String {
    let door = match by.channel {
        Channel::Console => " in the console",
        Channel::Cli => " by the command line",
        Channel::Api => " by the API",
        Channel::Operator => "",
    };
    let who = by.who.map_or_else(|| "the operator".to_owned(), |who| names.principal(who));
    let mfa = if by.mfa { " with MFA" } else { "" };
    format!("{who}{door}{mfa}")
}

fn from(client: &countersign_domain::client::Client) -> String {
    let address = client.address();
    if address.is_empty() { String::new() } else { format!(" from {}", shown(address)) }
}

fn offset(steps: i64) -> String {
    let many = counted(steps.unsigned_abs(), "step", "steps");
    match steps {
        0 => "its clock agrees with the server's".to_owned(),
        1.. => format!("its clock is {many} ahead of the server's"),
        _ => format!("its clock is {many} behind the server's"),
    }
}

const fn reason(reason: DeactivateReason) -> &'static str {
    match reason {
        DeactivateReason::Requested => "as asked",
        DeactivateReason::Lost => "because it was lost",
        DeactivateReason::Replaced => "because another took its place",
        DeactivateReason::OwnerRemoved => "because its owner went",
    }
}

const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::SignIn => "for a sign-in",
        Purpose::SessionToken => "for a session token",
        Purpose::AssumeRole => "for a role",
        Purpose::StepUp => "for a step-up",
    }
}

const fn pair(fault: PairFault) -> &'static str {
    match fault {
        PairFault::NoMatch => "they are not two consecutive codes of the device in reach",
        PairFault::NotNewer => "they are not newer than the last accepted pair",
    }
}

/// Why a code was refused, in words.
pub(super) fn code(fault: CodeFault, steps: i64) -> String {
    let many = counted(steps.unsigned_abs(), "step", "steps");
    match fault {
        CodeFault::Wrong => "it is no code of the device anywhere near".to_owned(),
        CodeFault::Used => "it was used before".to_owned(),
        CodeFault::Outside if steps < 0 => format!("it is {many} late"),
        CodeFault::Outside => format!("it is {many} early"),
        CodeFault::NotPropagated => "the device had been changed moments before".to_owned(),
    }
}

/// The rule that speaks through an event, with the numbers that it has in a policy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rule {
    /// Its numbers in the behaviour specification.
    pub cites: &'static str,
    /// What it says.
    pub says: String,
}

/// The rule that an event follows from.
#[must_use]
pub fn rule_of(event: &Event, policy: &Policy) -> Option<Rule> {
    let rule = |cites, says: String| Some(Rule { cites, says });
    let window = policy.code_window_steps;
    let (back, ahead) = (policy.pair_back_steps, policy.pair_ahead_steps);
    match event {
        Event::CodeAccepted(_) => {
            rule("R86, R87", format!("a code counts up to {window} steps around the device's time, and once"))
        }
        Event::CodeRefused(refused) => match refused.fault {
            CodeFault::Wrong => rule("R86, A5", format!("no step from {back} back to {ahead} ahead shows this code")),
            CodeFault::Used => {
                rule("R87, R88, R90", "a code counts once; so do those of a pair where they are spent".to_owned())
            }
            CodeFault::Outside => {
                rule("R86, A5", format!("a code of the device counts only up to {window} steps around its time"))
            }
            CodeFault::NotPropagated => rule(
                "R95",
                format!("for {} ms after a change STS answers that it cannot validate", policy.sts_propagation_ms),
            ),
        },
        Event::DeviceEnabled(enabled) if enabled.kind.is_totp() => rule(
            "R62, R81, R82",
            format!(
                "two consecutive codes, the second from {back} steps back to {ahead} ahead, enable the device and teach its time"
            ),
        ),
        Event::DeviceResynced(_) => rule(
            "R81, R82, R110",
            format!(
                "two consecutive codes, the second from {back} steps back to {ahead} ahead, teach the device's time anew"
            ),
        ),
        Event::ResyncRefused(_) | Event::PairRefused(_) => {
            let fault = match event {
                Event::ResyncRefused(refused) => refused.fault,
                Event::PairRefused(refused) => refused.fault,
                _ => return None,
            };
            match fault {
                PairFault::NoMatch => {
                    rule("R64, R81", format!("no two steps from {back} back to {ahead} ahead show these codes"))
                }
                PairFault::NotNewer => rule("R85", "a pair lies wholly after the last accepted one".to_owned()),
            }
        }
        Event::BudgetSpent(spent) => rule(
            if spent.budget == Budget::Codes { "R91" } else { "R93" },
            format!(
                "{} attempts are looked at in {} s; the window ends at {}",
                spent.budget.max(policy),
                policy.attempt_window_s,
                instant(Attempts::ends_at(spent.window, policy))
            ),
        ),
        Event::SignedIn(done) if done.factor == SignInFactor::Nothing => {
            rule("R98", "who has no device signs in with the password".to_owned())
        }
        Event::SignedIn(_) => rule("R99..R101, R130", "what the sign-in asked for was proven".to_owned()),
        Event::SignInStarted(_) => rule("R97", "who has a device is asked for it after the password".to_owned()),
        Event::DeviceDeactivated(_) => rule("R68, R69", "a device is taken away without a code".to_owned()),
        _ => None,
    }
}

/// Why a proof was refused, in a word.
#[must_use]
pub const fn denial(denial: &Denial) -> &'static str {
    match denial {
        Denial::Code { fault: CodeFault::Wrong, .. } => "wrong",
        Denial::Code { fault: CodeFault::Used, .. } => "used",
        Denial::Code { fault: CodeFault::Outside, steps } if *steps < 0 => "late",
        Denial::Code { fault: CodeFault::Outside, .. } => "early",
        Denial::Code { fault: CodeFault::NotPropagated, .. } => "not_propagated",
        Denial::Pair(PairFault::NoMatch) => "pair_wrong",
        Denial::Pair(PairFault::NotNewer) => "pair_not_newer",
        Denial::Key(_) => "key_refused",
        Denial::Sms(_) => "sms_code_refused",
        Denial::Alternative => "alternative_refused",
        Denial::NotAsked => "not_asked",
        Denial::Locked { .. } => "locked",
    }
}
