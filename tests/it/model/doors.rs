//! What the list says of sign-ins, challenges and codes that were sent: what is open, and what was proven.

use countersign::KeyForm;
use countersign::domain::event::{AlternativeFactor, KeyFault};

use super::cast::PEOPLE;
use super::cast::{Credential, Device};
use super::counters::Budget;
use super::facts::{Errand, Fact, History, Task};
use super::rules::{
    BUDGET_WINDOW_S, CHANGE_MS, CLOCK_BACK_MS, FACTOR_TRIES, OPEN, OPEN_CHALLENGES, PAUSE_MS, REFUSALS, SENDS,
    SENDS_WINDOW_S,
};

use Fact::*;

impl Fact {
    /// Whose sign-ins and challenges this is about. Each such fact sweeps out what is over by then.
    fn at_door(&self) -> Option<usize> {
        match self {
            Started { person, .. }
            | SignInsEnded { person }
            | SignedIn { person, .. }
            | SignInRefused { person, .. }
            | AssociateProven { person, .. }
            | KeyAsked { person, .. }
            | KeyEnabled { person, .. }
            | KeyAccepted { person, .. }
            | KeyRefused { person, .. }
            | CodeSent { person, .. }
            | CodeTaken { person, .. }
            | CodeMissed { person, .. }
            | FactorAsked { person, .. }
            | FactorProven { person, .. }
            | FactorMissed { person, .. } => Some(*person),
            _ => None,
        }
    }
}

/// A sign-in that waits for a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub attempt: usize,
    pub until: u64,
    pub associate: Option<usize>,
    /// The address that it was begun from.
    pub from: usize,
}

/// A challenge to a key that waits for its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    pub challenge: usize,
    pub form: KeyForm,
    pub task: Task,
}

/// A code that was sent and may be typed.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub challenge: usize,
    pub errand: Errand,
    pub until: u64,
    pub tries: usize,
}

/// What is sent to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// A code by SMS.
    Code,
    /// A mail or a call.
    Factor(AlternativeFactor),
}

/// How far an alternative factor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alternative {
    NotAsked,
    Asked { challenge: usize, until: u64, tries: usize },
    Proven,
}

/// Where something begins and ends in the list.
struct Span<T> {
    from: usize,
    to: usize,
    what: T,
}

/// Of those that are still there when the next begins, only so many: one of them goes, the oldest that yields to the
/// newcomer, or the oldest of all.
fn crowded<T>(spans: Vec<Span<T>>, most: usize, end: usize, yields: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut there: Vec<Span<T>> = Vec::new();
    for span in spans {
        there.retain(|other| other.to > span.from);
        if there.len() == most {
            let goes = there.iter().position(|other| yields(&other.what, &span.what));
            there.remove(goes.unwrap_or(0));
        }
        there.push(span);
    }
    there.into_iter().filter(|span| span.to >= end).map(|span| span.what).collect()
}

// ---- sign-ins ----

impl History {
    /// The first place after another where something of this person's door ends it, or comes after its time.
    fn end(&self, person: usize, from: usize, until: u64, ends: impl Fn(usize, &Fact) -> bool) -> usize {
        let over = |place: &usize| {
            let (at, fact) = &self.0[*place];
            let ended = matches!(fact, SignInsEnded { .. });
            fact.at_door() == Some(person) && (*at >= until || ended || ends(*place, fact))
        };
        (from + 1..self.0.len()).find(over).unwrap_or(self.0.len())
    }

    /// Where a sign-in was completed, or given up after too many refusals.
    fn concluded(&self, attempt: usize) -> Option<usize> {
        let mut refusals = 0;
        self.facts().position(|fact| match fact {
            SignedIn { attempt: of, .. } => *of == attempt,
            SignInRefused { attempt: of, .. } if *of == attempt => {
                refusals += 1;
                refusals == REFUSALS
            }
            _ => false,
        })
    }

    /// The sign-ins of a person that nothing has ended, whether their time is over or not, oldest first.
    fn unended_sign_ins(&self, person: usize) -> Vec<Attempt> {
        let started = self.0.iter().enumerate().filter_map(|(begun, (_, fact))| match fact {
            Started { person: who, attempt, until, associate, from } if *who == person => {
                let concluded = self.concluded(*attempt);
                let to = self.end(person, begun, *until, |place, _| Some(place) == concluded);
                let (attempt, until, associate, from) = (*attempt, *until, *associate, *from);
                Some(Span { from: begun, to, what: Attempt { attempt, until, associate, from } })
            }
            _ => None,
        });
        crowded(started.collect(), OPEN, self.0.len(), |one, other| one.from == other.from)
    }

    /// The sign-ins of a person that may be completed, oldest first.
    pub fn open_sign_ins(&self, person: usize, now: u64) -> Vec<Attempt> {
        let mut open = self.unended_sign_ins(person);
        open.retain(|open| open.until > now && self.exists(person));
        open
    }

    /// Whether there is anything that a new password would end.
    pub fn has_pending(&self, person: usize) -> bool {
        let phones = self.all_devices().into_iter().filter(|device| matches!(device, Device::Sms(..)));
        !self.unended_sign_ins(person).is_empty()
            || !self.unended_challenges(person).is_empty()
            || phones.into_iter().any(|phone| self.sent_code(person, phone).is_some())
    }

    pub fn sign_in(&self, person: usize, attempt: usize, now: u64) -> Option<Attempt> {
        self.open_sign_ins(person, now).into_iter().find(|open| open.attempt == attempt)
    }

    /// The digits that the linked root's device showed in a sign-in.
    pub fn shown_by_associate(&self, attempt: usize) -> Option<u32> {
        self.facts().find_map(|fact| match fact {
            AssociateProven { attempt: of, code, .. } if *of == attempt => Some(*code),
            _ => None,
        })
    }

    /// A6: whether the linked root's device is to be proven first.
    pub fn waits_for_associate(&self, open: Attempt) -> bool {
        open.associate.is_some() && self.shown_by_associate(open.attempt).is_none()
    }

    /// Registrations that were begun in the window that counts now.
    pub fn registrations(&self, person: usize, now: u64, window_s: u64) -> Budget {
        let windows = self.facts().filter_map(|fact| match fact {
            KeyAsked { person: who, window, task: Task::Register { .. }, .. } if *who == person => {
                Some((*window, true))
            }
            _ => None,
        });
        Budget::of(windows, now, window_s)
    }

    /// How often keys were challenged in a sign-in.
    pub fn challenged(&self, attempt: usize) -> usize {
        let prove =
            |fact: &&Fact| matches!(fact, KeyAsked { task: Task::Prove { attempt: of, .. }, .. } if *of == attempt);
        self.facts().filter(prove).count()
    }

    /// Every sign-in that was ever begun, with its person, newest first.
    pub fn attempts(&self) -> Vec<(usize, usize)> {
        let started = |fact: &Fact| match fact {
            Started { person, attempt, .. } => Some((*attempt, *person)),
            _ => None,
        };
        self.facts().rev().filter_map(started).collect()
    }

    /// R130, A23: where an alternative factor stands; beginning another sign-in throws it away.
    pub fn alternative(&self, person: usize, attempt: usize, factor: AlternativeFactor) -> Alternative {
        let mut stands = Alternative::NotAsked;
        for fact in self.facts().filter(|fact| fact.at_door() == Some(person)) {
            match fact {
                Started { .. } => stands = Alternative::NotAsked,
                FactorAsked { attempt: of, factor: which, challenge, until, .. }
                    if (*of, *which) == (attempt, factor) =>
                {
                    stands = Alternative::Asked { challenge: *challenge, until: *until, tries: 0 };
                }
                FactorProven { attempt: of, factor: which, .. } if (*of, *which) == (attempt, factor) => {
                    stands = Alternative::Proven;
                }
                FactorMissed { attempt: of, factor: which, .. } if (*of, *which) == (attempt, factor) => {
                    if let Alternative::Asked { tries, .. } = &mut stands {
                        *tries += 1;
                    }
                }
                _ => {}
            }
        }
        stands
    }

    /// The challenge of an alternative factor, while it may be answered.
    pub fn factor_asked(&self, person: usize, attempt: usize, factor: AlternativeFactor, now: u64) -> Option<usize> {
        match self.alternative(person, attempt, factor) {
            Alternative::Asked { challenge, until, tries } if until > now && tries < FACTOR_TRIES => Some(challenge),
            _ => None,
        }
    }
}

// ---- keys ----

impl History {
    /// The challenges to keys of a person that nothing has ended, and until when they wait: eight of a sign-in, and
    /// eight registrations.
    fn unended_challenges(&self, person: usize) -> Vec<(u64, Asked)> {
        let asked = self.0.iter().enumerate().filter_map(|(from, (_, fact))| match fact {
            KeyAsked { person: who, challenge, form, task, until, .. } if *who == person => {
                let concluded = task.attempt().and_then(|attempt| self.concluded(attempt));
                let to = self.end(person, from, *until, |place, fact| {
                    let answered = match fact {
                        KeyEnabled { challenge: of, .. }
                        | KeyAccepted { challenge: of, .. }
                        | KeyRefused { challenge: of, .. } => of == challenge,
                        _ => false,
                    };
                    answered || Some(place) == concluded
                });
                let what = (*until, Asked { challenge: *challenge, form: *form, task: task.clone() });
                Some(Span { from, to, what })
            }
            _ => None,
        });
        let mut spans: Vec<Span<(u64, Asked)>> = asked.collect();
        let mut left = Vec::new();
        while let Some(task) = spans.first().map(|span| span.what.1.task.attempt()) {
            let (same, others) = spans.into_iter().partition(|span| span.what.1.task.attempt() == task);
            left.extend(crowded(same, OPEN_CHALLENGES, self.0.len(), |_, _| true));
            spans = others;
        }
        left
    }

    /// The challenges to keys of a person that wait for an answer.
    pub fn open_challenges(&self, person: usize, now: u64) -> Vec<Asked> {
        let unended = self.unended_challenges(person).into_iter();
        unended.filter(|(until, _)| *until > now).map(|(_, asked)| asked).collect()
    }

    pub fn challenge(&self, person: usize, challenge: usize, now: u64) -> Option<Asked> {
        self.open_challenges(person, now).into_iter().find(|open| open.challenge == challenge)
    }

    /// Every challenge to keys that was ever issued, newest first: whose it is, and what it is.
    pub fn key_challenges(&self) -> Vec<(usize, Asked)> {
        let asked = |fact: &Fact| match fact {
            KeyAsked { person, challenge, form, task, .. } => {
                Some((*person, Asked { challenge: *challenge, form: *form, task: task.clone() }))
            }
            _ => None,
        };
        self.facts().rev().filter_map(asked).collect()
    }

    /// What is enabled under a key's serial number: its form and its credential.
    pub fn key(&self, device: Device) -> Option<(KeyForm, Credential)> {
        let (_, place) = self.enabled(device)?;
        match &self.0[place].1 {
            KeyEnabled { form, credential, .. } => Some((*form, *credential)),
            _ => None,
        }
    }

    /// The keys of a person, of one form or of both, oldest first.
    pub fn keys(&self, person: usize, form: Option<KeyForm>) -> Vec<(Device, Credential)> {
        let of_form = |device: Device| {
            let (is, credential) = self.key(device)?;
            form.is_none_or(|form| form == is).then_some((device, credential))
        };
        self.devices(person).into_iter().filter_map(of_form).collect()
    }

    /// The device that has a credential, anywhere.
    pub fn claimed(&self, credential: Credential) -> Option<Device> {
        let has = |device: &Device| self.key(*device).is_some_and(|(_, of)| of == credential);
        self.all_devices().into_iter().find(has)
    }

    /// The counter that a key last proved, or registered with.
    pub fn key_counter(&self, device: Device) -> u32 {
        let counter = |fact: &Fact| match fact {
            KeyEnabled { challenge, counter, .. } if Device::Key(*challenge) == device => Some(*counter),
            KeyAccepted { device: used, counter, .. } if *used == device => Some(*counter),
            _ => None,
        };
        self.facts().rev().find_map(counter).unwrap_or(0)
    }

    /// The highest counter that a credential ever showed, wherever it was registered.
    pub fn highest_counter(&self, credential: Credential) -> u32 {
        let devices: Vec<Device> = self
            .facts()
            .filter_map(|fact| match fact {
                KeyEnabled { challenge, credential: of, .. } if *of == credential => Some(Device::Key(*challenge)),
                _ => None,
            })
            .collect();
        devices.into_iter().map(|device| self.key_counter(device)).max().unwrap_or(0)
    }

    /// NT-29: its counter went back once.
    pub fn is_suspected(&self, device: Device) -> bool {
        self.facts().any(|fact| {
            matches!(fact, KeyRefused { device: Some(of), fault: KeyFault::CounterRegressed, .. } if *of == device)
        })
    }
}

// ---- phones ----

impl History {
    /// The newest code that was sent to a phone and not answered well, in its time or not.
    pub fn sent_code(&self, person: usize, device: Device) -> Option<Sent> {
        let sent = self.0.iter().enumerate().rev().find_map(|(place, (_, fact))| match fact {
            CodeSent { person: who, challenge, device: to, errand, until, .. }
                if *who == person && to.is_like(device) =>
            {
                Some((place, Sent { challenge: *challenge, errand: *errand, until: *until, tries: 0 }))
            }
            _ => None,
        });
        let (place, sent) = sent?;
        let concluded = match sent.errand {
            Errand::SignIn(attempt) => self.concluded(attempt),
            Errand::Enrolment(_) => None,
        };
        let mut tries = 0;
        for (later, (at, fact)) in self.0.iter().enumerate().skip(place + 1) {
            let gone = match fact {
                CodeTaken { challenge, .. } => *challenge == sent.challenge,
                Deactivated { person: who, device: gone } => *who == person && gone.is_like(device),
                // Another code sweeps out those whose time is over.
                CodeSent { person: who, .. } => *who == person && *at >= sent.until,
                SignInsEnded { person: who } => *who == person,
                _ => Some(later) == concluded,
            };
            if gone {
                return None;
            }
            tries += usize::from(matches!(fact, CodeMissed { challenge, .. } if *challenge == sent.challenge));
        }
        Some(Sent { tries, ..sent })
    }

    /// What was sent to a person, when, and in which quarter of an hour it counts: codes, mails, or calls.
    fn sent(&self, person: usize, what: Sending) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().filter_map(move |(at, fact)| match (fact, what) {
            (CodeSent { person: who, window, .. }, Sending::Code) if *who == person => Some((*at, *window)),
            (FactorAsked { person: who, factor, window, .. }, Sending::Factor(of))
                if (*who, *factor) == (person, of) =>
            {
                Some((*at, *window))
            }
            _ => None,
        })
    }

    /// A15: how much of it in the quarter of an hour that counts now.
    pub fn sends(&self, person: usize, what: Sending, now: u64) -> Budget {
        Budget::of(self.sent(person, what).map(|(_, window)| (window, true)), now, SENDS_WINDOW_S)
    }

    /// A15: when another one may be sent; `None` is now.
    pub fn sends_again_at(&self, person: usize, what: Sending, now: u64) -> Option<u64> {
        let (last, _) = self.sent(person, what).last()?;
        let paused = (last <= now + CLOCK_BACK_MS).then_some(last + PAUSE_MS);
        let counted = self.sends(person, what, now);
        let spent = (counted.used >= SENDS).then_some((counted.window + 1) * SENDS_WINDOW_S * 1000);
        [paused, spent].into_iter().flatten().filter(|at| *at > now).max()
    }

    /// NT-43: until when nobody enrols a phone, because the last one went moments ago.
    pub fn phone_gone_until(&self, person: usize, now: u64) -> Option<u64> {
        let gone = self.0.iter().rev().find_map(|(at, fact)| match fact {
            Deactivated { person: who, device: Device::Sms(..) } if *who == person => Some(*at),
            _ => None,
        });
        gone.filter(|at| *at <= now + CLOCK_BACK_MS).map(|at| at + CHANGE_MS).filter(|until| *until > now)
    }

    /// NT-40: the codes of the budget window that counts now, to sign in or to enrol, whose they are and to which number
    /// they went; and when that window ends. One that has begun does not end because the clock is set back a little.
    pub fn budgeted(&self, to_sign_in: bool, now: u64) -> (Vec<(usize, usize)>, u64) {
        let (mut window, mut counted) = (0, Vec::new());
        let mut turn = |at: u64, counted: &mut Vec<_>| {
            let of = |at: u64| at / 1000 / BUDGET_WINDOW_S;
            if !(of(at)..=of(at + CLOCK_BACK_MS)).contains(&window) {
                (window, _) = (of(at), counted.clear());
            }
            (window + 1) * BUDGET_WINDOW_S * 1000
        };
        for (at, fact) in &self.0 {
            if let CodeSent { person, number, errand, .. } = fact {
                turn(*at, &mut counted);
                if matches!(errand, Errand::SignIn(_)) == to_sign_in {
                    counted.push((PEOPLE[*person].account, *number));
                }
            }
        }
        let ends = turn(now, &mut counted);
        (counted, ends)
    }

    /// Every code that was ever sent, newest first: whose it is, its challenge, the phone, and what it is for.
    pub fn sent_codes(&self) -> Vec<(usize, usize, Device, Errand)> {
        let sent = |fact: &Fact| match fact {
            CodeSent { person, challenge, device, errand, .. } => Some((*person, *challenge, *device, *errand)),
            _ => None,
        };
        self.facts().rev().filter_map(sent).collect()
    }

    /// A16: had an SMS device at some time.
    pub fn is_participant(&self, person: usize) -> bool {
        self.facts().any(|fact| matches!(fact, SmsEnabled { person: who, .. } if *who == person))
    }

    /// The number of an SMS device.
    pub fn number(&self, device: Device) -> Option<usize> {
        let (_, place) = self.enabled(device)?;
        match &self.0[place].1 {
            SmsEnabled { number, .. } => Some(*number),
            _ => None,
        }
    }
}
