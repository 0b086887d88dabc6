//! Whether the files are those that were delivered.

mod verdict;

pub use verdict::{Verdict, Verdicts};
