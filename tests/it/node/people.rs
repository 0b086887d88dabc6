//! What people do: which command comes next, and what they make of an answer.

use std::collections::VecDeque;

use countersign::testing::SecurityKey;
use countersign::*;

use super::deed::{Answer, Command, Deed, Question, Said, Touched};
use super::play::Play;
use crate::door::other_than;
use crate::outbox::gateway::Asked;
use crate::support::Phone;

/// Users with devices. The one after them is root.
pub const PEOPLE: usize = 3;

/// What one of them has and knows.
#[derive(Default)]
pub struct Person {
    /// Which user it is: who was removed is followed by another one.
    life: u32,
    gone: Vec<PrincipalId>,
    pub phones: Vec<Phone>,
    attempt: Option<AttemptId>,
    codes: Vec<(ChallengeId, Option<AttemptId>)>,
    questions: Vec<(Question, Option<AttemptId>)>,
    touches: u32,
    /// A call that is to be answered, and how much of a recovery was proven.
    call: Option<(ChallengeId, Code)>,
    proven: u64,
    /// What follows from what was answered.
    next: VecDeque<Wish>,
}

/// A deed that another one led to.
enum Wish {
    Delete(Serial),
    Create(String),
    Enable(Phone),
    /// Whatever one does then.
    Then(Choice),
}

/// A kind of deed, for whom of them.
type Choice = fn(&mut Play, usize) -> Option<Deed>;

/// A number of a phone of somebody: not all of them go by the same gateways.
fn number(nth: usize) -> PhoneNumber {
    match nth {
        1 => PhoneNumber::parse("+4915112345678").unwrap(),
        nth => crate::outbox::stage::number(nth),
    }
}

/// The name in a serial number.
fn named(serial: &Serial) -> Option<String> {
    serial.to_string().rsplit_once('/').map(|(_, name)| name.to_owned())
}

impl Play {
    /// As whom somebody comes now.
    pub fn whom(&self, nth: usize) -> PrincipalId {
        if nth == PEOPLE {
            return PrincipalId::Root(self.account);
        }
        let text = format!("AIDA-{nth}-{}", self.people[nth].life);
        PrincipalId::User(self.account, UserId::new(text).unwrap())
    }

    /// What queries say; what they call counts for nothing.
    pub fn asked_aside<T>(&self, query: impl FnOnce(&Countersign) -> T) -> T {
        let calls = self.world.clock.trap.lift();
        let said = query(&self.life().engine);
        self.world.clock.trap.set(calls);
        said
    }

    pub fn choose(&mut self) -> Option<Command> {
        let dice = self.world.dice.clone();
        let recovers = self.world.swarm.recovery && dice.one_in(3);
        // As a rule somebody goes on with what was begun.
        let goes_on = (0..=PEOPLE).find(|who| !self.people[*who].next.is_empty()).filter(|_| !dice.one_in(3));
        let who = goes_on.unwrap_or(if recovers { PEOPLE } else { dice.below(PEOPLE as u64) as usize });
        let whom = self.whom(who);
        let is_there = self.asked_aside(|engine| engine.principal(&whom).is_some());
        let deed = match self.people[who].next.pop_front() {
            _ if !is_there && !dice.one_in(6) => self.come_again(who),
            Some(Wish::Delete(serial)) => Deed::Delete(serial),
            Some(Wish::Create(text)) => Deed::Create(text),
            Some(Wish::Enable(phone)) => Deed::Enable(phone, self.step_now()),
            Some(Wish::Then(choose)) => choose(self, who)?,
            None => self.any(who)?,
        };
        Some(Command { id: self.next_id(), who, whom: self.whom(who), deed })
    }

    fn any(&mut self, who: usize) -> Option<Deed> {
        let swarm = &self.world.swarm;
        let often = |is_on: bool, weight: u64| if is_on { weight } else { 0 };
        let kinds: [(u64, Choice); 7] = [
            (9, Self::of_phones),
            (7, Self::of_codes),
            (7, Self::of_sign_ins),
            (often(swarm.texts, 10), Self::of_texts),
            (often(swarm.keys, 9), Self::of_keys),
            (often(swarm.recovery && who == PEOPLE, 30), Self::of_recovery),
            (often(swarm.removals, 2), Self::of_users),
        ];
        let mut rest = self.world.dice.below(kinds.iter().map(|(weight, _)| weight).sum());
        for (weight, choose) in kinds {
            if rest < weight {
                return choose(self, who);
            }
            rest -= weight;
        }
        None
    }

    pub fn step_now(&self) -> u64 {
        self.world.clock.read().secs() / 30
    }

    /// The step of a code, which may be a little off.
    fn step_about_now(&self) -> u64 {
        let dice = &self.world.dice;
        self.step_now() + dice.pick(&[0, 0, 0, 0, 1]) - dice.pick(&[0, 0, 0, 1, 2])
    }

    /// One of the last phones that somebody had.
    fn phone(&self, who: usize) -> Option<Phone> {
        let phones = &self.people[who].phones;
        phones.iter().rev().nth(self.world.dice.below(3) as usize).or(phones.last()).cloned()
    }

    fn devices(&self, who: usize) -> Vec<DeviceView> {
        let whom = self.whom(who);
        self.asked_aside(|engine| engine.devices(&whom))
    }

    fn of_phones(&mut self, who: usize) -> Option<Deed> {
        let (dice, step) = (self.world.dice.clone(), self.step_now());
        // Sometimes one that somebody had, or has.
        let others = self.people.iter().flat_map(|person| &person.phones);
        let (had, fresh): (Vec<&Phone>, Vec<&Phone>) = (others.collect(), self.spare.iter().collect());
        let pool = if dice.one_in(3) { had } else { fresh };
        let spare = pool.get(dice.below(pool.len() as u64) as usize).map(|phone| Phone::clone(phone));
        let any = self.devices(who).first().map(|device| device.serial.clone());
        Some(match dice.below(10) {
            0..3 => Deed::Create(format!("phone{}", dice.below(8))),
            3 => Deed::Delete(spare?.serial),
            4..7 => Deed::Enable(spare?, step),
            7 => Deed::Resync(self.phone(who)?, step),
            8 => Deed::Rotate(any?, spare?, step),
            _ => Deed::Deactivate(any?),
        })
    }

    fn of_codes(&mut self, who: usize) -> Option<Deed> {
        let wrong = self.world.dice.one_in(3);
        if self.world.dice.one_in(8) {
            return Some(Deed::Record(self.world.dice.below(256) as u8));
        }
        Some(Deed::Verify(self.phone(who)?, self.step_about_now(), wrong))
    }

    fn of_sign_ins(&mut self, who: usize) -> Option<Deed> {
        let (dice, attempt) = (self.world.dice.clone(), self.people[who].attempt);
        Some(match dice.below(7) {
            0..3 => Deed::Begin,
            3..6 => Deed::TypeCode(attempt?, self.phone(who)?, self.step_about_now(), dice.one_in(3)),
            _ => Deed::EndSignIns,
        })
    }

    fn of_texts(&mut self, who: usize) -> Option<Deed> {
        let dice = self.world.dice.clone();
        let sms = self.devices(who).into_iter().find(|device| device.kind == DeviceKind::Sms);
        let sms = sms.map(|device| device.serial);
        Some(match dice.below(10) {
            0 | 1 => Deed::Enrol(number(who)),
            2..4 => Deed::Send(self.people[who].attempt?, sms?),
            4..7 => self.type_what_was_sent(who)?,
            _ => {
                let (account, whom) = (self.account, self.whom(who));
                let mut given_up = self.asked_aside(|engine| engine.sms_messages(account, true, 100));
                given_up.retain(|message| message.principal == whom);
                Deed::Redrive(given_up.get(dice.below(given_up.len() as u64) as usize)?.challenge)
            }
        })
    }

    fn type_what_was_sent(&mut self, who: usize) -> Option<Deed> {
        let dice = self.world.dice.clone();
        let sms = self.devices(who).into_iter().find(|device| device.kind == DeviceKind::Sms);
        let sent = *self.people[who].codes.iter().rev().nth(dice.pick(&[0, 0, 1]))?;
        let message = self.asked_aside(|engine| engine.sms_message(sent.0));
        if message.is_some_and(|message| message.state.is_given_up()) {
            // It does not come.
            return Some(Deed::Redrive(sent.0));
        }
        self.type_sent(sent, sms.map(|device| device.serial), dice.one_in(4))
    }

    fn type_sent(
        &self,
        (challenge, attempt): (ChallengeId, Option<AttemptId>),
        sms: Option<Serial>,
        wrong: bool,
    ) -> Option<Deed> {
        let asked = self.world.gates.iter().flat_map(|gate| gate.asked());
        let taken = asked.into_iter().find(|asked: &Asked| asked.challenge == challenge && asked.reply.takes())?;
        let read = Code::parse(&taken.code).unwrap();
        let code = if wrong { other_than(&read) } else { read };
        Some(match attempt {
            None => Deed::FinishEnrol(challenge, code),
            Some(attempt) => Deed::TypeSent(attempt, sms?, code),
        })
    }

    /// A key as it is touched now: somebody's own as a rule, and sometimes one that shows a counter of before.
    fn key(&mut self, who: usize) -> Touched {
        let dice = self.world.dice.clone();
        let whose = if dice.one_in(6) { dice.below(PEOPLE as u64) as usize } else { who };
        self.people[who].touches += 1;
        let counter = self.people[who].touches.saturating_sub(dice.pick(&[0, 0, 0, 0, 3]));
        let key = SecurityKey { spoilt: dice.one_in(4), ..SecurityKey::new(whose as u8).at(counter) };
        Touched(key)
    }

    fn of_keys(&mut self, who: usize) -> Option<Deed> {
        Some(match self.world.dice.below(8) {
            0 | 1 => Deed::BeginKey,
            2 | 3 => Deed::OfferKey(self.people[who].attempt?),
            _ => self.touch(who)?,
        })
    }

    fn touch(&mut self, who: usize) -> Option<Deed> {
        let back = self.world.dice.pick(&[0, 0, 0, 1]);
        let (question, attempt) = self.people[who].questions.iter().rev().nth(back).cloned()?;
        let key = self.key(who);
        Some(match attempt {
            None => Deed::FinishKey(question, key),
            Some(attempt) => Deed::Touch(attempt, question, key),
        })
    }

    /// Somebody at the second page of a sign-in, with whatever they have.
    fn second_factor(&mut self, who: usize) -> Option<Deed> {
        let attempt = self.people[who].attempt?;
        let devices = self.devices(who);
        let device = devices.get(self.world.dice.below(devices.len() as u64) as usize)?;
        Some(match device.kind {
            DeviceKind::Sms => Deed::Send(attempt, device.serial.clone()),
            kind if kind.is_totp() => Deed::TypeCode(attempt, self.phone(who)?, self.step_about_now(), false),
            _ => Deed::OfferKey(attempt),
        })
    }

    fn of_recovery(&mut self, who: usize) -> Option<Deed> {
        let dice = self.world.dice.clone();
        let Some(attempt) = self.people[who].attempt else { return Some(Deed::Begin) };
        let mut mails = self.world.post.messages().into_iter().filter(|mail| mail.via == "mail");
        let mail = mails.rfind(|mail| mail.attempt == Some(attempt)).map(|mail| mail.code.to_string());
        let (wrong, person) = (dice.one_in(8), &self.people[who]);
        let far = match () {
            () if mail.is_none() => 0,
            () if person.proven == 0 => 1,
            () if person.call.is_none() => 2,
            () => 2 + person.proven,
        };
        // As a rule it is what comes next.
        Some(match if dice.one_in(6) { dice.below(6) } else { far } {
            0 => Deed::Mail(attempt),
            1 if wrong => Deed::Follow(attempt, "nothing that was sent".to_owned()),
            1 => Deed::Follow(attempt, mail?),
            2 => Deed::Call(attempt),
            3 => {
                let (call, show) = person.call.clone()?;
                Deed::Press(attempt, call, if wrong { other_than(&show) } else { show })
            }
            4 => Deed::Recover(attempt),
            _ => Deed::Begin,
        })
    }

    fn of_users(&mut self, who: usize) -> Option<Deed> {
        let dice = self.world.dice.clone();
        Some(match dice.below(5) {
            0..3 => Deed::Remove(dice.pick(&[Removal::TakeDevices, Removal::TakeDevices, Removal::RefuseWithDevices])),
            _ => self.forget(who)?,
        })
    }

    fn forget(&mut self, who: usize) -> Option<Deed> {
        let gone = &self.people[who].gone;
        Some(Deed::Forget(gone.get(self.world.dice.below(gone.len() as u64) as usize)?.clone()))
    }

    /// Somebody was removed, as far as anybody can see: another one comes.
    fn come_again(&mut self, who: usize) -> Deed {
        let (whom, person) = (self.whom(who), &mut self.people[who]);
        let mut gone = std::mem::take(&mut person.gone);
        gone.push(whom);
        let next = VecDeque::from([Wish::Then(Self::forget)]);
        *person = Person { life: person.life + 1, gone, next, ..Person::default() };
        Deed::Register(format!("user{who}-{}", person.life))
    }

    /// Somebody guesses: codes of a phone, or one that was sent.
    pub fn guess(&mut self) {
        let dice = self.world.dice.clone();
        let who = dice.below(PEOPLE as u64) as usize;
        let (whom, step) = (self.whom(who), self.step_now());
        let sms = self.devices(who).into_iter().find(|device| device.kind == DeviceKind::Sms);
        let sent = self.people[who].codes.last().filter(|_| dice.one_in(2)).copied();
        let sent = sent.and_then(|sent| self.type_sent(sent, sms.map(|device| device.serial), true));
        let phone = self.people[who].phones.last().cloned();
        let Some(deed) = sent.or(phone.map(|phone| Deed::Verify(phone, step, true))) else { return };
        self.note(&deed);
        for _ in 0..6 + dice.below(10) {
            let id = self.next_id();
            self.ask(Command { id, who, whom: whom.clone(), deed: deed.clone() });
        }
    }

    /// Takes down an answer.
    pub fn got(&mut self, command: &Command, answer: &Answer) {
        self.note((command.who, answer));
        self.watch.answered(command, answer);
        let Ok((said, _)) = answer else { return };
        let goes_on = command.who == PEOPLE || !self.world.dice.one_in(3);
        let person = &mut self.people[command.who];
        let mut follows = |wish: Wish| {
            if goes_on && person.next.len() < 4 {
                person.next.push_back(wish);
            }
        };
        match (said, &command.deed) {
            (Said::Made(phone), _) => {
                follows(Wish::Enable(phone.clone()));
                self.spare.push(phone.clone());
            }
            (Said::Proof(Proof::Accepted), Deed::Enable(phone, _) | Deed::Rotate(_, phone, _)) => {
                self.spare.retain(|spare| spare.secret != phone.secret);
                person.phones.push(phone.clone());
            }
            (Said::Done, Deed::Deactivate(serial)) => follows(Wish::Delete(serial.clone())),
            (Said::Done, Deed::Delete(serial)) => {
                named(serial).into_iter().for_each(|name| follows(Wish::Create(name)))
            }
            (Said::Step(SignInStep::Wanted { attempt, .. }), _) => {
                let is_root = command.who == PEOPLE;
                follows(Wish::Then(if is_root { Self::of_recovery } else { Self::second_factor }));
                (person.attempt, person.call, person.proven) = (Some(*attempt), None, 0);
            }
            (Said::Sent(challenge), deed) => {
                follows(Wish::Then(Self::type_what_was_sent));
                let attempt = if let Deed::Send(attempt, _) = deed { Some(*attempt) } else { None };
                person.codes.push((*challenge, attempt));
            }
            (Said::Question(question), deed) => {
                follows(Wish::Then(Self::touch));
                let attempt = if let Deed::OfferKey(attempt) = deed { Some(*attempt) } else { None };
                person.questions.push((question.clone(), attempt));
            }
            (Said::Called(call, show), _) => {
                follows(Wish::Then(Self::of_recovery));
                person.call = Some((*call, show.clone()));
            }
            (Said::Mailed, _) => follows(Wish::Then(Self::of_recovery)),
            (Said::Proof(Proof::Accepted), Deed::Follow(..) | Deed::Press(..)) => {
                follows(Wish::Then(Self::of_recovery));
                person.proven += 1;
            }
            (Said::Registered | Said::Proof(Proof::Accepted), Deed::FinishKey(..) | Deed::FinishEnrol(..)) => {
                follows(Wish::Then(|_, _| Some(Deed::Begin)));
            }
            _ => {}
        }
    }
}
