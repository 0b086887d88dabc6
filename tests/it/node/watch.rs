//! What must hold at every step, whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use countersign::domain::device::seed_stream;
use countersign::domain::event::Event;
use countersign::domain::laws::{Fact, LawBook, Unread};
use countersign::store::{Journal, KeyError};
use countersign::*;

use super::deed::{Answer, Command, Said};
use crate::support::event_of;

/// Digests of an entry: of what is in the clear, and of its body unless that was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Known {
    header: u64,
    body: Option<u64>,
}

impl Known {
    fn is(&self, other: &Self) -> bool {
        let (one, other_body) = (self.body.unwrap_or_default(), other.body.unwrap_or_default());
        self.header == other.header && (one == other_body || self.body.is_none() || other.body.is_none())
    }
}

fn digest(of: impl Hash) -> u64 {
    // Keyed with zeros: the same in each run.
    let mut digest = DefaultHasher::new();
    of.hash(&mut digest);
    digest.finish()
}

/// The observer.
pub struct Watch {
    policy: Policy,
    laws: LawBook,
    /// What is known of each entry.
    entries: Vec<Known>,
    /// Where each stream was written last, and of these the seeds of devices that were deleted.
    last: BTreeMap<StreamId, usize>,
    deleted: BTreeSet<usize>,
    /// Somebody was forgotten: some sums cannot be had from the log any more.
    pub forgot: bool,
    /// The same to read, of every life.
    entered: String,
    /// Up to where clients know the log to be durable.
    acked: usize,
    /// Codes that were taken, and for which command.
    taken: BTreeMap<(Vec<u8>, u64), CommandId>,
    /// What was answered to a command, where the answer is one that is recorded.
    answers: BTreeMap<CommandId, String>,
}

impl Watch {
    pub fn new(policy: &Policy) -> Self {
        let (laws, policy) = (LawBook::new(policy.clone()), policy.clone());
        Self {
            policy,
            laws,
            entries: Vec::new(),
            last: BTreeMap::new(),
            deleted: BTreeSet::new(),
            forgot: false,
            entered: String::new(),
            acked: 0,
            taken: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Judges what is new in the log.
    pub fn look(&mut self, journal: &dyn Journal) {
        let (laws, entries, entered) = (&mut self.laws, &mut self.entries, &mut self.entered);
        let (last, deleted, forgot) = (&mut self.last, &mut self.deleted, &mut self.forgot);
        let scanned = journal.scan(Position(entries.len() as u64), &mut |entry| {
            let header = entry.header;
            let body = match journal.unseal(&header, entry.body) {
                Err(KeyError::Destroyed(_)) => None,
                body => Some(body.unwrap()),
            };
            let event = body.as_ref().map(|_| event_of(journal, &header, entry.body));
            let position = entry.position;
            last.insert(header.stream, entries.len());
            match &event {
                Some(Event::DeviceDeleted(gone)) => deleted.extend(last.get(&seed_stream(header.stream, gone.life))),
                Some(Event::PrincipalForgotten(_)) => *forgot = true,
                _ => {}
            }
            assert_eq!(position.0, entries.len() as u64, "positions have no gap");
            let (stream, version, at) = (header.stream, header.version, header.time);
            let broken = match &event {
                Some(event) => laws.observe(&Fact { position, stream, version, at, event }),
                None => laws.observe_unread(&Unread { position, stream, version, event_type: header.event_type }),
            };
            assert_eq!(broken, [], "{event:?}");
            writeln!(
                entered,
                "{position} {at:?} {stream} {} {:?}",
                version.0,
                event.as_ref().map(|event| event.name())
            )
            .unwrap();
            let clear = (header.event_type, header.type_version, at.0, header.command.to_string());
            let header = digest((clear, stream.to_string(), version.0));
            entries.push(Known { header, body: body.map(digest) });
            ControlFlow::Continue(())
        });
        scanned.unwrap();
        assert_eq!(self.laws.finish(), []);
    }

    /// Another process is there, on what the one before it left. All that was acked is in it, and of what was only
    /// seen by nobody but us, as much as the medium kept.
    pub fn after_end(&mut self, journal: &dyn Journal, died: bool) {
        let before = std::mem::take(&mut self.entries);
        self.laws = LawBook::new(self.policy.clone());
        self.deleted.clear();
        self.last.clear();
        self.forgot = false;
        self.look(journal);
        let kept = if died { self.acked } else { before.len() };
        assert!(self.entries.len() >= kept, "{kept} entries were acked, {} are there", self.entries.len());
        let same = before.len().min(self.entries.len());
        let is_same =
            before.iter().zip(&self.entries).take(if died { kept } else { same }).all(|(old, new)| old.is(new));
        assert!(is_same, "the past changed");
    }

    /// Takes down an answer that a client got.
    pub fn answered(&mut self, command: &Command, answer: &Answer) {
        let Ok((said, position)) = answer else { return self.refused(command, answer) };
        self.acked = self.acked.max(position.0 as usize);
        if let (true, Some(spent)) = (said.is_yes(), command.deed.spends()) {
            let first = *self.taken.entry(spent).or_insert(command.id);
            assert_eq!(first, command.id, "a code was taken twice: {command:?}");
        }
        // A device that is locked evaluates nothing, and may do so when the command comes again.
        if matches!(said, Said::Proof(Proof::Refused(Refusal::Wrong))) || said.is_yes() {
            let told = match said {
                // A device that was deactivated in the meantime proves nothing any more.
                Said::Step(SignInStep::SignedIn(done)) => format!("{} {:?}", done.attempt, done.at),
                said => format!("{said:?}"),
            };
            let before = self.answers.entry(command.id).or_insert_with(|| told.clone());
            assert_eq!(*before, told, "another answer to {command:?}");
        }
    }

    /// Who got a yes gets no refusal when the same command comes again.
    fn refused(&self, command: &Command, answer: &Answer) {
        let rejected = answer.as_ref().is_err_and(|error| error.rejection().is_some_and(|why| !why.is_transient()));
        assert!(!rejected || !self.answers.contains_key(&command.id), "{answer:?} to {command:?}, which was done");
    }

    /// No seed can be read of a device that was deleted, after a restart at the latest.
    pub fn seeds_are_gone(&self) {
        let left = self.deleted.iter().filter(|place| self.entries[**place].body.is_some()).count();
        assert_eq!(left, 0, "seeds of {} devices that were deleted", self.deleted.len());
    }

    /// Every entry that was seen, in the order in which it was.
    pub fn entered(&self) -> String {
        self.entered.clone()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What queries show.
pub fn shown(engine: &Countersign, account: AccountId) -> String {
    let users = engine.users(account, None, 100);
    let lines = users.iter().map(|user| format!("{user:?} {:?}\n", engine.devices(&user.id)));
    let root = engine.devices(&PrincipalId::Root(account));
    let spare = engine.virtual_devices(account, Assignment::Any, None, 100);
    let messages = engine.sms_messages(account, false, 1000);
    let of = engine.account(account);
    format!("{}{root:?} {spare:?} {of:?} {messages:?}", lines.collect::<String>())
}

/// Sums that queries show. They stay when somebody is forgotten, as long as what is derived from the log does.
pub fn sums(engine: &Countersign) -> String {
    let report = engine.sms_report(None);
    format!("{:?} {}", report.lines, report.spent_micros)
}
