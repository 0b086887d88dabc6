//! Reads a journal back into states and checks it, offline.
//!
//! A library first: [`fold`] turns entries into facts and facts into states by the domain's own fold,
//! [`verify`](mod@verify) checks that nothing was changed and that the laws hold, [`ask`] answers
//! what was true at an instant, citing the entries that decide it. The tool `countersign-replay` is a
//! thin front over them.

pub mod ask;
pub mod fold;
pub mod source;
pub mod trail;
pub mod verify;
