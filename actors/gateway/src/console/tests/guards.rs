//! What holds for every address: headers, cookies, tokens, limits, and no surprise on odd input.

use super::*;

/// Every path that the console knows, with a path that it does not.
const PATHS: [&str; 32] = [
    "/console/",
    "/console/sign-in",
    "/console/sign-in/root",
    "/console/sign-out",
    "/console/mfa",
    "/console/mfa/code",
    "/console/mfa/key",
    "/console/mfa/offer",
    "/console/mfa/send",
    "/console/mfa/methods",
    "/console/mfa/help",
    "/console/mfa/resync",
    "/console/mfa/cancel",
    "/console/recovery",
    "/console/recovery/mail",
    "/console/recovery/mail/send",
    "/console/recovery/call",
    "/console/recovery/finish",
    "/console/devices",
    "/console/devices/add/virtual",
    "/console/devices/add/key/tap",
    "/console/devices/add/sms/send",
    "/console/devices/resync",
    "/console/devices/remove",
    "/console/password",
    "/console/users",
    "/console/create-user",
    "/console/users/AIDALEE/delete",
    "/console/account",
    "/console/account/alias",
    "/console/development",
    "/console/nothing",
];

#[track_caller]
fn protected(reply: &Reply) {
    let policy = reply.header("content-security-policy");
    for part in
        ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
    {
        assert!(policy.contains(part), "{part} is missing at {}", reply.path);
    }
    assert_eq!(reply.header("x-content-type-options"), "nosniff", "{}", reply.path);
    assert_eq!(reply.header("referrer-policy"), "no-referrer", "{}", reply.path);
    assert!(reply.header("permissions-policy").contains("publickey-credentials-get=(self)"), "{}", reply.path);
    assert!(!policy.contains("unsafe"));
}

#[test]
fn every_answer_is_protected_and_no_page_is_cached() {
    run(async {
        let world = World::new().await;
        let (mut stranger, mut signed_in) = (world.browser(), world.administrator().await);
        for path in PATHS {
            for browser in [&mut stranger, &mut signed_in] {
                for request in [TestRequest::get(), TestRequest::post(), TestRequest::delete(), TestRequest::patch()] {
                    let reply = browser.send(request, path).await;
                    protected(&reply);
                    assert_eq!(reply.header("cache-control"), "no-store", "{path}");
                    assert!(reply.status < 500, "{path} {}", reply.status);
                    let inline = ["<style", " style=", "onclick", "<script>", "javascript:"];
                    assert!(!inline.iter().any(|inline| reply.body.contains(inline)), "{path}");
                }
            }
        }
    });
}

#[test]
fn assets_are_kept_for_ever_under_names_of_their_content() {
    run(async {
        let mut browser = World::new().await.browser();
        let page = browser.get("/console/sign-in").await;
        let style = page.between("rel=\"stylesheet\" href=\"", "\"").unwrap().to_owned();
        let reply = browser.get(&style).await.status(200).shows("--paper");
        protected(&reply);
        assert!(reply.header("cache-control").contains("immutable"));
        let rosette = reply.between("url(\"", "\"").unwrap().to_owned();
        assert_eq!(browser.get(&rosette).await.status(200).header("content-type"), "image/svg+xml");
        browser.get("/console/assets/console-0000.css").await.status(404);
        browser.get("/console/assets/../sign-in").await.status(404);
    });
}

#[test]
fn cookies_are_for_the_console_alone_and_for_this_very_host_where_tls_is() {
    run(async {
        for secure in [false, true] {
            let world = World::with(Setup { secure, ..Setup::default() }).await;
            world.virtual_device(&world.root(), "root-account-mfa-device").await;
            let mut browser = world.browser();
            let mut lines = Vec::new();
            let mut note = |reply: &Reply| {
                let cookies = reply.headers.get_all(header::SET_COOKIE);
                lines.extend(cookies.map(|cookie| cookie.to_str().unwrap().to_owned()));
            };
            note(&browser.get("/console/sign-in").await);
            let wrong = [("account", ACCOUNT), ("user_name", "lee"), ("password", "wrong")];
            note(&browser.post_once("/console/sign-in", &wrong).await);
            let right = [("account", ACCOUNT), ("user_name", "lee"), ("password", PASSWORD)];
            note(&browser.post_once("/console/sign-in", &right).await);
            let mut root = world.browser();
            root.get("/console/sign-in/root").await;
            let password = world.founded.root_password.expose().to_owned();
            let fields = [("email", "root@example.com"), ("password", &*password)];
            note(&root.post_once("/console/sign-in/root", &fields).await);
            for name in ["visitor", "flash", "session", "attempt"] {
                let (prefix, path) = if secure { ("__Host-", "; Path=/;") } else { ("", "; Path=/console;") };
                let line = lines.iter().find(|line| line.starts_with(&format!("{prefix}countersign-{name}=")));
                let line = line.unwrap_or_else(|| panic!("no {name} in {lines:?}"));
                assert!(!line.contains("Domain"), "{line}");
                for flag in [path, "; HttpOnly", "; SameSite=Strict"] {
                    assert!(line.contains(flag), "{line}");
                }
                assert_eq!(line.contains("; Secure"), secure, "{line}");
            }
        }
    });
}

#[test]
fn a_form_without_its_token_or_from_elsewhere_changes_nothing() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        let strangers = world.administrator().await.token;
        let right = browser.token.clone();
        for token in ["", "x", &strangers, &right[1..]] {
            for path in PATHS.iter().filter(|path| path.starts_with("/console/devices/") || path.ends_with("sign-out"))
            {
                browser.post_raw(path, &form(token, &[])).await.status(400).shows("This form has expired");
            }
        }
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
            let request = TestRequest::post()
                .insert_header((header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
                .insert_header((name, value))
                .set_payload(form(&right, &[]));
            browser.send(request, "/console/sign-out").await.status(400);
        }
        browser.get("/console/").await.at("/console/").shows("lee");
        // The sign-in form too is bound to a visitor.
        let mut stranger = world.browser();
        let fields = [("account", ACCOUNT), ("user_name", "lee"), ("password", PASSWORD)];
        stranger.post_raw("/console/sign-in", &form(&right, &fields)).await.status(400);
        stranger.get("/console/sign-in").await;
        stranger.post_raw("/console/sign-in", &form(&right, &fields)).await.status(400);
        stranger.post("/console/sign-in", &fields).await.at("/console/");
    });
}

#[test]
fn forms_have_a_size_a_kind_and_each_field_once() {
    run(async {
        let mut browser = World::new().await.browser();
        browser.get("/console/sign-in").await;
        let large = form(&browser.token, &[("password", &"x".repeat(70_000))]);
        browser.post_raw("/console/sign-in", &large).await.status(413).shows("That was too much");
        let twice = format!("{}&account=1&account=2", form(&browser.token, &[]));
        browser.post_raw("/console/sign-in", &twice).await.status(400);
        browser.post_raw("/console/sign-in", "a=%zz").await.status(400);
        let json = TestRequest::post().insert_header((header::CONTENT_TYPE, "application/json")).set_payload("{}");
        browser.send(json, "/console/sign-in").await.status(400);
        browser.get("/console/sign-in?a=%ff").await.status(400);
        browser.get("/console/sign-in?nothing=known&of=this").await.status(200);
        let unknown = [("account", ACCOUNT), ("user_name", "lee"), ("password", PASSWORD), ("more", "things")];
        browser.post("/console/sign-in", &unknown).await.at("/console/");
    });
}

#[test]
fn what_was_typed_is_text_and_never_markup() {
    run(async {
        let mut browser = World::new().await.browser();
        let nasty = "\"><script>alert(1)</script>'&";
        let page = browser.get(&format!("/console/sign-in?account={}", encoded(nasty))).await;
        page.hides("<script>alert").shows("&#60;script&#62;");
        let fields = [("account", nasty), ("user_name", nasty), ("password", nasty)];
        let page = browser.post("/console/sign-in", &fields).await.shows("Sign-in failed");
        page.hides("<script>alert").hides("value=\"\"><");
        browser.get(&format!("/console/recovery/mail?code={}", encoded(nasty))).await.hides("<script>alert");
        browser.get(&format!("/console/{}", encoded(nasty))).await.status(404).hides("<script>alert");
    });
}

#[test]
fn over_tls_a_browser_is_told_to_come_back_over_tls() {
    run(async {
        let world = World::with(Setup { secure: true, ..Setup::default() }).await;
        for (host, promise) in
            [("console.example.com", "max-age=31536000"), ("localhosts", "max-age=31536000"), ("localhost:7617", "")]
        {
            // On this machine it would bind every other port too.
            let mut browser = Browser { host, ..world.browser() };
            assert_eq!(browser.get("/console/sign-in").await.header("strict-transport-security"), promise);
        }
    });
}

#[test]
fn a_link_on_another_site_leads_in_although_cookies_do_not_come_along() {
    run(async {
        let world = World::new().await;
        let mut browser = world.lee().await;
        let from_elsewhere = || TestRequest::get().insert_header(("sec-fetch-site", "cross-site"));
        let mut bare = world.browser();
        let path = "/console/devices/add?replaces=%22%3E";
        let page = bare.send(from_elsewhere(), path).await.status(200).shows("Go on to the console");
        page.shows("http-equiv=\"refresh\" content=\"0;url=/console/devices/add?replaces=%22%3E\"").hides("Sign in");
        assert!(bare.jar.is_empty(), "a page without cookies sets none");
        browser.send(from_elsewhere(), "/console/devices").await.status(200).shows("My security credentials");
    });
}

#[test]
fn other_methods_are_refused_with_those_that_are_taken() {
    run(async {
        let mut browser = World::new().await.browser();
        let refused = browser.send(TestRequest::get(), "/console/sign-out").await.status(405);
        assert_eq!(refused.header("allow"), "POST");
        let refused = browser.send(TestRequest::post(), "/console/").await.status(405);
        assert_eq!(refused.header("allow"), "GET, HEAD");
        browser.get("/console/nothing").await.status(404).shows("There is nothing here");
    });
}

#[test]
fn what_a_development_server_shows_exists_there_alone() {
    run(async {
        World::new().await.browser().get("/console/development").await.status(404);
        let world = World::with(Setup { development: true, sends: true, ..Setup::default() }).await;
        let mut browser = world.lee().await;
        browser.get("/console/devices/add/sms").await;
        browser.post("/console/devices/add/sms", &[("phone", "+14155551234")]).await;
        let code = world.outbox.messages().last().unwrap().code.to_string();
        world.browser().get("/console/development").await.shows(&code).shows("+14155551234");
        for host in ["evil.example", "localhost.evil.example:7617", ""] {
            Browser { host, ..world.browser() }.get("/console/development").await.status(404).hides(&code);
        }
    });
}

#[test]
fn a_browser_at_the_root_is_led_to_the_console_and_a_client_is_not() {
    run(async {
        let mut browser = World::new().await.browser();
        let page = TestRequest::get().insert_header((header::ACCEPT, "text/html,*/*;q=0.8"));
        let reply = browser.send(page, "/").await.status(303);
        assert_eq!(reply.header("location"), "/console/");
        let page = TestRequest::get().insert_header((header::ACCEPT, "text/html"));
        browser.send(page, "/?Action=GetCallerIdentity").await.status(404);
        browser.send(TestRequest::get().insert_header((header::ACCEPT, "*/*")), "/").await.status(404);
    });
}
