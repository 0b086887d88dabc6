//! A second, naive model of the whole engine, and the comparison of the two on generated histories.
//!
//! The model keeps one list of what happened and answers every question by reading that list from its
//! start. It knows the rules, not the code: no fold, no state, no arithmetic of the domain crate.

mod ask;
mod cast;
mod codes;
mod commands;
mod corners;
mod counters;
mod doors;
mod facts;
mod hands;
mod keys;
mod machine;
mod perform;
mod phones;
mod recovery;
mod regressions;
mod replayed;
mod resolve;
mod rules;
mod scenes;
mod sign_in;
mod steps;
mod taps;
mod views;
mod words;
