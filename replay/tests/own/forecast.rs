//! Drifts are found again, and devices leave when it was said.

use countersign_domain::decide::{Denial, Verdict};
use countersign_domain::device::Serial;
use countersign_domain::event::Purpose;
use countersign_domain::ids::PrincipalId;
use countersign_domain::policy::Policy;
use countersign_domain::settings::Preset;
use countersign_replay::own::OpenJournal;
use countersign_replay::own::forecast::{Drift, forecast};
use proptest::prelude::*;

use crate::world::{START, World};

/// A device whose clock gains so many millionths of a second each second.
struct Drifting {
    world: World,
    who: PrincipalId,
    serial: Serial,
    ppm: f64,
}

impl Drifting {
    fn new(ppm: f64) -> Self {
        let mut world = World::in_memory(Policy::classic());
        let who = world.user("lee", 1);
        let serial = world.create("phone");
        world.enable(&who, &serial, 0).unwrap();
        Self { world, who, serial, ppm }
    }

    /// Steps that the device is ahead of the server now.
    fn ahead(&self) -> i64 {
        let now_s = self.world.now.0 as f64 / 1000.0;
        let device_s = now_s + self.ppm * 1e-6 * (now_s - START.0 as f64 / 1000.0);
        (device_s / 30.0).floor() as i64 - (now_s / 30.0).floor() as i64
    }

    fn off_s(&self) -> f64 {
        self.ppm * 1e-6 * (self.world.now.0 - START.0) as f64 / 1000.0
    }

    fn code(&mut self) -> Verdict {
        let ahead = self.ahead();
        self.world.verify(&self.who, &self.serial, Some(ahead), Purpose::StepUp).unwrap()
    }

    fn forecast(&self) -> Drift {
        let found = forecast(&OpenJournal(&*self.world.journal), &self.world.policy, 3650).unwrap();
        found.devices[0].clone()
    }
}

fn is_accepted(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::CodeAccepted { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_drift_is_found_again_and_the_device_leaves_in_time(
        ppm in prop_oneof![-90.0..-4.0f64, 4.0..90.0f64],
        pauses in prop::collection::vec(3_600u64..100_000, 60..120),
    ) {
        let mut device = Drifting::new(ppm);
        // Codes as long as the device is well inside its window.
        for pause in pauses {
            device.world.wait_s(pause);
            if device.off_s().abs() > 45.0 {
                break;
            }
            prop_assert!(is_accepted(device.code()));
        }
        let found = device.forecast();
        prop_assume!(found.n > 8 && found.span_days > 5.0);
        let [low, high] = found.ppm_95.unwrap();
        let half = (high - low) / 2.0;
        // The range holds it in 95 of 100 cases; twice as far off is as good as never.
        prop_assert!((found.ppm.unwrap() - ppm).abs() <= 2.0 * half, "{ppm}: {found:?}");
        prop_assert_eq!(found.learned_steps, 0);
        if found.verdict == "leaves" {
            prop_assert!(ppm.abs() > half / 2.0);
            prop_assert!(found.leaves_at <= found.is_out_at, "{found:?}");
            prop_assert!(found.leaves_earliest <= found.leaves_at, "{found:?}");
        }
    }
}

#[test]
fn a_device_is_accepted_until_it_leaves_and_not_after_it_is_out() {
    let mut device = Drifting::new(20.0);
    for _ in 0..200 {
        device.world.wait_s(9_007);
        assert!(is_accepted(device.code()));
    }
    let found = device.forecast();
    assert_eq!(found.verdict, "leaves", "{found:?}");
    let at = |text: &Option<String>| {
        let at: countersign_replay::time::Time = text.as_ref().unwrap().parse().unwrap();
        countersign_domain::ids::UnixMillis(u64::try_from(at.0).unwrap())
    };
    let (leaves, out) = (at(&found.leaves_at), at(&found.is_out_at));
    // 20 ppm are 60 seconds after 34.7 days, and 90 after 52.
    let days = |at: countersign_domain::ids::UnixMillis| (at.0 - START.0) as f64 / 86_400_000.0;
    assert!((days(leaves) - 34.7).abs() < 4.0 && (days(out) - 52.1).abs() < 6.0, "{} {}", days(leaves), days(out));
    device.world.now = countersign_domain::ids::UnixMillis(leaves.0 - 5 * 86_400_000);
    assert!(is_accepted(device.code()));
    device.world.now = countersign_domain::ids::UnixMillis(out.0 + 8 * 86_400_000);
    assert!(matches!(device.code(), Verdict::Denied(Denial::Code { steps: 3, .. })));
}

#[test]
fn a_resync_moves_the_window_and_readings_begin_with_it() {
    let mut device = Drifting::new(50.0);
    let mut since = 0;
    for _ in 0..60 {
        device.world.wait_s(43_211);
        if device.off_s() / 30.0 > device.forecast().learned_steps as f64 + 1.5 {
            let ahead = device.ahead();
            device.world.resync(&device.who, &device.serial, ahead).unwrap();
            since = 1;
        } else {
            assert!(is_accepted(device.code()));
            since += 1;
        }
    }
    let found = device.forecast();
    assert!(found.learned_steps >= 3 && found.n == since, "{since}: {found:?}");
    let [low, high] = found.ppm_95.unwrap();
    assert!(low <= 50.0 && 50.0 <= high && high - low < 100.0, "{found:?}");
}

#[test]
fn a_clock_that_was_set_is_not_taken_for_one_that_drifts() {
    let mut device = Drifting::new(0.0);
    for day in 0..60 {
        device.world.wait_s(86_413);
        if day == 30 {
            // A new battery: the clock stands 20 steps ahead from now on.
            device.world.resync(&device.who, &device.serial, 20).unwrap();
        } else {
            let ahead = if day < 30 { 0 } else { 20 };
            let taken = device.world.verify(&device.who, &device.serial, Some(ahead), Purpose::StepUp).unwrap();
            assert!(is_accepted(taken));
        }
    }
    let found = device.forecast();
    assert_eq!((found.learned_steps, found.n), (20, 30), "{found:?}");
    // In the ten years that are looked ahead, slow drift cannot be ruled out.
    assert_eq!(found.verdict, "may_leave", "{found:?}");
    assert!(found.ppm.unwrap().abs() < 2.0, "{found:?}");
}

#[test]
fn no_account_counts_in_steps_of_its_own() {
    let deployment = Policy { step_s: 60, ..Policy::classic() };
    for preset in [Preset::Classic, Preset::Modern, Preset::Strict] {
        assert_eq!(preset.policy(&deployment).step_s, 60);
    }
}

#[test]
fn a_few_readings_say_nothing() {
    let mut device = Drifting::new(10.0);
    device.world.wait_s(60);
    device.code();
    let found = device.forecast();
    assert_eq!((found.verdict, found.n, found.ppm), ("unknown", 2, None));
}
