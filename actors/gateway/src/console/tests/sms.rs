//! Codes by SMS: what people are told of them (R101, R118, A15).

use countersign::{SmsCallback, SmsFailure};

use super::*;
use crate::testing::FakeGateway;

async fn world(gateway: &Arc<FakeGateway>) -> World {
    World::with(Setup { sms: Some(gateway.clone()), ..Setup::default() }).await
}

/// The gateway reports on a message.
async fn reports(world: &World, report: &str) {
    let url = "https://mfa.example.com/sms/status/main";
    let headers = [("X-Signature", url)];
    let callback = SmsCallback { url, headers: &headers, body: report.as_bytes(), now: world.engine.now() };
    world.engine.sms_callback("main", &callback).await.unwrap();
}

#[test]
fn a_code_that_cannot_be_sent_leaves_the_person_on_the_second_page_with_resend() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        world.enrol_sms_by(|| gateway.code()).await;
        world.clock.advance_s(40);
        gateway.says(Err(SmsFailure::OptedOut));
        let mut browser = world.browser();
        let page = browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        page.shows("could not be sent").shows("Resend Code").hides("on its way");
        world.clock.advance_s(30);
        browser.post("/console/mfa/send", &[]).await.at("/console/mfa").shows("could not be sent");
        world.clock.advance_s(30);
        gateway.says(Ok(()));
        browser.post("/console/mfa/send", &[]).await.shows("Another code is on its way").hides("could not be sent");
        browser.post("/console/mfa/code", &[("code", &gateway.code())]).await.shows("Signed in with MFA");
    });
}

#[test]
fn the_second_page_follows_what_the_gateway_reports() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        world.enrol_sms_by(|| gateway.code()).await;
        world.clock.advance_s(40);
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.shows("A code is on its way to +•••••••1234");
        reports(&world, "SM2 delivered").await;
        browser.get("/console/mfa").await.shows("We sent a code by SMS to +•••••••1234");
        world.clock.advance_s(30);
        browser.post("/console/mfa/send", &[]).await.shows("A code is on its way");
        reports(&world, "SM3 lost").await;
        browser.get("/console/mfa").await.shows("did not reach the phone").shows("Resend Code");
    });
}

#[test]
fn the_enrolment_follows_as_well_and_a_phone_is_not_changed_at_once() {
    run(async {
        let gateway = FakeGateway::new();
        let world = world(&gateway).await;
        gateway.says(Err(SmsFailure::InvalidNumber));
        let mut browser = world.lee().await;
        let begin = "/console/devices/add/sms";
        browser.get(begin).await;
        let page = browser.post(begin, &[("phone", "+1 415 555 1234")]).await.at("/console/devices/add/sms/code");
        page.shows("could not be sent").shows("Resend Code").hides("on its way");
        gateway.says(Ok(()));
        world.clock.advance_s(30);
        browser.post("/console/devices/add/sms/send", &[]).await.shows("A code is on its way to +•••••••1234");
        let fields = [("code", &*gateway.code())];
        browser.post("/console/devices/add/sms/code", &fields).await.at("/console/devices").shows("assigned");
        let serial = world.engine.devices(&world.lee)[0].serial.to_string();
        let mut browser = world.browser();
        world.clock.advance_s(30);
        browser.sign_in("lee", PASSWORD).await;
        browser.post("/console/mfa/code", &[("code", &gateway.code())]).await.at("/console/");
        browser.get("/console/devices").await;
        browser.post("/console/devices/remove", &[("serial", &serial)]).await.at("/console/devices");
        assert!(world.engine.devices(&world.lee).is_empty());
        let page = browser.post(begin, &[("phone", "+1 415 555 1234")]).await.at(begin);
        page.shows("A phone can be set up in 10 minutes").shows("value=\"+1 415 555 1234\"");
    });
}

#[test]
fn numbers_that_no_code_goes_to_are_told_apart_in_words() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        let begin = "/console/devices/add/sms";
        browser.get(begin).await;
        for (phone, words) in [
            ("+4930901820", "Codes can only be sent to a mobile phone."),
            ("+15550101234", "This number does not exist."),
            ("+19002345678", "a number that costs extra"),
            ("+445612345678", "an Internet telephone number"),
            ("+18002345678", "a service number"),
        ] {
            browser.post(begin, &[("phone", phone)]).await.at(begin).shows(words);
        }
        assert!(world.outbox.messages().is_empty());
    });
}

#[test]
fn a_country_that_is_not_served_and_a_budget_that_is_spent_are_told_without_blame() {
    run(async {
        let served = countersign::Countries::NONE.with(countersign::Country::parse("US").unwrap());
        let policy = Policy { sms_countries: served, sms_account_max: 1, ..Policy::classic() };
        let world = World::with(Setup { policy: Some(policy), sends: true, ..Setup::default() }).await;
        let mut browser = world.lee().await;
        let begin = "/console/devices/add/sms";
        browser.get(begin).await;
        browser.post(begin, &[("phone", "+4915112345678")]).await.at(begin).shows("not sent to phones of this country");
        world.enrol_sms().await;
        world.clock.advance_s(40);
        world.browser().sign_in("lee", PASSWORD).await.at("/console/mfa").shows("on its way");
        world.clock.advance_s(40);
        let mut browser = world.browser();
        let page = browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        page.shows("No more codes can be sent for now. Try again in").shows("Resend Code");
        assert_eq!(world.outbox.messages().len(), 2);
    });
}
