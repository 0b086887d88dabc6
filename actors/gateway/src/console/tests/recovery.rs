//! Root's way back in (R130).

use super::*;

async fn at_the_help(world: &World) -> Browser {
    let mut browser = world.browser();
    let password = world.founded.root_password.expose().to_owned();
    browser.sign_in_root("root@example.com", &password).await.at("/console/mfa");
    browser.get("/console/mfa/help").await;
    browser
}

fn last(world: &World) -> countersign::DevelopmentMessage {
    world.outbox.messages().last().unwrap().clone()
}

async fn key_in(world: &World, digits: &str) -> bool {
    let call = last(world);
    let (principal, attempt, call) = (call.principal.unwrap(), call.attempt.unwrap(), call.challenge.unwrap());
    let request = Request::by(Caller::operator());
    world.engine.answer_recovery_call(request, &principal, attempt, call, digits).await.unwrap().value.is_accepted()
}

#[test]
fn a_mail_and_a_call_in_one_sign_in_let_root_in() {
    run(async {
        let world = World::new().await;
        let (serial, _) = world.virtual_device(&world.root(), "root-account-mfa-device").await;
        let mut browser = at_the_help(&world).await;
        browser.get("/console/mfa/help").await.shows("Sign in using alternative factors").shows("Re-Sync");
        browser.get("/console/recovery").await.shows("r•••@example.com").hides("root@example.com").hides("Call me now");
        browser.post("/console/recovery/finish", &[]).await.at("/console/recovery").shows("Not both");
        browser.post("/console/recovery/mail/send", &[]).await.shows("We sent an e-mail").shows("Resend the email");
        let code = last(&world).code.to_string();
        browser.post("/console/recovery/mail", &[("code", "0123")]).await.shows("was not accepted");
        // The link opens without cookies, and leads back to the browser's own.
        let mut elsewhere = world.browser();
        let link = format!("/console/recovery/mail?code={code}");
        elsewhere.get(&link).await.shows("Continue").shows("again=1");
        elsewhere.get(&format!("{link}&again=1")).await.shows("not in the middle of a sign-in");
        browser.get(&link).await.shows(&format!("value=\"{code}\""));
        browser.post("/console/recovery/mail", &[("code", &code)]).await.shows("is confirmed").shows("Call me now");
        let page = browser.post("/console/recovery/call", &[]).await.shows("We are calling");
        let digits = page.between("id=\"digits\">", "<").unwrap().replace(' ', "");
        assert!(!key_in(&world, "000000").await || digits == "000000");
        browser.get("/console/recovery").await.shows("Step 2 of 3");
        assert!(key_in(&world, &digits).await);
        browser.get("/console/recovery").await.shows("Sign in to the console");
        let page = browser.post("/console/recovery/finish", &[]).await.at("/console/");
        page.shows("Signed in with alternative factors").shows("remove it now");
        // The device is as it was, and can be removed in this session.
        assert_eq!(world.engine.devices(&world.root()).len(), 1);
        let fields = [("serial", serial.as_str()), ("reason", "lost")];
        browser.post("/console/devices/remove", &fields).await.at("/console/devices").shows("is removed");
        assert!(world.engine.devices(&world.root()).is_empty());
    });
}

#[test]
fn starting_over_makes_what_was_confirmed_worthless() {
    run(async {
        let world = World::new().await;
        world.virtual_device(&world.root(), "root-account-mfa-device").await;
        let mut browser = at_the_help(&world).await;
        browser.post("/console/recovery/mail/send", &[]).await;
        let code = last(&world).code.to_string();
        browser.post("/console/recovery/mail", &[("code", &code)]).await.shows("is confirmed");
        browser.post("/console/mfa/cancel", &[]).await.at("/console/sign-in/root");
        browser.get("/console/recovery").await.at("/console/sign-in");
        let mut again = at_the_help(&world).await;
        again.get("/console/recovery").await.shows("Step 1 of 3");
        again.post("/console/recovery/mail", &[("code", &code)]).await.shows("not good any more");
    });
}

#[test]
fn it_is_for_root_alone_and_only_where_it_is_switched_on() {
    run(async {
        let world = World::new().await;
        world.virtual_device(&world.root(), "root-account-mfa-device").await;
        world.virtual_device(&world.lee, "lee").await;
        let mut lee = world.browser();
        lee.sign_in("lee", PASSWORD).await.at("/console/mfa");
        lee.get("/console/mfa/help").await.shows("Ask an administrator").hides("alternative factors");
        lee.get("/console/recovery").await.at("/console/mfa/help").shows("Ask an administrator");
        let request = Request::by(Caller::operator());
        world.engine.allow_alternative_factors(request, world.account(), false).await.unwrap();
        let mut root = at_the_help(&world).await;
        root.get("/console/mfa/help").await.hides("id=\"alternative-factors\"").shows("not possible for this account");
        root.post("/console/recovery/mail/send", &[]).await.at("/console/mfa/help").shows("Ask whoever operates");
        assert!(world.outbox.messages().is_empty());
    });
}

#[test]
fn without_a_phone_or_a_transport_the_page_says_so() {
    run(async {
        let world = World::with(Setup::default()).await;
        world.virtual_device(&world.root(), "root-account-mfa-device").await;
        let mut root = at_the_help(&world).await;
        root.post("/console/recovery/mail/send", &[]).await.shows("Messages cannot be sent by this server");
        let contact = crate::directory::RootContact { email: "root@example.com".into(), phone: None };
        world.directory.set_root_contact(Request::by(Caller::operator()), world.account(), &contact).await.unwrap();
        at_the_help(&world).await.get("/console/recovery").await.shows("does not have both");
    });
}
