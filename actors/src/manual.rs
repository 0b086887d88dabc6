//! The manual: what belongs to no single item.

#[cfg(feature = "testing")]
#[doc = include_str!("manual/testing.md")]
pub mod testing {}

#[doc = include_str!("manual/threats.md")]
pub mod threats {}
