//! A gateway with its health: how hard it may be used now, and whether it works.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_domain::ids::UnixMillis;
use countersign_domain::sms::{Prefix, RouteName};

use crate::transports::{SmsFailure, SmsRoute};

/// Failures one after another that open the circuit.
const FAILURES_MAX: u32 = 5;
/// For how long the circuit stays open at first, and at most, in milliseconds.
const OPEN_MS: (u64, u64) = (2_000, 60_000);
/// The first pause after a failed try, and the longest, in milliseconds.
const BACK_OFF_MS: (u64, u64) = (500, 30_000);

/// Whether a gateway may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Now; its place is taken.
    Now,
    /// Not before then: it takes no more a second.
    At(UnixMillis),
    /// When one of those under way has ended.
    Full,
    /// It does not work, or does not want to be asked, before then.
    Ill(UnixMillis),
    /// It is being tried whether it works again.
    Probed,
}

/// How a gateway does.
///
/// ```
/// use countersign::SmsHealth;
/// assert_ne!(SmsHealth::Up, SmsHealth::Down);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsHealth {
    /// It takes messages.
    Up,
    /// It failed too often, and is tried with one message at a time.
    Probing,
    /// It failed too often, and is not asked for now.
    Down,
}

/// A gateway, and how it does.
pub(crate) struct Courier {
    pub(crate) name: RouteName,
    pub(crate) route: SmsRoute,
    state: Mutex<State>,
}

struct State {
    in_flight: u32,
    /// Messages that may be handed over now, in thousandths.
    tokens: u64,
    filled_at: UnixMillis,
    circuit: Circuit,
    /// The gateway wants to be left alone until then.
    pause: UnixMillis,
}

#[derive(Clone, Copy)]
enum Circuit {
    Closed { failures: u32 },
    Open { until: UnixMillis, length_ms: u64 },
    Probing { length_ms: u64 },
}

impl Courier {
    pub(crate) fn new(name: RouteName, route: SmsRoute) -> Self {
        let tokens = burst(route.per_second_max);
        let circuit = Circuit::Closed { failures: 0 };
        let (filled_at, pause) = (UnixMillis(0), UnixMillis(0));
        Self { name, route, state: Mutex::new(State { in_flight: 0, tokens, filled_at, circuit, pause }) }
    }

    /// How specific the route is for a number; `None` when it does not carry there.
    pub(crate) fn fit(&self, to: &Prefix) -> Option<usize> {
        if self.route.prefixes.is_empty() {
            return Some(0);
        }
        let fits = |prefix: &&String| to.as_str().starts_with(prefix.as_str());
        self.route.prefixes.iter().filter(fits).map(String::len).max()
    }

    /// Takes a place among those under way, if the gateway may be asked now.
    pub(crate) fn take_place(&self, now: UnixMillis) -> Ready {
        let mut state = self.state();
        if state.in_flight >= self.route.in_flight_max {
            return Ready::Full;
        }
        // Pauses are short: one that ends later was begun by a clock that was ahead.
        let borne = now.plus_ms(2 * OPEN_MS.1);
        if state.pause > now && state.pause <= borne {
            return Ready::Ill(state.pause);
        }
        match state.circuit {
            Circuit::Closed { .. } => {}
            Circuit::Open { until, .. } if until > now && until <= borne => return Ready::Ill(until),
            Circuit::Open { length_ms, .. } => state.circuit = Circuit::Probing { length_ms },
            Circuit::Probing { .. } if state.in_flight > 0 => return Ready::Probed,
            Circuit::Probing { .. } => {}
        }
        let rate = u64::from(self.route.per_second_max);
        let elapsed_ms = now.0.abs_diff(state.filled_at.0);
        state.tokens =
            state.tokens.saturating_add(elapsed_ms.saturating_mul(rate)).min(burst(self.route.per_second_max));
        state.filled_at = now;
        if state.tokens < 1000 {
            return Ready::At(now.plus_ms((1000 - state.tokens).div_ceil(rate).max(1)));
        }
        state.tokens -= 1000;
        state.in_flight += 1;
        Ready::Now
    }

    /// Gives the place back without having asked.
    pub(crate) fn give_back(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.tokens = state.tokens.saturating_add(1000);
    }

    /// Gives the place back of a try of which nobody knows how it went.
    pub(crate) fn abandoned(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
    }

    /// Gives the place back, and learns from how it went. `dice` are random.
    pub(crate) fn ended(&self, outcome: Result<(), SmsFailure>, now: UnixMillis, dice: u64) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        match outcome {
            // Whatever it says of the message, the gateway works.
            Ok(()) | Err(SmsFailure::InvalidNumber | SmsFailure::OptedOut | SmsFailure::Refused) => {
                state.circuit = Circuit::Closed { failures: 0 };
            }
            Err(SmsFailure::Throttled { retry_after }) => {
                let wait_ms = retry_after.map_or(BACK_OFF_MS.0, |wait| wait.as_millis().try_into().unwrap_or(u64::MAX));
                state.pause = now.plus_ms(wait_ms.min(BACK_OFF_MS.1));
            }
            Err(SmsFailure::Unavailable | SmsFailure::Unknown) => {
                state.circuit = match state.circuit {
                    Circuit::Closed { failures } if failures + 1 < FAILURES_MAX => {
                        Circuit::Closed { failures: failures + 1 }
                    }
                    Circuit::Closed { .. } => open(now, OPEN_MS.0, dice),
                    Circuit::Probing { length_ms } => open(now, length_ms.saturating_mul(2).min(OPEN_MS.1), dice),
                    still_open @ Circuit::Open { .. } => still_open,
                };
            }
        }
    }

    pub(crate) fn health(&self) -> SmsHealth {
        match self.state().circuit {
            Circuit::Closed { .. } => SmsHealth::Up,
            Circuit::Probing { .. } => SmsHealth::Probing,
            Circuit::Open { .. } => SmsHealth::Down,
        }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.state().in_flight
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Thousandths of messages that may be handed over at once after a pause: those of a fifth of a second.
const fn burst(per_second_max: u32) -> u64 {
    let fifth = per_second_max as u64 * 200;
    if fifth < 1000 { 1000 } else { fifth }
}

/// Open for between half of the length and all of it, so that several nodes do not come back at once.
fn open(now: UnixMillis, length_ms: u64, dice: u64) -> Circuit {
    Circuit::Open { until: now.plus_ms(length_ms / 2 + dice % (length_ms / 2 + 1)), length_ms }
}

/// The pause before the next try after so many: exponential, with full jitter.
pub(crate) fn back_off(submits: u8, dice: u64) -> Duration {
    let most = BACK_OFF_MS.0.saturating_mul(1 << u32::from(submits.min(16))).min(BACK_OFF_MS.1);
    Duration::from_millis(BACK_OFF_MS.0 / 2 + dice % (most + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transports::DevelopmentTransports;

    fn courier(change: impl FnOnce(&mut SmsRoute)) -> Courier {
        let mut route = SmsRoute::new("main", DevelopmentTransports::new(false));
        change(&mut route);
        Courier::new(RouteName::new("main").unwrap(), route)
    }

    #[test]
    fn five_failures_open_the_circuit_and_one_probe_closes_it() {
        let courier = courier(|_| {});
        let mut now = UnixMillis(1_000_000);
        for _ in 0..FAILURES_MAX {
            assert_eq!(courier.take_place(now), Ready::Now);
            courier.ended(Err(SmsFailure::Unknown), now, 7);
        }
        let Ready::Ill(until) = courier.take_place(now) else { panic!("not open") };
        assert!(until.0 - now.0 >= OPEN_MS.0 / 2 && until.0 - now.0 <= OPEN_MS.0);
        now = until;
        assert_eq!(courier.take_place(now), Ready::Now, "a probe");
        assert_eq!(courier.take_place(now), Ready::Probed, "one at a time");
        courier.ended(Err(SmsFailure::Unavailable), now, 0);
        let Ready::Ill(longer) = courier.take_place(now) else { panic!("not open") };
        assert_eq!(longer.0 - now.0, OPEN_MS.0, "twice as long, halved by the dice");
        now = longer;
        assert_eq!(courier.take_place(now), Ready::Now);
        courier.ended(Ok(()), now, 0);
        assert_eq!(courier.health(), SmsHealth::Up);
    }

    #[test]
    fn the_rate_and_the_window_hold() {
        let courier = courier(|route| (route.per_second_max, route.in_flight_max) = (10, 3));
        let now = UnixMillis(1_000_000);
        assert_eq!(courier.take_place(now), Ready::Now);
        assert_eq!(courier.take_place(now), Ready::Now);
        assert_eq!(courier.take_place(now), Ready::At(now.plus_ms(100)), "two at once, then ten a second");
        assert_eq!(courier.take_place(now.plus_ms(100)), Ready::Now);
        assert_eq!(courier.take_place(now.plus_ms(900)), Ready::Full);
        let taken = (0..1000).filter(|ms| {
            let ready = courier.take_place(now.plus_ms(1000 + ms)) == Ready::Now;
            courier.ended(Ok(()), now, 0);
            ready
        });
        assert!(taken.count() <= 12);
    }

    #[test]
    fn a_throttled_gateway_is_left_alone() {
        let courier = courier(|_| {});
        let now = UnixMillis(1_000_000);
        assert_eq!(courier.take_place(now), Ready::Now);
        courier.ended(Err(SmsFailure::Throttled { retry_after: Some(Duration::from_secs(3)) }), now, 0);
        assert_eq!(courier.take_place(now), Ready::Ill(now.plus_ms(3000)));
        assert_eq!(courier.health(), SmsHealth::Up);
    }

    #[test]
    fn back_off_grows_and_ends() {
        for submits in 0..=u8::MAX {
            for dice in [0, 1, u64::MAX / 2, u64::MAX] {
                let pause = back_off(submits, dice);
                assert!(pause >= Duration::from_millis(250) && pause <= Duration::from_millis(30_251));
            }
        }
    }
}
