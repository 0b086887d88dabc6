//! Pages: one file, no script, nothing from elsewhere, and no name that could become markup.

use countersign_replay::ask::{Standard, Told, report};
use countersign_replay::page::{report_page, timeline_page};

use crate::support::{Log, user};

fn log() -> Log {
    let mut log = Log::new();
    log.create("08:00:00", "<script>alert(1)</script>");
    log.create("08:00:00", "alice\u{202e}");
    log.enable("08:30:00", "alice\u{202e}", "S1");
    log.deactivate("09:00:00", "alice\u{202e}", "S1");
    log.sign_in("09:01:00", user("alice\u{202e}"), "No", true);
    log.enable("09:10:00", "alice\u{202e}", "S2");
    log
}

fn assert_alone(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for foreign in ["<script", "http://", "https://", "src=", "@import", "\u{202e}"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-") && !page.contains("unsafe"));
    let body = page.split("<body>").nth(1).unwrap().split("</body>").next().unwrap();
    let body = format!("<body>{body}</body>");
    let document = roxmltree::Document::parse(&body);
    // Places are numbers: a picture with one that is none would be blank.
    let document = document.unwrap();
    for path in document.descendants().filter_map(|node| node.attribute("d")) {
        assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
    }
}

#[test]
fn a_report_is_one_page() {
    let told = log().told();
    for standard in [Standard::Cis, Standard::Pci, Standard::Nist] {
        let answer = report(&told, standard, None, None).unwrap();
        let page = report_page(&told, &answer).unwrap();
        assert_alone(&page);
        assert!(page.contains("<svg") && page.contains("no device for 600 s"), "a gap is drawn");
    }
}

#[test]
fn a_timeline_is_one_page() {
    let told = log().told();
    let all: Vec<usize> = (0..told.history.lives().len()).collect();
    let page = timeline_page(&told, &all).unwrap();
    assert_alone(&page);
    assert!(page.contains("signed in without MFA") && page.contains("EnableMFADevice"));
}

#[test]
fn only_time_without_any_device_is_drawn_as_such() {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    for (clock, device) in [("08:01:00", "X"), ("08:02:00", "A")] {
        log.enable(clock, "amy", device);
    }
    log.deactivate("09:00:00", "amy", "A");
    log.enable("10:00:00", "amy", "B");
    let page = |told: &Told| report_page(told, &report(told, Standard::Pci, None, None).unwrap()).unwrap();
    let told = log.told();
    let gaps = &report(&told, Standard::Pci, None, None).unwrap().controls[2].gaps;
    assert!(gaps.is_empty() && !page(&told).contains("for 3600 s"));
    // Whoever was there before the log may have a device that it does not name.
    log.records.remove(0);
    log.records.remove(0);
    let page = page(&log.told());
    assert!(page.contains("maybe no device for 3600 s") && page.contains("maybe none"));
}

#[test]
fn a_page_has_fifty_accounts_and_all_are_judged() {
    let mut log = Log::new();
    for account in 0..120_u64 {
        log.create("08:00:00", "lee")["recipientAccountId"] = format!("{account:012}").into();
    }
    let told = log.told();
    let answer = report(&told, Standard::Cis, None, None).unwrap();
    assert!(answer.controls.iter().any(|control| control.cannot_tell.contains(&"000000000119/root".to_owned())));
    let page = report_page(&told, &answer).unwrap();
    assert_eq!(page.matches("class=\"account\"").count(), 50);
}

#[test]
fn an_empty_history_has_a_page() {
    let told = Told::default();
    let answer = report(&told, Standard::Cis, None, None).unwrap();
    assert_alone(&report_page(&told, &answer).unwrap());
}
