//! Devices that were replaced, and those that went without a successor.

use std::time::Instant;

use countersign_replay::ask::{Told, rotations};
use countersign_replay::event::{Device, Observed, What, Who};
use countersign_replay::fold::fold;
use countersign_replay::time::Time;

use crate::support::Log;

fn rotated(log: &Log) -> Vec<(String, String, i64)> {
    let short = |serial: &str| serial.rsplit('/').next().unwrap().to_owned();
    let rows = rotations(&log.told()).rotations;
    rows.iter().map(|row| (short(&row.old), short(&row.new), row.gap_s)).collect()
}

#[test]
fn a_rotation_has_a_gap_or_an_overlap() {
    let mut log = Log::new();
    log.create("08:00:00", "x");
    log.enable("08:10:00", "x", "S1");
    log.deactivate("09:00:00", "x", "S1");
    log.enable("09:05:00", "x", "S2");
    log.enable("10:00:00", "x", "S3");
    log.deactivate("10:01:00", "x", "S2");
    let expected = [("S1".to_owned(), "S2".to_owned(), 300), ("S2".to_owned(), "S3".to_owned(), -60)];
    assert_eq!(rotated(&log), expected);
}

#[test]
fn the_same_device_again_is_no_rotation_and_one_made_anew_is() {
    let mut log = Log::new();
    log.create("08:00:00", "x");
    log.make("08:05:00", "S1");
    log.enable("08:10:00", "x", "S1");
    log.deactivate("09:00:00", "x", "S1");
    log.enable("09:05:00", "x", "S1");
    assert_eq!(rotated(&log), []);
    assert!(rotations(&log.told()).removals.is_empty());
    log.deactivate("10:00:00", "x", "S1");
    log.destroy("10:00:00", "S1");
    log.make("10:01:00", "S1");
    log.enable("10:02:00", "x", "S1");
    assert_eq!(rotated(&log), [("S1".to_owned(), "S1".to_owned(), 120)]);
}

#[test]
fn after_seven_days_it_is_a_removal() {
    let mut log = Log::new();
    log.create("08:00:00", "x");
    log.enable("08:10:00", "x", "S1");
    log.deactivate("09:00:00", "x", "S1");
    log.enable("2024-05-08T09:00:01Z", "x", "S2");
    assert_eq!(rotated(&log), []);
    log.records.pop();
    log.enable("2024-05-08T09:00:00Z", "x", "S2");
    assert_eq!(rotated(&log), [("S1".to_owned(), "S2".to_owned(), 604_800)]);
}

#[test]
fn the_nearest_devices_are_paired_whichever_went_first() {
    let mut log = Log::new();
    log.enable("08:00:00", "x", "A");
    log.enable("12:00:00", "x", "B");
    log.deactivate("18:00:00", "x", "A");
    log.deactivate("20:00:00", "x", "B");
    log.enable("20:30:00", "x", "C");
    let expected = [("A".to_owned(), "B".to_owned(), -21_600), ("B".to_owned(), "C".to_owned(), 1800)];
    assert_eq!(rotated(&log), expected);
    assert!(rotations(&log.told()).removals.is_empty());
}

#[test]
fn a_device_that_is_gone_is_no_successor() {
    let mut log = Log::new();
    log.create("08:00:00", "x");
    log.enable("08:10:00", "x", "A");
    log.enable("09:00:00", "x", "B");
    log.deactivate("10:00:00", "x", "B");
    log.deactivate("11:00:00", "x", "A");
    assert_eq!(rotated(&log), []);
    assert_eq!(rotations(&log.told()).removals.len(), 2);
    log.enable("15:00:00", "x", "C");
    assert_eq!(rotated(&log), [("A".to_owned(), "C".to_owned(), 14_400)]);
    assert!(rotations(&log.told()).rotations[0].without_mfa);
    // Gone by deletion is gone as well; who came back is there.
    let mut log = Log::new();
    log.enable("08:10:00", "x", "A");
    log.enable("09:00:00", "x", "B");
    log.destroy("10:00:00", "B");
    log.deactivate("11:00:00", "x", "A");
    assert_eq!(rotated(&log), []);
    log.enable("10:30:00", "x", "B");
    assert_eq!(rotated(&log), [("A".to_owned(), "B".to_owned(), -1800)]);
}

#[test]
fn a_window_without_mfa_ends_with_the_device_that_ends_it() {
    // B is the nearest to A, and ends no window; C ends the one that A, the last to go, began.
    let mut log = Log::new();
    log.create("08:00:00", "x");
    log.enable("08:10:00", "x", "A");
    log.enable("10:59:00", "x", "B");
    log.deactivate("11:00:00", "x", "A");
    log.deactivate("11:01:00", "x", "B");
    log.enable("12:00:00", "x", "C");
    let expected = [("A".to_owned(), "B".to_owned(), -60), ("B".to_owned(), "C".to_owned(), 3540)];
    assert_eq!(rotated(&log), expected);
}

/// Changes of one principal, a second apart.
fn many(kinds: impl Iterator<Item = (bool, usize)>) -> Told {
    let event = |(second, (on, device)): (usize, (bool, usize))| {
        let who = Who::user("111122223333", "x");
        let device = Device { account: "111122223333".into(), serial: format!("D{device}").into() };
        let what = if on { What::DeviceAssigned { who, device } } else { What::DeviceUnassigned { who, device } };
        Observed::new(Time(1_700_000_000_000 + i64::try_from(second).unwrap()), what)
    };
    Told { history: fold(kinds.enumerate().map(event)), ..Told::default() }
}

#[test]
fn many_changes_take_little_more_time_than_few() {
    let begin = Instant::now();
    let n = 60_000;
    // One device again and again; many that go at once, as many that come then; and each of them anew.
    assert_eq!(rotations(&many((0..n).map(|i| (i % 2 == 0, 0)))).removals.len(), 1);
    assert_eq!(rotations(&many((0..n).map(|i| (i >= n / 2, i)))).rotations.len(), n / 2);
    assert_eq!(rotations(&many((0..n).map(|i| (i % 2 == 0, i / 2)))).rotations.len(), n / 2 - 1);
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
}
