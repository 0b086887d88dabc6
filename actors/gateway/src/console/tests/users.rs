//! Administrators and the settings of the account.

use super::*;
use crate::engine::{AccountPreset, SmsEligibility};

fn id(principal: &PrincipalId) -> String {
    match principal {
        PrincipalId::User(_, id) => id.to_string(),
        PrincipalId::Root(_) => panic!("root has no page"),
    }
}

#[test]
fn others_see_no_page_of_an_administrator() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        browser.get("/console/").await.hides("Account settings");
        let own = format!("/console/users/{}", id(&world.lee));
        for path in ["/console/users", "/console/create-user", "/console/account", &own, "/console/users/AIDANOBODY"] {
            browser.get(path).await.status(403);
        }
        let administrator = world.engine.user_named(world.account(), "administrator").unwrap().id;
        let other = format!("/console/users/{}/devices/add/virtual", id(&administrator));
        browser.get(&other).await.status(403);
        browser.get("/console/devices").await;
        browser.post("/console/account/alias", &[("alias", "mine")]).await.status(403);
        browser.post("/console/create-user", &[("user_name", "x")]).await.status(403);
        browser.post(&format!("/console/users/{}/delete", id(&administrator)), &[("confirm", "yes")]).await.status(403);
        assert!(world.engine.account(world.account()).unwrap().settings.alias.is_none());
    });
}

#[test]
fn users_are_listed_by_kind_of_device_in_pages() {
    run(async {
        let world = World::new().await;
        for number in 0..30 {
            let name = DeviceName::new(format!("user-{number:02}")).unwrap();
            world
                .directory
                .create_user(Request::by(Caller::operator()), world.account(), name, Path::root())
                .await
                .unwrap();
        }
        world.virtual_device(&world.lee, "lee").await;
        let mut browser = world.administrator().await;
        let page = browser.get("/console/users").await.shows("Not enabled").shows("Virtual").shows("user-20");
        let next = page.between("id=\"next-page\" href=\"", "\"").unwrap().replace("&amp;", "&");
        browser.get(&next).await.shows("user-29").hides("user-20").shows("First page");
        browser.get("/console/users?kind=virtual").await.shows(">lee<").hides(">user-00<");
        browser.get("/console/users?kind=none").await.shows(">user-00<").hides(">lee<");
        browser.get("/console/users?kind=sms").await.shows("No user matches this filter");
        browser.get("/console/users?kind=odd&after=%3Cx%3E").await.status(200);
    });
}

#[test]
fn a_user_is_made_helped_and_deleted() {
    run(async {
        let world = World::new().await;
        let mut browser = world.administrator().await;
        browser.get("/console/create-user").await;
        let fields = |name: &'static str, new: &'static str| [("user_name", name), ("new", new), ("again", new)];
        let create = "/console/create-user";
        browser.post(create, &fields("<b>", PASSWORD)).await.shows("1 to 64 letters").shows("&#60;b&#62;");
        browser.post(create, &fields("dana", "short")).await.shows("at least 12").shows("value=\"dana\"");
        assert!(world.engine.user_named(world.account(), "dana").is_none());
        browser.post(create, &fields("LEE", PASSWORD)).await.shows("Another user of the account has this name");
        browser.post(create, &fields("dana", PASSWORD)).await.shows("dana is created");
        let dana = world.engine.user_named(world.account(), "dana").unwrap().id;
        let page = format!("/console/users/{}", id(&dana));
        // An administrator enables a device for the user, who has it at hand.
        browser.get(&format!("{page}/devices/add")).await.shows("Virtual MFA device").hides("security key");
        let seed = browser.post(&format!("{page}/devices/add/virtual"), &[]).await.seed();
        let (one, two) = (code(&seed, world.step() - 1), code(&seed, world.step()));
        let codes = format!("{page}/devices/add/virtual/codes");
        browser.post(&codes, &[("code1", &one), ("code2", &two)]).await.at(&page).shows(":mfa/dana");
        // The device is lost.
        let mut theirs = world.browser();
        theirs.sign_in("dana", PASSWORD).await.at("/console/mfa");
        let serial = world.engine.devices(&dana)[0].serial.to_string();
        let fields = [("serial", &*serial), ("reason", "lost")];
        browser.post(&format!("{page}/devices/remove"), &fields).await.at(&page).shows("dana is removed");
        theirs.sign_in("dana", PASSWORD).await.at("/console/");
        // A new password ends the user's sessions.
        let new = [("new", "one more long password"), ("again", "one more long password")];
        browser.post(&format!("{page}/password"), &new).await.at(&page).shows("The password is set");
        theirs.get("/console/").await.at("/console/sign-in");
        browser.get(&format!("{page}/delete")).await.shows("Delete dana?");
        browser.post(&format!("{page}/delete"), &[("confirm", "no")]).await.shows("Say that you mean it");
        browser
            .post(&format!("{page}/delete"), &[("confirm", "yes")])
            .await
            .at("/console/users")
            .shows("dana is deleted");
        assert!(world.engine.principal(&dana).is_none());
        browser.get(&page).await.status(404);
    });
}

#[test]
fn administrators_are_asked_for_their_own_password_and_second_factor_like_others() {
    run(async {
        let world = World::new().await;
        let mut browser = world.administrator().await;
        let own = world.engine.user_named(world.account(), "administrator").unwrap().id;
        world.virtual_device(&own, "administrator").await;
        let page = format!("/console/users/{}", id(&own));
        browser.get(&format!("{page}/password")).await.at("/console/password").shows("Current password");
        browser.get(&format!("{page}/devices/add")).await.at("/console/devices").shows("Sign in again with MFA");
        let serial = world.engine.devices(&own)[0].serial.to_string();
        browser.post(&format!("{page}/devices/remove"), &[("serial", &serial)]).await.at("/console/devices");
        assert_eq!(world.engine.devices(&own).len(), 1);
    });
}

#[test]
fn a_user_goes_with_its_devices_but_the_last_administrator_stays() {
    run(async {
        let world = World::new().await;
        world.virtual_device(&world.lee, "lee").await;
        let mut root = world.root_browser().await;
        let administrator = world.engine.user_named(world.account(), "administrator").unwrap().id;
        let page = format!("/console/users/{}", id(&administrator));
        root.post(&format!("{page}/delete"), &[("confirm", "yes")]).await.at(&page).shows("last administrator");
        let page = format!("/console/users/{}", id(&world.lee));
        root.get(&format!("{page}/delete")).await.shows("The MFA device, the password");
        root.post(&format!("{page}/delete"), &[("confirm", "yes")]).await.at("/console/users");
        assert!(world.engine.principal(&world.lee).is_none());
    });
}

#[test]
fn settings_are_changed_by_whose_they_are() {
    run(async {
        let world = World::new().await;
        let settings = || world.engine.account(world.account()).unwrap().settings;
        let mut browser = world.administrator().await;
        browser.get("/console/account").await.hides("id=\"contact-title\"").shows("by the root user alone");
        browser.post("/console/account/alias", &[("alias", "Not One")]).await.shows("An alias has 3 to 63");
        browser.post("/console/account/alias", &[("alias", "example-corp")]).await.shows("Saved.");
        assert_eq!(settings().alias.unwrap().as_str(), "example-corp");
        browser.post("/console/account/alias", &[("alias", "")]).await.shows("Saved.");
        browser.post("/console/account/sms", &[("sms", "ending")]).await.shows("Saved.");
        browser.post("/console/account/policy", &[("policy", "modern")]).await.shows("Saved.");
        assert_eq!((settings().alias, settings().sms), (None, SmsEligibility::Ending));
        assert_eq!(settings().preset, Some(AccountPreset::Modern));
        browser.post("/console/account/sms", &[("sms", "odd")]).await.status(400);
        browser.get("/console/account").await;
        for (path, field) in [("alternative-factors", "allowed"), ("contact", "email"), ("link", "associate")] {
            browser.post(&format!("/console/account/{path}"), &[(field, "off")]).await.status(403);
        }
        let mut root = world.root_browser().await;
        root.get("/console/account").await.shows("root@example.com").shows("+14155551234");
        root.post("/console/account/alternative-factors", &[("allowed", "off")]).await.shows("Saved.");
        assert!(!settings().alternative_factors);
        root.post("/console/account/link", &[("associate", ACCOUNT)]).await.shows("the account itself");
        root.post("/console/account/link", &[("associate", "12")]).await.shows("twelve digits");
        let password = world.founded.root_password.expose();
        let contact = |email, phone| [("email", email), ("phone", phone), ("current_password", password)];
        root.post("/console/account/contact", &contact("nobody", "")).await.shows("not an e-mail address");
        root.post("/console/account/contact", &contact("a@example.com", "555")).await.shows("begins with +");
        root.post("/console/account/contact", &contact("a@example.com", "+1 415 555 9999")).await.shows("Saved.");
        let kept = world.directory.root_contact(world.account()).await.unwrap().unwrap();
        assert_eq!((kept.email.as_str(), kept.phone.as_deref()), ("a@example.com", Some("+14155559999")));
    });
}

#[test]
fn where_root_is_reached_is_not_changed_by_a_session_that_knows_the_password_alone() {
    run(async {
        let world = World::new().await;
        let kept = async || world.directory.root_contact(world.account()).await.unwrap().unwrap();
        let (mut before, path) = (world.root_browser().await, "/console/account/contact");
        let password = world.founded.root_password.expose().to_owned();
        let thief = [("email", "thief@evil.example"), ("phone", "+4915112345678")];
        before.get("/console/account").await.shows("id=\"current_password\"").hides("id=\"needs-mfa\"");
        before.post(path, &thief).await.shows("not your current password").shows("thief@evil.example");
        let (_, seed) = world.virtual_device(&world.root(), "root-account-mfa-device").await;
        before.get("/console/account").await.shows("id=\"needs-mfa\"").shows("id=\"sign-in-again\"");
        let [email, phone] = thief;
        before.post(path, &[email, phone, ("current_password", &password)]).await.shows("Sign in again with MFA");
        assert_eq!(kept().await.email, "root@example.com");
        let mut root = world.browser();
        root.sign_in_root("root@example.com", &password).await.at("/console/mfa");
        let code = world.code(&seed);
        root.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        root.get("/console/account").await.hides("id=\"needs-mfa\"");
        root.post(path, &[email, phone]).await.shows("not your current password");
        assert_eq!(kept().await.email, "root@example.com");
        root.post(path, &[("email", "new@example.com"), ("current_password", &password)]).await.shows("Saved.");
        assert_eq!(kept().await.email, "new@example.com");
    });
}

#[test]
fn the_password_is_not_guessed_at_the_form_of_the_contact() {
    run(async {
        let world = World::new().await;
        let mut root = world.root_browser().await;
        root.get("/console/account").await;
        let fields = [("email", "new@example.com"), ("current_password", "wrong wrong wrong")];
        let mut tries = 0;
        while root.post_once("/console/account/contact", &fields).await.status == 303 {
            tries += 1;
        }
        assert_eq!(tries, super::super::limits::NETWORK_TRIES_MAX);
    });
}
