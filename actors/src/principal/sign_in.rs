//! The commands of a sign-in, and of root's way back in.

use countersign_domain::decide::{self, CodeQuestion, Decision, Step, Verdict};
use countersign_domain::device::{DeviceKind, Serial};
use countersign_domain::event::AlternativeFactor;
use countersign_domain::ids::{AttemptId, ChallengeId, UnixMillis};
use countersign_domain::principal::{Associate, Principal};
use countersign_domain::rejection::Rejection;
use countersign_domain::secret::ChallengeSecret;
use countersign_domain::sms::SmsErrand;
use countersign_domain::totp::CodeMatches;

use super::{CeremonyWork, PrincipalCore, settled};
use crate::answer::Request;
use crate::code::Code;
use crate::error::Error;
use crate::resident::{Answer, Given};
use crate::sent::{self, Medium};

impl PrincipalCore {
    /// Decides a command of a sign-in once and writes; `None` when a stream had moved on.
    pub(super) async fn attempt_sign_in(
        &mut self,
        request: &Request,
        work: &CeremonyWork,
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let context = self.context(request, now);
        let decision = match work {
            CeremonyWork::BeginSignIn { attempt, associate } => {
                decide::begin_sign_in(self.state(), *attempt, *associate, &context)
            }
            CeremonyWork::EndSignIns => decide::end_sign_ins(self.state(), &context),
            CeremonyWork::LookAtSignIn { attempt } => return self.look_at_sign_in(*attempt, now),
            CeremonyWork::SignInWithCode { attempt, serial, code } if serial.kind() == DeviceKind::Sms => {
                let device = self.device_of(serial);
                let decide = |found| decide::sign_in_with_sent_code(self.state(), *attempt, device, found, &context);
                compared(decide, Medium::Sms, code.as_str())?
            }
            CeremonyWork::SignInWithCode { attempt, serial, code } => {
                self.code_in_sign_in(request, now, *attempt, serial, code).await?
            }
            // Had it been recorded, it would have been answered before anything is decided.
            CeremonyWork::RecallSignIn { .. } => Err(Rejection::ChallengeUnknown),
            CeremonyWork::AssociateProven { attempt, serial, code } => {
                let mark = self.shared.marks.mark(*attempt, code);
                decide::associate_proven(self.state(), *attempt, serial.stream(), mark, &context)
            }
            CeremonyWork::AssociateRefused { attempt, serial, denial, .. } => {
                decide::associate_refused(self.state(), *attempt, serial.stream(), *denial, &context)
            }
            CeremonyWork::AskAlternative { attempt, factor, challenge, secret } => {
                let (sending, allowed) = ((*challenge, secret.clone()), self.alternatives_allowed());
                let decision = decide::ask_alternative(self.state(), *attempt, *factor, sending, allowed, &context);
                let given = Given::Sending(secret.clone(), None);
                return Ok(with(self.write(request, now, decision, &[]).await?, given));
            }
            CeremonyWork::ProveAlternative { attempt, factor, call, answer } => {
                let (asked, allowed) = ((*factor, *call), self.alternatives_allowed());
                let decide = |found| decide::prove_alternative(self.state(), *attempt, asked, found, allowed, &context);
                let medium = match factor {
                    AlternativeFactor::Mail => Medium::Mail,
                    AlternativeFactor::Phone => Medium::Call,
                };
                compared(decide, medium, answer)?
            }
            CeremonyWork::FinishRecovery { attempt } => {
                decide::finish_recovery(self.state(), *attempt, self.alternatives_allowed(), &context)
            }
            work => return Box::pin(self.attempt_challenge(request, work, now)).await,
        };
        self.write(request, now, decision, &[]).await
    }

    /// A code of a TOTP device. The digits that the linked principal's device showed are not taken again (A6).
    async fn code_in_sign_in(
        &self,
        request: &Request,
        now: UnixMillis,
        attempt: AttemptId,
        serial: &Serial,
        code: &Code,
    ) -> Result<Decision, Error> {
        let device = self.device_of(serial);
        let open = self.state().and_then(Principal::registered).and_then(|owner| owner.pending.sign_in(attempt, now));
        let shown_before = match open.map(|open| &open.associate) {
            Some(Associate::Proven(mark)) => *mark == self.shared.marks.mark(attempt, code),
            _ => false,
        };
        let decide = |principal: Option<&Principal>, found: Option<&CodeMatches>, context: &decide::Context<'_>| {
            decide::sign_in_with_code(principal, attempt, device, found, context)
        };
        self.code_tried(request, now, serial, (!shown_before).then_some(code), decide).await
    }

    /// How far a sign-in is; nothing is written.
    fn look_at_sign_in(&self, attempt: AttemptId, now: UnixMillis) -> Result<Option<Answer>, Error> {
        let owner = self.state().and_then(Principal::registered).ok_or(Rejection::PrincipalUnknown)?;
        let open = owner.pending.sign_in(attempt, now).ok_or(Rejection::ChallengeUnknown)?;
        let associate = matches!(open.associate, Associate::Wanted(_));
        let verdict = Verdict::SecondFactorWanted { attempt, until: open.until, associate };
        let position = self.shared.journal.head();
        Ok(Some(Answer { verdict, position, at: now, given: Some(Box::new(Given::Open(open.clone()))) }))
    }

    fn alternatives_allowed(&self) -> bool {
        self.shared.settings(self.account).alternative_factors
    }

    /// Sends a code to an SMS device (R101).
    pub(super) async fn send_code(
        &mut self,
        request: &Request,
        work: (AttemptId, &Serial),
        sending: (ChallengeId, ChallengeSecret),
        now: UnixMillis,
    ) -> Result<Option<Answer>, Error> {
        let (attempt, serial) = work;
        let device = self.device_of(serial);
        let phone = self.phone(serial);
        let (challenge, secret) = sending;
        let (sending, hold) = self.sending((challenge, &secret), (phone.as_ref(), SmsErrand::SignIn), now).await?;
        let context = self.context(request, now);
        let decision = decide::send_sign_in_code(self.state(), attempt, device, sending, &context);
        let answer = self.write(request, now, decision, &[]).await?;
        drop(hold);
        Ok(with(answer, Given::Sending(secret, phone)))
    }
}

/// An answer, and what it alone gives out.
pub(super) fn with(answer: Option<Answer>, given: Given) -> Option<Answer> {
    answer.map(|answer| answer.giving(given))
}

/// Decides about a code that came back, comparing it in between if the decision asks for it.
pub(super) fn compared(
    decide: impl Fn(Option<bool>) -> Step<CodeQuestion>,
    medium: Medium,
    answer: &str,
) -> Result<Decision, Error> {
    let CodeQuestion { secret } = match decide(None) {
        Step::Decided(decision) => return Ok(decision),
        Step::Ask(question) => question,
    };
    let same = match medium {
        Medium::Mail => sent::is_same(&sent::mail_code(&secret), answer),
        Medium::Sms | Medium::Call => sent::is_same(sent::six_digits(&secret, medium).as_str(), answer),
    };
    settled(decide(Some(same)))
}
