//! The test kit: for people who test their platform with Countersign inside.
//!
//! | you want | take |
//! |---|---|
//! | a story that a reader can follow | [`Story`]: given, when, then |
//! | generated histories, shrunk to the shortest that fails | [`Model`], [`Cast::next_deed`], [`Histories`] |
//! | an engine with everything around it simulated | [`World`] |
//! | time that stands still, or goes to the next deadline | [`VirtualClock`] |
//! | randomness that can be repeated, or runs dry | [`SeededEntropy`] |
//! | a disk that fails, tears, delays and crashes on cue | [`TestDisk`] |
//! | devices: an app with drift, a security key, a telephone | [`Authenticator`], [`SecurityKey`], [`Handset`] |
//! | to know that whatever happened was lawful | [`broken_laws`] |
//!
//! The parts are independent: each port can be put into a [`Config`](crate::Config) of your own. The chapter
//! [`manual::testing`](crate::manual::testing) finds a planted bug in a small platform, from the beginning.
//!
//! With the feature `testing` only, which belongs under `[dev-dependencies]`. What is here panics where a test should fail.

mod authenticator;
mod clock;
mod deed;
mod disk;
mod entropy;
mod hands;
mod handset;
mod laws;
mod model;
mod security_key;
mod story;
mod strategy;
mod world;

pub use authenticator::{Authenticator, STEP_S, digits, from_base32, hotp, remembered};
pub use clock::VirtualClock;
pub use deed::{Deed, Device, Outcome, Typed, With};
pub use disk::{Held, TestDisk, Wreck};
pub use entropy::{Dice, SeededEntropy};
pub use handset::Handset;
pub use laws::broken_laws;
pub use model::{Model, START};
pub use security_key::{ORIGIN, SecurityKey, challenge_of};
pub use story::Story;
pub use strategy::{Cast, Histories};
pub use world::World;
