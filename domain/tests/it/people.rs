//! What people do on the [`Stage`]: create and enable, type codes, touch keys, read messages.

use countersign_domain::account::Claim;
use countersign_domain::decide::*;
use countersign_domain::device::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::principal::Ceremony;
use countersign_domain::secret::{Opaque, Seed};
use countersign_domain::totp::{CodeMatches, CodeSearch, PairSearch, server_step};

use crate::stage::*;

/// A key in somebody's hand.
#[derive(Clone)]
pub struct Touch {
    pub credential: &'static [u8],
    pub counter: u32,
    pub verified: bool,
    /// The challenge that it signs.
    pub signs: ChallengeId,
}

impl Touch {
    /// A key that is touched and does not verify its user.
    pub fn new(credential: &'static [u8], counter: u32, signs: ChallengeId) -> Self {
        Self { credential, counter, verified: false, signs }
    }

    /// A key that verifies its user.
    pub fn verified(self) -> Self {
        Self { verified: true, ..self }
    }
}

/// What a person types.
#[derive(Clone, Copy)]
pub enum Typed {
    /// The code that the device shows this many steps from now.
    Shown(i64),
    /// Six digits that it shows at no time.
    Nonsense,
}

impl Typed {
    fn found(self, search: &CodeSearch) -> CodeMatches {
        let Self::Shown(steps) = self else { return CodeMatches::default() };
        let counter = search.wide.centre.checked_add_signed(steps).unwrap();
        if (search.first..=search.last).contains(&counter) {
            CodeMatches { window: vec![counter], wide: None }
        } else {
            CodeMatches { window: vec![], wide: Some(counter) }
        }
    }
}

/// A credential as it comes out of a registration.
fn new_key(credential: &[u8], counter: u32) -> NewKey {
    NewKey {
        credential_id: credential.to_vec(),
        credential: Opaque::new(vec![1, 2, 3]).unwrap(),
        counter,
        attestation: "none".to_owned(),
        model: None,
        backup_eligible: false,
    }
}

impl Stage {
    /// Creates and enables a virtual device.
    pub fn phone(&mut self, who: &PrincipalId, name: &str) -> Serial {
        let serial = self.created(who, name);
        self.pair(who, |stage, pair, context| enable(stage.principal(who), stage.candidate(&serial), pair, context));
        serial
    }

    /// Creates a virtual device and puts it in the place of another device.
    pub fn phone_in_place_of(&mut self, who: &PrincipalId, name: &str, old: &Serial) -> Serial {
        let serial = self.created(who, name);
        self.pair(who, |stage, pair, context| {
            rotate(stage.principal(who), stage.candidate(old), stage.candidate(&serial), pair, context)
        });
        serial
    }

    pub fn created(&mut self, who: &PrincipalId, name: &str) -> Serial {
        let serial = phone(name);
        let made = self.ask(who, |stage, context| {
            let seed = Seed::new(vec![7; 20]).unwrap();
            create_virtual_device(stage.account(), stage.candidate(&serial), seed, context)
        });
        assert_eq!(made, Ok(Verdict::Done));
        serial
    }

    /// Types the pair that the device shows now.
    fn pair(&mut self, who: &PrincipalId, decide: impl Fn(&Self, Option<&[u64]>, &Context<'_>) -> Step<PairSearch>) {
        let now = server_step(self.now, &self.policy());
        let decide = |stage: &Self, pair: Option<&[u64; 1]>, context: &Context<'_>| {
            decide(stage, pair.map(|pair| &pair[..]), context)
        };
        let enabled = self.step(who, decide, |_| [now]);
        assert!(matches!(enabled, Ok(Verdict::PairAccepted { .. })), "{enabled:?}");
    }

    /// Types a pair for a new device; the second code is what it shows at these counters.
    pub fn enable(&mut self, who: &PrincipalId, serial: &Serial, pair: &[u64]) -> Answer {
        self.step(
            who,
            |stage, found: Option<&Vec<u64>>, context| {
                enable(stage.principal(who), stage.candidate(serial), found.map(Vec::as_slice), context)
            },
            |_| pair.to_vec(),
        )
    }

    /// As [`Self::enable`], for a device that is enabled.
    pub fn resync(&mut self, who: &PrincipalId, serial: &Serial, pair: &[u64]) -> Answer {
        self.step(
            who,
            |stage, found: Option<&Vec<u64>>, context| {
                resync(stage.principal(who), stage.candidate(serial), found.map(Vec::as_slice), context)
            },
            |_| pair.to_vec(),
        )
    }

    pub fn deactivate(&mut self, who: &PrincipalId, serial: &Serial) -> Answer {
        self.ask(who, |stage, context| {
            deactivate(stage.principal(who), stage.candidate(serial), DeactivateReason::Lost, context)
        })
    }

    pub fn set(&mut self, setting: &Setting) -> Answer {
        self.ask(&root(), |stage, context| {
            let claim = match setting {
                Setting::Alias(Some(alias)) => stage.claim(Claim::alias_stream(alias)),
                _ => None,
            };
            change_setting(stage.account(), setting, (claim, false), context)
        })
    }

    /// Begins a sign-in with this attempt.
    pub fn begin_as(&mut self, who: &PrincipalId, attempt: AttemptId, associate: Option<&PrincipalId>) -> Answer {
        let associate = associate.map(PrincipalId::stream);
        self.ask(who, |stage, context| begin_sign_in(stage.principal(who), attempt, associate, context))
    }

    /// Begins a sign-in that asks for a second factor.
    pub fn begin(&mut self, who: &PrincipalId) -> AttemptId {
        let attempt = self.attempt();
        let answer = self.begin_as(who, attempt, None);
        assert!(matches!(answer, Ok(Verdict::SecondFactorWanted { .. })), "{answer:?}");
        attempt
    }

    pub fn type_code(&mut self, who: &PrincipalId, attempt: AttemptId, serial: &Serial, typed: Typed) -> Answer {
        let device = serial.stream();
        self.step(
            who,
            |stage, found, context| sign_in_with_code(stage.principal(who), attempt, device, found, context),
            |search| typed.found(&search),
        )
    }

    /// A single code outside a sign-in of this principal's: for a linked sign-in, or at STS.
    pub fn verify(&mut self, who: &PrincipalId, serial: &Serial, purpose: Purpose, typed: Typed) -> Answer {
        let device = serial.stream();
        self.step(
            who,
            |stage, found, context| verify_code(stage.principal(who), device, purpose, found, context),
            |search| typed.found(&search),
        )
    }

    /// Has the principal's keys of a form asked in a sign-in.
    pub fn offer(&mut self, who: &PrincipalId, attempt: AttemptId, form: KeyForm) -> Answer {
        let challenge = self.ticket();
        self.ask(who, |stage, context| {
            offer_key(stage.principal(who), attempt, challenge, (form, state(challenge)), context)
        })
    }

    /// Answers a challenge with a key that signs what `touch` says.
    pub fn touch(&mut self, who: &PrincipalId, attempt: AttemptId, challenge: ChallengeId, touch: &Touch) -> Answer {
        let Touch { credential, counter, verified, signs } = touch.clone();
        self.step(
            who,
            |stage, answer, context| sign_in_with_key(stage.principal(who), attempt, challenge, answer, context),
            |question| {
                let proof = KeyProof { credential_id: credential.to_vec(), counter, user_verified: verified };
                if question.state == state(signs) { Ok(proof) } else { Err(KeyFault::Challenge) }
            },
        )
    }

    pub fn begin_key(
        &mut self,
        who: &PrincipalId,
        serial: &Serial,
        form: KeyForm,
        replaces: Option<&Serial>,
    ) -> Answer {
        let (challenge, replaces) = (self.ticket(), replaces.map(Serial::stream));
        self.ask(who, |stage, context| {
            let (serial, asked) = (serial.clone(), (form, state(challenge)));
            begin_key_registration(stage.principal(who), challenge, serial, replaces, asked, context)
        })
    }

    /// Answers a registration with a new credential.
    pub fn finish_key(&mut self, who: &PrincipalId, challenge: ChallengeId, credential: &[u8], counter: u32) -> Answer {
        self.answer_registration(who, challenge, &Ok(new_key(credential, counter)))
    }

    pub fn answer_registration(
        &mut self,
        who: &PrincipalId,
        challenge: ChallengeId,
        answer: &Result<NewKey, KeyFault>,
    ) -> Answer {
        let serial = self.pending(who).keys.iter().find_map(|asked| match &asked.ceremony {
            Ceremony::Registration { serial, .. } if asked.id == challenge => Some(serial.clone()),
            _ => None,
        });
        self.step(
            who,
            |stage, found: Option<&()>, context| {
                let claimed = answer.as_ref().ok().map(|key| credential_stream(&key.credential_id));
                let registering = Registering {
                    claim: claimed.and_then(|stream| stage.claim(stream)),
                    device: serial.as_ref().and_then(|serial| stage.device(serial)),
                };
                let evidence = found.map(|()| (answer, registering));
                finish_key_registration(stage.principal(who), challenge, evidence, context)
            },
            |_| (),
        )
    }

    /// Registers a key of this credential.
    pub fn key(&mut self, who: &PrincipalId, name: &str, form: KeyForm, credential: &[u8], counter: u32) -> Serial {
        let serial = key(who, name);
        let asked = challenge(self.begin_key(who, &serial, form, None));
        let answer = self.finish_key(who, asked, credential, counter);
        assert_eq!(answer, Ok(Verdict::KeyRegistered { device: serial.stream() }));
        serial
    }

    pub fn begin_sms(&mut self, who: &PrincipalId, serial: &Serial, number: &str) -> Answer {
        let (challenge, number) = (self.ticket(), PhoneNumber::parse(number).unwrap());
        self.ask(who, |stage, context| {
            let (sending, enrolment) = (stage.sending(who, challenge), stage.enrolment(serial));
            begin_sms_enrolment(stage.principal(who), enrolment, sending, number.clone(), context)
        })
    }

    fn enrolment<'a>(&'a self, serial: &'a Serial) -> Enrolment<'a> {
        let eligibility = self.account().unwrap().settings.sms;
        Enrolment { serial, device: self.device(serial), eligibility }
    }

    /// Types the code that was sent under `sent` into the form of the enrolment `challenge`.
    pub fn finish_sms(&mut self, who: &PrincipalId, serial: &Serial, form: ChallengeId, sent: ChallengeId) -> Answer {
        self.step(
            who,
            |stage, same: Option<&bool>, context| {
                finish_sms_enrolment(stage.principal(who), stage.enrolment(serial), form, same.copied(), context)
            },
            |question: CodeQuestion| question.secret == secret(sent),
        )
    }

    /// Enrols a user's phone number.
    pub fn sms(&mut self, who: &PrincipalId, name: &str) -> Serial {
        let serial = sms(name);
        let sent = challenge(self.begin_sms(who, &serial, "+15550101234"));
        assert_eq!(self.finish_sms(who, &serial, sent, sent), Ok(Verdict::Done));
        serial
    }

    pub fn send(&mut self, who: &PrincipalId, attempt: AttemptId, serial: &Serial) -> Answer {
        let (challenge, device) = (self.ticket(), serial.stream());
        self.ask(who, |stage, context| {
            let sending = stage.sending(who, challenge);
            send_sign_in_code(stage.principal(who), attempt, device, sending, context)
        })
    }

    /// Types the code that was sent under `sent` into a sign-in.
    pub fn type_sent(&mut self, who: &PrincipalId, attempt: AttemptId, serial: &Serial, sent: ChallengeId) -> Answer {
        let device = serial.stream();
        self.step(
            who,
            |stage, same: Option<&bool>, context| {
                sign_in_with_sent_code(stage.principal(who), attempt, device, same.copied(), context)
            },
            |question: CodeQuestion| question.secret == secret(sent),
        )
    }

    pub fn ask_factor(&mut self, who: &PrincipalId, attempt: AttemptId, factor: AlternativeFactor) -> Answer {
        let challenge = self.ticket();
        let allowed = self.account().unwrap().settings.alternative_factors;
        self.ask(who, |stage, context| {
            let sent = (challenge, secret(challenge));
            ask_alternative(stage.principal(who), attempt, factor, sent, allowed, context)
        })
    }

    /// Answers an alternative factor with what was sent or shown under `sent`.
    pub fn prove_factor(
        &mut self,
        who: &PrincipalId,
        attempt: AttemptId,
        factor: AlternativeFactor,
        sent: ChallengeId,
    ) -> Answer {
        let allowed = self.account().unwrap().settings.alternative_factors;
        let call = (factor == AlternativeFactor::Phone).then_some(sent);
        self.step(
            who,
            |stage, same: Option<&bool>, context| {
                prove_alternative(stage.principal(who), attempt, (factor, call), same.copied(), allowed, context)
            },
            |question: CodeQuestion| question.secret == secret(sent),
        )
    }

    pub fn finish_recovery(&mut self, who: &PrincipalId, attempt: AttemptId) -> Answer {
        let allowed = self.account().unwrap().settings.alternative_factors;
        self.ask(who, |stage, context| finish_recovery(stage.principal(who), attempt, allowed, context))
    }
}
