//! From the name to the session (R97..R108).

use super::*;

const SESSION: &str = "countersign-session";
const ATTEMPT: &str = "countersign-attempt";

#[test]
fn who_has_no_device_is_in_after_the_password() {
    run(async {
        let world = World::new().await;
        let mut browser = world.browser();
        browser.sign_in("LEE", PASSWORD).await.at("/console/").shows("Signed in without MFA").shows("Activate MFA");
        assert!(browser.cookie(SESSION).is_some() && browser.cookie(ATTEMPT).is_none());
        browser.get("/console/sign-in").await.at("/console/");
    });
}

#[test]
fn a_device_is_asked_for_and_opens_a_session_of_its_own() {
    run(async {
        let world = World::new().await;
        let mut old = world.lee().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa").shows("Sign in using MFA").shows("authenticator app");
        assert!(browser.cookie(SESSION).is_none());
        browser.post("/console/mfa/code", &[("code", "12345")]).await.shows("A code has six digits");
        browser.post("/console/mfa/code", &[("code", "000000")]).await.shows("That code was not accepted");
        let code = world.code(&seed);
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        browser.post("/console/mfa/code", &[("code", &spaced)]).await.at("/console/").shows("Signed in with MFA");
        assert!(browser.cookie(ATTEMPT).is_none());
        assert_ne!(browser.cookie(SESSION), old.cookie(SESSION));
        // The session from before stays what it was (NT-31).
        old.get("/console/").await.shows("Signed in without MFA");
    });
}

#[test]
fn a_used_code_and_a_locked_device_get_the_answer_of_a_wrong_code() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let code = world.code(&seed);
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await;
        browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        let mut answers = Vec::new();
        let mut again = world.browser();
        again.sign_in("lee", PASSWORD).await;
        for _ in 0..12 {
            let reply = again.post("/console/mfa/code", &[("code", &code)]).await;
            answers.push((reply.status, reply.between("id=\"code-error\"", "</p>").unwrap().to_owned()));
        }
        assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
        assert!(world.engine.devices(&world.lee)[0].locked_until.is_some());
    });
}

#[test]
fn nothing_shows_whether_a_device_is_asked_for_before_the_password_is_right() {
    run(async {
        let world = World::new().await;
        let without = user(&world.directory, "dana").await;
        world.virtual_device(&world.lee, "lee").await;
        assert!(world.engine.devices(&without).is_empty());
        let mut seen = Vec::new();
        for name in ["lee", "dana", "nobody"] {
            let mut browser = world.browser();
            browser.get("/console/sign-in").await;
            let fields = [("account", ACCOUNT), ("user_name", name), ("password", "wrong wrong wrong")];
            let reply = browser.post_once("/console/sign-in", &fields).await.status(303);
            let to = reply.header("location").to_owned();
            let page = browser.get(&to).await.shows("Sign-in failed");
            let body = page.body.replace(name, "NAME").replace(&browser.token, "TOKEN");
            let cookies: Vec<String> = browser.jar.keys().cloned().collect();
            seen.push((to, page.status, body, cookies));
        }
        assert!(seen[0] == seen[1] && seen[1] == seen[2], "{seen:?}");
    });
}

#[test]
fn root_signs_in_by_its_address_and_unknown_ones_look_like_wrong_passwords() {
    run(async {
        let world = World::new().await;
        world.root_browser().await.get("/console/").await.shows("Activate MFA on your root user");
        let mut seen = Vec::new();
        for email in ["root@example.com", "nobody@example.com"] {
            let mut browser = world.browser();
            let reply = browser.sign_in_root(email, "wrong wrong wrong").await.at("/console/sign-in/root");
            seen.push(reply.body.replace(email, "EMAIL").replace(&browser.token, "TOKEN"));
        }
        assert_eq!(seen[0], seen[1]);
    });
}

#[test]
fn an_account_is_named_by_its_number_or_its_alias() {
    run(async {
        let world = World::new().await;
        let alias = crate::engine::AccountAlias::new("example-corp").unwrap();
        world.engine.set_alias(Request::by(Caller::operator()), world.account(), Some(alias)).await.unwrap();
        let mut browser = world.browser();
        browser.get("/console/sign-in?account=example-corp").await.shows("value=\"example-corp\"");
        let fields = [("account", " Example-Corp "), ("user_name", "lee"), ("password", PASSWORD)];
        browser.post("/console/sign-in", &fields).await.at("/console/").shows("example-corp");
        let mut elsewhere = world.browser();
        elsewhere.get("/console/sign-in").await;
        let fields = [("account", "999999999999"), ("user_name", "lee"), ("password", PASSWORD)];
        elsewhere.post("/console/sign-in", &fields).await.shows("Sign-in failed");
    });
}

#[test]
fn after_three_misses_a_resync_is_offered_on_the_spot() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.hides("Re-Sync With Our Servers");
        world.clock.advance_s(3000);
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.hides("Re-Sync With Our Servers");
        for _ in 0..3 {
            browser.post("/console/mfa/code", &[("code", "000000")]).await;
        }
        browser.get("/console/mfa").await.shows("Re-Sync With Our Servers");
        // The device is 50 steps behind.
        let late = |ahead: u64| code(&seed, world.step() - 50 + ahead);
        let pair = [("code1", late(0)), ("code2", late(1))];
        let fields = [("code1", &*pair[1].1), ("code2", &*pair[0].1)];
        browser.post("/console/mfa/resync", &fields).await.shows("Those codes were not accepted");
        let fields = [("code1", &*pair[0].1), ("code2", &*pair[1].1)];
        browser.post("/console/mfa/resync", &fields).await.at("/console/mfa").shows("in sync again");
        browser.post("/console/mfa/code", &[("code", &late(2))]).await.at("/console/");
    });
}

#[test]
fn with_several_devices_one_is_chosen_and_can_be_changed() {
    run(async {
        let world = World::modern().await;
        let (_, first) = world.virtual_device(&world.lee, "old-phone").await;
        let (_, second) = world.virtual_device(&world.lee, "new-phone").await;
        let mut browser = world.browser();
        let page = browser.sign_in("lee", PASSWORD).await.at("/console/mfa").shows("old-phone").shows("new-phone");
        page.hides("id=\"code\"");
        browser
            .post("/console/mfa/methods", &[("method", "0")])
            .await
            .shows("old-phone")
            .shows("Try another MFA method");
        let code = world.code(&first);
        // A code of the other device proves nothing.
        browser.post("/console/mfa/methods", &[("method", "1")]).await.shows("new-phone");
        browser.post("/console/mfa/code", &[("code", &code)]).await.shows("was not accepted");
        browser.post("/console/mfa/methods", &[("method", "7")]).await.at("/console/mfa/methods");
        let code = world.code(&second);
        browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/").shows("Signed in with MFA");
    });
}

#[test]
fn a_code_is_sent_on_arrival_and_a_failure_leaves_the_person_there() {
    run(async {
        let world = World::new().await;
        world.enrol_sms().await;
        world.clock.advance_s(40);
        let mut browser = world.browser();
        let page = browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        page.shows("A code is on its way to +•••••••1234").hides("4155551234").shows("Resend Code");
        let sent = world.outbox.messages().last().unwrap().code.to_string();
        browser.post("/console/mfa/send", &[]).await.at("/console/mfa").shows("Another code can be sent in 30 seconds");
        world.clock.advance_s(30);
        browser.post("/console/mfa/send", &[]).await.shows("Another code is on its way");
        browser.post("/console/mfa/code", &[("code", &sent)]).await.shows("was not accepted");
        let sent = world.outbox.messages().last().unwrap().code.to_string();
        browser.post("/console/mfa/code", &[("code", &sent)]).await.at("/console/").shows("Signed in with MFA");
    });
}

#[test]
fn a_server_that_cannot_send_says_so() {
    run(async {
        let world = World::with(Setup::default()).await;
        let mut browser = world.lee().await;
        browser.get("/console/devices/add/sms").await.shows("carrier");
        let page = browser.post("/console/devices/add/sms", &[("phone", "+14155551234")]).await;
        page.at("/console/devices/add/sms/code").shows("Messages cannot be sent by this server");
    });
}

#[test]
fn linked_root_users_are_asked_for_two_codes_one_after_the_other() {
    run(async {
        let world = World::new().await;
        let operator = || Request::by(Caller::operator());
        let other: AccountId = "210987654321".parse().unwrap();
        world.engine.open_account(operator(), other, DeviceName::new("root").unwrap()).await.unwrap();
        for (account, linked) in [(world.account(), other), (other, world.account())] {
            world.engine.link_root(operator(), account, Some(linked)).await.unwrap();
        }
        let (_, own) = world.virtual_device(&world.root(), "root-account-mfa-device").await;
        let (_, linked) = world.virtual_device(&PrincipalId::Root(other), "root-account-mfa-device").await;
        let mut browser = world.browser();
        let password = world.founded.root_password.expose().to_owned();
        let page = browser.sign_in_root("root@example.com", &password).await.at("/console/mfa");
        page.shows("First of two codes").shows("210987654321");
        let code = world.code(&own);
        browser.post("/console/mfa/code", &[("code", &code)]).await.shows("was not accepted");
        let code = world.code(&linked);
        browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/mfa").shows("Second of two codes");
        browser.post("/console/mfa/code", &[("code", &code)]).await.shows("was not accepted");
        let code = world.code(&own);
        browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/").shows("Signed in with MFA");
    });
}

#[test]
fn a_sign_in_whose_device_was_removed_meanwhile_starts_over() {
    run(async {
        let world = World::new().await;
        let (serial, _) = world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let administrator = world.engine.user_named(world.account(), "administrator").unwrap().id;
        let by = Request::by(Caller::at_console(administrator, None));
        world.engine.deactivate(by, &world.lee, &serial, crate::engine::DeactivateReason::Lost).await.unwrap();
        browser.get("/console/mfa").await.at("/console/sign-in").shows("Your MFA device was removed");
        browser.sign_in("lee", PASSWORD).await.at("/console/");
    });
}

#[test]
fn a_sign_in_is_for_the_browser_that_began_it() {
    run(async {
        let world = World::new().await;
        world.virtual_device(&world.lee, "lee").await;
        let (mut browser, mut other) = (world.browser(), world.browser());
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        other.get("/console/sign-in").await;
        other.jar.insert(ATTEMPT.into(), browser.cookie(ATTEMPT).unwrap());
        other.get("/console/mfa").await.at("/console/sign-in");
        browser.get("/console/mfa").await.at("/console/mfa");
    });
}

#[test]
fn who_presses_the_button_twice_is_in_and_in_one_session() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let right = world.code(&seed);
        // A browser that sends a form once more drops the answer to the first.
        let presses: Vec<_> = (0..4)
            .map(|_| {
                let (mut browser, right) = (browser.clone(), right.clone());
                actix_rt::spawn(async move {
                    let reply = browser.post_once("/console/mfa/code", &[("code", &right)]).await;
                    (reply, browser)
                })
            })
            .collect();
        let mut secrets = std::collections::BTreeSet::new();
        for press in presses {
            let (reply, mut browser) = press.await.unwrap();
            assert_eq!(reply.header("location"), "/console/");
            secrets.insert(browser.cookie("countersign-session").unwrap());
            browser.get("/console/devices").await.at("/console/devices").shows("Signed in with MFA");
        }
        assert_eq!(secrets.len(), 1, "a code opens one session (R96)");
        // Not another code, not another browser, not later, and not when the session is over.
        let wrong = browser.clone().post("/console/mfa/code", &[("code", "000000")]).await;
        wrong.at("/console/sign-in");
        let mut thief = world.browser();
        thief.jar.insert("countersign-attempt".into(), browser.cookie("countersign-attempt").unwrap());
        thief.token.clone_from(&browser.token);
        thief.post("/console/mfa/code", &[("code", &right)]).await.at("/console/sign-in");
        world.clock.advance_s(10);
        browser.clone().post("/console/mfa/code", &[("code", &right)]).await.at("/console/sign-in");
    });
}

#[test]
fn a_code_that_is_sent_again_opens_no_session_that_was_ended() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let before = browser.clone();
        let right = world.code(&seed);
        browser.post("/console/mfa/code", &[("code", &right)]).await.at("/console/");
        browser.post("/console/sign-out", &[]).await;
        before.clone().post("/console/mfa/code", &[("code", &right)]).await.at("/console/sign-in");
    });
}
