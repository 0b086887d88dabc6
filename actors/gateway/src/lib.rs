//! The Countersign server: the API of AWS IAM and STS over the Countersign engine.
//!
//! This is the only crate that knows AWS, HTTP and XML. A request passes these parts in turn:
//!
//! | part | does |
//! |---|---|
//! | [`server`] | HTTP, limits, probes, graceful stop, one log line for each request |
//! | [`wire`] | forms in, typed inputs, constraint messages; XML out |
//! | [`sigv4`], [`session_token`] | who signed it, with a long-term key or in a session |
//! | [`directory`] | what the platform knows: keys, users, who may do what |
//! | [`gateway`] | one method for each operation, over the engine |
//! | [`errors`] | codes, statuses and texts of refusals |
//! | [`console`] | the pages on which people sign in and manage their devices |
//! | [`sms_status`] | what SMS gateways report by HTTP |
//!
//! Beside it, [`tokens`] reads the files of hardware token vendors, and [`app`], [`cli`],
//! [`config`] and [`site`] make the `countersign` binary.
//!
//! A platform that embeds the engine puts this door in front of it with a [`directory::Directory`] of
//! its own: make a [`gateway::Gateway`], and mount [`server::routes`] or call [`server::serve`]. The
//! [`console`] is mounted before it, or left out.
//!
//! ```
//! use std::sync::Arc;
//! use countersign::{Config, Countersign};
//! use countersign_gateway::directory::Standalone;
//! use countersign_gateway::gateway::Gateway;
//!
//! let engine = Countersign::in_memory(Config::default())?;
//! let directory = Arc::new(Standalone::open(engine.clone())?); // or your own `Directory`
//! let gateway = Gateway::new(engine, directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod console;
pub mod directory;
pub mod engine;
pub mod errors;
pub mod gateway;
pub mod money;
pub mod secret;
mod secret_file;
pub mod server;
pub mod session_token;
pub mod sigv4;
pub mod site;
pub mod sms_status;
#[cfg(test)]
mod testing;
pub mod tokens;
pub mod wire;
