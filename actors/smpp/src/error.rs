//! What is wrong with a setup.

use std::fmt;

/// Why a transport does not start. None of its texts shows a password.
///
/// ```
/// let range = countersign_smpp::SmppError::Range { field: "window", rule: "1 to 1000" };
/// assert_eq!(range.to_string(), "`window` must be 1 to 1000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmppError {
    /// The address is not one.
    Address,
    /// A text has the wrong length, or characters that SMPP does not carry in its place.
    Text {
        /// The field of [`SmppConfig`](crate::SmppConfig).
        field: &'static str,
        /// What it may be.
        rule: &'static str,
    },
    /// A number or a time is out of its range.
    Range {
        /// The field of [`SmppConfig`](crate::SmppConfig).
        field: &'static str,
        /// What it may be.
        rule: &'static str,
    },
    /// There is no root certificate that can be read.
    Roots,
    /// The operating system gives no thread or no timer.
    Thread,
}

impl fmt::Display for SmppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the address is not of the form `smpp://host:port` or `smpps://host:port`"),
            Self::Text { field, rule } | Self::Range { field, rule } => write!(f, "`{field}` must be {rule}"),
            Self::Roots => f.write_str("there is no root certificate that can be read"),
            Self::Thread => f.write_str("the thread of the transport could not be started"),
        }
    }
}

impl std::error::Error for SmppError {}
