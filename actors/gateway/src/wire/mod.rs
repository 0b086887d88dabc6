//! The AWS Query protocol: forms in, XML out (R201..R213).
//!
//! Nothing here knows who calls or what the engine holds. A request becomes [`Params`], these
//! become a typed input of one [`Operation`], and an answer or an [`ApiError`] becomes XML.
//!
//! [`ApiError`]: crate::errors::ApiError

pub mod answer;
pub mod constraints;
pub mod form;
pub mod input;
pub mod lists;
pub mod marker;
pub mod operation;
pub mod time;
pub mod xml;

pub use form::Params;
pub use operation::{Input, Operation};
