//! A message that is to be handed over, and what becomes of it after each try.

use countersign_domain::ids::{ChallengeId, PrincipalId, UnixMillis, Version};
use countersign_domain::sms::{Prefix, RouteName};

use super::queue::Routes;

/// A message that is to be handed over.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) principal: PrincipalId,
    pub(crate) challenge: ChallengeId,
    pub(crate) decision: Version,
    pub(crate) to: Prefix,
    pub(crate) until: UnixMillis,
}

/// What becomes of a message after it was carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing more.
    Done,
    /// Another try, not before then.
    Again(UnixMillis, Routing),
    /// Nobody can be asked any more: the engine closes, or does not work.
    Stop,
}

/// By which routes a message is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Routing {
    /// As before.
    Same,
    /// By this one after all others.
    Last(RouteName),
    /// By this one no more.
    Without(RouteName),
    /// By this one alone.
    Only(RouteName),
}

impl Routing {
    pub(super) fn apply(self, routes: &mut Routes) {
        match self {
            Self::Same => {}
            Self::Last(last) => {
                if let Some(place) = routes.iter().position(|route| *route == last) {
                    routes[place..].rotate_left(1);
                }
            }
            Self::Without(route) => routes.retain(|other| *other != route),
            Self::Only(route) => *routes = vec![route],
        }
    }
}
