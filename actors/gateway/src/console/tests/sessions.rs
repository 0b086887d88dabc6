//! What a session is good for, and what is none.

use super::*;

const SESSION: &str = "countersign-session";
const ATTEMPT: &str = "countersign-attempt";
const ENROLMENT: &str = "countersign-enrolment";

#[test]
fn a_right_password_alone_opens_no_page_and_changes_nothing() {
    run(async {
        let world = World::new().await;
        world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let attempt = browser.cookie(ATTEMPT).unwrap();
        let serial = world.engine.devices(&world.lee)[0].serial.to_string();
        let pages = ["/console/", "/console/devices", "/console/password", "/console/users", "/console/account"];
        for page in pages {
            browser.get(page).await.at("/console/mfa");
        }
        let forms = [
            ("/console/devices/remove", vec![("serial", &*serial)]),
            ("/console/devices/add/virtual", vec![]),
            (
                "/console/password",
                vec![("current", PASSWORD), ("new", "another long one"), ("again", "another long one")],
            ),
            ("/console/sign-out", vec![]),
        ];
        for (path, fields) in &forms {
            browser.post_once(path, fields).await.status(303);
            // Nor does it stand for a session under the session's own name.
            let mut forged = browser.clone();
            forged.jar.insert(SESSION.into(), attempt.clone());
            forged.post(path, fields).await;
        }
        assert_eq!(world.engine.devices(&world.lee).len(), 1);
        assert!(world.directory.password_is(&world.lee, &Secret::new(PASSWORD)).await.unwrap());
    });
}

#[test]
fn a_session_without_a_second_factor_cannot_change_devices() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        world.virtual_device(&world.lee, "lee").await;
        let serial = world.engine.devices(&world.lee)[0].serial.to_string();
        let page = browser.get("/console/devices").await.shows("Sign in again with MFA").shows("Resync");
        page.hides(">Remove<").hides("id=\"manage-mfa\"");
        browser.get("/console/devices/add").await.at("/console/devices").shows("Sign in again with MFA");
        let refused = browser.post("/console/devices/remove", &[("serial", &serial)]).await;
        refused.status(403).shows("sign in again with MFA");
        assert_eq!(world.engine.devices(&world.lee).len(), 1);
        browser.get("/console/devices").await;
        let page = browser.post("/console/sign-out", &[("again", "mfa")]).await.at("/console/sign-in");
        let page = page.shows("Sign in with your password and your MFA device");
        page.shows("value=\"lee\"").shows(&format!("value=\"{ACCOUNT}\""));
    });
}

#[test]
fn whoever_leaves_is_led_to_the_page_that_they_came_in_by() {
    run(async {
        let world = World::new().await;
        let door = "/console/sign-in/root";
        for again in ["", "mfa"] {
            let mut browser = world.root_browser().await;
            let page = browser.post("/console/sign-out", &[("again", again)]).await.at(door);
            page.hides("root@example.com");
        }
        let (serial, _) = world.virtual_device(&world.root(), "root-account-mfa-device").await;
        let mut waiting = world.browser();
        let password = world.founded.root_password.expose().to_owned();
        waiting.sign_in_root("root@example.com", &password).await.at("/console/mfa");
        let mut leaving = waiting.clone();
        leaving.post("/console/mfa/cancel", &[]).await.at(door);
        let by = Request::by(Caller::operator());
        let reason = crate::engine::DeactivateReason::Lost;
        world.engine.deactivate(by, &world.root(), &serial, reason).await.unwrap();
        waiting.get("/console/mfa").await.at(door).shows("Your MFA device was removed");
    });
}

#[test]
fn sessions_and_sign_ins_survive_a_restart() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(START);
        let outbox = DevelopmentTransports::new(true);
        let setup = Setup { sends: true, ..Setup::default() };
        let open = || {
            let engine = Countersign::open(dir.path(), config(&setup, &clock, &outbox)).unwrap();
            let directory = Arc::new(Standalone::open(engine.clone()).unwrap());
            (engine, directory)
        };
        let (engine, directory) = open();
        let founding = Founding {
            account: Some(ACCOUNT.parse().unwrap()),
            root_email: "root@example.com".into(),
            root_phone: None,
            administrator: DeviceName::new("administrator").unwrap(),
        };
        directory.found(founding).await.unwrap();
        user(&directory, "lee").await;
        let mut browser = Browser::new(console(&engine, &directory, &setup, &outbox));
        browser.sign_in("lee", PASSWORD).await.at("/console/");
        engine.close().await.unwrap();
        browser.console = {
            drop((engine, directory));
            let mut placeholder = Browser::new(in_memory());
            std::mem::swap(&mut placeholder.console, &mut browser.console);
            drop(placeholder);
            let (engine, directory) = open();
            console(&engine, &directory, &setup, &outbox)
        };
        browser.get("/console/").await.at("/console/").shows("lee");
        browser.post("/console/sign-out", &[]).await.at("/console/sign-in").shows("You are signed out");
    });
}

fn in_memory() -> web::Data<Console> {
    let engine = Countersign::in_memory(Config::default()).unwrap();
    let directory = Arc::new(Standalone::open(engine.clone()).unwrap());
    console(&engine, &directory, &Setup::default(), &DevelopmentTransports::new(false))
}

#[test]
fn what_one_session_began_no_other_one_finishes() {
    run(async {
        let world = World::new().await;
        let (mut first, mut second) = (world.lee().await, world.lee().await);
        first.get("/console/devices/add/sms").await;
        let page = first.post("/console/devices/add/sms", &[("phone", "+1 (415) 555-1234")]).await;
        page.at("/console/devices/add/sms/code").shows("+•••••••1234");
        let code = world.outbox.messages().last().unwrap().code.to_string();
        second.jar.insert(ENROLMENT.into(), first.cookie(ENROLMENT).unwrap());
        second.get("/console/devices").await;
        let page = second.post("/console/devices/add/sms/code", &[("code", &code)]).await;
        page.at("/console/devices/add/sms").shows("no phone is being set up in this session");
        assert!(world.engine.devices(&world.lee).is_empty());
        first.get("/console/devices/add/sms/code").await;
        first.post("/console/devices/add/sms/code", &[("code", &code)]).await.at("/console/devices").shows("assigned");
    });
}

#[test]
fn a_device_being_set_up_belongs_to_its_session() {
    run(async {
        let world = World::modern().await;
        let (mut first, mut second) = (world.lee().await, world.lee().await);
        first.get("/console/devices/add/virtual").await;
        let page = first.post("/console/devices/add/virtual", &[("name", "phone")]).await;
        let seed = page.at("/console/devices/add/virtual/codes").seed();
        second.get("/console/devices").await;
        let (one, two) = (code(&seed, world.step() - 1), code(&seed, world.step()));
        let pair = [("code1", &*one), ("code2", &*two)];
        second.post("/console/devices/add/virtual/codes", &pair).await.at("/console/devices/add/virtual");
        assert!(world.engine.devices(&world.lee).is_empty());
        first.post("/console/devices/add/virtual/codes", &pair).await.at("/console/devices").shows("assigned");
    });
}

#[test]
fn a_new_password_keeps_the_devices_and_closes_other_sessions() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let (mut browser, mut other) = (world.browser(), world.browser());
        for browser in [&mut browser, &mut other] {
            browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
            let code = world.code(&seed);
            browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        }
        let new = "another long enough one";
        browser.get("/console/password").await;
        let wrong = [("current", "wrong wrong wrong"), ("new", new), ("again", new)];
        browser.post("/console/password", &wrong).await.shows("not your current password");
        let twice = [("current", PASSWORD), ("new", new), ("again", "something else here")];
        browser.post("/console/password", &twice).await.shows("not the same");
        let short = [("current", PASSWORD), ("new", "short"), ("again", "short")];
        browser.post("/console/password", &short).await.shows("at least 12 characters");
        let right = [("current", PASSWORD), ("new", new), ("again", new)];
        browser.post("/console/password", &right).await.at("/console/devices").shows("is changed");
        other.get("/console/").await.at("/console/sign-in").shows("Your session has ended");
        assert_eq!(world.engine.devices(&world.lee).len(), 1);
        let mut again = world.browser();
        again.sign_in("lee", PASSWORD).await.shows("Sign-in failed");
        again.sign_in("lee", new).await.at("/console/mfa");
    });
}

#[test]
fn a_session_ends_with_its_principal_and_with_its_time() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        world.directory.remove_user(Request::by(Caller::operator()), &world.lee).await.unwrap();
        browser.get("/console/").await.at("/console/sign-in").shows("Your session has ended");
        assert!(browser.cookie(SESSION).is_none());
        let mut administrator = world.administrator().await;
        world.clock.advance_s(3600);
        administrator.get("/console/").await.at("/console/sign-in");
    });
}

#[test]
fn a_sign_in_ends_with_its_time() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        world.clock.advance_s(600);
        let code = world.code(&seed);
        let page = browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/sign-in");
        page.shows("Your sign-in took too long");
        assert!(browser.cookie(ATTEMPT).is_none() && browser.cookie(SESSION).is_none());
    });
}

#[test]
fn what_a_wizard_left_over_is_used_again_by_its_session_and_goes_with_it() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        browser.get("/console/devices/add/virtual").await.shows("will be named lee");
        let begin = "/console/devices/add/virtual";
        let seed = browser.post(begin, &[]).await.at("/console/devices/add/virtual/codes").seed();
        assert_eq!(browser.post(begin, &[]).await.seed(), seed, "the same device again");
        // Another session does not touch it (A28).
        let mut other = world.lee().await;
        other.get(begin).await;
        other.post(begin, &[]).await.at(begin).shows("There is a device of this name already");
        let serial = Serial::new(format!("arn:aws:iam::{ACCOUNT}:mfa/lee")).unwrap();
        assert!(world.engine.device(&serial).is_some());
        browser.post("/console/sign-out", &[]).await;
        assert!(world.engine.device(&serial).is_none());
        other.post(begin, &[]).await.at("/console/devices/add/virtual/codes");
    });
}

#[test]
fn a_namesake_that_somebody_else_made_is_left_alone() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        browser.get("/console/devices").await;
        browser.post("/console/devices/add/virtual", &[]).await;
        let serial = Serial::new(format!("arn:aws:iam::{ACCOUNT}:mfa/lee")).unwrap();
        let operator = || Request::by(Caller::operator());
        world.engine.delete_virtual_device(operator(), world.account(), &serial).await.unwrap();
        world.clock.advance_s(1);
        let name = DeviceName::new("lee").unwrap();
        world.engine.create_virtual_device(operator(), world.account(), Path::root(), name).await.unwrap();
        browser.post("/console/sign-out", &[]).await;
        assert!(world.engine.device(&serial).is_some());
    });
}

#[test]
fn a_new_password_ends_what_the_old_one_began() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut old = world.browser();
        old.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let mut administrator = world.administrator().await;
        let PrincipalId::User(_, id) = &world.lee else { panic!("lee is a user") };
        let (page, new) = (format!("/console/users/{id}/password"), "another long enough one");
        administrator.get(&page).await;
        administrator.post(&page, &[("new", new), ("again", new)]).await.shows("The password is set");
        let code = world.code(&seed);
        old.post("/console/mfa/code", &[("code", &code)]).await.at("/console/sign-in").shows("Sign in again");
        assert!(old.cookie(SESSION).is_none() && old.cookie(ATTEMPT).is_none());
        // The code was not used up by that.
        let mut browser = world.browser();
        browser.sign_in("lee", new).await.at("/console/mfa");
        browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
    });
}

#[test]
fn a_new_password_or_contact_ends_a_way_back_in_that_has_begun() {
    run(async {
        let world = World::new().await;
        let mut owner = world.root_browser().await;
        let (_, seed) = world.virtual_device(&world.root(), "root-account-mfa-device").await;
        let old = world.founded.root_password.expose().to_owned();
        let mut thief = world.browser();
        thief.sign_in_root("root@example.com", &old).await.at("/console/mfa");
        let new = "another long enough one";
        owner.get("/console/password").await;
        owner.post("/console/password", &[("current", &old), ("new", new), ("again", new)]).await.shows("is changed");
        owner.get("/console/").await.at("/console/");
        thief.post("/console/recovery/mail/send", &[]).await.at("/console/sign-in");
        assert!(world.outbox.messages().is_empty());
        // The same where the contact changes: its mail was sent to the old address.
        let mut waiting = world.browser();
        waiting.sign_in_root("root@example.com", new).await.at("/console/mfa");
        waiting.get("/console/recovery").await;
        waiting.post("/console/recovery/mail/send", &[]).await.shows("We sent an e-mail");
        let mail = world.outbox.messages().last().unwrap().code.to_string();
        let mut root = world.browser();
        root.sign_in_root("root@example.com", new).await;
        let code = world.code(&seed);
        root.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        root.get("/console/account").await;
        let fields = [("email", "new@example.com"), ("current_password", new)];
        root.post("/console/account/contact", &fields).await.shows("Saved.");
        waiting.post("/console/recovery/mail", &[("code", &mail)]).await.hides("is confirmed");
    });
}

#[test]
fn a_password_that_was_set_by_another_door_or_before_a_crash_ends_the_sessions_too() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        let new = Secret::new("another long enough one");
        world.directory.set_password(Request::by(Caller::operator()), &world.lee, &new).await.unwrap();
        browser.clone().get("/console/").await.at("/console/sign-in");
        browser.console = console(&world.engine, &world.directory, &Setup::default(), &world.outbox);
        browser.get("/console/").await.at("/console/sign-in").shows("Your session has ended");
    });
}

#[test]
fn a_sign_in_on_its_way_while_the_password_changes_opens_nothing() {
    run(async {
        let world = World::new().await;
        let who = crate::directory::SignInName::User { account: Some(world.account()), name: "lee".into() };
        let verdict = world.directory.check_password(&who, &Secret::new(PASSWORD)).await.unwrap();
        assert!(verdict.fits);
        let mut owner = world.lee().await;
        owner.get("/console/password").await;
        let new = "another long enough one";
        let fields = [("current", PASSWORD), ("new", new), ("again", new)];
        owner.post("/console/password", &fields).await.shows("is changed");
        // Only now comes what follows the check.
        let by = Request::by(Caller::at_console(world.lee.clone(), None));
        let bare = crate::engine::Credential::Session { mfa_at: None };
        let secret = world.console.sessions.start(by, &world.lee, bare, verdict.version).await.unwrap();
        let mut late = world.browser();
        late.jar.insert(SESSION.into(), secret.expose().to_owned());
        late.get("/console/").await.at("/console/sign-in");
        // Whoever set the new one stays in, also after a restart.
        owner.console = console(&world.engine, &world.directory, &Setup::default(), &world.outbox);
        owner.get("/console/").await.at("/console/");
    });
}

#[test]
fn the_secret_of_a_new_device_is_not_shown_once_it_is_enabled() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        browser.get("/console/devices").await;
        let seed = browser.post("/console/devices/add/virtual", &[]).await.seed();
        let serial = Serial::new(format!("arn:aws:iam::{ACCOUNT}:mfa/lee")).unwrap();
        let by = || Request::by(Caller::at_console(world.lee.clone(), Some(world.engine.now())));
        let shown = |step: u64| Code::parse(&code(&seed, step)).unwrap();
        let (first, second) = (shown(world.step() - 1), shown(world.step()));
        world.engine.enable(by(), &world.lee, &serial, first, second).await.unwrap();
        browser.get("/console/devices/add/virtual/codes").await.hides("id=\"secret\"");
        // Nor is it this session's leftover, when it is deactivated later.
        let lost = crate::engine::DeactivateReason::Lost;
        world.engine.deactivate(by(), &world.lee, &serial, lost).await.unwrap();
        browser.post("/console/sign-out", &[]).await.at("/console/sign-in");
        assert!(world.engine.device(&serial).is_some());
    });
}
