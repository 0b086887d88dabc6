//! How often passwords may be tried.

use super::super::limits::{ADDRESS_TRIES_MAX, NETWORK_TRIES_MAX, WINDOW_MS};
use super::*;

fn wrong(name: &str) -> [(&str, &str); 3] {
    [("account", ACCOUNT), ("user_name", name), ("password", "wrong wrong wrong")]
}

#[test]
fn ten_of_sixty_four_parallel_tries_are_looked_at() {
    run(async {
        let world = World::new().await;
        let mut browser = world.browser();
        browser.get("/console/sign-in").await;
        let tries = (0..64_u8).map(|host| {
            let mut browser = browser.clone();
            browser.address = SocketAddr::from(([192, 0, 2, host], 4000));
            let name = if host % 2 == 0 { "lee" } else { "LEE" };
            actix_rt::spawn(async move { browser.post_once("/console/sign-in", &wrong(name)).await })
        });
        let tries: Vec<_> = tries.collect();
        let (mut looked_at, mut refused) = (0, 0);
        for tried in tries {
            match tried.await.unwrap().status {
                303 => looked_at += 1,
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
        assert_eq!((looked_at, refused), (NETWORK_TRIES_MAX, 64 - NETWORK_TRIES_MAX));
        // From that network the right password is not looked at either, and the next window opens again.
        let right = [("account", ACCOUNT), ("user_name", "lee"), ("password", PASSWORD)];
        let locked = browser.post_once("/console/sign-in", &right).await.status(429).shows("Too many tries");
        assert!(!locked.header("retry-after").is_empty());
        world.clock.advance_s(WINDOW_MS / 1000);
        browser.post("/console/sign-in", &right).await.at("/console/");
    });
}

#[test]
fn a_name_that_nobody_has_is_locked_alike() {
    run(async {
        let world = World::new().await;
        let mut seen = Vec::new();
        for name in ["lee", "nobody"] {
            let mut browser = world.browser();
            browser.get("/console/sign-in").await;
            let mut statuses = Vec::new();
            for _ in 0..NETWORK_TRIES_MAX {
                statuses.push(browser.post_once("/console/sign-in", &wrong(name)).await.status);
            }
            let locked = browser.post_once("/console/sign-in", &wrong(name)).await;
            seen.push((statuses, locked.status, locked.body));
        }
        assert_eq!(seen[0], seen[1]);
    });
}

#[test]
fn an_address_has_its_own_limit() {
    run(async {
        let world = World::new().await;
        let mut browser = world.browser();
        browser.get("/console/sign-in").await;
        for at in 0..ADDRESS_TRIES_MAX {
            let name = format!("nobody-{}", at / 5);
            browser.post_once("/console/sign-in", &wrong(&name)).await.status(303);
        }
        browser.post_once("/console/sign-in", &wrong("lee")).await.status(429);
        let mut elsewhere = world.browser();
        elsewhere.address = SocketAddr::from(([203, 0, 113, 9], 4000));
        elsewhere.sign_in("lee", PASSWORD).await.at("/console/");
    });
}

#[test]
fn passwords_and_codes_do_not_lock_each_other() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut waiting = world.browser();
        waiting.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let mut guessing = world.browser();
        guessing.get("/console/sign-in").await;
        while guessing.post_once("/console/sign-in", &wrong("lee")).await.status == 303 {}
        // The password page is locked; the second page goes on.
        let code = world.code(&seed);
        waiting.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        // The codes are used up; passwords are looked at.
        world.clock.advance_s(WINDOW_MS / 1000);
        let mut browser = world.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        for _ in 0..12 {
            browser.post("/console/mfa/code", &[("code", "000000")]).await;
        }
        assert!(world.engine.devices(&world.lee)[0].locked_until.is_some());
        world.browser().sign_in("lee", PASSWORD).await.at("/console/mfa");
    });
}

#[test]
fn who_signs_in_often_is_not_locked_out() {
    run(async {
        let world = World::new().await;
        for _ in 0..2 * NETWORK_TRIES_MAX {
            world.browser().sign_in("lee", PASSWORD).await.at("/console/");
        }
    });
}

#[test]
fn strangers_elsewhere_do_not_lock_the_owner_out() {
    run(async {
        let world = World::new().await;
        let mut stranger = world.browser();
        stranger.get("/console/sign-in").await;
        for network in 0..3 {
            stranger.address = SocketAddr::from(([198, 51, network, 7], 4000));
            while stranger.post_once("/console/sign-in", &wrong("lee")).await.status == 303 {}
        }
        world.lee().await;
    });
}

#[test]
fn who_has_the_password_alone_begins_no_sign_ins_without_an_end() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        let mut owner = world.browser();
        owner.sign_in("lee", PASSWORD).await.at("/console/mfa");
        let mut begun = 0;
        loop {
            let mut thief = world.browser();
            thief.address = SocketAddr::from(([203, 0, 113, 9], 4000));
            if thief.sign_in("lee", PASSWORD).await.status == 429 {
                break;
            }
            begun += 1;
        }
        assert_eq!(begun, NETWORK_TRIES_MAX);
        world.browser().sign_in("lee", PASSWORD).await.at("/console/mfa");
        // Who completes them has them back.
        for _ in 0..2 * NETWORK_TRIES_MAX {
            let mut browser = world.browser();
            browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
            let code = world.code(&seed);
            browser.post("/console/mfa/code", &[("code", &code)]).await.at("/console/");
        }
    });
}
