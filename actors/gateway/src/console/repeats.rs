//! A code that is sent twice: who presses the button twice is in, and not sent back to the beginning.
//!
//! A browser that sends a form once more drops the first answer, and with it the cookie of the session that the code
//! has opened. The same code of the same sign-in in the same browser, moments later, gets that cookie again. It is the
//! same session: a code opens one (R96), and is checked once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::engine::{AttemptId, UnixMillis};
use crate::secret::Secret;

/// For how long the second one is waited for, in milliseconds.
const KEPT_MS: u64 = 10_000;
/// Sign-ins that are remembered at once; of further ones a second press is not known.
const KEPT_MAX: usize = 1024;

/// What the codes of one sign-in have come to. It is held while one of them is looked at.
pub(super) type Turn = Arc<tokio::sync::Mutex<Option<Opened>>>;

/// A session that a code has opened.
pub(super) struct Opened {
    typed: [u8; 32],
    secret: Secret,
    until: UnixMillis,
}

impl Opened {
    pub(super) fn new(typed: &str, secret: Secret, now: UnixMillis) -> Self {
        Self { typed: Sha256::digest(typed).into(), secret, until: now.plus_ms(KEPT_MS) }
    }

    /// The secret of the session, for who sends the same once more.
    pub(super) fn again(&self, typed: &str, now: UnixMillis) -> Option<&Secret> {
        (now < self.until && self.typed == *Sha256::digest(typed)).then_some(&self.secret)
    }
}

/// The sign-ins in which codes were sent of late.
#[derive(Default)]
pub(super) struct Repeats {
    turns: Mutex<HashMap<AttemptId, (UnixMillis, Turn)>>,
}

impl Repeats {
    /// Forgets what is over.
    pub(super) fn sweep(&self, now: UnixMillis) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, (until, turn)| now < *until || Arc::strong_count(turn) > 1);
    }

    /// The turn of a sign-in, to be held while its code is looked at.
    pub(super) fn turn(&self, attempt: AttemptId, now: UnixMillis) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= KEPT_MAX && !turns.contains_key(&attempt) {
            return Turn::default();
        }
        let (until, turn) = turns.entry(attempt).or_insert_with(|| (now, Turn::default()));
        *until = now.plus_ms(KEPT_MS);
        Arc::clone(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_known_for_moments_and_nothing_else_is() {
        let now = UnixMillis(1_000_000);
        let opened = Opened::new("123456", Secret::new("s"), now);
        assert_eq!(opened.again("123456", now), Some(&Secret::new("s")));
        assert_eq!(opened.again("123457", now), None);
        assert_eq!(opened.again("123456", now.plus_ms(KEPT_MS)), None);
    }

    #[test]
    fn what_is_over_makes_room_and_further_ones_go_without() {
        let (repeats, now) = (Repeats::default(), UnixMillis(1_000_000));
        let id = |number: usize| AttemptId::from_bytes((number as u128).to_be_bytes());
        for number in 0..=KEPT_MAX {
            repeats.turn(id(number), now);
        }
        assert_eq!(repeats.turns.lock().unwrap().len(), KEPT_MAX);
        assert!(Arc::ptr_eq(&repeats.turn(id(0), now), &repeats.turn(id(0), now)));
        assert!(!Arc::ptr_eq(&repeats.turn(id(KEPT_MAX), now), &repeats.turn(id(KEPT_MAX), now)));
        let held = repeats.turn(id(1), now);
        repeats.sweep(now.plus_ms(KEPT_MS));
        assert_eq!(repeats.turns.lock().unwrap().len(), 1, "one is looked at still");
        drop(held);
    }
}
