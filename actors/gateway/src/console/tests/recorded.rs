//! What the log says of who stood at the door.

use std::ops::ControlFlow;

use countersign::domain::event::Event;
use countersign::domain::ids::Position;
use countersign::domain::wire;

use super::*;
use crate::console::limits::NETWORK_TRIES_MAX;
use crate::engine::Client;

/// The steps of sign-ins in a log, in order, and where each came from.
fn steps(world: &World) -> Vec<(&'static str, Client)> {
    let mut steps = Vec::new();
    let scanned = world.journal.scan(Position(0), &mut |entry| {
        let header = entry.header;
        let body =
            if header.is_sealed() { world.journal.unseal(&header, entry.body).unwrap() } else { entry.body.to_vec() };
        let step = match wire::decode(header.event_type, header.type_version, &body).unwrap() {
            Event::PasswordRefused(e) => Some(("password refused", e.client)),
            Event::PasswordsLocked(e) => Some(("passwords locked", e.client)),
            Event::SignInStarted(e) => Some(("begun", e.client)),
            Event::SignInRefused(e) => Some(("refused", e.client)),
            Event::SmsCodeIssued(e) => Some(("sent", e.client)),
            Event::KeyChallengeIssued(e) => Some(("challenged", e.client)),
            Event::AlternativeIssued(e) => Some(("alternative", e.client)),
            Event::SignedIn(e) => Some(("in", e.client)),
            _ => None,
        };
        steps.extend(step);
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    steps
}

#[test]
fn every_step_at_the_door_says_from_where_and_by_what_also_of_a_browser_that_hides() {
    run(async {
        let world = World::new().await;
        let (_, seed) = world.virtual_device(&world.lee, "lee").await;
        // Bytes that are no text, a mark that turns text around, and more than is kept.
        let agent: &'static [u8] = [&b"Evil\xff\xe2\x80\xae/1 "[..], &[b'x'; 4000]].concat().leak();
        let mut browser = Browser { agent, ..world.browser() };
        let before = steps(&world).len();
        browser.sign_in("lee", "wrong").await;
        browser.sign_in("lee", PASSWORD).await.at("/console/mfa");
        browser.post("/console/mfa/code", &[("code", "000000")]).await.at("/console/mfa");
        browser.post("/console/mfa/code", &[("code", &world.code(&seed))]).await.at("/console/");
        let mut other = Browser { agent, ..world.browser() };
        for _ in 0..=NETWORK_TRIES_MAX {
            other.sign_in("nobody", "wrong").await;
        }
        let steps = steps(&world).split_off(before);
        let told: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
        let refusals = vec!["password refused"; NETWORK_TRIES_MAX as usize];
        let story = [vec!["password refused", "begun", "refused", "in"], refusals, vec!["passwords locked"]].concat();
        assert_eq!(told, story);
        for (step, client) in steps {
            assert_eq!(client.address(), "192.0.2.1", "{step}");
            assert!(client.agent().starts_with("Evil\u{fffd}?/1 xxx"), "{step}: {}", client.agent());
            assert_eq!(client.agent().chars().count(), Client::AGENT_CHARS_MAX, "{step}");
        }
    });
}
