//! The rules about keys that are touched, codes that are sent, and signing in.

use super::{Key, Model, Outcome, first, reason};
use crate::testing::deed::{Device, With};
use crate::{Purpose, UnixMillis};

impl Model {
    /// R97..R101.
    pub(super) fn sign_in(&mut self, user: &'static str, with: With) -> Result<Outcome, Outcome> {
        // Digits are read off an app before anybody knows whether they are asked for.
        let digits = match with {
            With::Code(app, code) => self.typed(app, code),
            _ => 0,
        };
        first([(reason::PRINCIPAL_UNKNOWN, !self.is_user(user))])?;
        if !self.has_mfa(user) {
            return Ok(Outcome::SignedIn(None));
        }
        let (device, outcome) = match with {
            With::Password => return Ok(Outcome::Wanted),
            With::Code(app, _) => (Device::App(app), self.verify(user, app, digits, Purpose::SignIn)?),
            With::Touch(key) => (Device::Key(key), self.touch_key(user, key, false)?),
            With::Copy(key) => (Device::Key(key), self.touch_key(user, key, true)?),
            With::Text(handset) => {
                let own = self.devices(user).contains(&Device::Handset(handset));
                first([(reason::NOT_THIS_FACTOR, !own)])?;
                self.send(user, handset, true)?;
                (Device::Handset(handset), Outcome::Accepted)
            }
        };
        Ok(if outcome == Outcome::Accepted { Outcome::SignedIn(Some(device)) } else { outcome })
    }

    // ---- keys ----

    fn next_counter(&mut self, key: &'static str) -> u32 {
        let touched = self.touched.entry(key).or_default();
        *touched += 1;
        *touched
    }

    /// WebAuthn section 6.1.1, NT-29: a counter that does not go up makes the key suspected for good.
    fn touch_key(&mut self, user: &str, name: &'static str, copy: bool) -> Result<Outcome, Outcome> {
        let has_keys = self.keys.values().any(|key| key.owner == user);
        first([(reason::NOT_THIS_FACTOR, !has_keys)])?;
        let shown = if copy { None } else { Some(self.next_counter(name)) };
        let Some(key) = self.keys.get_mut(name).filter(|key| key.owner == user) else { return Ok(Outcome::Refused) };
        if key.suspected {
            return Ok(Outcome::Refused);
        }
        let shown = shown.unwrap_or(key.first);
        if shown <= key.counter {
            key.suspected = true;
            return Ok(Outcome::Refused);
        }
        key.counter = shown;
        Ok(Outcome::Accepted)
    }

    /// R30..R35, R177, NT-30.
    pub(super) fn enrol_key(&mut self, user: &'static str, name: &'static str) -> Result<Outcome, Outcome> {
        first([
            (reason::PRINCIPAL_UNKNOWN, !self.is_user(user)),
            (reason::KEY_FORM, !self.policy.security_keys && !self.policy.passkeys),
            (reason::DEVICE_LIMIT, self.is_full(user)),
        ])?;
        let length = self.policy.attempt_window_s;
        let begun = self.users.get(user).map(|user| user.registrations.clone()).unwrap_or_default();
        let window = self.window(begun.into_iter().map(|window| (window, true)), length);
        if window.used >= self.policy.challenges_max.into() {
            return Err(Outcome::Rejected(reason::TOO_MANY, Some(window.ends(length))));
        }
        if let Some(user) = self.users.get_mut(user) {
            user.registrations.push(window.number);
        }
        let counter = self.next_counter(name);
        if self.keys.contains_key(name) {
            return Ok(Outcome::Refused);
        }
        self.keys.insert(name, Key { owner: user, counter, first: counter, suspected: false });
        Ok(Outcome::Accepted)
    }

    // ---- telephones ----

    /// R118..R126, A15.
    pub(super) fn enrol_handset(&mut self, user: &'static str, handset: &'static str) -> Result<Outcome, Outcome> {
        let has_one = self.users.get(user).is_some_and(|user| user.handset.is_some());
        first([
            (reason::PRINCIPAL_UNKNOWN, !self.is_user(user)),
            (reason::NO_SMS, !self.policy.sms_enrolment),
            (reason::ALREADY_YOURS, has_one),
            (reason::DEVICE_LIMIT, self.is_full(user)),
        ])?;
        self.send(user, handset, false)?;
        if let Some(user) = self.users.get_mut(user) {
            user.handset = Some(handset);
        }
        Ok(Outcome::Accepted)
    }

    /// A15: one code in each pause, some in each window. NT-43: no other number at once. NT-40: so many to a number.
    fn send(&mut self, user: &str, handset: &'static str, to_sign_in: bool) -> Result<(), Outcome> {
        let back = self.clock_back_ms();
        let Some(known) = self.users.get(user) else { return Ok(()) };
        let seconds = |seconds: u32| u64::from(seconds) * 1000;
        let (pause, length) = (seconds(self.policy.sms_again_after_s), self.policy.sms_sends_window_s);
        let paused = known.sends.last().filter(|(at, _)| *at <= self.now + back).map(|(at, _)| at + pause);
        let window = self.window(known.sends.iter().map(|(_, window)| (*window, true)), length);
        let spent = (window.used >= self.policy.sms_sends_max.into()).then(|| window.ends(length).0);
        let gone = known.handset_gone.filter(|at| !to_sign_in && *at <= self.now + back);
        let gone = gone.map(|at| at + seconds(self.policy.sms_change_pause_s));
        if let Some(at) = [paused, spent, gone].into_iter().flatten().filter(|at| *at > self.now).max() {
            return Err(Outcome::Rejected(reason::TOO_SOON, Some(UnixMillis(at))));
        }
        let (to_number, ends) = self.sent_to(handset, to_sign_in);
        if to_number >= u64::from(self.policy.sms_number_max) {
            return Err(Outcome::Rejected(reason::NO_BUDGET, Some(UnixMillis(ends))));
        }
        let now = self.now;
        self.sent.push((now, to_sign_in, handset));
        if let Some(user) = self.users.get_mut(user) {
            user.sends.push((now, window.number));
        }
        Ok(())
    }

    /// Codes to a telephone in the budget window that counts now, and when that window ends. One that has begun does not
    /// end because the clock is set back a little.
    fn sent_to(&self, handset: &str, to_sign_in: bool) -> (u64, u64) {
        let length = u64::from(self.policy.sms_budget_window_s);
        let of = |at: u64| at / 1000 / length;
        let (mut window, mut counted) = (0, 0);
        let asked_now = (self.now, !to_sign_in, "");
        for (at, signs_in, to) in self.sent.iter().chain([&asked_now]) {
            if !(of(*at)..=of(at + self.clock_back_ms())).contains(&window) {
                (window, counted) = (of(*at), 0);
            }
            counted += u64::from(*signs_in == to_sign_in && *to == handset);
        }
        (counted, (window + 1) * length * 1000)
    }
}
