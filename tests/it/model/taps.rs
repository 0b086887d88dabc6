//! What keys say when they are held to a browser, and where the answers are sent.

use countersign::KeyForm;

use super::cast::{Credential, HANDS, SOFTS};
use super::commands::{Command, Flaw, Paper};
use super::doors::Asked;
use super::facts::Task;
use super::perform::Model;
use super::resolve::UNKNOWN;
use super::steps::{Hand, Post, Tap};

impl Model {
    /// The n-th challenge to keys that waits for an answer, the newest first, or that ever did.
    pub fn key_challenge(&self, nth: usize) -> Option<(usize, Asked)> {
        let mut asked = self.history.key_challenges();
        let waits =
            |(person, asked): &(usize, Asked)| self.history.challenge(*person, asked.challenge, self.now).is_some();
        if asked.iter().any(waits) {
            asked.retain(waits);
        }
        let nth = nth % asked.len().max(1);
        (!asked.is_empty()).then(|| asked.swap_remove(nth))
    }

    /// What a key says when it is held to a browser that shows a challenge.
    pub fn tap(&mut self, person: usize, asked: &Asked, tap: Tap) -> Paper {
        let creates = matches!(asked.task, Task::Register { .. }) != tap.other_kind;
        let credential = self.hand(asked, creates, tap);
        let flaw = match (credential, tap.flaw) {
            (Credential::Soft { .. }, _) | (_, 0) => Flaw::None,
            (_, 1) => Flaw::Garbled,
            (_, 2) => Flaw::Challenge,
            (_, 3) => Flaw::Origin,
            (_, 4) => Flaw::Party,
            (_, 5) => Flaw::Untouched,
            (_, 6) => Flaw::Unverified,
            (_, 7) => Flaw::Signature,
            (_, 8) => Flaw::Handle(if tap.counter == 0 { 1 - person.min(1) } else { person }),
            _ => Flaw::None,
        };
        let (counter, verified) = match credential {
            // The last of those in hand does not count.
            Credential::Hand(hand) if hand == HANDS - 1 => (0, flaw != Flaw::Unverified),
            Credential::Hand(_) => {
                let highest = i64::from(self.history.highest_counter(credential));
                ((highest + tap.counter).max(0) as u32, flaw != Flaw::Unverified)
            }
            Credential::Soft { key, .. } => {
                let counter = if creates { 0 } else { self.signed[key] + 1 };
                self.signed[key] += u32::from(!creates);
                (counter, asked.form == KeyForm::Passkey)
            }
        };
        Paper { challenge: asked.challenge, creates, credential, counter, verified, flaw }
    }

    /// Which credential answers. A key that somebody else wrote does only what it is asked, with what it has.
    fn hand(&self, asked: &Asked, creates: bool, tap: Tap) -> Credential {
        let answer = self.papers.len();
        let soft = |key: usize| match &asked.task {
            Task::Register { .. } if creates => Some(Credential::Soft { key, answer }),
            Task::Prove { offered, .. } if !creates => {
                offered.iter().copied().find(|of| matches!(of, Credential::Soft { key: is, .. } if *is == key))
            }
            _ => None,
        };
        let found = match (tap.key, &asked.task) {
            (Hand::Right(nth), Task::Prove { offered, .. }) => offered.get(nth % offered.len().max(1)).copied(),
            (Hand::Right(nth), Task::Register { .. }) if nth < SOFTS => soft(nth),
            (Hand::Right(nth), Task::Register { .. }) => {
                let hands = (0..HANDS).map(|at| Credential::Hand((nth + at) % HANDS));
                hands.into_iter().find(|hand| self.history.claimed(*hand).is_none())
            }
            (Hand::Own(hand), _) => Some(Credential::Hand(hand)),
            (Hand::Soft(key), _) => soft(key),
        };
        match found {
            Some(Credential::Soft { key, .. }) => soft(key).unwrap_or(Credential::Hand(0)),
            found => found.unwrap_or(Credential::Hand(0)),
        }
    }

    pub fn post(&self, person: usize, asked: &Asked, paper: usize, post: Post) -> (usize, Command) {
        let challenge = asked.challenge;
        let straight = match asked.task {
            Task::Register { .. } => Command::FinishKey { person, challenge, paper },
            Task::Prove { attempt, .. } => Command::SignInKey { person, attempt, challenge, paper },
        };
        match (post, &asked.task) {
            (Post::Straight, _) => (person, straight),
            (Post::Other(other), Task::Register { .. }) => {
                (other, Command::FinishKey { person: other, challenge, paper })
            }
            (Post::Other(other), Task::Prove { attempt, .. }) => {
                (other, Command::SignInKey { person: other, attempt: *attempt, challenge, paper })
            }
            (Post::OtherTry(which), Task::Prove { .. }) | (Post::Crossed(which), Task::Register { .. }) => {
                let (person, attempt) = self.attempt_of(which).unwrap_or((person, UNKNOWN));
                (person, Command::SignInKey { person, attempt, challenge, paper })
            }
            (Post::OtherTry(_), Task::Register { .. }) | (Post::Crossed(_), Task::Prove { .. }) => {
                (person, Command::FinishKey { person, challenge, paper })
            }
        }
    }
}
