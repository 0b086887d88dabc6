//! Codes on their way: what is handed over, how often, and in what order.

use alloc::vec::Vec;

use super::by_stream::ByStream;
use super::rules::Rules;
use super::{Fact, Law};
use crate::event::{Event, SmsDelivery, SmsQueued, SmsSubmitFault, SmsSubmitting};
use crate::ids::{AttemptId, ChallengeId, StreamId, UnixMillis, Version};
use crate::principal::OPEN_MAX;

/// The codes of every principal that were to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    books: ByStream<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// The message that the code wants that the principal's last event issued.
    issued: Option<Letter>,
    /// The last decision that a message stands for.
    decision: Option<Version>,
    /// The last messages, oldest first; as many as are ever heard of again.
    letters: Vec<Letter>,
}

#[derive(Debug)]
struct Letter {
    challenge: ChallengeId,
    device: StreamId,
    attempt: Option<AttemptId>,
    until: UnixMillis,
    /// Nobody waits for this code any more.
    void: bool,
    state: State,
    /// Tries, all of them.
    tries: u32,
    /// Tries that count, and of these the ones of unknown outcome: since it was wanted after all, where it was.
    counted: u32,
    unknown: u32,
    reported: Option<SmsDelivery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Tried,
    Taken,
    Dropped,
}

impl Outbox {
    pub(super) fn observe(&mut self, fact: &Fact<'_>, rules: &Rules, broken: &mut Vec<Law>) {
        let held = match fact.event {
            Event::SmsCodeIssued(issued) => {
                let book = self.books.entry(fact.stream).or_default();
                book.void(|letter| letter.device == issued.device);
                book.issued = Some(Letter::new(issued.challenge, issued.device, issued.attempt, issued.until));
                return;
            }
            Event::SmsQueued(queued) => self.books.entry(fact.stream).or_default().queue(fact, queued),
            Event::PrincipalRemoved(_) => {
                self.books.remove(&fact.stream);
                return;
            }
            event => {
                let before = self.books.get_mut(&fact.stream);
                let Some(book) = before else {
                    broken.extend(is_of_a_message(event).then_some(Law::MessagesAreAccountedFor));
                    return;
                };
                book.issued = None;
                book.outdate(event);
                book.step(fact, rules)
            }
        };
        broken.extend((!held).then_some(Law::MessagesAreAccountedFor));
    }
}

const fn is_of_a_message(event: &Event) -> bool {
    matches!(
        event,
        Event::SmsSubmitting(_)
            | Event::SmsSubmitted(_)
            | Event::SmsSubmitFailed(_)
            | Event::SmsDropped(_)
            | Event::SmsRedriven(_)
            | Event::SmsReported(_)
    )
}

impl Book {
    /// A message stands right behind its code, and for a decision of its own: the version before both.
    fn queue(&mut self, fact: &Fact<'_>, queued: &SmsQueued) -> bool {
        let &SmsQueued { challenge, device, until, .. } = queued;
        let same = |wanted: &Letter| (wanted.challenge, wanted.device, wanted.until) == (challenge, device, until);
        let wanted = self.issued.take().filter(same);
        let own = wanted.is_some();
        let fresh = self.letter(queued.challenge).is_none()
            && self.decision.is_none_or(|last| last < queued.decision)
            && queued.decision.next().next() == fact.version;
        self.decision = self.decision.max(Some(queued.decision));
        if self.letters.len() >= OPEN_MAX {
            self.letters.remove(0);
        }
        self.letters.push(wanted.unwrap_or_else(|| Letter::new(challenge, device, None, until)));
        own && fresh
    }

    fn letter(&mut self, challenge: ChallengeId) -> Option<&mut Letter> {
        self.letters.iter_mut().find(|letter| letter.challenge == challenge)
    }

    fn void(&mut self, which: impl Fn(&Letter) -> bool) {
        self.letters.iter_mut().filter(|letter| which(letter)).for_each(|letter| letter.void = true);
    }

    /// What makes a code worthless, beside a newer one: the loss of the device, the end of what it was for, its use.
    fn outdate(&mut self, event: &Event) {
        match event {
            Event::SmsCodeAccepted(done) => self.void(|letter| letter.challenge == done.challenge),
            Event::DeviceDeactivated(gone) => self.void(|letter| letter.device == gone.device),
            Event::SignedIn(done) => self.void(|letter| letter.attempt == Some(done.attempt)),
            Event::SignInsEnded(_) => self.void(|_| true),
            _ => {}
        }
    }

    /// Whether what is said of a message may be said of it.
    fn step(&mut self, fact: &Fact<'_>, rules: &Rules) -> bool {
        match fact.event {
            Event::SmsSubmitting(begun) => {
                self.letter(begun.challenge).is_some_and(|letter| letter.submit(fact, begun, rules))
            }
            Event::SmsSubmitted(done) => {
                self.letter(done.challenge).is_some_and(|letter| letter.end(done.submit, State::Taken))
            }
            Event::SmsSubmitFailed(failed) => self.letter(failed.challenge).is_some_and(|letter| {
                letter.unknown = letter.unknown.saturating_add((failed.fault == SmsSubmitFault::Unknown).into());
                letter.end(failed.submit, State::Waiting)
            }),
            Event::SmsDropped(dropped) => self.letter(dropped.challenge).is_some_and(|letter| {
                let waited = letter.reported.is_none() && letter.state == State::Waiting;
                letter.state = State::Dropped;
                waited
            }),
            Event::SmsRedriven(redriven) => self.letter(redriven.challenge).is_some_and(|letter| {
                let dropped = letter.reported.is_none() && letter.state == State::Dropped;
                (letter.state, letter.counted, letter.unknown) = (State::Waiting, 0, 0);
                dropped && letter.is_good(fact.at)
            }),
            Event::SmsReported(reported) => {
                self.letter(reported.challenge).is_some_and(|letter| letter.report(reported.delivery))
            }
            _ => true,
        }
    }
}

impl Letter {
    const fn new(challenge: ChallengeId, device: StreamId, attempt: Option<AttemptId>, until: UnixMillis) -> Self {
        let (void, state, reported) = (false, State::Waiting, None);
        Self { challenge, device, attempt, until, void, state, tries: 0, counted: 0, unknown: 0, reported }
    }

    fn is_good(&self, at: UnixMillis) -> bool {
        !self.void && at < self.until
    }

    fn submit(&mut self, fact: &Fact<'_>, begun: &SmsSubmitting, rules: &Rules) -> bool {
        let waited = self.reported.is_none() && self.state == State::Waiting;
        self.state = State::Tried;
        (self.tries, self.counted) = (self.tries.saturating_add(1), self.counted.saturating_add(1));
        waited
            && self.is_good(fact.at)
            && self.tries == u32::from(begun.submit)
            && self.counted <= rules.most(fact.stream, fact.at, |policy| policy.sms_submits_max.into())
            && self.unknown <= rules.most(fact.stream, fact.at, |policy| policy.sms_unknowns_max.into())
    }

    /// How the try that is under way ended.
    fn end(&mut self, submit: u8, state: State) -> bool {
        let under_way = self.reported.is_none() && self.state == State::Tried;
        self.state = state;
        under_way && self.tries == u32::from(submit)
    }

    /// Reports are of what was tried, and go on only.
    fn report(&mut self, delivery: SmsDelivery) -> bool {
        let before = self.reported.replace(delivery);
        self.tries > 0 && before.is_none_or(|before| !before.is_final() && before < delivery)
    }
}
