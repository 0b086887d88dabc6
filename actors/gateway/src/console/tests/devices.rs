//! Managing one's own devices.

use super::*;
use crate::engine::{DeviceKind, Seed, SmsEligibility};

fn pair(seed: &[u8], step: u64) -> [(&'static str, String); 2] {
    [("code1", code(seed, step - 1)), ("code2", code(seed, step))]
}

async fn answer(browser: &mut Browser, path: &str, pair: &[(&'static str, String)]) -> Reply {
    let fields: Vec<(&str, &str)> = pair.iter().map(|(name, code)| (*name, code.as_str())).collect();
    browser.post(path, &fields).await
}

#[test]
fn a_classic_wizard_names_the_device_after_its_user() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        browser.get("/console/devices").await.shows("No. You sign in with your password alone.").hides(">Replace<");
        browser
            .get("/console/devices/add")
            .await
            .shows("U2F security key")
            .hides("Passkey")
            .shows("carrier may charge");
        let page = browser.post("/console/devices/add/virtual", &[]).await.shows("data:image/png;base64,");
        let seed = page.seed();
        let codes = "/console/devices/add/virtual/codes";
        let wrong = [("code1", "000000".to_owned()), ("code2", "000001".to_owned())];
        answer(&mut browser, codes, &wrong).await.at(codes).shows("Those codes were not accepted");
        let page = answer(&mut browser, codes, &pair(&seed, world.step())).await.at("/console/devices");
        page.shows("Your MFA device is assigned").shows(&format!("arn:aws:iam::{ACCOUNT}:mfa/lee"));
        // One is the limit.
        browser.sign_in("lee", PASSWORD).await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await;
        let code = world.code(&seed);
        browser.post("/console/mfa/code", &[("code", &code)]).await;
        browser.get("/console/devices/add").await.at("/console/devices").shows("one is the limit");
    });
}

#[test]
fn late_codes_assign_the_device_with_a_warning() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        browser.get("/console/devices").await;
        let seed = browser.post("/console/devices/add/virtual", &[]).await.seed();
        let late = pair(&seed, world.step() - 20);
        answer(&mut browser, "/console/devices/add/virtual/codes", &late).await.shows("came late");
    });
}

#[test]
fn root_is_never_offered_sms_and_names_its_device_as_root_does() {
    run(async {
        let world = World::new().await;
        let mut root = world.root_browser().await;
        root.get("/console/devices/add").await.shows("Virtual MFA device").hides("SMS MFA device");
        root.get("/console/devices/add/sms").await.status(403);
        root.get("/console/devices").await;
        root.post("/console/devices/add/sms", &[("phone", "+14155551234")]).await.status(403);
        root.get("/console/devices/add/virtual").await.shows("root-account-mfa-device");
        assert!(world.outbox.messages().is_empty());
    });
}

#[test]
fn sms_is_offered_as_the_account_has_it() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        let set = async |eligibility| {
            let request = Request::by(Caller::operator());
            world.engine.set_sms_eligibility(request, world.account(), eligibility).await.unwrap();
        };
        for eligibility in [SmsEligibility::ExistingOnly, SmsEligibility::Ending, SmsEligibility::Ended] {
            set(eligibility).await;
            browser.get("/console/devices/add").await.hides("SMS MFA device");
            browser.get("/console/devices/add/sms").await.status(403);
        }
        set(SmsEligibility::Open).await;
        browser.get("/console/devices/add").await.shows("SMS MFA device");
        browser.get("/console/devices/add/sms").await;
        browser
            .post("/console/devices/add/sms", &[("phone", "555")])
            .await
            .shows("begins with +")
            .shows("value=\"555\"");
        browser.post("/console/devices/add/sms", &[("phone", "+1 415 555 1234")]).await.shows("+•••••••1234");
        let sent = world.outbox.messages().last().unwrap().code.to_string();
        let page = browser.post("/console/devices/add/sms/code", &[("code", &sent)]).await.at("/console/devices");
        page.shows("assigned").shows("+•••••••1234").hides("4155551234");
        assert_eq!(world.engine.devices(&world.lee)[0].kind, DeviceKind::Sms);
    });
}

#[test]
fn a_modern_account_replaces_a_device_without_a_gap() {
    run(async {
        let world = World::modern().await;
        let (old, seed) = world.virtual_device(&world.lee, "old-phone").await;
        let token = Serial::new("GAHT12345678").unwrap();
        let token_seed = vec![7; 20];
        let import = Seed::new(token_seed.clone()).unwrap();
        world.engine.import_hardware_token(Request::by(Caller::operator()), &token, import, "Example").await.unwrap();
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await;
        let code = world.code(&seed);
        browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        browser.get("/console/devices").await.shows(">Replace<").shows("Assign another MFA device");
        let add = format!("/console/devices/add?replaces={}", encoded(old.as_str()));
        browser.get(&add).await.shows("takes the place of old-phone").shows("Passkey").hides("SMS");
        let mut fields = vec![("serial", token.to_string()), ("replaces", old.to_string())];
        fields.extend(pair(&token_seed, world.step()));
        answer(&mut browser, "/console/devices/add/hardware", &fields).await.at("/console/devices").shows("assigned");
        let devices = world.engine.devices(&world.lee);
        assert_eq!(devices.iter().map(|device| &device.serial).collect::<Vec<_>>(), [&token]);
    });
}

#[test]
fn a_mistake_does_not_lose_the_thread_and_what_may_not_be_deleted_stays() {
    run(async {
        let world = World::modern().await;
        let (old, seed) = world.virtual_device(&world.lee, "old-phone").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await;
        let code = world.code(&seed);
        browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        let begin = "/console/devices/add/virtual";
        let page = browser.post(begin, &[("name", "not one"), ("replaces", old.as_str())]).await;
        let kept = format!("name=\"replaces\" value=\"{old}\"");
        page.shows("A name consists of").shows(&kept);
        let page = browser.post("/console/devices/add/key", &[("name", "not one"), ("replaces", old.as_str())]).await;
        page.shows("A name consists of").shows(&kept);
        let seed = browser.post(begin, &[("name", "new-phone"), ("replaces", old.as_str())]).await.seed();
        answer(&mut browser, "/console/devices/add/virtual/codes", &pair(&seed, world.step()))
            .await
            .shows("assigned")
            .shows("The old device stays in the account");
        let devices = world.engine.devices(&world.lee);
        assert_eq!(devices.len(), 1);
        assert!(devices[0].serial.as_str().ends_with("mfa/new-phone"));
        // Users delete no device of a name of their choice (R48).
        assert!(world.engine.device(&old).is_some_and(|device| device.owner.is_none()));
    });
}

#[test]
fn a_removed_device_stops_at_once_and_leaves_room_for_the_next() {
    run(async {
        let world = World::new().await;
        let (serial, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await;
        let code = world.code(&seed);
        browser.post("/console/mfa/code", &[("code", &code)]).await;
        let mut waiting = world.browser();
        waiting.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let remove = "/console/devices/remove";
        browser.get(&format!("{remove}?serial={}", encoded(serial.as_str()))).await.shows("stops working at once");
        let fields = [("serial", serial.as_str()), ("reason", "lost")];
        browser.post(remove, &fields).await.at("/console/devices").shows("lee is removed");
        assert!(world.engine.devices(&world.lee).is_empty() && world.engine.device(&serial).is_none());
        browser.post(remove, &fields).await.at("/console/devices").shows("not enabled any more");
        let code = world.code(&seed);
        waiting.post("/console/mfa/code", &[("code", &code)]).await;
        assert!(waiting.cookie("countersign-session").is_none());
        browser.post("/console/devices/add/virtual", &[]).await.at("/console/devices/add/virtual/codes");
    });
}

#[test]
fn a_resync_needs_no_second_factor() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        let (serial, seed) = world.virtual_device(&world.lee, "lee").await;
        world.clock.advance_s(600);
        browser.get(&format!("/console/devices/resync?serial={}", encoded(serial.as_str()))).await.shows("Resync");
        let mut fields = vec![("serial", serial.to_string())];
        fields.extend(pair(&seed, world.step() - 10));
        answer(&mut browser, "/console/devices/resync", &fields).await.at("/console/devices").shows("in sync again");
        assert_eq!(world.engine.devices(&world.lee)[0].offset_steps, -10);
    });
}

#[test]
fn a_security_key_is_challenged_for_the_session_that_asked() {
    run(async {
        let world = World::modern().await;
        let mut browser = world.lee().await;
        browser.get("/console/devices/add/key").await.shows("Device name");
        let page = browser.post("/console/devices/add/key", &[("name", "blue key")]).await;
        page.shows("A name consists of").shows("value=\"blue key\"");
        let page = browser.post("/console/devices/add/key", &[("name", "blue-key")]).await;
        let page = page
            .at("/console/devices/add/key/tap")
            .shows("data-ceremony=\"create\"")
            .shows("publicKey")
            .shows("noscript");
        assert!(page.body.contains("/console/assets/console-"));
        let page =
            browser.post("/console/devices/add/key/tap", &[("response", "{}")]).await.at("/console/devices/add/key");
        page.shows("was not accepted");
        let mut other = world.lee().await;
        other.jar.insert("countersign-enrolment".into(), browser.cookie("countersign-enrolment").unwrap());
        other.get("/console/devices/add/key/tap").await.at("/console/devices/add");
        assert!(world.engine.devices(&world.lee).is_empty());
    });
}

#[test]
fn keys_want_the_console_to_be_called_by_its_name() {
    run(async {
        let world = World::new().await;
        let mut browser = world.browser();
        browser.host = "127.0.0.1:7617";
        browser.sign_in("lee", PASSWORD).await;
        browser.get("/console/devices/add/key").await;
        let page = browser.post("/console/devices/add/key", &[("name", "blue-key")]).await;
        page.shows("href=\"http://localhost:7617/console/sign-in\"").hides("data-ceremony");
    });
}
