//! What the replay says of a history afterwards, beside what the engine said while it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use countersign::domain::laws::{LawBook, Unread};
use countersign::store::Journal;
use countersign::*;
use countersign_replay::ask::{PrincipalRow, StateQuery, Told};
use countersign_replay::fold::{Basis, FindingKind, Fold, Keep, Status as Mfa, fold};
use countersign_replay::own::cloudtrail::records;
use countersign_replay::own::rebuild;
use countersign_replay::own::state::state;
use countersign_replay::own::tell::tell;
use countersign_replay::own::what_if::what_if;
use countersign_replay::own::{Entries, OpenJournal, each_entry, fact};
use countersign_replay::time::Time;
use countersign_replay::trail::{LoadOptions, Progress, load};

use super::cast::{self, PEOPLE};

/// The devices of each principal; `None` is of one that does not exist.
type Status = BTreeMap<String, Option<Vec<String>>>;

/// What the engine answered at the instants of a history.
#[derive(Debug)]
pub struct Remembered {
    answers: Vec<(UnixMillis, Status)>,
    latest: UnixMillis,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { answers: Vec::new(), latest: UnixMillis(0) }
    }
}

impl Remembered {
    /// Notes what the engine answers now, after commands that were decided from `earliest` to `latest`.
    ///
    /// Where the clock was set back there are instants that come twice; what was asked then is not compared.
    pub fn note(&mut self, engine: &Countersign, (earliest, latest): (UnixMillis, UnixMillis), now: UnixMillis) {
        self.answers.retain(|(at, _)| *at < earliest.min(now));
        self.latest = self.latest.max(latest);
        if now < self.latest {
            return;
        }
        let status = (0..PEOPLE.len()).map(|person| {
            let id = cast::principal(person);
            let serials = || {
                let mut serials: Vec<String> =
                    engine.devices(&id).into_iter().map(|device| device.serial.to_string()).collect();
                serials.sort();
                serials
            };
            (id.to_string(), engine.principal(&id).map(|_| serials()))
        });
        self.answers.push((now, status.collect()));
    }

    /// Asks the log for each of these instants.
    pub fn compare(&self, journal: &dyn Journal) {
        let (told, exported, times) = (told(journal), exported(journal), times(journal));
        for (at, expected) in &self.answers {
            assert_eq!(status_at(journal, Some(*at)), known(expected), "at {at:?}");
            let by_domain = state(&OpenJournal(journal), Some(*at), None).unwrap().principals;
            compare_with_domain(&by_domain, &told, *at);
            let settled = at.plus_ms(SETTLED_MS);
            if times.range((Bound::Excluded(*at), Bound::Included(settled))).next().is_none() {
                compare_with_export(&by_domain, &exported, settled);
            }
        }
    }
}

/// Without those that do not exist: the log may never have heard of them.
fn known(status: &Status) -> BTreeMap<String, Vec<String>> {
    status.iter().filter_map(|(id, devices)| Some((id.clone(), devices.clone()?))).collect()
}

fn status_at(journal: &dyn Journal, at: Option<UnixMillis>) -> BTreeMap<String, Vec<String>> {
    let answer = state(&OpenJournal(journal), at, None).unwrap();
    let present = answer.principals.into_iter().filter(|found| matches!(found.status, Mfa::Enabled | Mfa::Disabled));
    let named = present.map(|found| {
        assert_eq!(found.status == Mfa::Enabled, !found.devices.is_empty());
        let devices = found.devices.iter().map(ToString::to_string).collect();
        (format!("{}/{}", found.account, found.uid.as_deref().unwrap_or("root")), devices)
    });
    named.collect()
}

/// Under the policy that it was made under a history comes out the same, and what is derived from it is what it comes to.
pub fn check(journal: &dyn Journal, policy: &Policy) {
    let found = what_if(&OpenJournal(journal), policy, policy).unwrap();
    assert_eq!((found.otherwise, found.same), (vec![], found.decided));
    let rebuilt = rebuild::compare(journal).unwrap();
    assert!(rebuilt.same, "{rebuilt:#?}");
    assert_eq!(rebuilt.snapshots.of_another_form, 0);
    assert!(rebuilt.checkpoints.iter().all(|found| !found.of_another_form && (found.same > 0 || found.position == 0)));
    check_a_changed_checkpoint(journal);
    check_laws_in_the_dark(journal, policy);
}

/// A row that is not what the log comes to is named.
fn check_a_changed_checkpoint(journal: &dyn Journal) {
    let Some(mut views) = journal.load_checkpoint("views").unwrap() else { return };
    let Some(block) = views.blocks.first_mut().filter(|block| block.len() > 3) else { return };
    // The instant at which the first account was opened.
    block[9] ^= 1;
    journal.save_checkpoint("views", views.position, views.fingerprint, views.blocks).unwrap();
    let rebuilt = rebuild::compare(journal).unwrap();
    assert!(!rebuilt.same && rebuilt.checkpoints.iter().any(|found| !found.differ.is_empty()), "{rebuilt:#?}");
}

/// The laws raise no alarm at what is sealed, whichever of the streams it is.
fn check_laws_in_the_dark(journal: &dyn Journal, policy: &Policy) {
    let hidden: [fn(u8) -> bool; 3] = [|_| true, |first| first % 2 == 0, |first| first % 2 == 1];
    for is_hidden in hidden {
        let mut laws = LawBook::new(policy.clone());
        let log = OpenJournal(journal);
        let visited = each_entry(&log, Position(0), &mut |entry, event| {
            let header = &entry.header;
            let hidden = header.is_sealed() && is_hidden(header.stream.as_bytes()[0]);
            let broken = match event {
                Ok(event) if !hidden => laws.observe(&fact(entry, event)),
                // Hidden here, or the seed of a device that was deleted.
                _ => {
                    let (position, stream, version) = (entry.position, header.stream, header.version);
                    laws.observe_unread(&Unread { position, stream, version, event_type: header.event_type })
                }
            };
            assert_eq!(broken, [], "{event:?}");
            Ok(std::ops::ControlFlow::Continue(()))
        });
        visited.unwrap();
        assert_eq!(laws.finish(), []);
        assert!(log.head().0 > 0);
    }
}

/// The history of a log as the fold tells it that foreign logs are told by.
fn told(journal: &dyn Journal) -> Told {
    let mut fold = Fold::new(Keep::All);
    let everything: &dyn Fn(&_) -> bool = &|_| true;
    tell(&OpenJournal(journal), &"log".into(), None, Some(everything), &mut |event| fold.take(&event.into())).unwrap();
    let history = fold.end();
    // Root may have come in by other factors; nothing else contradicts.
    let kinds = history.findings().iter().map(|finding| finding.kind);
    assert_eq!(kinds.filter(|kind| *kind != FindingKind::SigninWithoutMfaWhileEnabled).collect::<Vec<_>>(), []);
    Told { history, ..Told::default() }
}

/// The history of a log that was exported as records of CloudTrail and read back from them.
fn exported(journal: &dyn Journal) -> Told {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    records(&OpenJournal(journal), None, &mut |record| {
        lines.push_str(&countersign_replay::ask::json_line(&record).unwrap());
        lines.push('\n');
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    let file = dir.path().join("records.jsonl");
    std::fs::write(&file, lines).unwrap();
    let loaded = load(&[file], &LoadOptions::default(), &Progress::default());
    assert_eq!((loaded.inputs.skips, loaded.flaws), (vec![], vec![]));
    Told { history: fold(loaded.events), ..Told::default() }
}

/// An export dates by a millisecond later what its readers would put before what was first.
const SETTLED_MS: u64 = 1000;

fn times(journal: &dyn Journal) -> BTreeSet<UnixMillis> {
    let mut times = BTreeSet::new();
    let visited = journal.scan(Position(0), &mut |entry| {
        times.insert(entry.header.time);
        std::ops::ControlFlow::Continue(())
    });
    visited.unwrap();
    times
}

fn said(row: &PrincipalRow) -> (Mfa, Option<Basis>, Vec<Arc<str>>, Arc<str>) {
    (row.status, row.basis, row.devices.clone(), row.name.clone())
}

fn rows(told: &Told, at: UnixMillis) -> BTreeMap<String, PrincipalRow> {
    let at = Some(Time(i64::try_from(at.0).unwrap()));
    let answer = countersign_replay::ask::state(told, &StateQuery { at, only: None });
    answer.principals.into_iter().map(|row| (row.id.clone(), row)).collect()
}

/// The fold of observed events says what the domain's own says.
fn compare_with_domain(by_domain: &[PrincipalRow], told: &Told, at: UnixMillis) {
    let told = rows(told, at);
    assert_eq!(
        told.keys().collect::<Vec<_>>(),
        by_domain.iter().map(|row| &row.id).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    for expected in by_domain {
        assert_eq!(said(&told[&expected.id]), said(expected), "{} at {at:?}", expected.id);
    }
}

/// So does the fold of records that were exported and read back. That its root had no device when it began is nothing that
/// the log of an account says.
fn compare_with_export(by_domain: &[PrincipalRow], exported: &Told, at: UnixMillis) {
    let exported = rows(exported, at);
    for expected in by_domain {
        match exported.get(&expected.id) {
            Some(found) if expected.kind != "root" => assert_eq!(said(found), said(expected), "{} at {at:?}", found.id),
            Some(found) => assert!(found.status == Mfa::Unknown || found.status == expected.status, "{}", found.id),
            None => assert_eq!(expected.kind, "root"),
        }
    }
}
