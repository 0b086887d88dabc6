//! What holds over every history, as named functions.
//!
//! The same laws judge generated histories in property tests, simulated nodes, and a stored log in
//! `countersign-replay verify`. Where it can be had cheaply a law does not use the fold that it judges:
//! it keeps its own simple account of what happened.
//!
//! ```
//! use countersign_domain::{laws::LawBook, policy::Policy};
//!
//! let mut laws = LawBook::new(Policy::classic());
//! // for fact in log { assert_eq!(laws.observe(&fact), []) }
//! assert_eq!(laws.finish(), []);
//! ```

mod by_stream;
mod challenges;
mod codes;
mod holdings;
mod keys;
mod outbox;
mod rules;
mod sign_ins;
mod subject;

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::event::Event;
use crate::ids::{Position, StreamId, UnixMillis, Version};
use crate::policy::Policy;

use by_stream::ByStream;
use challenges::Challenges;
use codes::Codes;
use holdings::Holdings;
use keys::Keys;
use outbox::Outbox;
use rules::Rules;
use sign_ins::SignIns;
use subject::Subject;

/// One event of a log, where it stands and when it was recorded.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its version in the stream.
    pub version: Version,
    /// When it was recorded.
    pub at: UnixMillis,
    /// The event.
    pub event: &'a Event,
}

/// One entry of a log whose event cannot be read: it is sealed, and its key was destroyed or is not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its version in the stream.
    pub version: Version,
    /// The number of its type; see [`crate::wire`].
    pub event_type: u16,
}

macro_rules! laws {
    ($( $(#[$doc:meta])* $name:ident = $text:literal; )*) => {
        /// A law that a history breaks.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Law { $( $(#[$doc])* $name, )* }

        impl Law {
            /// Every law.
            pub const ALL: &'static [Self] = &[ $( Self::$name ),* ];
        }

        impl fmt::Display for Law {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $( Self::$name => $text, )* })
            }
        }
    };
}

laws! {
    /// Versions of a stream are 1, 2, 3, … without a gap.
    VersionsHaveNoGap = "versions of a stream have no gap";
    /// Every event can follow the state before it.
    HistoryFolds = "every event follows from the state before it";
    /// A device belongs to at most one principal at a time (R4, R24).
    OneOwner = "a device has at most one owner";
    /// A device that a principal has is assigned to it, and the other way round (R50).
    AssignedIsEnabled = "a device is assigned to the principal that has it enabled";
    /// No counter of a device is accepted twice as a single code while its seed lives (R87).
    CounterAcceptedOnce = "a code is accepted once";
    /// Each accepted pair lies wholly after the one before it (R85).
    PairsIncrease = "pairs only go forward";
    /// No more proofs are evaluated in an attempt window than the account's rules allow (R91), unless the clock
    /// was set back further than they bear (A40).
    BudgetHolds = "attempts stay within their budget";
    /// No principal gets more devices than its account's rules allow (R3, R172).
    DeviceLimitHolds = "a principal stays within its device limit";
    /// Root never has an SMS device (R122).
    RootHasNoSms = "root has no SMS device";
    /// A key's counter is above the last accepted one, or both are 0, and after one that went back none is
    /// accepted (WebAuthn section 6.1.1, NT-29).
    CounterIncreases = "a security key's counter only goes up";
    /// No two devices hold one credential, and every registered key holds its own (NT-30).
    CredentialClaimedOnce = "a credential belongs to one device";
    /// A challenge is answered well at most once, by whom it was issued to, and in its time (NT-10, A15, A22).
    ChallengeAnsweredOnce = "a challenge is answered once, in its time";
    /// Who is in has just proven what the sign-in asked for (R97..R101, A6, R130).
    SignInIsProven = "a sign-in rests on a proof of its own";
    /// No more tries at a code that was sent are evaluated than the account's rules allow (A15).
    SmsTriesHold = "tries at a code that was sent are limited";
    /// Each message stands behind its code, under a key of its own; it is tried one try at a time, in its time, no
    /// more often than the account's rules allow, and while somebody waits for it; what becomes of it follows from a
    /// try (A15, NT-42).
    MessagesAreAccountedFor = "a code is handed over as decided";
}

impl Law {
    /// Whether the law rests on events that are never sealed, so that it can be judged where others cannot be read.
    #[must_use]
    pub const fn is_in_the_clear(self) -> bool {
        matches!(
            self,
            Self::VersionsHaveNoGap
                | Self::OneOwner
                | Self::AssignedIsEnabled
                | Self::CounterAcceptedOnce
                | Self::PairsIncrease
                | Self::CounterIncreases
                | Self::CredentialClaimedOnce
        )
    }
}

/// A place where a law is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// The stream.
    pub stream: StreamId,
    /// The event; for a law over the whole log, the last one.
    pub position: Position,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at position {} of stream {}: {} does not hold", self.position, self.stream, self.law)
    }
}

/// Watches a log in its global order.
#[derive(Debug)]
pub struct LawBook {
    subjects: ByStream<(Version, Subject)>,
    rules: Rules,
    holdings: Holdings,
    codes: Codes,
    keys: Keys,
    challenges: Challenges,
    sign_ins: SignIns,
    outbox: Outbox,
    /// Streams of which something could not be read.
    unread: BTreeSet<StreamId>,
    last: Position,
}

impl LawBook {
    /// A book for a log that was written under this policy, and under the rules that its accounts chose.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            subjects: ByStream::default(),
            rules: Rules::new(policy),
            holdings: Holdings::default(),
            codes: Codes::default(),
            keys: Keys::default(),
            challenges: Challenges::default(),
            sign_ins: SignIns::default(),
            outbox: Outbox::default(),
            unread: BTreeSet::new(),
            last: Position(0),
        }
    }

    /// Takes the next event and names the laws that it breaks.
    pub fn observe(&mut self, fact: &Fact<'_>) -> Vec<Violation> {
        self.last = fact.position;
        let mut broken = vec![];
        self.follow(fact, &mut broken);
        self.rules.observe(fact);
        self.holdings.observe(fact, &self.rules, &mut broken);
        self.codes.observe(fact, &self.rules, &mut broken);
        self.keys.observe(fact, &mut broken);
        let answered = self.challenges.observe(fact, &self.rules, &mut broken);
        self.sign_ins.observe(fact, answered, &self.holdings, &mut broken);
        self.outbox.observe(fact, &self.rules, &mut broken);
        if self.is_obscure(fact) {
            broken.retain(|law| law.is_in_the_clear());
        }
        let place = |law| Violation { law, stream: fact.stream, position: fact.position };
        broken.into_iter().map(place).collect()
    }

    /// Takes the next entry when its event cannot be read. From here on the stream is judged by those laws only that rest
    /// on what is never sealed ([`Law::is_in_the_clear`]): the others would take what is hidden for what is missing.
    ///
    /// ```
    /// use countersign_domain::ids::{Position, StreamId, Version};
    /// use countersign_domain::laws::{LawBook, Unread};
    /// use countersign_domain::policy::Policy;
    ///
    /// let mut laws = LawBook::new(Policy::classic());
    /// let stream = StreamId::derive(&["user", "123456789012", "AIDALEE"]);
    /// let registered = Unread { position: Position(0), stream, version: Version(1), event_type: 0x0301 };
    /// assert_eq!(laws.observe_unread(&registered), []);
    /// assert_eq!(laws.unread_streams(), 1);
    /// ```
    pub fn observe_unread(&mut self, unread: &Unread) -> Vec<Violation> {
        let Unread { position, stream, version, event_type } = *unread;
        self.last = position;
        self.unread.insert(stream);
        let before =
            self.subjects.insert(stream, (version, Subject::Unread)).map_or(Version::NONE, |(before, _)| before);
        self.codes.observe_unread(stream, event_type);
        let gap = (before.next() != version).then_some(Law::VersionsHaveNoGap);
        gap.into_iter().map(|law| Violation { law, stream, position }).collect()
    }

    /// How many streams could not be read wholly, and were judged by some of the laws only.
    #[must_use]
    pub fn unread_streams(&self) -> usize {
        self.unread.len()
    }

    /// Whether an event is of somebody of whom not all is known.
    fn is_obscure(&self, fact: &Fact<'_>) -> bool {
        let owner = match fact.event {
            Event::PairRefused(refused) => Some(refused.owner),
            _ => None,
        };
        !self.unread.is_empty() && [Some(fact.stream), owner].into_iter().flatten().any(|of| self.unread.contains(&of))
    }

    /// Says which laws over the whole log are broken at its end.
    #[must_use]
    pub fn finish(&self) -> Vec<Violation> {
        let position = self.last;
        let judged = |(law, stream): &(Law, StreamId)| law.is_in_the_clear() || !self.unread.contains(stream);
        let found = self.holdings.finish().chain(self.keys.finish()).filter(judged);
        found.map(|(law, stream)| Violation { law, stream, position }).collect()
    }

    /// Brings the event's stream to its next state, in its place.
    fn follow(&mut self, fact: &Fact<'_>, broken: &mut Vec<Law>) {
        let (before, subject) = self.subjects.entry(fact.stream).or_insert((Version::NONE, Subject::Nothing));
        if before.next() != fact.version {
            broken.push(Law::VersionsHaveNoGap);
        }
        *before = fact.version;
        let state = core::mem::replace(subject, Subject::Broken);
        *subject = Subject::evolve(state, fact.event, fact.at);
        if matches!(subject, Subject::Broken) {
            broken.push(Law::HistoryFolds);
        }
    }
}
