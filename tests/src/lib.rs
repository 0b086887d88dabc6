//! What the integration tests, the benches and their helper programs share.

pub mod keys;
