//! What browsers are to ask security keys, between the form that began it and the page that shows it.
//!
//! The engine remembers each challenge for itself; what is lost here, by a restart or because there are too many,
//! is asked again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::engine::ChallengeId;

/// Options that are kept; each has about a thousand bytes.
const KEPT_MAX: usize = 4096;

/// The options of challenges, by challenge.
#[derive(Default)]
pub(super) struct Offers {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    options: HashMap<ChallengeId, String>,
    order: VecDeque<ChallengeId>,
}

impl Offers {
    pub(super) fn keep(&self, challenge: ChallengeId, options: String) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.options.insert(challenge, options);
        kept.order.push_back(challenge);
        if kept.order.len() > KEPT_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.options.remove(&oldest);
        }
    }

    /// The options of a challenge; empty when they are not known any more.
    pub(super) fn of(&self, challenge: Option<ChallengeId>) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        challenge.and_then(|challenge| kept.options.get(&challenge).cloned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let offers = Offers::default();
        let id = |number: usize| ChallengeId::from_bytes((number as u128).to_be_bytes());
        for number in 0..=KEPT_MAX {
            offers.keep(id(number), number.to_string());
        }
        assert_eq!((offers.of(Some(id(0))), offers.of(None)), (String::new(), String::new()));
        assert_eq!(offers.of(Some(id(1))), "1");
        let kept = offers.kept.lock().unwrap();
        assert_eq!((kept.options.len(), kept.order.len()), (KEPT_MAX, KEPT_MAX));
    }
}
