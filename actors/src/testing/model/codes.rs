//! The rules about codes that apps show.

use super::{App, Model, Outcome, first, reason};
use crate::testing::authenticator::remembered;
use crate::testing::deed::{Device, Typed};
use crate::{CodeOrder, PairCodes, Purpose};

impl Model {
    /// What is typed for an app, which remembers it.
    pub(super) fn typed(&mut self, app: &str, code: Typed) -> u32 {
        let step = self.server_step();
        let Some(in_hand) = self.in_hand.get_mut(app) else { return 0 };
        let shows = |steps: i64| remembered(&in_hand.secret, (step + in_hand.drift + steps).max(0).unsigned_abs());
        in_hand.typed = match code {
            Typed::Shown(steps) => shows(steps.into()),
            Typed::Again => in_hand.typed,
            Typed::Wrong => {
                let near: std::collections::BTreeSet<u32> = (-1100..1100).map(shows).collect();
                (0..1_000_000).find(|digits| !near.contains(digits)).unwrap_or_default()
            }
        };
        in_hand.typed
    }

    /// Two codes; the app remembers the second.
    fn typed_pair(&mut self, app: &str, second: Typed) -> (u32, u32) {
        let one = match second {
            Typed::Shown(steps) => self.typed(app, Typed::Shown(steps.saturating_sub(1))),
            Typed::Again => self.typed(app, Typed::Again),
            Typed::Wrong => self.typed(app, Typed::Shown(-1)),
        };
        (one, self.typed(app, second))
    }

    fn server_step(&self) -> i64 {
        (self.now / 1000 / u64::from(self.policy.step_s)) as i64
    }

    fn count(&mut self, app: &str, pairs: bool, window: u64, is_attempt: bool) {
        self.attempts.entry((app.to_lowercase(), pairs)).or_default().push((window, is_attempt));
    }

    /// R91..R94: the window in which an attempt counts, unless its budget is spent. What is counted is counted under the
    /// device's name, whoever has it and however often it is made anew.
    fn admit(&mut self, app: &'static str, pairs: bool) -> Result<u64, Outcome> {
        let entries = self.attempts.get(&(app.to_lowercase(), pairs)).cloned().unwrap_or_default();
        let length = self.policy.attempt_window_s;
        let budget = self.window(entries.into_iter(), length);
        let allowed = if pairs { self.policy.pair_attempts_max } else { self.policy.code_attempts_max };
        if budget.used < allowed.into() {
            return Ok(budget.number);
        }
        if !budget.told {
            self.count(app, pairs, budget.number, false);
            self.touch(app);
        }
        Err(Outcome::Locked(budget.ends(length)))
    }

    /// Something was recorded of an enabled device now.
    fn touch(&mut self, app: &str) {
        let now = self.now;
        if let Some(app) = self.app_mut(app).filter(|app| app.owner.is_some()) {
            app.latest = app.latest.max(Some(now));
        }
    }

    /// A40.
    fn clock_is_behind(&self, app: &str) -> bool {
        let latest = self.app(app).and_then(|app| app.latest);
        latest.is_some_and(|latest| self.now + self.clock_back_ms() < latest)
    }

    // ---- pairs ----

    /// R63, R64, A7; with an old device also R78, R79.
    pub(super) fn enable(
        &mut self,
        user: &'static str,
        app: &'static str,
        old: Option<Device>,
        codes: Typed,
    ) -> Result<Outcome, Outcome> {
        let (one, two) = self.typed_pair(app, codes);
        let owner = self.app(app).and_then(|app| app.owner);
        let old_unknown = old.is_some_and(|old| !self.in_reach(user, old));
        let old_not_mine = old.is_some_and(|old| !self.devices(user).contains(&old));
        first([
            (reason::PRINCIPAL_UNKNOWN, !self.is_user(user)),
            (reason::DEVICE_UNKNOWN, self.app(app).is_none() || old_unknown),
            (reason::NOT_YOURS, old_not_mine),
            (reason::ALREADY_YOURS, owner == Some(user)),
            (reason::IN_USE, owner.is_some_and(|owner| owner != user)),
            (reason::NOT_AT_ONCE, old.is_some() && !self.policy.atomic_rotation),
            (reason::DEVICE_LIMIT, old.is_none() && self.is_full(user)),
        ])?;
        let window = self.admit(app, true)?;
        self.count(app, true, window, true);
        let Some(counter) = self.find_pair(app, one, two) else { return Ok(Outcome::Refused) };
        if let Some(old) = old {
            self.release(user, old);
        }
        self.learn(app, counter, Some(user));
        Ok(Outcome::Accepted)
    }

    pub(super) fn resync(&mut self, user: &'static str, app: &'static str, codes: Typed) -> Result<Outcome, Outcome> {
        let (one, two) = self.typed_pair(app, codes);
        let owner = self.app(app).and_then(|app| app.owner);
        first([
            (reason::PRINCIPAL_UNKNOWN, !self.is_user(user)),
            (reason::DEVICE_UNKNOWN, self.app(app).is_none()),
            (reason::NOT_YOURS, owner != Some(user)),
            (reason::CLOCK, self.clock_is_behind(app)),
        ])?;
        let window = self.admit(app, true)?;
        self.count(app, true, window, true);
        self.touch(app);
        let Some(counter) = self.find_pair(app, one, two) else { return Ok(Outcome::Refused) };
        self.learn(app, counter, None);
        Ok(Outcome::Accepted)
    }

    fn learn(&mut self, name: &str, counter: u64, new_owner: Option<&'static str>) {
        let (now, step) = (self.now, self.server_step());
        let Some(app) = self.app_mut(name) else { return };
        app.pairs.push(counter);
        app.offset = counter as i64 - step;
        app.learned_at = Some(now);
        if new_owner.is_some() {
            (app.owner, app.latest) = (new_owner, Some(now));
        }
    }

    /// R81..R85: the counter of the second code.
    fn find_pair(&self, name: &str, one: u32, two: u32) -> Option<u64> {
        let app = self.app(name)?;
        let around = self.server_step() + app.offset;
        let (back, ahead) = (i64::from(self.policy.pair_back_steps), i64::from(self.policy.pair_ahead_steps));
        let fits = |second: &i64| app.shows(*second) == two && app.shows(second - 1) == one;
        let mut found: Vec<i64> = (around - back..=around + ahead).filter(fits).collect();
        found.sort_by_key(|second| (second - around).abs());
        let last = app.pairs.last().map(|counter| *counter as i64);
        let newer = found.into_iter().find(|second| last.is_none_or(|last| second - 1 > last));
        newer.map(i64::unsigned_abs)
    }

    // ---- single codes ----

    /// R86..R91, R95, A43, for a user who is there.
    pub(super) fn verify(
        &mut self,
        user: &str,
        name: &'static str,
        digits: u32,
        purpose: Purpose,
    ) -> Result<Outcome, Outcome> {
        first([
            (reason::NOT_YOURS, self.app(name).is_none_or(|app| app.owner != Some(user))),
            (reason::CLOCK, self.clock_is_behind(name)),
        ])?;
        let window = match self.admit(name, false) {
            Ok(window) => window,
            Err(locked) => return Ok(locked),
        };
        self.count(name, false, window, true);
        self.touch(name);
        let at_sts = matches!(purpose, Purpose::SessionToken | Purpose::AssumeRole);
        let delay = u64::from(self.policy.sts_propagation_ms);
        let learned_at = self.app(name).and_then(|app| app.learned_at).unwrap_or(0);
        if at_sts && delay > 0 && learned_at + delay > self.now {
            return Ok(Outcome::NotYet);
        }
        match self.find_code(name, digits, at_sts) {
            Some(counter) => {
                if let Some(app) = self.app_mut(name) {
                    app.spent.push(counter);
                }
                Ok(Outcome::Accepted)
            }
            None => Ok(Outcome::Refused),
        }
    }

    fn find_code(&self, name: &str, digits: u32, at_sts: bool) -> Option<u64> {
        let app = self.app(name)?;
        let around = self.server_step() + app.offset;
        let window = i64::from(self.policy.code_window_steps);
        let mut found: Vec<i64> =
            (around - window..=around + window).filter(|counter| app.shows(*counter) == digits).collect();
        found.sort_by_key(|counter| (counter - around).abs());
        let used = |counter: &i64| self.was_used(app, counter.unsigned_abs(), at_sts);
        if found.iter().any(used) {
            return None;
        }
        let latest = app.spent.iter().chain(&app.pairs).copied().max();
        let forwards = self.policy.code_order == CodeOrder::Increasing;
        let fresh = |counter: &u64| !forwards || latest.is_none_or(|latest| *counter > latest);
        found.into_iter().map(i64::unsigned_abs).find(fresh)
    }

    /// R87, R90, A3, A43.
    fn was_used(&self, app: &App, counter: u64, at_sts: bool) -> bool {
        let rule = if at_sts { self.policy.pair_codes_at_sts } else { self.policy.pair_codes_at_sign_in };
        let in_a_pair = app.pairs.iter().any(|second| counter == *second || counter + 1 == *second);
        app.spent.contains(&counter) || (in_a_pair && rule == PairCodes::Spent)
    }
}

impl App {
    /// What it shows at a counter.
    fn shows(&self, counter: i64) -> u32 {
        remembered(&self.secret, counter.max(0).unsigned_abs())
    }
}
