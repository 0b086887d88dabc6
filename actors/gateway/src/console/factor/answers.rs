//! What people answer on the second page.

use super::super::attempt::{Attempt, Method, Progress, Sent, methods};
use super::super::frame::Flash;
use super::super::problem::{Problem, explained_in_attempt};
use super::super::repeats::Opened;
use super::super::sign_in::{enter, let_in};
use super::super::visit::{Answer, Visit};
use super::super::words;
use super::{HERE, METHODS, back, begin, devices, onto, resyncable};
use crate::engine::{
    Ack, Caller, Code, DeviceView, Error, FactorOf, KeyForm, Proof, Rejection, Request, Serial, SignInStep,
};

/// A person who gave the right password, and nothing more yet.
fn at_the_door(visit: &Visit<'_>, attempt: &Attempt) -> Request {
    visit.request(Caller::at_console(attempt.principal.clone(), None))
}

/// Takes a way: a code is sent, or a key is challenged, where the way wants it (R100, R101). Gives what there is to say
/// when no code can be sent and the page does not say it by itself.
pub(super) async fn take(
    visit: &mut Visit<'_>,
    attempt: &mut Attempt,
    method: &Method,
    devices: &[DeviceView],
) -> Result<Option<String>, Problem> {
    let changed = attempt.method.as_ref() != Some(method);
    attempt.method = Some(method.clone());
    if changed {
        attempt.refused = 0;
    }
    match method {
        Method::Code(_) => Ok(None),
        // Who comes back to this way still has the code that was sent.
        Method::Sms(_) if attempt.sent.is_some() => Ok(None),
        Method::Sms(serial) => {
            let device = devices.iter().find(|device| device.serial == *serial);
            let to = device.and_then(|device| device.phone.clone()).unwrap_or_default();
            let cannot = send(visit, attempt, serial, to).await?;
            Ok(cannot.filter(|_| attempt.sent.is_none()))
        }
        Method::Key(form) => offer(visit, attempt, *form).await.map(|_| None),
    }
}

/// Sends a code; gives what there is to say when none can be sent yet.
async fn send(
    visit: &mut Visit<'_>,
    attempt: &mut Attempt,
    serial: &Serial,
    to: String,
) -> Result<Option<String>, Problem> {
    let request = at_the_door(visit, attempt);
    let result = visit.console.engine.send_sign_in_code(request, &attempt.principal, attempt.id, serial).await;
    if let Some(Rejection::TooSoon { again_at }) = result.as_ref().err().and_then(Error::rejection) {
        let text = words::rejection(&Rejection::TooSoon { again_at: *again_at }, visit.now);
        if attempt.sent.is_none() {
            attempt.sent = Some(Sent { to, again_at: *again_at, progress: None });
        }
        return Ok(Some(text));
    }
    match explained_in_attempt(result, visit.now)? {
        Ok(ack) => {
            let sent = ack.value;
            let progress = Some(Progress::new(sent.challenge, sent.state));
            attempt.sent = Some(Sent { to: sent.to, again_at: sent.again_at, progress });
            Ok(None)
        }
        Err(text) => Ok(Some(text)),
    }
}

/// Challenges the keys; gives what there is to say when they cannot be.
async fn offer(visit: &mut Visit<'_>, attempt: &mut Attempt, form: KeyForm) -> Result<Option<String>, Problem> {
    attempt.challenge = None;
    let request = at_the_door(visit, attempt);
    let result = visit.console.engine.offer_key(request, &attempt.principal, attempt.id, form).await;
    match explained_in_attempt(result, visit.now)? {
        Ok(ack) => {
            attempt.challenge = Some(ack.value.id);
            visit.console.offers.keep(ack.value.id, ack.value.options);
            Ok(None)
        }
        Err(text) => Ok(Some(text)),
    }
}

/// Takes the way that was chosen (R107).
pub(super) async fn choose(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let devices = devices(visit, &attempt);
    let ways = methods(&devices);
    let chosen = visit.field("method").parse().ok().and_then(|number: usize| ways.get(number));
    let Some(method) = chosen else { return visit.see(METHODS) };
    let cannot = take(visit, &mut attempt, method, &devices).await?;
    onto(visit, &attempt, cannot)
}

/// A code: of the device, or the one that was sent (R99, R101).
pub(super) async fn code(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let (serial, refused) = match &attempt.method {
        Some(Method::Code(serial)) => (serial.clone(), words::CODE_REFUSED),
        Some(Method::Sms(serial)) => (serial.clone(), words::SENT_CODE_REFUSED),
        _ => return visit.see(HERE),
    };
    let Some(code) = typed_code(visit, "code") else {
        return visit.tell(HERE, &Flash::bad(words::CODE_FORM).at("code"));
    };
    let typed = zeroize::Zeroizing::new(visit.field("code").to_owned());
    let turn = visit.console.repeats.turn(attempt.id, visit.now);
    let mut turn = turn.lock().await;
    if let Some(secret) = turn.as_ref().and_then(|opened| opened.again(&typed, visit.now))
        && visit.console.sessions.find(secret.expose(), visit.now).is_some()
    {
        return let_in(visit, secret.clone());
    }
    let request = at_the_door(visit, &attempt);
    let engine = &visit.console.engine;
    let result = engine.sign_in_with_code(request, &attempt.principal, attempt.id, &serial, code).await;
    match explained_in_attempt(result, visit.now)? {
        Ok(Ack { value: SignInStep::Refused(_), .. }) => {
            attempt.refused = attempt.refused.saturating_add(1);
            back(visit, &attempt, &Flash::bad(refused).at("code"))
        }
        Ok(ack) => {
            let answer = go_on(visit, attempt, ack.value).await?;
            *turn = visit.opened.take().map(|secret| Opened::new(&typed, secret, visit.now));
            Ok(answer)
        }
        Err(text) => back(visit, &attempt, &Flash::bad(text)),
    }
}

/// The answer of a security key (R100).
pub(super) async fn key(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let (Some(Method::Key(form)), Some(challenge)) = (attempt.method.clone(), attempt.challenge) else {
        return visit.see(HERE);
    };
    let request = at_the_door(visit, &attempt);
    let response = visit.form.get("response").unwrap_or_default();
    let engine = &visit.console.engine;
    let result = engine.sign_in_with_key(request, &attempt.principal, attempt.id, challenge, response).await;
    match explained_in_attempt(result, visit.now)? {
        Ok(Ack { value: SignInStep::Refused(_), .. }) => {
            attempt.refused = attempt.refused.saturating_add(1);
            // A challenge is answered once (NT-10): the next try has another one.
            let cannot = offer(visit, &mut attempt, form).await?;
            let text = "That key was not accepted. Use a key that is registered for you.".to_owned();
            back(visit, &attempt, &Flash::bad(cannot.unwrap_or(text)))
        }
        Ok(ack) => go_on(visit, attempt, ack.value).await,
        Err(text) => back(visit, &attempt, &Flash::bad(text)),
    }
}

/// In, or on to the own device after the linked one (A6).
async fn go_on(visit: &mut Visit<'_>, mut attempt: Attempt, step: SignInStep) -> Result<Answer, Problem> {
    match step {
        SignInStep::SignedIn(done) => enter(visit, attempt.entrant(), done.credential()).await,
        SignInStep::Wanted { of, .. } => {
            attempt.go_on(of);
            begin(visit, attempt).await
        }
        SignInStep::Refused(_) => visit.see(HERE),
    }
}

/// Challenges the keys again, after a restart or a while.
pub(super) async fn offer_again(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let Some(Method::Key(form)) = attempt.method else { return visit.see(HERE) };
    let cannot = offer(visit, &mut attempt, form).await?;
    match cannot {
        Some(text) => back(visit, &attempt, &Flash::bad(text)),
        None => {
            visit.keep_attempt(&attempt)?;
            visit.see(HERE)
        }
    }
}

/// Sends another code (R101).
pub(super) async fn send_again(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let Some(Method::Sms(serial)) = attempt.method.clone() else { return visit.see(HERE) };
    let to = attempt.sent.as_ref().map(|sent| sent.to.clone()).unwrap_or_default();
    let cannot = send(visit, &mut attempt, &serial, to).await?;
    let progress = attempt.sent.as_ref().and_then(|sent| sent.progress);
    let comes = progress.is_some_and(|progress| !progress.state(&visit.console.engine).is_given_up());
    match cannot {
        Some(text) => back(visit, &attempt, &Flash::warn(text)),
        None if comes => {
            back(visit, &attempt, &Flash::good("Another code is on its way. Earlier ones are not good any more."))
        }
        None => {
            visit.keep_attempt(&attempt)?;
            visit.see(HERE)
        }
    }
}

/// Brings the device back into sync on the spot (R102, R113).
pub(super) async fn resync(visit: &mut Visit<'_>, attempt: &Attempt) -> Result<Answer, Problem> {
    let from = if visit.field("from") == "help" { "/console/mfa/help" } else { HERE };
    let own = visit.console.engine.sign_in_factors(&attempt.principal, FactorOf::Own);
    let Some(device) = resyncable(attempt, &own) else { return visit.see(from) };
    let (first, second) = match typed_pair(visit) {
        Ok(pair) => pair,
        Err(field) => return visit.tell(from, &Flash::bad(words::CODE_FORM).at(field)),
    };
    let request = at_the_door(visit, attempt);
    let engine = &visit.console.engine;
    let result = engine.resync(request, &attempt.principal, &device.serial, first, second).await;
    match explained_in_attempt(result, visit.now)? {
        Ok(Ack { value: Proof::Accepted, .. }) => {
            let text = "Your device is in sync again. Wait for the next code that it shows, and sign in with that one.";
            visit.tell(HERE, &Flash::good(text))
        }
        Ok(_) => visit.tell(from, &Flash::bad(words::PAIR_REFUSED).at("code1")),
        Err(text) => visit.tell(from, &Flash::bad(text)),
    }
}

/// A code that was typed; spaces between its digits do not count.
pub(in crate::console) fn typed_code(visit: &Visit<'_>, field: &str) -> Option<Code> {
    let text: zeroize::Zeroizing<String> =
        zeroize::Zeroizing::new(visit.field(field).chars().filter(|c| *c != ' ').collect());
    Code::parse(&text).ok()
}

/// Two codes that were typed, or the field that has none.
pub(in crate::console) fn typed_pair(visit: &Visit<'_>) -> Result<(Code, Code), &'static str> {
    let first = typed_code(visit, "code1").ok_or("code1")?;
    let second = typed_code(visit, "code2").ok_or("code2")?;
    Ok((first, second))
}
