//! What a step comes to when it is taken: wishes become commands about what there is now.

use countersign::domain::event::AlternativeFactor;
use countersign::{Channel, KeyForm};

use super::cast::{Device, KEY_NAMES, NAMES, PATHS, PEOPLE, THINGS, is_virtual};
use super::commands::{By, Command, Held, Text};
use super::doors::Alternative;
use super::facts::Errand;
use super::perform::{Asked as Turned, Model};
use super::steps::{Aim, Chore, Face, Pair, Post, Proof, Read, Stage, Step, Try, Typed, Whom, Wish};

/// A sign-in or challenge that there never was.
pub const UNKNOWN: usize = usize::MAX;

impl Model {
    /// Takes a step. What was asked and answered is then at the end of [`Model::asked`].
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Ahead { ms } => self.now += ms,
            Step::Back { ms } => self.now -= ms,
            Step::Drift { thing, steps } => *self.drift.entry(*thing).or_default() += steps,
            Step::Reopen => {}
            Step::Again { nth } => {
                let with_id = self.asked.iter().filter(|asked| asked.id.is_some() && !is_exempt(asked));
                let with_id: Vec<_> = with_id.cloned().collect();
                if let Some(before) = with_id.get(nth % with_id.len().max(1)) {
                    self.ask(before.by, before.id, before.command.clone());
                }
            }
            Step::Ask { face, with_id, wish, times } => {
                for _ in 0..*times {
                    self.wish(*face, *with_id, wish);
                }
            }
            Step::Do { face, with_id, chore } => self.go(*chore, &mut |model, wish| model.wish(*face, *with_id, &wish)),
        }
    }

    fn wish(&mut self, face: Face, with_id: bool, wish: &Wish) {
        let (command, about) = self.resolve(wish);
        let id = with_id.then_some(self.asked.len() as u64);
        self.ask(by(face, about), id, command);
    }

    /// Does one thing after the other, whatever comes of each.
    fn go(&mut self, chore: Chore, wish: &mut dyn FnMut(&mut Self, Wish)) {
        let newest = Try::Begun(0);
        match chore {
            Chore::Visit(whom, nth, Proof { typed, linked, read, tap }) => {
                let person = self.whom(whom);
                wish(self, Wish::SignIn(Whom::Any(person), 0));
                let begun = self.attempt_of(newest).filter(|(who, _)| *who == person);
                let Some((_, attempt)) = begun else { return };
                let open = self.history.sign_in(person, attempt, self.now);
                if open.is_some_and(|open| self.history.waits_for_associate(open)) {
                    wish(self, Wish::Type(newest, 0, linked, read));
                }
                match self.nth_device(person, nth) {
                    Some(Device::Key(_)) => {
                        let touched = self.history.key(self.nth_device(person, nth).unwrap_or(Device::Key(0)));
                        let passkey = matches!(touched, Some((KeyForm::Passkey, _)));
                        let has_touched = !self.history.keys(person, Some(KeyForm::SecurityKey)).is_empty();
                        wish(self, Wish::Offer(newest, passkey == has_touched));
                        wish(self, Wish::Touch(0, tap, Post::Straight));
                    }
                    Some(Device::Sms(..)) => {
                        wish(self, Wish::Send(newest, 0));
                        wish(self, Wish::Type(newest, nth, typed, read));
                    }
                    _ => wish(self, Wish::Type(newest, nth, typed, read)),
                }
            }
            Chore::Enrol { whom, name, form, old, tap, clear } => {
                let whom = Whom::Any(self.clear(whom, clear, wish));
                wish(self, Wish::BeginKey(whom, name, form, old));
                wish(self, Wish::Touch(0, tap, Post::Straight));
            }
            Chore::EnrolPhone { whom, number, read, clear } => {
                let whom = Whom::Any(self.clear(whom, clear, wish));
                wish(self, Wish::BeginSms(whom, number));
                wish(self, Wish::TypeSent(0, read, false));
            }
            Chore::Recover(whom, read) => {
                let person = self.whom(whom);
                wish(self, Wish::SignIn(Whom::Any(person), 0));
                // Four are right in a row when the fifth is not.
                for stage in 0..5 {
                    let read = if stage == 1 { read } else { Read::Right };
                    wish(self, Wish::Recover(newest, Stage::Next, read));
                }
            }
        }
    }

    /// Takes all devices away from somebody.
    fn clear(&mut self, whom: Whom, clear: bool, wish: &mut dyn FnMut(&mut Self, Wish)) -> usize {
        let person = self.whom(whom);
        for device in self.history.devices(person).into_iter().filter(|_| clear) {
            let nth = self.history.all_devices().into_iter().position(|other| other == device);
            wish(self, Wish::Deactivate(Aim::Any(person, nth.unwrap_or(0))));
        }
        person
    }

    /// The command that a wish comes to now, and the principal that it is about.
    fn resolve(&mut self, wish: &Wish) -> (Command, Option<usize>) {
        let about = |person: usize, command: Command| (command, Some(person));
        match *wish {
            Wish::Open(account) => (Command::Open { account }, None),
            Wish::Register(who, name, path) => {
                let person = who.max(2);
                (Command::Register { person, name: NAMES[name], path: PATHS[path] }, None)
            }
            Wish::Rename(person, name, path) => {
                about(person, Command::Rename { person, name: NAMES[name], path: PATHS[path] })
            }
            Wish::Remove(person, take_devices) => about(person, Command::Remove { person, take_devices }),
            Wish::Create(thing) if is_virtual(thing) => about(2, Command::Create { thing }),
            Wish::Create(thing) | Wish::Import(thing) => (Command::Import { thing }, None),
            Wish::Delete(aim, here) => {
                let (_, device) = self.aim(aim);
                about(2, Command::Delete { account: usize::from(!here), device })
            }
            Wish::Enable(aim, pair) => {
                let (person, device) = self.aim(aim);
                let (first, second) = self.pair(device, pair);
                about(person, Command::Enable { person, device, first, second })
            }
            Wish::Rotate(aim, nth, pair) => {
                let (person, device) = self.aim(aim);
                let old = self.nth_device(person, nth).unwrap_or(Device::Thing(nth));
                let (first, second) = self.pair(device, pair);
                about(person, Command::Rotate { person, old, device, first, second })
            }
            Wish::Resync(aim, pair) => {
                let (person, device) = self.aim(aim);
                let (first, second) = self.pair(device, pair);
                about(person, Command::Resync { person, device, first, second })
            }
            Wish::Deactivate(aim) => {
                let (person, device) = self.aim(aim);
                about(person, Command::Deactivate { person, device })
            }
            Wish::Verify(aim, code, purpose) => {
                let (person, device) = self.aim(aim);
                about(person, Command::Verify { person, device, code: self.code(device, code), purpose })
            }
            Wish::Alias(account, alias) => (Command::Alias { account, alias }, Some(account)),
            Wish::Eligibility(account, sms) => (Command::Eligibility { account, sms }, Some(account)),
            Wish::Alternatives(account, allowed) => (Command::Alternatives { account, allowed }, Some(account)),
            Wish::Rules(account, preset) => (Command::Rules { account, preset }, Some(account)),
            Wish::Link(account, other) => (Command::Link { account, other }, Some(account)),
            Wish::Password(account, person, locked) => (Command::Password { account, person, locked }, person),
            ref at_door => {
                let (person, command) = self.resolve_at_door(at_door);
                about(person, command)
            }
        }
    }

    fn resolve_at_door(&mut self, wish: &Wish) -> (usize, Command) {
        match *wish {
            Wish::SignIn(whom, from) => {
                let person = self.whom(whom);
                (person, Command::SignIn { person, from })
            }
            Wish::EndSignIns(whom) => {
                let person = self.whom(whom);
                (person, Command::EndSignIns { person })
            }
            Wish::Type(which, nth, typed, read) => {
                let Some((person, attempt)) = self.attempt_of(which) else { return self.begin(which) };
                let device = self.device_for(person, attempt, nth);
                let text = match device {
                    Device::Sms(..) => self.sent_to(person, device, read),
                    device => Text::Digits(self.code(device, typed)),
                };
                (person, Command::SignInCode { person, attempt, device, text })
            }
            Wish::Offer(which, other) => {
                let Some((person, attempt)) = self.attempt_of(which) else { return self.begin(which) };
                let has_touched = !self.history.keys(person, Some(KeyForm::SecurityKey)).is_empty();
                let form = if has_touched == other { KeyForm::Passkey } else { KeyForm::SecurityKey };
                (person, Command::OfferKey { person, attempt, form })
            }
            Wish::Touch(nth, tap, post) => {
                let Some((person, asked)) = self.key_challenge(nth) else { return self.begin_key() };
                let paper = self.tap(person, &asked, tap);
                self.papers.push(paper);
                self.post(person, &asked, self.papers.len() - 1, post)
            }
            Wish::Replay(paper, nth, post) => {
                let Some((person, asked)) = self.key_challenge(nth) else { return self.begin_key() };
                let Some(paper) = self.papers.len().checked_sub(1 + paper) else { return self.begin_key() };
                self.post(person, &asked, paper, post)
            }
            Wish::Send(which, nth) => {
                let Some((person, attempt)) = self.attempt_of(which) else { return self.begin(which) };
                let phones: Vec<Device> =
                    self.history.devices(person).into_iter().filter(|d| matches!(d, Device::Sms(..))).collect();
                let device = phones.get(nth % phones.len().max(1)).copied();
                let device = device.or_else(|| self.nth_device(person, nth)).unwrap_or(Device::Sms(0, NAMES[0]));
                (person, Command::SendCode { person, attempt, device })
            }
            Wish::BeginKey(whom, name, form, old) => {
                let person = self.whom(whom);
                let replaces = old.and_then(|nth| self.nth_device(person, nth).or(Some(Device::Thing(nth))));
                (person, Command::BeginKey { person, name: KEY_NAMES[name], form, replaces })
            }
            Wish::BeginSms(whom, number) => {
                let person = self.whom(whom);
                (person, Command::BeginSms { person, number })
            }
            Wish::TypeSent(nth, read, crossed) => self.type_sent(nth, read, crossed),
            Wish::Recover(which, stage, read) => {
                let Some((person, attempt)) = self.attempt_of(which) else { return self.begin(which) };
                (person, self.recover(person, attempt, stage, read))
            }
            _ => unreachable!("resolved before"),
        }
    }

    /// Somebody who comes to the door, where nobody stands.
    fn begin(&self, which: Try) -> (usize, Command) {
        let (Try::Open(nth) | Try::Begun(nth)) = which;
        let person = self.whom(Whom::Holder(nth));
        (person, Command::SignIn { person, from: 0 })
    }

    fn begin_key(&self) -> (usize, Command) {
        let form = KeyForm::SecurityKey;
        (3, Command::BeginKey { person: 3, name: KEY_NAMES[0], form, replaces: None })
    }
}

// ---- people, devices, sign-ins ----

impl Model {
    fn whom(&self, whom: Whom) -> usize {
        match whom {
            Whom::Holder(nth) => self.nth_person(nth, |person| !self.history.devices(person).is_empty()),
            Whom::Present(nth) => self.nth_person(nth, |person| self.history.exists(person)),
            Whom::Any(person) => person,
        }
    }

    fn nth_person(&self, nth: usize, fits: impl Fn(usize) -> bool) -> usize {
        let fitting: Vec<usize> = (0..PEOPLE.len()).filter(|person| fits(*person)).collect();
        fitting.get(nth % fitting.len().max(1)).copied().unwrap_or(2)
    }

    fn nth_device(&self, person: usize, nth: usize) -> Option<Device> {
        let devices = self.history.devices(person);
        devices.get(nth % devices.len().max(1)).copied()
    }

    fn aim(&self, aim: Aim) -> (usize, Device) {
        let owned = || {
            let owner = |device: Device| self.history.owner(device).map(|person| (person, device));
            self.history.all_devices().into_iter().filter_map(owner)
        };
        match aim {
            Aim::Owned(nth) => {
                let owned: Vec<(usize, Device)> = owned().collect();
                owned.get(nth % owned.len().max(1)).copied().unwrap_or((2, Device::Thing(0)))
            }
            Aim::Free(nth, person) => {
                let free = |thing: &usize| {
                    self.history.made(*thing).is_some() && self.history.owner(Device::Thing(*thing)).is_none()
                };
                let free: Vec<usize> = (0..THINGS.len()).filter(free).collect();
                (person, Device::Thing(free.get(nth % free.len().max(1)).copied().unwrap_or(nth)))
            }
            Aim::Any(person, nth) => {
                let all = self.history.all_devices();
                (person, all[nth % all.len()])
            }
        }
    }

    /// A sign-in, and its person first.
    pub fn attempt_of(&self, which: Try) -> Option<(usize, usize)> {
        let begun = self.history.attempts();
        let (nth, of) = match which {
            Try::Open(nth) => {
                let open =
                    |(attempt, person): &&(usize, usize)| self.history.sign_in(*person, *attempt, self.now).is_some();
                (nth, begun.iter().filter(open).copied().collect())
            }
            Try::Begun(nth) => (nth, begun),
        };
        of.get(nth % of.len().max(1)).map(|(attempt, person)| (*person, *attempt))
    }

    /// The n-th device that a sign-in asks for now.
    fn device_for(&self, person: usize, attempt: usize, nth: usize) -> Device {
        let open = self.history.sign_in(person, attempt, self.now);
        let waits = open.is_some_and(|open| self.history.waits_for_associate(open));
        let whose = if waits && nth < 3 { self.associate(person).unwrap_or(person) } else { person };
        self.nth_device(whose, nth).unwrap_or(Device::Thing(nth))
    }
}

// ---- codes ----

impl Model {
    /// What the device in the hand counts now.
    fn shown_step(&self, thing: usize) -> i64 {
        self.server_step() + self.drift.get(&thing).copied().unwrap_or(0)
    }

    fn code(&self, device: Device, code: Typed) -> u32 {
        let Some(thing) = device.thing() else { return 0 };
        let shows = self.display(thing);
        match code {
            Typed::Shown(steps) => shows(self.shown_step(thing) + steps),
            Typed::Learned(steps) => shows(self.adjusted_step(thing) + steps),
            Typed::Used => shows(self.history.spent(thing).last().map_or(0, |counter| *counter as i64)),
            Typed::OfPair(nth, second) => {
                let pairs = self.history.pairs(thing);
                let counter = pairs.iter().rev().nth(nth).map_or(1, |(counter, _)| *counter as i64);
                shows(if second { counter } else { counter - 1 })
            }
            Typed::OfOther(other, steps) => self.display(other)(self.shown_step(other) + steps),
            Typed::Digits(digits) => digits,
        }
    }

    fn pair(&self, device: Device, pair: Pair) -> (u32, u32) {
        let Some(thing) = device.thing() else { return (0, 0) };
        let shows = self.display(thing);
        let at = |second: i64| (shows(second - 1), shows(second));
        let now = self.shown_step(thing);
        match pair {
            Pair::Shown(steps) => at(now + steps),
            Pair::Learned(steps) => at(self.adjusted_step(thing) + steps),
            Pair::AfterLast(steps) => {
                let last = self.history.pairs(thing).last().map_or(now, |(counter, _)| *counter as i64);
                at(last + 1 + steps)
            }
            Pair::Swapped(steps) => (shows(now + steps), shows(now + steps - 1)),
            Pair::Gap(steps) => (shows(now + steps - 2), shows(now + steps)),
            Pair::Twice(steps) => (shows(now + steps), shows(now + steps)),
            Pair::OfOther(other) => {
                let (other, then) = (self.display(other), self.shown_step(other));
                (other(then - 1), other(then))
            }
            Pair::Digits(one, two) => (one, two),
        }
    }

    /// Digits off a phone: of the newest message to it, of an older one, or others.
    fn sent_to(&self, person: usize, device: Device, read: Read) -> Text {
        let mut sent = self.history.sent_codes();
        sent.retain(|(who, _, to, _)| *who == person && to.is_like(device));
        let nth = |nth: usize| sent.get(nth % sent.len().max(1)).map_or(UNKNOWN, |(_, challenge, _, _)| *challenge);
        match read {
            Read::Right => Text::Sent(nth(0)),
            Read::Older(older) => Text::Sent(nth(older)),
            Read::Wrong => Text::NotSent(nth(0)),
        }
    }

    fn type_sent(&self, nth: usize, read: Read, crossed: bool) -> (usize, Command) {
        let mut sent = self.history.sent_codes();
        let waits = |(person, challenge, device, _): &(usize, usize, Device, Errand)| {
            self.history.sent_code(*person, *device).is_some_and(|sent| sent.challenge == *challenge)
        };
        if sent.iter().any(waits) {
            sent.retain(waits);
        }
        let Some((person, challenge, device, errand)) = sent.get(nth % sent.len().max(1)).copied() else {
            return (3, Command::BeginSms { person: 3, number: 0 });
        };
        let text = self.sent_to(person, device, read);
        match errand {
            Errand::SignIn(attempt) if !crossed => (person, Command::SignInCode { person, attempt, device, text }),
            Errand::SignIn(_) => (person, Command::FinishSms { person, challenge, text }),
            Errand::Enrolment(_) if !crossed => (person, Command::FinishSms { person, challenge, text }),
            Errand::Enrolment(_) => {
                let (other, attempt) = self.attempt_of(Try::Open(0)).unwrap_or((person, UNKNOWN));
                (other, Command::SignInCode { person: other, attempt, device, text })
            }
        }
    }

    fn recover(&self, person: usize, attempt: usize, stage: Stage, read: Read) -> Command {
        let stands = |factor| self.history.alternative(person, attempt, factor);
        let (mail, phone) = (stands(AlternativeFactor::Mail), stands(AlternativeFactor::Phone));
        let stage = match (stage, mail, phone) {
            (Stage::Next, Alternative::NotAsked, _) => Stage::Mail,
            (Stage::Next, Alternative::Asked { .. }, _) => Stage::Confirm,
            (Stage::Next, Alternative::Proven, Alternative::NotAsked) => Stage::Call,
            (Stage::Next, Alternative::Proven, Alternative::Asked { .. }) => Stage::Answer,
            (Stage::Next, Alternative::Proven, Alternative::Proven) => Stage::Finish,
            (stage, _, _) => stage,
        };
        let challenge = |stands| match stands {
            Alternative::Asked { challenge, .. } => challenge,
            Alternative::NotAsked | Alternative::Proven => UNKNOWN,
        };
        // An older mail's code, or the digits of another call.
        let earlier = |challenge: usize, back: usize| challenge.checked_sub(back).filter(|_| challenge != UNKNOWN);
        let text = |challenge: usize| match read {
            Read::Right => Text::Sent(challenge),
            Read::Older(back) => Text::Sent(earlier(challenge, back).unwrap_or(UNKNOWN)),
            Read::Wrong => Text::NotSent(challenge),
        };
        match stage {
            Stage::Next | Stage::Mail => Command::Mail { person, attempt },
            Stage::Confirm => Command::ConfirmMail { person, attempt, text: text(challenge(mail)) },
            Stage::Call => Command::Call { person, attempt },
            Stage::Answer => {
                let call = challenge(phone);
                let asked = match read {
                    Read::Older(back) => earlier(call, back).unwrap_or(UNKNOWN),
                    Read::Right | Read::Wrong => call,
                };
                Command::AnswerCall { person, attempt, call: asked, text: text(call) }
            }
            Stage::Finish => Command::FinishRecovery { person, attempt },
        }
    }
}

/// What the engine does not answer alike yet when it is retried: a code in a root's sign-in.
fn is_exempt(asked: &Turned) -> bool {
    matches!(asked.command, Command::SignInCode { person: 0 | 1, .. })
}

fn by(face: Face, about: Option<usize>) -> By {
    let own = about.unwrap_or(0);
    let key = |who| By { who: Some(who), channel: Channel::Api, held: Held::LongTermKey };
    match face {
        Face::OwnKey => key(own),
        Face::OwnSession(held) => By { held, ..key(own) },
        Face::OwnConsole(held) => By { channel: Channel::Console, held, ..key(own) },
        Face::OtherKey(who) => By { channel: Channel::Cli, ..key(who) },
        Face::OtherConsole(who) => By { channel: Channel::Console, held: Held::Password, ..key(who) },
        Face::Operator => By { who: None, channel: Channel::Operator, held: Held::Password },
    }
}
