//! What people hold beside the engine: apps, keys, telephones.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::authenticator::Authenticator;
use super::deed::Typed;
use super::handset::Handset;
use super::security_key::SecurityKey;
use crate::{Code, DevelopmentTransports, NewVirtualDevice, PhoneNumber, Serial, UnixMillis};

/// The secret of the n-th virtual device of a name: whoever knows the history knows it.
pub(super) fn seed_of(name: &str, number: u32) -> Vec<u8> {
    let half = |half: u8| Sha256::new().chain_update([half]).chain_update(number.to_be_bytes()).chain_update(name);
    [half(0).finalize(), half(1).finalize()].concat()[..40].to_vec()
}

/// An app, and what was typed off it last.
struct App {
    shows: Authenticator,
    typed: u32,
}

/// A key, and what a copy of it shows.
struct Key {
    key: SecurityKey,
    serial: Option<Serial>,
    copied_at: u32,
}

/// Everything in people's hands.
#[derive(Default)]
pub(super) struct Hands {
    apps: BTreeMap<&'static str, App>,
    /// How often each was made.
    made: BTreeMap<&'static str, u32>,
    keys: BTreeMap<&'static str, Key>,
    handsets: BTreeMap<&'static str, Handset>,
    /// Which telephone the n-th user of a name enrolled last.
    enrolled: BTreeMap<(&'static str, u32), &'static str>,
}

impl Hands {
    // ---- apps ----

    /// The secret that the app's next device gets.
    pub(super) fn next_seed(&self, app: &str) -> Vec<u8> {
        seed_of(app, self.made.get(app).copied().unwrap_or_default() + 1)
    }

    pub(super) fn scan(&mut self, app: &'static str, device: &NewVirtualDevice) {
        *self.made.entry(app).or_default() += 1;
        self.apps.insert(app, App { shows: Authenticator::of(device), typed: 0 });
    }

    pub(super) fn authenticator(&self, app: &str) -> Option<&Authenticator> {
        self.apps.get(app).map(|app| &app.shows)
    }

    /// The app of just this name.
    pub(super) fn app_named(&self, name: &str) -> Option<&'static str> {
        self.apps.get_key_value(name).map(|(name, _)| *name)
    }

    pub(super) fn drift(&mut self, app: &str, steps: i32) {
        if let Some(app) = self.apps.get_mut(app) {
            app.shows.drift_s += i64::from(steps) * 30;
        }
    }

    /// What somebody types for an app; zeros for one that nobody has.
    pub(super) fn type_code(&mut self, app: &str, code: Typed, now: UnixMillis) -> Code {
        let Some(app) = self.apps.get_mut(app) else { return Code::of_number(0) };
        let shown = |steps: i16| app.shows.clone().drifted(i64::from(steps) * 30).number(now);
        app.typed = match code {
            Typed::Shown(steps) => shown(steps),
            Typed::Again => app.typed,
            Typed::Wrong => app.shows.wrong_number(now),
        };
        Code::of_number(app.typed)
    }

    pub(super) fn type_pair(&mut self, app: &str, second: Typed, now: UnixMillis) -> (Code, Code) {
        let one = match second {
            Typed::Shown(steps) => Typed::Shown(steps.saturating_sub(1)),
            Typed::Again => Typed::Again,
            Typed::Wrong => Typed::Shown(-1),
        };
        (self.type_code(app, one, now), self.type_code(app, second, now))
    }

    // ---- keys ----

    fn key(&mut self, name: &'static str) -> &mut Key {
        let number = u8::try_from(self.keys.len()).unwrap_or(u8::MAX);
        self.keys.entry(name).or_insert_with(|| Key { key: SecurityKey::new(number), serial: None, copied_at: 0 })
    }

    /// The key with its counter one further.
    pub(super) fn touched(&mut self, name: &'static str) -> SecurityKey {
        let key = &mut self.key(name).key;
        key.counter += 1;
        key.clone()
    }

    /// A copy that was made when the key was registered.
    pub(super) fn copy(&mut self, name: &'static str) -> SecurityKey {
        let key = self.key(name);
        key.key.at(key.copied_at)
    }

    pub(super) fn keep_key(&mut self, name: &'static str, serial: Serial) {
        let key = self.key(name);
        (key.serial, key.copied_at) = (Some(serial), key.key.counter);
    }

    pub(super) fn key_serial(&self, name: &str) -> Option<&Serial> {
        self.keys.get(name)?.serial.as_ref()
    }

    /// The key that is registered under a serial number.
    pub(super) fn key_of(&self, serial: &Serial) -> Option<&'static str> {
        let mut keys = self.keys.iter();
        keys.find(|(_, key)| key.serial.as_ref() == Some(serial)).map(|(name, _)| *name)
    }

    // ---- telephones ----

    /// A telephone; each has a number in another prefix.
    pub(super) fn handset(&mut self, name: &'static str, outbox: &Arc<DevelopmentTransports>) -> Handset {
        const AREAS: [u32; 10] = [202, 212, 213, 305, 312, 404, 415, 503, 617, 702];
        let taken = self.handsets.len();
        let of = |number: usize| {
            let (area, line) = (AREAS[number % AREAS.len()], 123 + number / AREAS.len());
            PhoneNumber::parse(&format!("+1{area}555{line:04}")).expect("a number of North America")
        };
        self.handsets.entry(name).or_insert_with(|| Handset::new(of(taken), outbox)).clone()
    }

    pub(super) fn keep_handset(&mut self, user: &'static str, number: u32, handset: &'static str) {
        self.enrolled.insert((user, number), handset);
    }

    pub(super) fn handset_of(&self, user: &str, number: u32) -> Option<&'static str> {
        let mut enrolled = self.enrolled.iter();
        enrolled.find(|((of, which), _)| (*of, *which) == (user, number)).map(|(_, handset)| *handset)
    }
}
