//! Deciding again what was decided before: commands are read back from what they recorded.

mod command;
mod decide;

pub use command::{Command, Pair, Recorded, Shown, Untold, command_of};
pub use decide::{Again, decide};
