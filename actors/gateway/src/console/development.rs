//! What a development server would send, shown to whoever looks. The page exists on such a server alone.

use askama::Template;

use super::frame::{Flash, Frame};
use super::problem::{Problem, explained};
use super::visit::{Answer, Visit};
use crate::engine::{Ack, Caller, ChallengeId, Proof};

const HERE: &str = "/console/development";

#[derive(Template)]
#[template(path = "development.html")]
struct Outbox {
    frame: Frame,
    messages: Vec<Message>,
}

struct Message {
    via: &'static str,
    title: &'static str,
    to: String,
    text: String,
    link: Option<String>,
    call: Option<String>,
}

pub(super) async fn page(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let token = visit.visitor()?;
    let outbox = visit.console.settings.outbox.clone().ok_or(Problem::NotFound)?;
    let messages = outbox.messages();
    if visit.post {
        let call: Option<ChallengeId> = visit.field("call").parse().ok();
        let digits: String = visit.field("digits").chars().filter(char::is_ascii_digit).collect();
        let found = messages.into_iter().rev().find(|message| message.via == "call" && message.challenge == call);
        let (Some(call), Some((principal, attempt))) =
            (call, found.and_then(|message| Some((message.principal?, message.attempt?))))
        else {
            return visit.tell(HERE, &Flash::bad("There is no such call."));
        };
        let request = visit.request(Caller::operator());
        let engine = &visit.console.engine;
        let result = engine.answer_recovery_call(request, &principal, attempt, call, &digits).await;
        let flash = match explained(result, visit.now)? {
            Ok(Ack { value: Proof::Accepted, .. }) => Flash::good("The digits were right."),
            Ok(_) => Flash::bad("The digits were wrong."),
            Err(text) => Flash::bad(text),
        };
        return visit.tell(HERE, &flash);
    }
    let messages = messages.into_iter().rev().map(|message| {
        let code = message.code.as_str();
        let (title, text) = match message.via {
            "sms" => ("SMS", format!("Your code is {code}")),
            "mail" => ("E-mail", format!("Your code is {code}")),
            _ => ("Phone call", "Key in the number that your screen shows.".to_owned()),
        };
        let link = (message.via == "mail").then(|| format!("/console/recovery/mail?code={code}"));
        let call = message.challenge.filter(|_| message.via == "call").map(|call| call.to_string());
        Message { via: message.via, title, to: message.to.to_string(), text, link, call }
    });
    let messages = messages.collect();
    let frame = visit.frame("Messages of this development server", token);
    visit.show(&Outbox { frame, messages })
}
