//! What the fold makes of events.

use std::sync::Arc;

use super::{Finding, Life, Status};
use crate::event::{HIDDEN, Observed, SignInClass, Subject, What, Who};
use crate::time::Time;

/// A sign-in to the console, or an attempt.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The event.
    pub event: Arc<Observed>,
    /// Who, as a place in [`History::lives`]; `None` if it was nobody of the history.
    pub life: Option<usize>,
    /// Whether it succeeded.
    pub success: bool,
    /// With MFA or without.
    pub class: SignInClass,
    /// Whether the principal had MFA just before.
    pub before: Option<Status>,
}

/// Everything that a log says about MFA, principal by principal.
#[derive(Clone, Debug, Default)]
pub struct History {
    lives: Vec<Life>,
    sign_ins: Vec<SignIn>,
    findings: Vec<Finding>,
    others: Vec<Arc<Observed>>,
}

impl History {
    pub(super) const fn new(
        lives: Vec<Life>,
        sign_ins: Vec<SignIn>,
        findings: Vec<Finding>,
        others: Vec<Arc<Observed>>,
    ) -> Self {
        Self { lives, sign_ins, findings, others }
    }

    /// Adds another history, which is not compared with this one.
    #[must_use]
    pub fn beside(mut self, other: Self) -> Self {
        let lives = self.lives.len();
        let moved = |life: Option<usize>| life.map(|life| life + lives);
        self.lives.extend(other.lives);
        self.sign_ins.extend(other.sign_ins.into_iter().map(|found| SignIn { life: moved(found.life), ..found }));
        self.findings.extend(other.findings.into_iter().map(|found| Finding { life: moved(found.life), ..found }));
        self.sign_ins.sort_by(|a, b| a.event.order(&b.event));
        self.others.extend(other.others);
        self.others.sort_by(|a, b| a.order(b));
        self
    }

    /// Principals, in the order of their first record.
    #[must_use]
    pub fn lives(&self) -> &[Life] {
        &self.lives
    }

    /// Sign-ins and attempts, in order.
    #[must_use]
    pub fn sign_ins(&self) -> &[SignIn] {
        &self.sign_ins
    }

    /// Contradictions, in order.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Events of nobody in the history, in order, when everything is kept: sign-ins by others, devices without an owner.
    #[must_use]
    pub fn others(&self) -> &[Arc<Observed>] {
        &self.others
    }

    /// When the first of the events that are kept happened.
    #[must_use]
    pub fn begin(&self) -> Option<Time> {
        let of_life = |life: &Life| {
            let steps = life.steps().first().map(|step| step.event.at);
            steps.into_iter().chain(life.attempts().first().map(|event| event.at)).min()
        };
        let lives = self.lives.iter().filter_map(of_life);
        let sign_ins = self.sign_ins.first().map(|sign_in| sign_in.event.at);
        lives.chain(sign_ins).chain(self.others.first().map(|event| event.at)).min()
    }

    /// The name of somebody in answers: a principal's id, what the record calls somebody from elsewhere, or the word
    /// of AWS for a hidden name.
    #[must_use]
    pub fn id_of(&self, sign_in: &SignIn) -> String {
        if let Some(life) = sign_in.life.and_then(|life| self.lives.get(life)) {
            return life.id();
        }
        match &sign_in.event.what {
            What::SignInObserved { subject: Subject::Elsewhere(label), .. } => label.to_string(),
            What::SignInObserved { subject: Subject::Principal(Who::Root { account }), .. } => {
                format!("{account}/root")
            }
            What::SignInObserved {
                subject: Subject::Principal(Who::User { account, name: Some(name), .. }), ..
            } => {
                format!("{account}/{name}#1")
            }
            _ => HIDDEN.to_owned(),
        }
    }
}
