//! Codes by SMS on their way: decided once, handed over by sender actors, followed to the receipt, through any crash.
//!
//! Everything happens on a [`stage::Stage`]: an engine on a journal in memory, scripted [gateways](gateway::Gateway),
//! and a [clock](countersign::testing::VirtualClock) that stands still until a test moves it, and says what is waited for.

mod alarm;
mod budgets;
mod busy;
pub mod campaign;
pub mod canary;
mod flood;
pub mod gateway;
mod receipts;
mod restarts;
mod routes;
pub mod stage;
mod tries;
mod unread;
mod worth;
