//! The rules about root's way back in (R130, A22, A23), and what an account chooses (A16, R5).

use countersign::Channel;
use countersign::domain::event::{AlternativeFactor, SignInFactor};

use super::cast::{ACCOUNTS, PEOPLE};
use super::commands::{Answer, By, Command, Held, Text, first, reason};
use super::doors::{Alternative, Sending};
use super::facts::Fact;
use super::perform::Model;
use super::rules::FACTOR_MS;

use AlternativeFactor::{Mail, Phone};

impl Model {
    pub fn perform_recovery(&mut self, command: &Command) -> Result<Answer, Answer> {
        match *command {
            Command::Mail { person, attempt } => {
                self.may_recover(person, attempt)?;
                self.ask_factor(person, attempt, Mail)
            }
            Command::Call { person, attempt } => {
                self.may_recover(person, attempt)?;
                let mail = self.history.alternative(person, attempt, Mail);
                first([(reason::NOT_THIS_FACTOR, mail != Alternative::Proven)])?;
                self.ask_factor(person, attempt, Phone)
            }
            Command::ConfirmMail { person, attempt, text } => {
                self.may_recover(person, attempt)?;
                self.prove_factor(person, attempt, (Mail, None), text)
            }
            Command::AnswerCall { person, attempt, call, text } => {
                self.may_recover(person, attempt)?;
                self.prove_factor(person, attempt, (Phone, Some(call)), text)
            }
            Command::FinishRecovery { person, attempt } => {
                self.may_recover(person, attempt)?;
                let proven = |factor| self.history.alternative(person, attempt, factor) == Alternative::Proven;
                first([(reason::NOT_THIS_FACTOR, !(proven(Mail) && proven(Phone)))])?;
                Ok(self.signed_in(person, attempt, SignInFactor::AlternativeFactors, None))
            }
            _ => unreachable!("no command of a recovery"),
        }
    }

    /// R130 b, d: root only, unless it is switched off, and with no other device to use.
    pub fn recovery_allowed(&self, person: usize) -> bool {
        let one_device = self.history.devices(person).len() <= 1;
        PEOPLE[person].id.is_none() && self.history.alternatives(PEOPLE[person].account) && one_device
    }

    fn may_recover(&self, person: usize, attempt: usize) -> Result<(), Answer> {
        self.own_turn(person, attempt)?;
        first([(reason::NO_ALTERNATIVES, !self.recovery_allowed(person))])
    }

    fn ask_factor(&mut self, person: usize, attempt: usize, factor: AlternativeFactor) -> Result<Answer, Answer> {
        let sending = Sending::Factor(factor);
        if let Some(at) = self.history.sends_again_at(person, sending, self.now) {
            return Err(Answer::Later { reason: reason::TOO_SOON, at });
        }
        let window = self.history.sends(person, sending, self.now).window;
        let (challenge, until) = (self.next_challenge(), self.now + FACTOR_MS);
        self.note(Fact::FactorAsked { person, attempt, factor, challenge, until, window });
        Ok(Answer::Challenged { challenge, until })
    }

    fn prove_factor(
        &mut self,
        person: usize,
        attempt: usize,
        (factor, call): (AlternativeFactor, Option<usize>),
        text: Text,
    ) -> Result<Answer, Answer> {
        let asked = self.history.factor_asked(person, attempt, factor, self.now);
        let asked = asked.filter(|asked| call.is_none_or(|call| call == *asked));
        let challenge = asked.ok_or(Answer::Rejected(reason::NOT_OPEN))?;
        if text == Text::Sent(challenge) {
            self.note(Fact::FactorProven { person, attempt, factor });
            return Ok(Answer::Accepted);
        }
        self.note(Fact::FactorMissed { person, attempt, factor });
        Ok(Answer::Refused)
    }
}

// ---- settings ----

impl Model {
    pub fn perform_settings(&mut self, by: By, command: &Command) -> Result<Answer, Answer> {
        let (fact, account, changes) = match *command {
            Command::Alias { account, alias } => {
                (Fact::AliasChosen { account, alias }, account, self.history.alias(account) != alias)
            }
            Command::Eligibility { account, sms } => {
                (Fact::EligibilityChosen { account, sms }, account, self.history.eligibility(account) != sms)
            }
            Command::Alternatives { account, allowed } => {
                let changes = self.history.alternatives(account) != allowed;
                (Fact::AlternativesSwitched { account, allowed }, account, changes)
            }
            Command::Rules { account, preset } => {
                (Fact::RulesChosen { account, preset }, account, self.history.preset(account) != preset)
            }
            Command::Link { account, other } => {
                (Fact::Linked { account, other }, account, self.history.link(account) != other)
            }
            _ => unreachable!("no command about settings"),
        };
        let roots_own = matches!(command, Command::Alternatives { .. } | Command::Link { .. });
        let root_at_console =
            |who: usize| PEOPLE[who].id.is_none() && by.channel == Channel::Console && by.held != Held::LongTermKey;
        let allowed = by.who.is_none_or(|who| PEOPLE[who].account == account && (!roots_own || root_at_console(who)));
        let to_itself = matches!(*command, Command::Link { account, other: Some(other) } if account == other);
        // R182: who has a device proves one to change anything in the console.
        let has_device = by.who.is_some_and(|who| !self.history.devices(who).is_empty());
        let bare = !matches!(by.held, Held::Device | Held::Recovered);
        first([
            (reason::SELF_MANAGEMENT, by.channel == Channel::Console && has_device && bare),
            (reason::ACCOUNT_UNKNOWN, self.history.opened_at(account).is_none()),
            (reason::CHANNEL, !allowed || to_itself),
        ])?;
        if changes {
            if let Fact::AliasChosen { alias: Some(alias), .. } = fact {
                let others = (0..ACCOUNTS.len()).filter(|other| *other != account);
                let taken = others.into_iter().any(|other| self.history.alias(other) == Some(alias));
                first([(reason::ALIAS_TAKEN, taken)])?;
            }
            self.note(fact);
        }
        Ok(Answer::Done)
    }
}
