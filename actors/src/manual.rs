//! The manual: what belongs to no single item.

#[doc = include_str!("manual/threats.md")]
pub mod threats {}
