//! Who had MFA at an instant.

use std::sync::Arc;

use serde::Serialize;

use super::{Integrity, SCHEMA, Told, citations, table};
use crate::fold::{Basis, Life, Snapshot, Status};
use crate::time::Time;
use crate::trail::Verdict;

/// Which states are asked for.
#[derive(Clone, Debug, Default)]
pub struct StateQuery {
    /// The instant, with everything that happened at it; `None` is the end.
    pub at: Option<Time>,
    /// Only these principals, as places in the history.
    pub only: Option<Vec<usize>>,
}

/// States of principals at an instant.
#[derive(Clone, Debug, Serialize)]
pub struct StateAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The instant; `None` is the end of the log.
    pub as_of: Option<Time>,
    /// The principals, by account, root first, then by name.
    pub principals: Vec<PrincipalRow>,
    /// What is known of the files behind this answer.
    pub integrity: Integrity,
}

/// One principal's state.
#[derive(Clone, Debug, Serialize)]
pub struct PrincipalRow {
    /// `ACCOUNT/root` or `ACCOUNT/NAME#GENERATION`, by its name then.
    pub id: String,
    /// Its account.
    pub account: String,
    /// Its name then.
    pub name: Arc<str>,
    /// Its unique id, if a record tells.
    pub uid: Option<String>,
    /// `root` or `user`.
    pub kind: &'static str,
    /// Whether it had MFA.
    pub status: Status,
    /// What that rests on.
    pub basis: Option<Basis>,
    /// Serial numbers or ARNs of the devices that are known.
    pub devices: Vec<Arc<str>>,
    /// Those that may still have been on: a record that does not name its device took one of them away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maybe_devices: Vec<Arc<str>>,
    /// Whether it had a console password, if the log tells.
    pub console_password: Option<bool>,
    /// The records that decide this.
    pub citations: Vec<Arc<str>>,
    /// The worst verdict of the files that those are in; not covered, when there are none. It says nothing of other files:
    /// the answer's own verdict does, which is invalid also when a file that was changed holds none of these records.
    pub integrity: Verdict,
}

/// Says who had MFA at an instant.
///
/// ```
/// use countersign_replay::ask::{StateQuery, Told, state};
///
/// assert!(state(&Told::default(), &StateQuery::default()).principals.is_empty());
/// ```
#[must_use]
pub fn state(told: &Told, query: &StateQuery) -> StateAnswer {
    let wanted = |place: usize| query.only.as_ref().is_none_or(|only| only.contains(&place));
    let lives = told.in_order().into_iter().filter(|(place, _)| wanted(*place));
    let states: Vec<(&Life, Snapshot)> = lives.map(|(_, life)| (life, life.at(query.at))).collect();
    let integrity = told.integrity(states.iter().flat_map(|(_, state)| state.deciding.iter()));
    let mut principals: Vec<PrincipalRow> =
        states.into_iter().map(|(life, state)| row(told, life, state, query.at)).collect();
    principals.sort_by_cached_key(PrincipalRow::order_key);
    StateAnswer { schema: SCHEMA, as_of: query.at, principals, integrity }
}

fn row(told: &Told, life: &Life, state: Snapshot, at: Option<Time>) -> PrincipalRow {
    PrincipalRow {
        id: life.id_at(at),
        account: life.account().to_owned(),
        name: state.name,
        uid: life.uid().map(str::to_owned),
        kind: if life.is_root() { "root" } else { "user" },
        status: state.status,
        basis: state.basis,
        devices: state.devices.to_vec(),
        maybe_devices: state.maybe_devices,
        console_password: state.console_password,
        citations: citations(&state.deciding),
        integrity: told.cited(state.deciding.iter()),
    }
}

impl StateAnswer {
    /// Adds the principals of another log, in the order of answers, which is then no better than what they rest on.
    #[must_use]
    pub fn beside(mut self, principals: Vec<PrincipalRow>) -> Self {
        let cited = principals.iter().filter(|row| !row.citations.is_empty());
        let verdicts = cited.map(|row| row.integrity).chain([self.integrity.verdict]);
        self.integrity.verdict = verdicts.min().unwrap_or(Verdict::NotCovered);
        self.principals.extend(principals);
        self.principals.sort_by_cached_key(PrincipalRow::order_key);
        self
    }

    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self.principals.iter().map(PrincipalRow::cells).collect();
        table(&["PRINCIPAL", "STATUS", "BASIS", "PASSWORD", "DEVICES", "RECORDS"], &rows)
    }
}

impl PrincipalRow {
    /// By account, root first, then by name, generation and unique id.
    pub(crate) fn order_key(&self) -> (String, bool, String, u32, Option<String>) {
        let (name, generation) = super::order_of(&self.id);
        (self.account.clone(), self.kind != "root", name, generation, self.uid.clone())
    }

    /// Whether somebody means this principal by its id, `ACCOUNT/NAME`, its name or its unique id.
    #[must_use]
    pub fn is(&self, words: &str) -> bool {
        super::is_meant(words, &self.id, self.uid.as_deref())
    }

    fn cells(&self) -> Vec<String> {
        let basis = self.basis.map_or("-", Basis::name);
        let password = match self.console_password {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let list = |items: &[Arc<str>]| if items.is_empty() { "-".to_owned() } else { items.join(" ") };
        let maybe = self.maybe_devices.iter().map(|serial| format!("{serial}?").into());
        let devices: Vec<Arc<str>> = self.devices.iter().cloned().chain(maybe).collect();
        vec![
            self.id.clone(),
            self.status.name().to_owned(),
            basis.to_owned(),
            password.to_owned(),
            list(&devices),
            list(&self.citations),
        ]
    }
}
