//! A command that was read back, decided again by the domain.

use countersign_domain::caller::Caller;
use countersign_domain::decide::{
    self as domain, Candidate, Context, Decision, Step, begin_sign_in, deactivate, resync, sign_in_with_code,
    sign_in_with_sent_code, verify_code,
};
use countersign_domain::device::Serial;
use countersign_domain::ids::{StreamId, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_domain::totp::{CodeMatches, CodeSearch, Learned, PairSearch};

use super::command::{Command, Pair, Recorded, Shown};
use crate::own::scene::Scene;

/// What deciding again came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// A decision.
    Decided(Decision),
    /// The log does not say enough of the proof; why not.
    CannotTell(&'static str),
}

/// What a log knows of a proof, put as an answer to the domain's question.
enum Evidence<T> {
    Is(T),
    Unknown(&'static str),
}

/// Decides a command from these states at an instant, under these rules.
#[must_use]
pub fn decide(scene: &Scene, recorded: &Recorded, now: UnixMillis, policy: &Policy) -> Again {
    if let Command::Code { device, purpose, attempt, shown: Shown::OneOf(counters) } = &recorded.command {
        let (device, purpose, attempt) = (*device, *purpose, *attempt);
        let each = counters.iter().map(|counter| {
            let command = Command::Code { device, purpose, attempt, shown: Shown::At(*counter) };
            decide(scene, &Recorded { principal: recorded.principal, command }, now, policy)
        });
        return alike(each);
    }
    let operator = Caller::operator();
    let principal = scene.people.get(&recorded.principal);
    let caller = match &recorded.command {
        Command::Resync { caller, .. } | Command::Enable { caller, .. } | Command::Deactivate { caller, .. } => caller,
        Command::Code { .. } | Command::SentCode { .. } | Command::BeginSignIn { .. } => &operator,
    };
    let context = Context { now, policy, caller, client: None };
    match &recorded.command {
        Command::Code { device, purpose, attempt, shown } => stepped(
            |evidence| match attempt {
                Some(attempt) => sign_in_with_code(principal, *attempt, *device, evidence, &context),
                None => verify_code(principal, *device, *purpose, evidence, &context),
            },
            |search| code_evidence(shown, &search),
        ),
        Command::SentCode { device, attempt, right } => stepped(
            |evidence: Option<&bool>| sign_in_with_sent_code(principal, *attempt, *device, evidence.copied(), &context),
            |_question| right.map_or(Evidence::Unknown(UNLOOKED), Evidence::Is),
        ),
        Command::Resync { serial, pair, .. } => {
            let learned = scene.registered(recorded.principal).and_then(|owner| owner.device(serial.stream()));
            let learned = learned.map(|enabled| &enabled.learned);
            stepped(
                |evidence: Option<&Vec<u64>>| {
                    resync(principal, candidate(scene, serial), evidence.map(Vec::as_slice), &context)
                },
                |search| pair_evidence(*pair, &search, learned),
            )
        }
        Command::Enable { serial, old, pair, .. } => {
            let learned = learned_of(scene, serial.stream());
            stepped(
                |evidence: Option<&Vec<u64>>| {
                    let (candidate_new, evidence) = (candidate(scene, serial), evidence.map(Vec::as_slice));
                    match old {
                        Some(old) => {
                            domain::rotate(principal, candidate(scene, old), candidate_new, evidence, &context)
                        }
                        None => domain::enable(principal, candidate_new, evidence, &context),
                    }
                },
                |search| pair_evidence(*pair, &search, learned),
            )
        }
        Command::Deactivate { serial, reason, .. } => {
            Again::Decided(deactivate(principal, candidate(scene, serial), *reason, &context))
        }
        Command::BeginSignIn { attempt, associate } => {
            Again::Decided(begin_sign_in(principal, *attempt, *associate, &context))
        }
    }
}

/// What all of them come to, when that is one thing.
fn alike(mut each: impl Iterator<Item = Again>) -> Again {
    const EITHER: Again = Again::CannotTell("which of several codes it was is not in the log");
    match each.next() {
        Some(first) if each.all(|other| other == first) => first,
        _ => EITHER,
    }
}

fn candidate<'a>(scene: &'a Scene, serial: &'a Serial) -> Candidate<'a> {
    Candidate { serial, device: scene.devices.get(&serial.stream()) }
}

fn learned_of(scene: &Scene, device: StreamId) -> Option<&Learned> {
    use countersign_domain::device::Device;
    match scene.devices.get(&device)? {
        Device::Unassigned(device) => Some(&device.learned),
        Device::Assigned(_) | Device::Deleted(_) => None,
    }
}

/// Asks for a decision, and answers what it wants to know of the proof.
fn stepped<Question, Proof>(
    decide: impl Fn(Option<&Proof>) -> Step<Question>,
    evidence: impl FnOnce(Question) -> Evidence<Proof>,
) -> Again {
    let question = match decide(None) {
        Step::Decided(decision) => return Again::Decided(decision),
        Step::Ask(question) => question,
    };
    match evidence(question) {
        Evidence::Unknown(why) => Again::CannotTell(why),
        Evidence::Is(proof) => match decide(Some(&proof)) {
            Step::Decided(decision) => Again::Decided(decision),
            Step::Ask(_) => Again::CannotTell("the decision asked twice"),
        },
    }
}

const UNLOOKED: &str = "the code was not looked at when it was typed";
const ELSEWHERE: &str = "the code was not searched for where these rules search";

fn code_evidence(shown: &Shown, search: &CodeSearch) -> Evidence<CodeMatches> {
    let CodeSearch { first, last, wide, .. } = *search;
    match *shown {
        Shown::At(counter) if (first..=last).contains(&counter) => {
            Evidence::Is(CodeMatches { window: vec![counter], wide: None })
        }
        Shown::At(counter) if (wide.first..=wide.last).contains(&counter) => {
            Evidence::Is(CodeMatches { window: Vec::new(), wide: Some(counter) })
        }
        Shown::At(_) => Evidence::Is(CodeMatches::default()),
        Shown::NowhereIn(from, to) if from <= first.min(wide.first) && last.max(wide.last) <= to => {
            Evidence::Is(CodeMatches::default())
        }
        // Nothing fits where a code would be accepted; whether one fits further off only tells how it is refused.
        Shown::NowhereIn(from, to) if from <= first && last <= to => Evidence::Is(CodeMatches::default()),
        Shown::NowhereIn(..) => Evidence::Unknown(ELSEWHERE),
        Shown::OneOf(_) => Evidence::Unknown("which of several codes it was is not in the log"),
        Shown::Unlooked => Evidence::Unknown(UNLOOKED),
    }
}

fn pair_evidence(pair: Pair, search: &PairSearch, learned: Option<&Learned>) -> Evidence<Vec<u64>> {
    let PairSearch { first, last, .. } = *search;
    match pair {
        Pair::At(counter) => Evidence::Is(vec![counter]),
        Pair::NowhereIn(from, to) if from <= first && last <= to => Evidence::Is(Vec::new()),
        Pair::NowhereIn(..) => Evidence::Unknown("the pair was not searched for where these rules search"),
        Pair::OldIn(from, to) => match learned.and_then(Learned::last_pair) {
            Some(counter) if first <= from && to <= last && (first..=last).contains(&counter) => {
                Evidence::Is(vec![counter])
            }
            _ => Evidence::Unknown("which of the older pairs it was is not in the log"),
        },
        Pair::Unlooked => Evidence::Unknown(UNLOOKED),
    }
}
