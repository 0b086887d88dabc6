//! Text messages for Countersign through an SMSC that speaks SMPP 3.4.
//!
//! [`SmppTransport`] is a [`SmsTransport`](countersign::SmsTransport): it keeps one bind or two, submits each code as
//! one message that lives as long as the code, and passes delivery receipts on. [`SmppConfig`] says how the SMSC is
//! reached, and [`SmppHealth`] how that goes.
//!
//! | part | does |
//! |---|---|
//! | `transport` | the port, and the thread behind it |
//! | `link`, `connect`, `backoff` | a bind that is kept, and tried again after a loss, ever later |
//! | `lively` | the protocol's client, without its stalls |
//! | `dispatch`, `pdu`, `outcome` | a message as `submit_sm`, its place in the window, and what the answer means |
//! | `deliveries`, `receipt`, `ids` | `deliver_sm` as a receipt, and the answer to it |
//! | `inbox` | receipts that wait to be recorded, and are acknowledged then |
//! | `config`, `settings`, `address`, `source`, `tls` | a setup, checked |
//!
//! Neither numbers nor texts nor the password are ever logged. What the protocol's codec would log is dropped, because
//! it would log all three.
//!
//! ```no_run
//! use countersign_smpp::{SmppConfig, SmppTransport};
//!
//! let smsc = SmppConfig::new("smpps://smsc.example.com:3550", "countersign", "secret08", "Example");
//! let transport = SmppTransport::start(smsc)?;
//! # Ok::<(), countersign_smpp::SmppError>(())
//! ```

mod address;
mod backoff;
mod config;
mod connect;
mod deliveries;
mod dispatch;
mod error;
mod health;
mod ids;
mod inbox;
mod link;
mod lively;
mod outcome;
mod pdu;
mod receipt;
mod settings;
mod source;
mod stop;
mod tls;
mod transport;

pub use config::{BindMode, SmppConfig};
pub use error::SmppError;
pub use health::SmppHealth;
pub use ids::IdForm;
pub use transport::SmppTransport;

/// What a `deliver_sm` is read as, for the fuzzing of what SMSCs send: `None` for a message of a person, `Some(None)` for a
/// receipt that nobody can understand.
#[cfg(fuzzing)]
#[doc(hidden)]
#[must_use]
pub fn read_delivery(deliver: &rusmpp::pdus::DeliverSm, ids: IdForm) -> Option<Option<countersign::SmsReceipt>> {
    match receipt::read(deliver, ids) {
        receipt::Delivered::Receipt(receipt) => Some(Some(receipt)),
        receipt::Delivered::Unclear => Some(None),
        receipt::Delivered::Message => None,
    }
}
