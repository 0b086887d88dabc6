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
        page.shows("Sign in with your password and your MFA device");
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
        let page = first.post("/console/devices/add/sms", &[("phone", "+1 (555) 010-1234")]).await;
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
