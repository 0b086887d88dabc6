//! Questions to a log, and their answers as values.

mod history;
mod rotations;
mod state;

pub use history::{
    Change, DiffAnswer, Finding, FindingsAnswer, SignIn, SignInsAnswer, Timeline, TimelineAnswer, TimelineEntry, diff,
    each_observed, findings, signins, timeline,
};
pub use rotations::{Rotation, RotationsAnswer, rotations};
pub(super) use state::concerns;
pub use state::{PrincipalState, Sealing, StateAnswer, state};
