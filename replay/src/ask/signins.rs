//! Who signed in to the console, and how.

use std::sync::Arc;

use serde::Serialize;

use super::{Integrity, SCHEMA, Told, table};
use crate::event::{Observed, SignInClass, What};
use crate::fold::{SignIn, Status};
use crate::time::Time;

/// Which sign-ins are asked for.
#[derive(Clone, Debug, Default)]
pub struct SignInsQuery {
    /// Only successful ones without MFA.
    pub without_mfa: bool,
    /// Not before this.
    pub from: Option<Time>,
    /// Not after this.
    pub to: Option<Time>,
}

impl SignInsQuery {
    /// Whether an event is a sign-in that may be asked for.
    #[must_use]
    pub fn wants(&self, event: &Observed) -> bool {
        let What::SignInObserved { class, success, .. } = &event.what else { return false };
        let in_time = self.from.is_none_or(|from| event.at >= from) && self.to.is_none_or(|to| event.at <= to);
        in_time && (!self.without_mfa || *success && *class == SignInClass::NoMfa)
    }
}

/// Sign-ins, in order.
#[derive(Clone, Debug, Serialize)]
pub struct SignInsAnswer {
    /// Version of this form.
    pub schema: u32,
    /// Sign-ins by users and root; those of others, too, unless only those without MFA are asked for.
    pub signins: Vec<SignInRow>,
    /// When only those without MFA are asked for: sign-ins whose MFA only another identity provider sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub federated: Vec<SignInRow>,
    /// What is known of the files behind this answer.
    pub integrity: Integrity,
}

/// One sign-in.
#[derive(Clone, Debug, Serialize)]
pub struct SignInRow {
    /// When.
    pub time: Time,
    /// Who.
    pub id: String,
    /// `success` or `failure`.
    pub outcome: &'static str,
    /// With MFA, without, federated, or unknown.
    pub class: SignInClass,
    /// The record.
    pub event_id: Arc<str>,
    /// Whether the principal had MFA just before.
    pub status_before: Option<Status>,
    /// Where from.
    pub address: Arc<str>,
}

/// Lists sign-ins.
#[must_use]
pub fn sign_ins(told: &Told, query: &SignInsQuery) -> SignInsAnswer {
    let in_time = |sign_in: &&SignIn| {
        let at = sign_in.event.at;
        query.from.is_none_or(|from| at >= from) && query.to.is_none_or(|to| at <= to)
    };
    let all: Vec<&SignIn> = told.history.sign_ins().iter().filter(in_time).collect();
    let of = |class: SignInClass| {
        let wanted = all.iter().filter(move |sign_in| sign_in.success && sign_in.class == class);
        wanted.copied().collect::<Vec<_>>()
    };
    let (signins, federated) = match query.without_mfa {
        true => (of(SignInClass::NoMfa), of(SignInClass::Federated)),
        false => (all.clone(), Vec::new()),
    };
    let events: Vec<&Arc<Observed>> = signins.iter().chain(&federated).map(|sign_in| &sign_in.event).collect();
    let integrity = told.integrity(events);
    let ids = told.ids_at(query.to);
    let rows = |of: Vec<&SignIn>| of.into_iter().map(|sign_in| row(told, &ids, sign_in)).collect();
    SignInsAnswer { schema: SCHEMA, signins: rows(signins), federated: rows(federated), integrity }
}

/// The row of a sign-in, with the ids of principals at the instant that is asked for.
pub(super) fn row(told: &Told, ids: &[String], sign_in: &SignIn) -> SignInRow {
    let id = sign_in.life.and_then(|life| ids.get(life));
    SignInRow {
        time: sign_in.event.at,
        id: id.cloned().unwrap_or_else(|| told.history.id_of(sign_in)),
        outcome: if sign_in.success { "success" } else { "failure" },
        class: sign_in.class,
        event_id: sign_in.event.cite.name(),
        status_before: sign_in.before,
        address: Arc::clone(&sign_in.event.by.address),
    }
}

impl SignInsAnswer {
    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let head = ["TIME", "PRINCIPAL", "OUTCOME", "CLASS", "HAD MFA", "RECORD"];
        let cells = |rows: &[SignInRow]| rows.iter().map(SignInRow::cells).collect::<Vec<_>>();
        let mut text = table(&head, &cells(&self.signins));
        if !self.federated.is_empty() {
            text.push_str("\nMFA that only another identity provider sees:\n");
            text.push_str(&table(&head, &cells(&self.federated)));
        }
        text
    }
}

impl SignInRow {
    fn cells(&self) -> Vec<String> {
        vec![
            self.time.to_string(),
            self.id.clone(),
            self.outcome.to_owned(),
            self.class.name().to_owned(),
            self.status_before.map_or("-", Status::name).to_owned(),
            self.event_id.to_string(),
        ]
    }
}
