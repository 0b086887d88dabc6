//! Where a person sits: the address and the user agent of a request, bounded and sanitised.

use alloc::string::{String, ToString};
use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The client of a request: its network address and what it calls itself.
///
/// Personal data: part of sealed events only, and `Debug` shows neither. Its fields are frozen.
///
/// ```
/// use countersign_domain::client::Client;
///
/// let client = Client::new(Some([203, 0, 113, 7].into()), "Firefox\n/130");
/// assert_eq!((client.address(), client.agent()), ("203.0.113.7", "Firefox?/130"));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Client {
    address: String,
    agent: String,
}

impl Client {
    /// The longest user agent that is kept, in characters.
    pub const AGENT_CHARS_MAX: usize = 256;

    /// Takes an address and a user agent as they came. Control characters and marks that change the direction of
    /// text become `?`, and what is too long is cut.
    #[must_use]
    pub fn new(address: Option<IpAddr>, agent: &str) -> Self {
        let tame = |c: char| if is_unsafe(c) { '?' } else { c };
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        Self { address, agent: agent.chars().take(Self::AGENT_CHARS_MAX).map(tame).collect() }
    }

    /// The address; empty when it is not known.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The user agent; empty when it is not known.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }
}

/// Characters that can deceive who reads a log: controls, and those that reorder or hide text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

/// As it is stored; what was stored was sanitised before, so anything else is not ours.
#[derive(Deserialize)]
struct Stored {
    address: String,
    agent: String,
}

impl TryFrom<Stored> for Client {
    type Error = &'static str;
    fn try_from(stored: Stored) -> Result<Self, &'static str> {
        let Stored { address, agent } = stored;
        let known = address.is_empty() || address.parse::<IpAddr>().is_ok();
        let tame = agent.chars().count() <= Self::AGENT_CHARS_MAX && !agent.chars().any(is_unsafe);
        if known && tame { Ok(Self { address, agent }) } else { Err("a client is an address and a tame user agent") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_cut_and_tamed_and_survives_storing() {
        let client = Client::new(None, &"a\u{202e}\r\n".repeat(200));
        assert_eq!(client.agent().chars().count(), Client::AGENT_CHARS_MAX);
        assert!(!client.agent().chars().any(is_unsafe));
        let stored = postcard::to_allocvec(&client).unwrap();
        assert_eq!(postcard::from_bytes::<Client>(&stored).unwrap(), client);
    }

    #[test]
    fn what_was_not_sanitised_is_not_read_back() {
        let wild = postcard::to_allocvec(&("", "a\nb")).unwrap();
        assert!(postcard::from_bytes::<Client>(&wild).is_err());
    }
}
