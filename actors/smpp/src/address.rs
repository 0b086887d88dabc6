//! Where an SMSC listens.

use rustls::pki_types::ServerName;

use crate::SmppError;

/// An address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    pub port: u16,
    /// Over TLS, the name that the certificate must bear.
    pub server: Option<ServerName<'static>>,
}

impl Address {
    /// Takes `smpp://host:port` and `smpps://host:port`; an IPv6 address stands in brackets.
    pub(crate) fn parse(text: &str) -> Result<Self, SmppError> {
        let wrong = || SmppError::Address;
        if text.len() > 300 {
            return Err(wrong());
        }
        let (tls, authority) = match text.split_once("://").ok_or_else(wrong)? {
            ("smpp", authority) => (false, authority),
            ("smpps", authority) => (true, authority),
            _ => return Err(wrong()),
        };
        let (host, port) = authority.rsplit_once(':').ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) if inner.contains(':') => inner,
            Some(_) => return Err(wrong()),
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        let port_is_plain = !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
        let port = if port_is_plain { port.parse::<u16>().map_err(|_| wrong())? } else { return Err(wrong()) };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
        if port == 0 {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, server: tls.then_some(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_taken_apart() {
        let plain = Address::parse("smpp://smsc.example.com:2775").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.server), ("smsc.example.com", 2775, None));
        let tls = Address::parse("smpps://[2001:db8::1]:3550").unwrap();
        assert_eq!((tls.host.as_str(), tls.port), ("2001:db8::1", 3550));
        assert_eq!(tls.server, Some(ServerName::try_from("2001:db8::1").unwrap()));
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("smpp://{}:2775", "a".repeat(300));
        for bad in [
            "",
            "smsc.example.com:2775",
            "http://smsc.example.com:2775",
            "SMPP://smsc.example.com:2775",
            "smpp://smsc.example.com",
            "smpp://smsc.example.com:",
            "smpp://smsc.example.com:0",
            "smpp://smsc.example.com:65536",
            "smpp://smsc.example.com:+2775",
            "smpp://smsc.example.com:2775/",
            "smpp://user:secret@smsc.example.com:2775",
            "smpp://:2775",
            "smpp://[smsc.example.com]:2775",
            "smpp://2001:db8::1:2775",
            "smpp://smsc example.com:2775",
            long.as_str(),
        ] {
            assert_eq!(Address::parse(bad), Err(SmppError::Address), "{bad}");
        }
    }
}
