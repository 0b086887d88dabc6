//! The rules about codes that devices show.

use countersign::Purpose;
use countersign::testing::{STEP_S, remembered};

use super::cast::{Device, secret};
use super::commands::{Answer, By, Command, first, reason};
use super::facts::{Fact, Fault};
use super::perform::Model;
use super::rules::CLOCK_BACK_MS;

impl Model {
    pub fn perform_codes(&mut self, by: By, command: &Command) -> Result<Answer, Answer> {
        match *command {
            Command::Enable { person, device, first: one, second: two } => {
                let thing = self.may_enable(by, person, device, None)?;
                self.enable(person, thing, None, (one, two))
            }
            Command::Rotate { person, old, device, first: one, second: two } => {
                let thing = self.may_enable(by, person, device, Some(old))?;
                self.enable(person, thing, Some(old), (one, two))
            }
            Command::Resync { person, device, first: one, second: two } => {
                first([
                    (reason::CHANNEL, !self.channel_allows(by, person)),
                    (reason::PRINCIPAL_UNKNOWN, !self.history.exists(person)),
                    (reason::DEVICE_UNKNOWN, !self.in_reach(person, device)),
                    (reason::NOT_YOURS, self.history.owner(device) != Some(person)),
                ])?;
                let thing = device.thing().ok_or(Answer::Rejected(reason::NOT_YOURS))?;
                first([(reason::CLOCK, self.clock_is_behind(thing))])?;
                self.resync(person, thing, one, two)
            }
            Command::Verify { person, device, code, purpose } => {
                first([(reason::PRINCIPAL_UNKNOWN, !self.history.exists(person))])?;
                self.verify(person, device, Some(code), purpose)
            }
            _ => unreachable!("no command about codes"),
        }
    }

    /// R63, R64, A7, A34; with an old device also R78, R79. What shows no codes is always somebody's.
    fn may_enable(&self, by: By, person: usize, device: Device, old: Option<Device>) -> Result<usize, Answer> {
        let owner = self.history.owner(device);
        let old_unknown = old.is_some_and(|old| !self.in_reach(person, old));
        let old_not_mine = old.is_some_and(|old| self.history.owner(old) != Some(person));
        first([
            (reason::SELF_MANAGEMENT, self.self_management_forbids(by, person)),
            (reason::CHANNEL, !self.channel_enables(by, person, device.kind())),
            (reason::PRINCIPAL_UNKNOWN, !self.history.exists(person)),
            (reason::DEVICE_UNKNOWN, !self.in_reach(person, device) || old_unknown),
            (reason::NOT_YOURS, old_not_mine),
            (reason::ALREADY_YOURS, owner == Some(person)),
            (reason::IN_USE, owner.is_some_and(|owner| owner != person)),
            (reason::NOT_AT_ONCE, old.is_some() && !self.rules_of(person).rotates_at_once),
            (reason::DEVICE_LIMIT, old.is_none() && self.is_full(person)),
        ])?;
        Ok(device.thing().expect("keys and phones exist only while they are somebody's"))
    }

    /// A40.
    fn clock_is_behind(&self, thing: usize) -> bool {
        self.history.latest(thing).is_some_and(|latest| self.now + CLOCK_BACK_MS < latest)
    }

    pub fn server_step(&self) -> i64 {
        (self.now / 1000 / STEP_S) as i64
    }

    /// R80: where the device's time is now, as far as it was learned.
    pub fn adjusted_step(&self, thing: usize) -> i64 {
        self.server_step() + self.history.offset(thing)
    }

    /// What the thing shows at a counter; one that was never made shows what nobody else does.
    pub fn display(&self, thing: usize) -> impl Fn(i64) -> u32 + use<> {
        let secret = self.history.secret(thing).unwrap_or_else(|| secret(0));
        move |counter| remembered(&secret, counter as u64)
    }

    /// The window in which an attempt counts, unless its budget is spent; then the answer to that.
    fn attempt(&mut self, person: usize, thing: usize, pairs: bool, in_hand: bool) -> Result<u64, Answer> {
        let rules = self.rules_of(person);
        let budget = self.history.budget(thing, pairs, self.now, rules.window_s);
        let allowed = if pairs { rules.pairs_per_window } else { rules.codes_per_window };
        if budget.used < allowed {
            return Ok(budget.window);
        }
        if !budget.told {
            let holder = in_hand.then_some(person);
            self.note(Fact::OutOfBudget { holder, thing, pairs, window: budget.window });
        }
        Err(Answer::Locked { until: (budget.window + 1) * rules.window_s * 1000 })
    }

    /// R81..R85: the counter of the second code, or what is wrong with the pair.
    fn find_pair(&self, person: usize, thing: usize, one: u32, two: u32) -> Result<u64, Fault> {
        let around = self.adjusted_step(thing);
        let (back, ahead) = self.rules_of(person).pair_range;
        let shows = self.display(thing);
        let fits = |second: &i64| shows(*second) == two && shows(second - 1) == one;
        let mut found: Vec<i64> = (around + back..=around + ahead).filter(fits).collect();
        found.sort_by_key(|second| (second - around).abs());
        let last = self.history.pairs(thing).last().map(|(counter, _)| *counter as i64);
        match found.iter().find(|second| last.is_none_or(|last| **second - 1 > last)) {
            Some(second) => Ok(*second as u64),
            None if found.is_empty() => Err(Fault::NoMatch),
            None => Err(Fault::NotNewer),
        }
    }

    fn enable(
        &mut self,
        person: usize,
        thing: usize,
        old: Option<Device>,
        (one, two): (u32, u32),
    ) -> Result<Answer, Answer> {
        let window = self.attempt(person, thing, true, false)?;
        Ok(match self.find_pair(person, thing, one, two) {
            Ok(counter) => {
                let offset = counter as i64 - self.server_step();
                self.note(Fact::Enabled { person, thing, window, counter, offset });
                if let Some(old) = old {
                    self.release(person, old);
                }
                Answer::Accepted
            }
            Err(fault) => {
                self.note(Fact::EnableRefused { person, thing, window, fault });
                Answer::Refused
            }
        })
    }

    fn resync(&mut self, person: usize, thing: usize, one: u32, two: u32) -> Result<Answer, Answer> {
        let window = self.attempt(person, thing, true, true)?;
        Ok(match self.find_pair(person, thing, one, two) {
            Ok(counter) => {
                let offset = counter as i64 - self.server_step();
                self.note(Fact::Resynced { person, thing, window, counter, offset });
                Answer::Accepted
            }
            Err(fault) => {
                self.note(Fact::ResyncRefused { person, thing, window, fault });
                Answer::Refused
            }
        })
    }

    /// R86..R91, R95, A43, for a person who exists. Digits that were shown before in a sign-in are no code (A6):
    /// they are then `None`.
    pub fn verify(
        &mut self,
        person: usize,
        device: Device,
        code: Option<u32>,
        purpose: Purpose,
    ) -> Result<Answer, Answer> {
        first([(reason::NOT_YOURS, self.history.owner(device) != Some(person))])?;
        let thing = device.thing().ok_or(Answer::Rejected(reason::NOT_YOURS))?;
        first([(reason::CLOCK, self.clock_is_behind(thing))])?;
        let window = match self.attempt(person, thing, false, true) {
            Ok(window) => window,
            Err(locked) => return Ok(locked),
        };
        let at_sts = matches!(purpose, Purpose::SessionToken | Purpose::AssumeRole);
        let delay = self.rules_of(person).propagation_ms;
        let settled = self.history.learned_at(thing).unwrap_or(0) + delay;
        if at_sts && delay > 0 && settled > self.now {
            self.note(Fact::Refused { person, thing, window, fault: Fault::NotYet, purpose });
            return Ok(Answer::NotYet);
        }
        let found = code.map_or(Err(Fault::Wrong), |code| self.find_code(person, thing, code, at_sts));
        Ok(match found {
            Ok(counter) => {
                self.note(Fact::Accepted { person, thing, window, counter, purpose });
                Answer::Accepted
            }
            Err(fault) => {
                self.note(Fact::Refused { person, thing, window, fault, purpose });
                Answer::Refused
            }
        })
    }

    fn find_code(&self, person: usize, thing: usize, code: u32, at_sts: bool) -> Result<u64, Fault> {
        let rules = self.rules_of(person);
        let around = self.adjusted_step(thing);
        let shows = self.display(thing);
        let nearest_first = |back: i64, ahead: i64| {
            let mut found: Vec<i64> =
                (around + back..=around + ahead).filter(|counter| shows(*counter) == code).collect();
            found.sort_by_key(|counter| (counter - around).abs());
            found
        };
        let near = nearest_first(-rules.code_window, rules.code_window);
        if near.iter().any(|counter| self.was_used(person, thing, *counter as u64, at_sts)) {
            return Err(Fault::Used);
        }
        if let Some(counter) = near.iter().find(|counter| !self.is_behind(person, thing, **counter as u64)) {
            return Ok(*counter as u64);
        }
        if !near.is_empty() {
            return Err(Fault::Used);
        }
        let (back, ahead) = rules.pair_range;
        match nearest_first(back, ahead).first() {
            Some(counter) => Err(Fault::Outside(counter - around)),
            None => Err(Fault::Wrong),
        }
    }

    /// R87, R90, A3, A43.
    fn was_used(&self, person: usize, thing: usize, counter: u64, at_sts: bool) -> bool {
        let rules = self.rules_of(person);
        let in_a_pair =
            self.history.pairs(thing).iter().any(|(second, _)| counter == *second || counter + 1 == *second);
        let once_more = if at_sts { rules.pair_codes_at_sts } else { rules.pair_codes_sign_in };
        self.history.spent(thing).contains(&counter) || (in_a_pair && !once_more)
    }

    /// R88, where codes are taken forwards only.
    fn is_behind(&self, person: usize, thing: usize, counter: u64) -> bool {
        let (spent, pairs) = (self.history.spent(thing), self.history.pairs(thing));
        let latest = spent.iter().copied().chain(pairs.iter().map(|(second, _)| *second)).max();
        self.rules_of(person).forwards_only && latest.is_some_and(|latest| counter <= latest)
    }
}
