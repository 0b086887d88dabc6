//! Devices that were replaced, and those that went without a successor.

use countersign_replay::ask::rotations;

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
