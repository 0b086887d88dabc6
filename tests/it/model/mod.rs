//! A second, naive model of the whole engine, and the comparison of the two on generated histories.
//!
//! The model keeps one list of what happened and answers every question by reading that list from its
//! start. It knows the rules, not the code: no fold, no state, no arithmetic of the domain crate.

mod cast;
mod corners;
mod facts;
mod machine;
mod perform;
mod regressions;
mod rules;
mod steps;
mod words;
