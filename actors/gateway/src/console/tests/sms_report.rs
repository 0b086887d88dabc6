//! What administrators see of codes by SMS, and do about them.

use countersign::SmsFailure;

use super::*;
use crate::testing::FakeGateway;

const PAGE: &str = "/console/sms";
const NUMBER: &str = "+14155551234";

async fn world(gateway: &Arc<FakeGateway>) -> World {
    // Two of three have to come back.
    let policy = Policy { sms_conversion_sample: 2, sms_conversion_min_percent: 60, ..Policy::classic() };
    World::with(Setup { sms: Some(gateway.clone()), policy: Some(policy), ..Setup::default() }).await
}

/// Lee asks for a code at a sign-in, and goes no further.
async fn begins(world: &World) -> Browser {
    world.clock.advance_s(40);
    let mut browser = world.browser();
    browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
    browser
}

fn challenge(reply: &Reply) -> String {
    reply.between("data-challenge=\"", "\"").unwrap().to_owned()
}

#[test]
fn administrators_and_root_see_it_and_nobody_else() {
    run(async {
        let world = World::new().await;
        world.browser().get(PAGE).await.at("/console/sign-in");
        let mut lee = world.lee().await;
        lee.get("/console/").await.hides("id=\"nav-sms\"");
        lee.get(PAGE).await.status(403).shows("for administrators").hides("Cost and conversion");
        lee.get("/console/devices").await;
        let id = "00".repeat(16);
        lee.post("/console/sms/send", &[("challenge", &id)]).await.status(403);
        lee.post("/console/sms/open", &[("prefix", "+1415555")]).await.status(403);
        for mut browser in [world.administrator().await, world.root_browser().await] {
            browser.get("/console/").await.shows("id=\"nav-sms\"");
            let page = browser.get(PAGE).await.status(200).shows("id=\"no-line\"").shows("id=\"no-blocked\"");
            page.shows("id=\"no-message\"").shows("development").hides("style=");
            browser.get("/console/sms/send").await.status(405);
        }
    });
}

#[test]
fn a_server_without_a_route_says_so() {
    run(async {
        let world = World::with(Setup::default()).await;
        world.administrator().await.get(PAGE).await.shows("id=\"no-route\"");
    });
}

#[test]
fn cost_and_conversion_are_told_by_route_and_prefix_and_no_number_is_whole() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        world.enrol_sms_by(|| gateway.code()).await;
        begins(&world).await;
        let page = world.administrator().await.get(PAGE).await;
        let row = page.between("<tbody>", "</tbody>").unwrap().to_owned();
        for cell in [">main<", "+1415555••••", ">US<", ">2<", ">1<", ">50 %<", ">0.015<"] {
            assert!(row.contains(cell), "{cell}: {row}");
        }
        let page =
            page.shows("<strong>0.015</strong> of 500.00 EUR").shows("<dd>1 (50 %)</dd>").shows("<dd>0.015 EUR</dd>");
        let page = page.shows("<span class=\"tag tag-good\">Works</span>").shows("0.0075 EUR").shows("<caption>");
        page.hides(NUMBER).hides("55551234").hides("1234<").hides(&gateway.code());
    });
}

#[test]
fn a_message_that_was_given_up_is_sent_again_while_its_code_is_good() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        world.enrol_sms_by(|| gateway.code()).await;
        gateway.says(Err(SmsFailure::OptedOut));
        let mut lee = begins(&world).await;
        let mut browser = world.administrator().await;
        let page = browser.get(PAGE).await.shows(">lee<").shows("The gateway refused it").shows("Send again");
        let challenge = challenge(&page);
        let messages = page.between("id=\"messages\"", "</table>").unwrap();
        assert!(!messages.contains("1415555") && !messages.contains("1234"), "beside a name no part of a number");
        gateway.says(Ok(()));
        // A form from elsewhere does nothing.
        browser.post_raw("/console/sms/send", &format!("challenge={challenge}")).await.status(400);
        browser.post("/console/sms/send", &[("challenge", "x")]).await.status(400);
        let unknown = "00".repeat(16);
        browser.post("/console/sms/send", &[("challenge", &unknown)]).await.at(PAGE).shows("not known any more");
        browser.post("/console/sms/send", &[("challenge", &challenge)]).await.at(PAGE).shows("on its way again");
        gateway.has_taken(2).await;
        browser.post("/console/sms/send", &[("challenge", &challenge)]).await.shows("not waited for any more");
        lee.get("/console/mfa").await.hides("could not be sent");
        lee.post("/console/mfa/code", &[("code", &gateway.code())]).await.shows("Signed in with MFA");
    });
}

#[test]
fn a_code_that_is_not_good_any_more_is_not_sent_again() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        world.enrol_sms_by(|| gateway.code()).await;
        gateway.says(Err(SmsFailure::OptedOut));
        begins(&world).await;
        let mut browser = world.administrator().await;
        let challenge = challenge(&browser.get(PAGE).await);
        world.clock.advance_s(400);
        browser.get(PAGE).await.shows(">lee<").hides("act-send").shows("can ask for another code");
        gateway.says(Ok(()));
        browser.post("/console/sms/send", &[("challenge", &challenge)]).await.shows("not waited for any more");
    });
}

#[test]
fn a_blocked_prefix_is_said_and_opened_again() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        world.enrol_sms_by(|| gateway.code()).await;
        for _ in 0..2 {
            begins(&world).await;
            world.clock.advance_s(400);
        }
        let mut lee = begins(&world).await;
        lee.get("/console/mfa").await.hides("on its way");
        let mut browser = world.administrator().await;
        let page = browser
            .get(PAGE)
            .await
            .shows("<code>+1415555••••</code>")
            .shows("Signing in")
            .shows("Sent 2, used 0")
            .shows("act-open");
        page.hides(NUMBER);
        browser.post_raw("/console/sms/open", "prefix=%2B1415555").await.status(400);
        browser.post("/console/sms/open", &[("prefix", "1415555")]).await.status(400);
        assert_eq!(world.engine.sms_report(None).blocked.len(), 1);
        let page = browser.post("/console/sms/open", &[("prefix", "+1415555")]).await.at(PAGE);
        page.shows("Codes are sent to +1415555•••• again").shows("id=\"no-blocked\"");
        lee.post("/console/mfa/send", &[]).await.shows("on its way");
    });
}

#[test]
fn a_session_without_the_second_factor_looks_and_does_not_act() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        world.enrol_sms_by(|| gateway.code()).await;
        gateway.says(Err(SmsFailure::OptedOut));
        begins(&world).await;
        let mut browser = world.administrator().await;
        let challenge = challenge(&browser.get(PAGE).await.shows("act-send").hides("id=\"needs-mfa\""));
        let administrator = world.engine.user_named(world.account(), "administrator").unwrap().id;
        world.virtual_device(&administrator, "administrator").await;
        browser.get(PAGE).await.shows("id=\"needs-mfa\"").shows("After signing in with MFA").hides("act-send");
        browser.post("/console/sms/send", &[("challenge", &challenge)]).await.at(PAGE).shows("Sign in again with MFA");
        browser.post("/console/sms/open", &[("prefix", "+1415555")]).await.at(PAGE).shows("Sign in again with MFA");
    });
}

#[test]
fn another_account_stays_out_of_sight_and_out_of_reach() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        let operator = || Request::by(Caller::operator());
        let other: AccountId = "210987654321".parse().unwrap();
        world.engine.open_account(operator(), other, DeviceName::new("root").unwrap()).await.unwrap();
        let id = crate::engine::UserId::new("AIDAKIM").unwrap();
        let name = DeviceName::new("kim").unwrap();
        world.engine.register_user(operator(), other, id.clone(), name, Path::root()).await.unwrap();
        let kim = PrincipalId::User(other, id);
        gateway.says(Err(SmsFailure::OptedOut));
        let by_kim = Request::by(Caller::at_console(kim.clone(), None));
        let phone = PhoneNumber::parse("+4915112345678").unwrap();
        let sent = world.engine.begin_sms_enrolment(by_kim, &kim, phone).await.unwrap().value;
        let mut browser = world.administrator().await;
        browser.get(PAGE).await.hides("kim").hides("+4915").shows("id=\"no-line\"").shows("id=\"no-message\"");
        let challenge = sent.challenge.to_string();
        browser.post("/console/sms/send", &[("challenge", &challenge)]).await.shows("not known any more");
        assert!(world.engine.sms_message(sent.challenge).unwrap().state.is_given_up());
    });
}
