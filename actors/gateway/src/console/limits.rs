//! How often passwords may be tried.
//!
//! Tries are counted before a password is looked at, in windows that are aligned to UTC: by the address they come
//! from, by the name that was typed together with the network they come from, and by the name alone. Few are left to
//! one network, so that nobody guesses; many to a name, so that strangers elsewhere cannot lock its owner out (A4). A
//! try is given back when the sign-in is completed, so that a password alone cannot begin sign-ins without an end. A
//! name that nobody has is counted like any other. The second factor has its own limits, in the engine; neither of the
//! two locks the other.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::UnixMillis;

/// Length of a window, in milliseconds.
pub(super) const WINDOW_MS: u64 = 180_000;
/// Passwords that may be tried for one name from one network in a window.
pub(super) const NETWORK_TRIES_MAX: u32 = 10;
/// Passwords that may be tried for one name in a window, from wherever.
pub(super) const NAME_TRIES_MAX: u32 = 300;
/// Passwords that may be tried from one address in a window.
pub(super) const ADDRESS_TRIES_MAX: u32 = 100;
/// Names, networks and addresses that are counted one by one in a window; further ones share counters.
const KEYS_MAX: usize = 65_536;
/// The counters that they share.
const SHARED_COUNTERS: usize = 256;
/// How much of an IPv4 address is its network, in bytes.
const V4_NETWORK_BYTES: usize = 3;
/// How much of an IPv6 address belongs to one customer, in bytes.
const V6_NETWORK_BYTES: usize = 7;

type Key = [u8; 32];

/// What a try came to before the password is looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// It may be looked at; what was counted for it.
    Admitted(Charge),
    /// It may not, until the window ends.
    Refused {
        /// When the window ends.
        until: UnixMillis,
        /// Whether it is the first of this name, network or address in the window that is refused.
        first: bool,
    },
}

/// What was counted for a try, to be given back when its sign-in is completed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Charge {
    tried: Try,
    window: u64,
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Charge {{ window: {} }}", self.window)
    }
}

/// A try as it is counted. What was typed is not kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Try {
    name: Key,
    network: Key,
    address: Key,
}

impl Try {
    /// `parts` are what a name consists of; case does not count.
    pub(super) fn new(parts: &[&str], address: Option<IpAddr>) -> Self {
        let mut name = Sha256::new();
        for part in parts {
            name.update(part.to_lowercase().as_bytes());
            name.update([0]);
        }
        let name: Key = name.finalize().into();
        let (network, address) = match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(v4)) => (v4.octets()[..V4_NETWORK_BYTES].to_vec(), v4.octets().to_vec()),
            Some(IpAddr::V6(v6)) => {
                let network = v6.octets()[..V6_NETWORK_BYTES].to_vec();
                (network.clone(), network)
            }
            None => (Vec::new(), Vec::new()),
        };
        let network = Sha256::new().chain_update(name).chain_update(network).finalize().into();
        Self { name, network, address: Sha256::digest(address).into() }
    }
}

/// The tries of the present window.
pub(super) struct PasswordLimits {
    /// Folds the keys that share counters, so that nobody can choose whom to share with.
    seed: [u8; 32],
    state: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    number: u64,
    names: Counters,
    networks: Counters,
    addresses: Counters,
}

impl Window {
    /// What a try is counted by. The address comes first: who has used it up counts against nobody else.
    fn counters(&mut self, tried: &Try) -> [(&mut Counters, Key, u32); 3] {
        [
            (&mut self.addresses, tried.address, ADDRESS_TRIES_MAX),
            (&mut self.networks, tried.network, NETWORK_TRIES_MAX),
            (&mut self.names, tried.name, NAME_TRIES_MAX),
        ]
    }
}

#[derive(Default)]
struct Counters {
    own: HashMap<Key, u32>,
    shared: Vec<u32>,
}

impl Counters {
    fn counter(&mut self, key: Key, seed: &[u8; 32]) -> &mut u32 {
        if self.own.len() < KEYS_MAX || self.own.contains_key(&key) {
            return self.own.entry(key).or_default();
        }
        self.shared.resize(SHARED_COUNTERS, 0);
        let folded = Sha256::new().chain_update(seed).chain_update(key).finalize();
        &mut self.shared[usize::from(folded[0]) % SHARED_COUNTERS]
    }
}

impl PasswordLimits {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, state: Mutex::default() }
    }

    /// Counts a try and says whether the password may be looked at.
    pub(super) fn admit(&self, tried: &Try, now: UnixMillis) -> Admission {
        self.with_window(now, |window, seed| {
            let until = UnixMillis((window.number + 1).saturating_mul(WINDOW_MS));
            for (counters, key, max) in window.counters(tried) {
                let count = counters.counter(key, seed);
                *count = count.saturating_add(1);
                if *count > max {
                    return Admission::Refused { until, first: *count == max + 1 };
                }
            }
            Admission::Admitted(Charge { tried: tried.clone(), window: window.number })
        })
    }

    /// Gives back a try that was no guess: who signs in often is not locked out.
    pub(super) fn forgive(&self, charge: &Charge, now: UnixMillis) {
        self.with_window(now, |window, seed| {
            if charge.window != window.number {
                return;
            }
            for (counters, key, _) in window.counters(&charge.tried) {
                let count = counters.counter(key, seed);
                *count = count.saturating_sub(1);
            }
        });
    }

    fn with_window<T>(&self, now: UnixMillis, work: impl FnOnce(&mut Window, &[u8; 32]) -> T) -> T {
        let mut window = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.0 / WINDOW_MS;
        // A clock that goes back opens no new window.
        if number > window.number {
            *window = Window { number, ..Window::default() };
        }
        work(&mut window, &self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(WINDOW_MS * 1000);

    fn limits() -> PasswordLimits {
        PasswordLimits::new([7; 32])
    }

    fn from(name: &str, host: u8) -> Try {
        Try::new(&["123456789012", name], Some([192, 0, 2, host].into()))
    }

    fn admitted(limits: &PasswordLimits, tried: &Try, now: UnixMillis) -> bool {
        matches!(limits.admit(tried, now), Admission::Admitted(_))
    }

    #[test]
    fn a_name_has_its_tries_whatever_its_case_and_the_next_window_gives_new_ones() {
        let limits = limits();
        for at in 0..NETWORK_TRIES_MAX {
            let name = if at % 2 == 0 { "lee" } else { "LEE" };
            assert!(admitted(&limits, &from(name, 1), NOW));
        }
        let until = UnixMillis(NOW.0 + WINDOW_MS);
        assert_eq!(limits.admit(&from("lee", 2), NOW), Admission::Refused { until, first: true });
        assert_eq!(limits.admit(&from("lee", 2), NOW), Admission::Refused { until, first: false });
        assert!(admitted(&limits, &from("dana", 1), NOW));
        let elsewhere = |net: u8| Try::new(&["123456789012", "lee"], Some([198, 51, net, 1].into()));
        assert!(admitted(&limits, &elsewhere(0), NOW), "the owner sits elsewhere");
        assert!(!admitted(&limits, &from("lee", 1), UnixMillis(NOW.0 - WINDOW_MS)), "the clock went back");
        assert!(admitted(&limits, &from("lee", 1), until));
    }

    #[test]
    fn an_address_has_its_tries_and_a_neighbour_in_the_same_v6_network_shares_them() {
        let limits = limits();
        let v6 = |last: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]));
        for at in 0..ADDRESS_TRIES_MAX {
            assert!(admitted(&limits, &Try::new(&[&at.to_string()], v6(1)), NOW));
        }
        assert!(!admitted(&limits, &Try::new(&["another"], v6(2)), NOW));
        assert!(admitted(&limits, &Try::new(&["another"], Some([192, 0, 2, 1].into())), NOW));
    }

    #[test]
    fn a_name_has_an_end_too_and_a_try_of_an_earlier_window_is_not_given_back_to_the_next() {
        let limits = limits();
        let elsewhere = |at: u32| Try::new(&["lee"], Some(IpAddr::from((at << 8).to_be_bytes())));
        let Admission::Admitted(old) = limits.admit(&elsewhere(0), UnixMillis(NOW.0 - WINDOW_MS)) else {
            panic!("refused")
        };
        for at in 0..NAME_TRIES_MAX {
            assert!(admitted(&limits, &elsewhere(at), NOW));
        }
        limits.forgive(&old, NOW);
        assert!(!admitted(&limits, &elsewhere(NAME_TRIES_MAX), NOW));
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let limits = limits();
        for _ in 0..10 * ADDRESS_TRIES_MAX {
            let Admission::Admitted(charge) = limits.admit(&from("lee", 1), NOW) else { panic!("refused") };
            limits.forgive(&charge, NOW);
        }
    }

    #[test]
    fn the_number_of_keys_is_bounded_and_further_names_are_limited_together() {
        let limits = limits();
        let tried = |name: usize, host: usize| {
            let host = u32::try_from(host).unwrap().to_be_bytes();
            Try::new(&[&name.to_string()], Some(host.into()))
        };
        for at in 0..KEYS_MAX {
            assert!(admitted(&limits, &tried(at, at), NOW));
        }
        let further = (0..SHARED_COUNTERS * 40).filter(|at| admitted(&limits, &tried(KEYS_MAX + at, *at), NOW)).count();
        assert!(further <= SHARED_COUNTERS * NETWORK_TRIES_MAX as usize, "{further}");
        let window = limits.state.lock().unwrap();
        assert_eq!((window.names.own.len(), window.names.shared.len()), (KEYS_MAX, SHARED_COUNTERS));
    }
}
