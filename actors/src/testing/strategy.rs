//! Histories that proptest generates and shrinks.

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use super::deed::{Deed, Device, Typed, With};
use super::model::Model;
use super::world::World;
use crate::{Policy, Purpose};

/// Who and what appears in generated histories: few of each, so that they meet.
///
/// ```
/// use countersign::testing::Cast;
/// let alone = Cast { users: vec!["lee"], ..Cast::default() };
/// assert_eq!(alone.apps.len(), 4);
/// ```
#[derive(Clone, Debug)]
pub struct Cast {
    /// Users; one at least.
    pub users: Vec<&'static str>,
    /// Apps; one at least.
    pub apps: Vec<&'static str>,
    /// Security keys; with none, histories have none.
    pub keys: Vec<&'static str>,
    /// Telephones; with none, histories have none.
    pub handsets: Vec<&'static str>,
}

impl Default for Cast {
    /// Four users, of which two have names that differ in case only; four apps alike; two keys, two telephones.
    fn default() -> Self {
        Self {
            users: vec!["lee", "dana", "kim", "LEE"],
            apps: vec!["phone", "tablet", "spare", "PHONE"],
            keys: vec!["blue", "red"],
            handsets: vec!["flip", "slab"],
        }
    }
}

impl Cast {
    /// What may happen next in a history that has come so far, with weights that lead into the corners of the rules.
    ///
    /// ```
    /// use countersign::testing::{Cast, Model};
    /// use countersign::Policy;
    /// use proptest::strategy::{Strategy, ValueTree};
    ///
    /// let mut runner = proptest::test_runner::TestRunner::deterministic();
    /// let next = Cast::default().next_deed(&Model::new(Policy::classic()));
    /// let deed = next.new_tree(&mut runner).unwrap().current();
    /// ```
    pub fn next_deed(&self, model: &Model) -> BoxedStrategy<Deed> {
        let (users, apps) = (self.users.clone(), self.apps.clone());
        let user = || prop::sample::select(users.clone());
        let app = || prop::sample::select(apps.clone());
        let mut choices = vec![
            (4, user().prop_map(Deed::AddUser).boxed()),
            (1, user().prop_map(Deed::RemoveUser).boxed()),
            (4, app().prop_map(Deed::CreateApp).boxed()),
            (1, app().prop_map(Deed::DeleteApp).boxed()),
            (2, (user(), app(), any_typed()).prop_map(|(user, app, codes)| Deed::Enable { user, app, codes }).boxed()),
            (1, (app(), -4..=4_i32).prop_map(|(app, steps)| Deed::Drift { app, steps }).boxed()),
            (9, (0..40_u32).prop_map(|seconds| Deed::Wait { seconds }).boxed()),
            (2, (0..600_u32).prop_map(|seconds| Deed::Wait { seconds }).boxed()),
            (2, Just(Deed::Jump).boxed()),
            (1, (0..90_u32).prop_map(|seconds| Deed::SetBack { seconds }).boxed()),
            (1, Just(Deed::Restart).boxed()),
            (1, any::<u8>().prop_map(|kept| Deed::Crash { kept }).boxed()),
        ];
        choices.extend(self.with_what_there_is(model));
        if !self.keys.is_empty() {
            let key = prop::sample::select(self.keys.clone());
            choices.push((3, (user(), key).prop_map(|(user, key)| Deed::EnrolKey { user, key }).boxed()));
        }
        if !self.handsets.is_empty() {
            let handset = prop::sample::select(self.handsets.clone());
            let enrol = (user(), handset).prop_map(|(user, handset)| Deed::EnrolHandset { user, handset });
            choices.push((3, enrol.boxed()));
        }
        prop::strategy::Union::new_weighted(choices).boxed()
    }

    /// What is done with devices that users have, and with apps that nobody has.
    fn with_what_there_is(&self, model: &Model) -> Vec<(u32, BoxedStrategy<Deed>)> {
        let here: Vec<&'static str> = self.users.iter().copied().filter(|user| model.is_user(user)).collect();
        if here.is_empty() {
            return Vec::new();
        }
        let held: Vec<(&'static str, Device)> =
            here.iter().flat_map(|user| model.devices(user).into_iter().map(|device| (*user, device))).collect();
        let mut choices = vec![(4, self.any_sign_in(&here))];
        let free = model.free_apps();
        if !free.is_empty() {
            let enable = (prop::sample::select(here), prop::sample::select(free.clone()), any_typed());
            choices.push((12, enable.prop_map(|(user, app, codes)| Deed::Enable { user, app, codes }).boxed()));
        }
        if held.is_empty() {
            return choices;
        }
        let one = || prop::sample::select(held.clone());
        if !free.is_empty() {
            let rotate = (one(), prop::sample::select(free), any_typed());
            let rotate = rotate.prop_map(|((user, old), app, codes)| Deed::Rotate { user, old, app, codes });
            choices.push((4, rotate.boxed()));
        }
        choices.extend([
            (3, one().prop_map(|(user, device)| Deed::Deactivate { user, device }).boxed()),
            (24, (one(), any_typed(), any_purpose()).prop_map(use_it).boxed()),
            (6, (one(), any_typed()).prop_map(|((user, device), codes)| again(user, device, codes)).boxed()),
        ]);
        choices
    }

    /// A sign-in with anything of anybody.
    fn any_sign_in(&self, here: &[&'static str]) -> BoxedStrategy<Deed> {
        let mut with = vec![Just(With::Password).boxed()];
        let app = prop::sample::select(self.apps.clone());
        with.push((app, any_typed()).prop_map(|(app, code)| With::Code(app, code)).boxed());
        if !self.keys.is_empty() {
            with.push(prop::sample::select(self.keys.clone()).prop_map(With::Touch).boxed());
        }
        if !self.handsets.is_empty() {
            with.push(prop::sample::select(self.handsets.clone()).prop_map(With::Text).boxed());
        }
        let user = prop::sample::select(here.to_vec());
        (user, prop::strategy::Union::new(with)).prop_map(|(user, with)| Deed::SignIn { user, with }).boxed()
    }
}

/// A device is used by who has it.
fn use_it(((user, device), code, purpose): ((&'static str, Device), Typed, Purpose)) -> Deed {
    match device {
        Device::App(app) if purpose == Purpose::SignIn => Deed::SignIn { user, with: With::Code(app, code) },
        Device::App(app) => Deed::Verify { user, app, code, purpose },
        Device::Key(key) if code == Typed::Again => Deed::SignIn { user, with: With::Copy(key) },
        Device::Key(key) => Deed::SignIn { user, with: With::Touch(key) },
        Device::Handset(handset) => Deed::SignIn { user, with: With::Text(handset) },
    }
}

/// An app's time is learned anew; a device of another kind is used.
fn again(user: &'static str, device: Device, codes: Typed) -> Deed {
    match device {
        Device::App(app) => Deed::Resync { user, app, codes },
        Device::Key(_) | Device::Handset(_) => use_it(((user, device), codes, Purpose::SignIn)),
    }
}

fn any_typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        10 => Just(Typed::Shown(0)),
        4 => (-3..=3_i16).prop_map(Typed::Shown),
        1 => (-1100..=1100_i16).prop_map(Typed::Shown),
        2 => Just(Typed::Again),
        3 => Just(Typed::Wrong),
    ]
}

fn any_purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![3 => Just(Purpose::SignIn), 1 => Just(Purpose::SessionToken), 1 => Just(Purpose::AssumeRole)]
}

/// Histories of the default [`Cast`], under the three presets.
///
/// With [`World`] as the system under test it checks that the engine does what the [`Model`] says. For a platform of your
/// own, write your own machine around [`Model`] and [`Cast::next_deed`]; the [manual](crate::manual::testing) shows one.
///
/// ```
/// use countersign::testing::{Histories, World};
/// use proptest::test_runner::Config;
/// use proptest_state_machine::prop_state_machine;
///
/// prop_state_machine! {
///     #![proptest_config(Config { cases: 4, ..Config::default() })]
///     fn the_engine_does_what_the_model_says(sequential 1..20 => World);
/// }
/// // A test, as soon as it has the attribute of one.
/// the_engine_does_what_the_model_says();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Histories;

impl ReferenceStateMachine for Histories {
    type State = Model;
    type Transition = Deed;

    fn init_state() -> BoxedStrategy<Model> {
        prop_oneof![Just(Policy::classic()), Just(Policy::modern()), Just(Policy::strict())]
            .prop_map(Model::new)
            .boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Deed> {
        Cast::default().next_deed(model)
    }

    fn apply(mut model: Model, deed: &Deed) -> Model {
        model.perform(deed);
        model
    }
}

impl StateMachineTest for World {
    type SystemUnderTest = Self;
    type Reference = Histories;

    fn init_test(model: &Model) -> Self {
        Self::new(model.policy().clone())
    }

    fn apply(mut world: Self, model: &Model, deed: Deed) -> Self {
        world.agrees(model, &deed);
        world
    }

    fn teardown(world: Self, _: Model) {
        assert_eq!(world.broken_laws(), []);
    }
}

impl World {
    /// Does a deed that a model has done, and compares what came of it, and what users have.
    ///
    /// # Panics
    /// When the two disagree.
    ///
    /// ```
    /// # use countersign::{Policy, testing::{Deed, Model, World}};
    /// let (mut world, mut model) = (World::new(Policy::classic()), Model::new(Policy::classic()));
    /// model.perform(&Deed::AddUser("lee"));
    /// world.agrees(&model, &Deed::AddUser("lee"));
    /// ```
    pub fn agrees(&mut self, model: &Model, deed: &Deed) {
        assert_eq!(self.perform(deed), *model.outcome(), "the engine, and what the model says of {deed:?}");
        for user in model.users() {
            assert_eq!(self.devices(user), model.devices(user), "the devices of {user} after {deed:?}");
        }
    }
}
