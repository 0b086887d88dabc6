//! Stories with a given, a when and a then.

use super::deed::{Deed, Outcome};
use super::model::Model;
use super::world::World;
use crate::Policy;

/// A story: what was given, what was done then, and what should have come of it.
///
/// The engine and the [`Model`] both live it; where they disagree, or the journal breaks a law at its end, it fails, whatever
/// was expected.
///
/// ```
/// use countersign::Policy;
/// use countersign::testing::{Deed, Device, Outcome, Story, Typed, With};
///
/// let by_code = |code| Deed::SignIn { user: "lee", with: With::Code("phone", code) };
/// Story::under(Policy::classic())
///     .given([
///         Deed::AddUser("lee"),
///         Deed::CreateApp("phone"),
///         Deed::Enable { user: "lee", app: "phone", codes: Typed::Shown(0) },
///         Deed::Wait { seconds: 30 },
///     ])
///     .when(by_code(Typed::Shown(0)))
///     .then(Outcome::SignedIn(Some(Device::App("phone"))))
///     .when(by_code(Typed::Again))
///     .then(Outcome::Refused)
///     .ends();
/// ```
#[must_use = "a story is checked at its end"]
#[derive(Debug)]
pub struct Story {
    world: World,
    model: Model,
    told: Vec<(Deed, Outcome)>,
}

impl Story {
    /// A story under a policy.
    ///
    /// ```
    /// # use countersign::{Policy, testing::Story};
    /// Story::under(Policy::strict()).ends();
    /// ```
    pub fn under(policy: Policy) -> Self {
        Self { world: World::new(policy.clone()), model: Model::new(policy), told: Vec::new() }
    }

    /// What has happened before.
    ///
    /// # Panics
    /// When some of it could not happen.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Story}};
    /// Story::under(Policy::classic()).given([Deed::AddUser("lee")]).ends();
    /// ```
    pub fn given(mut self, deeds: impl IntoIterator<Item = Deed>) -> Self {
        for deed in deeds {
            self = self.when(deed);
            let fine = matches!(self.last(), Some(Outcome::Done | Outcome::Accepted | Outcome::SignedIn(_)));
            assert!(fine, "this was given, and could not happen:{}", self.so_far());
        }
        self
    }

    /// Something is done.
    ///
    /// # Panics
    /// When the engine and the model disagree about it.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Story}};
    /// Story::under(Policy::classic()).when(Deed::AddUser("lee")).ends();
    /// ```
    pub fn when(mut self, deed: Deed) -> Self {
        let (came, expected) = (self.world.perform(&deed), self.model.perform(&deed));
        self.told.push((deed, came.clone()));
        assert!(came == expected, "the model says {expected:?} instead of the last outcome:{}", self.so_far());
        self
    }

    /// What should have come of what was done last.
    ///
    /// # Panics
    /// When something else did.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Outcome, Story}};
    /// Story::under(Policy::classic()).when(Deed::RemoveUser("lee")).then(Outcome::Rejected(203, None)).ends();
    /// ```
    pub fn then(self, expected: Outcome) -> Self {
        assert!(self.last() == Some(&expected), "{expected:?} should have come of the last deed:{}", self.so_far());
        self
    }

    /// The world as it is now, for what has no word.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Story}};
    /// let story = Story::under(Policy::classic()).given([Deed::AddUser("lee")]);
    /// assert_eq!(story.world().devices("lee"), []);
    /// story.ends();
    /// ```
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// The end: the journal obeys the laws.
    ///
    /// # Panics
    /// When it does not.
    ///
    /// ```
    /// # use countersign::{Policy, testing::Story};
    /// Story::under(Policy::modern()).ends();
    /// ```
    pub fn ends(self) {
        let broken = self.world.broken_laws();
        assert!(broken.is_empty(), "{broken:?} after:{}", self.so_far());
    }

    fn last(&self) -> Option<&Outcome> {
        self.told.last().map(|(_, outcome)| outcome)
    }

    fn so_far(&self) -> String {
        self.told.iter().map(|(deed, outcome)| format!("\n  {deed:?} -> {outcome:?}")).collect()
    }
}
