//! The list of what happened, and every question that is answered by reading it.

use countersign::Purpose;

use super::cast::{PEOPLE, is_virtual, known_as};
use super::rules::{CLOCK_BACK_MS, MISSES, WINDOW_S};

/// Why codes were refused, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Wrong,
    Used,
    Outside(i64),
    NotYet,
    NoMatch,
    NotNewer,
}

/// Something that happened. People and things are numbers in the pools of [`super::cast`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Opened { account: usize },
    Registered { person: usize, name: &'static str, path: &'static str },
    Renamed { person: usize, name: &'static str, path: &'static str },
    Removed { person: usize },
    Made { thing: usize, secret: Vec<u8> },
    Deleted { thing: usize },
    Enabled { person: usize, thing: usize, window: u64, counter: u64, offset: i64 },
    EnableRefused { person: usize, thing: usize, window: u64, fault: Fault },
    Resynced { person: usize, thing: usize, window: u64, counter: u64, offset: i64 },
    ResyncRefused { person: usize, thing: usize, window: u64, fault: Fault },
    Accepted { person: usize, thing: usize, window: u64, counter: u64, purpose: Purpose },
    Refused { person: usize, thing: usize, window: u64, fault: Fault, purpose: Purpose },
    OutOfBudget { holder: Option<usize>, thing: usize, pairs: bool, window: u64 },
    Deactivated { person: usize, thing: usize },
}

use Fact::*;

impl Fact {
    fn thing(&self) -> Option<usize> {
        match self {
            Made { thing, .. }
            | Deleted { thing }
            | Enabled { thing, .. }
            | EnableRefused { thing, .. }
            | Resynced { thing, .. }
            | ResyncRefused { thing, .. }
            | Accepted { thing, .. }
            | Refused { thing, .. }
            | OutOfBudget { thing, .. }
            | Deactivated { thing, .. } => Some(*thing),
            Opened { .. } | Registered { .. } | Renamed { .. } | Removed { .. } => None,
        }
    }

    /// The attempt window in which this counts against a budget: pairs, or single codes.
    fn attempt(&self, of_pairs: bool) -> Option<u64> {
        match self {
            Enabled { window, .. }
            | EnableRefused { window, .. }
            | Resynced { window, .. }
            | ResyncRefused { window, .. }
                if of_pairs =>
            {
                Some(*window)
            }
            Accepted { window, .. } | Refused { window, .. } if !of_pairs => Some(*window),
            _ => None,
        }
    }
}

/// A budget as it stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub window: u64,
    pub used: usize,
    pub told: bool,
}

/// The list: each fact with the instant at which it was recorded, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct History(pub Vec<(u64, Fact)>);

/// How a user is called, and since when it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: &'static str,
    pub path: &'static str,
    pub since: u64,
}

// ---- accounts and principals ----

impl History {
    fn facts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.0.iter().map(|(_, fact)| fact)
    }

    pub fn opened_at(&self, account: usize) -> Option<u64> {
        self.0.iter().find(|(_, fact)| *fact == Opened { account }).map(|(at, _)| *at)
    }

    pub fn ever_existed(&self, person: usize) -> bool {
        self.facts().any(|fact| matches!(fact, Registered { person: who, .. } if *who == person))
    }

    pub fn profile(&self, person: usize) -> Option<Profile> {
        let mut profile = None;
        for (at, fact) in &self.0 {
            match fact {
                Registered { person: who, name, path } if *who == person => {
                    profile = Some(Profile { name, path, since: *at });
                }
                Renamed { person: who, name, path } if *who == person => {
                    profile = profile.map(|before: Profile| Profile { name, path, ..before });
                }
                Removed { person: who } if *who == person => profile = None,
                _ => {}
            }
        }
        profile
    }

    /// The users of an account, without root.
    pub fn users(&self, account: usize) -> Vec<usize> {
        let is_user = |person: &usize| PEOPLE[*person].account == account && PEOPLE[*person].id.is_some();
        (0..PEOPLE.len()).filter(is_user).filter(|person| self.profile(*person).is_some()).collect()
    }
}

// ---- devices ----

impl History {
    /// Where the present life of exactly this thing began: its place in the list.
    pub fn made(&self, thing: usize) -> Option<usize> {
        let mut made = None;
        for (place, (_, fact)) in self.0.iter().enumerate() {
            match fact {
                Made { thing: which, .. } if *which == thing => made = Some(place),
                Deleted { thing: which } if *which == thing => made = None,
                _ => {}
            }
        }
        made
    }

    pub fn made_at(&self, thing: usize) -> Option<u64> {
        self.made(thing).map(|place| self.0[place].0)
    }

    pub fn secret(&self, thing: usize) -> Option<Vec<u8>> {
        match &self.0[self.made(thing)?].1 {
            Made { secret, .. } => Some(secret.clone()),
            _ => None,
        }
    }

    pub fn owner(&self, thing: usize) -> Option<usize> {
        self.enabled(thing).map(|(person, _)| person)
    }

    /// Who has the thing enabled, and the place of that fact.
    pub fn enabled(&self, thing: usize) -> Option<(usize, usize)> {
        let mut holder = None;
        for (place, (_, fact)) in self.0.iter().enumerate() {
            match fact {
                Enabled { thing: which, person, .. } if *which == thing => holder = Some((*person, place)),
                Deactivated { thing: which, .. } if *which == thing => holder = None,
                _ => {}
            }
        }
        holder
    }

    /// The things that a principal has enabled, oldest first.
    pub fn devices(&self, person: usize) -> Vec<usize> {
        let all = 0..super::cast::THINGS.len();
        let mut mine: Vec<(usize, usize)> = all
            .filter_map(|thing| self.enabled(thing).filter(|(who, _)| *who == person).map(|(_, place)| (place, thing)))
            .collect();
        mine.sort_unstable();
        mine.into_iter().map(|(_, thing)| thing).collect()
    }

    /// What happened to the thing in its present life.
    fn life(&self, thing: usize) -> impl Iterator<Item = &(u64, Fact)> {
        let from = self.made(thing).unwrap_or(self.0.len());
        self.0[from..].iter().filter(move |(_, fact)| fact.thing() == Some(thing))
    }

    /// Counters of the second codes of all its accepted pairs, in order, with the offset learned.
    pub fn pairs(&self, thing: usize) -> Vec<(u64, i64)> {
        let pair = |(_, fact): &(u64, Fact)| match fact {
            Enabled { counter, offset, .. } | Resynced { counter, offset, .. } => Some((*counter, *offset)),
            _ => None,
        };
        self.life(thing).filter_map(pair).collect()
    }

    /// R82: steps that the device is ahead of the server, as far as anyone knows.
    pub fn offset(&self, thing: usize) -> i64 {
        self.pairs(thing).last().map_or(0, |(_, offset)| *offset)
    }

    /// When its time was last learned (R95).
    pub fn learned_at(&self, thing: usize) -> Option<u64> {
        let learned = self.life(thing).filter(|(_, fact)| matches!(fact, Enabled { .. } | Resynced { .. }));
        learned.last().map(|(at, _)| *at)
    }

    /// Counters whose codes were accepted as single codes (R87).
    pub fn spent(&self, thing: usize) -> Vec<u64> {
        let accepted = |(_, fact): &(u64, Fact)| match fact {
            Accepted { counter, .. } => Some(*counter),
            _ => None,
        };
        self.life(thing).filter_map(accepted).collect()
    }

    /// R91..R94: what was evaluated under this name in the window that counts now, whoever held it and
    /// however often it was made anew. A clock set back does not open an older window (A40).
    pub fn budget(&self, thing: usize, pairs: bool, now: u64) -> Budget {
        let same = |other: usize| known_as(other) == known_as(thing);
        let mut last = Budget { window: 0, used: 0, told: false };
        for fact in self.facts().filter(|fact| fact.thing().is_some_and(same)) {
            let spent = match fact {
                OutOfBudget { pairs: of, window, .. } if *of == pairs => Some(*window),
                _ => None,
            };
            let Some(window) = fact.attempt(pairs).or(spent) else { continue };
            if window != last.window {
                last = Budget { window, used: 0, told: false };
            }
            last.used += usize::from(spent.is_none());
            last.told |= spent.is_some();
        }
        let window_at = |ms: u64| ms / 1000 / WINDOW_S;
        let counts = (window_at(now)..=window_at(now + CLOCK_BACK_MS)).contains(&last.window);
        if counts { last } else { Budget { window: window_at(now), used: 0, told: false } }
    }

    /// Until when a device is known to be locked: the budget of the window that counts was found to be spent.
    pub fn locked_until(&self, thing: usize, now: u64) -> Option<u64> {
        self.owner(thing)?;
        let budget = self.budget(thing, false, now);
        budget.told.then_some((budget.window + 1) * WINDOW_S * 1000).filter(|until| *until > now)
    }

    /// Whether anything happened under this thing's name after a place in the list.
    pub fn since(&self, place: usize, thing: usize) -> bool {
        let same = |other: usize| known_as(other) == known_as(thing);
        self.0[place..].iter().any(|(_, fact)| fact.thing().is_some_and(same))
    }

    /// A40: the latest instant that is recorded of it since it was enabled.
    pub fn latest(&self, thing: usize) -> Option<u64> {
        let (_, place) = self.enabled(thing)?;
        let since = self.0[place..].iter().filter(|(_, fact)| fact.thing() == Some(thing));
        since.map(|(at, _)| *at).max()
    }

    /// When one of its codes was last accepted for its present owner.
    pub fn last_used_at(&self, thing: usize) -> Option<u64> {
        let (_, since) = self.enabled(thing)?;
        let mut uses = self.0[since..].iter().filter(|(_, f)| matches!(f, Accepted { thing: t, .. } if *t == thing));
        uses.next_back().map(|(at, _)| *at)
    }

    /// A4, A5: several codes in a row were refused, or one was this device's but out of reach.
    pub fn wants_resync(&self, thing: usize) -> bool {
        let Some((_, since)) = self.enabled(thing) else { return false };
        let (mut misses, mut outside) = (0, false);
        for (_, fact) in self.0[since..].iter().filter(|(_, fact)| fact.thing() == Some(thing)) {
            match fact {
                Enabled { .. } | Resynced { .. } | Accepted { .. } => (misses, outside) = (0, false),
                Refused { fault, .. } => {
                    misses += 1;
                    outside |= matches!(fault, Fault::Outside(_));
                }
                _ => {}
            }
        }
        outside || misses >= MISSES
    }

    /// The virtual devices of an account, in the order of their serial numbers.
    pub fn virtual_devices(&self, account: usize) -> Vec<usize> {
        let of_account = |thing: &usize| matches!(super::cast::THINGS[*thing], super::cast::Thing::Virtual(of, _, _) if of == account);
        let mut all: Vec<usize> = (0..super::cast::THINGS.len())
            .filter(of_account)
            .filter(|thing| is_virtual(*thing) && self.made(*thing).is_some())
            .collect();
        all.sort_by_key(|thing| super::cast::serial_text(*thing));
        all
    }
}
