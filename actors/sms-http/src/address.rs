//! Addresses that may be asked, and the two spellings of one with and without its port.

use std::net::IpAddr;

use reqwest::Url;

use crate::error::ConfigError;

/// The longest address that is taken, in bytes.
const ADDRESS_MAX: usize = 2_048;

/// Takes an address that a message or a report may go to: `https`, or `http` to a loopback address; without a name or
/// password in it and without a fragment; at most 2,048 bytes.
///
/// # Errors
/// When it is anything else; `setting` is the name in the error.
///
/// ```
/// use countersign_sms_http::checked_address;
///
/// assert!(checked_address("url", "https://sms.example.com/messages").is_ok());
/// assert!(checked_address("url", "http://127.0.0.1:8080/").is_ok());
/// assert!(checked_address("url", "http://sms.example.com/messages").is_err());
/// assert!(checked_address("url", "https://name:password@sms.example.com/").is_err());
/// ```
pub fn checked_address(setting: &'static str, text: &str) -> Result<Url, ConfigError> {
    if text.len() > ADDRESS_MAX {
        return Err(ConfigError::new(setting, "must have 2,048 bytes at most"));
    }
    let url = Url::parse(text).map_err(|_| ConfigError::new(setting, "must be a whole address"))?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !secure {
        return Err(ConfigError::new(setting, "must be https, or http to a loopback address"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(ConfigError::new(setting, "must have no user name, password or fragment"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// An address with its port left out and with its port written, the default one of its scheme if it has none: a
/// signature may have been made over either.
pub(crate) fn with_and_without_port(url: &str) -> [String; 2] {
    let as_it_is = || [url.to_owned(), url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return as_it_is() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host_from = authority.rfind('@').map_or(0, |at| at + 1);
    let bracket = authority.rfind(']').map_or(host_from, |at| at.max(host_from));
    let colon = authority.get(bracket..).and_then(|tail| tail.rfind(':')).map(|at| bracket + at);
    let host = colon.map_or(authority, |at| authority.get(..at).unwrap_or(authority));
    let without = format!("{scheme}://{host}{rest}");
    if colon.is_some() {
        return [without, url.to_owned()];
    }
    let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    [without, format!("{scheme}://{host}:{port}{rest}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for fine in ["https://a.example/", "http://localhost:1/", "http://127.3.2.1/", "http://[::1]:8/x?y=1"] {
            assert!(checked_address("url", fine).is_ok(), "{fine}");
        }
        let long = format!("https://a.example/{}", "a".repeat(ADDRESS_MAX));
        let wrong = [
            "http://a.example/",
            "http://10.0.0.1/",
            "http://[2001:db8::1]/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "ftp://localhost/",
            "unix:///tmp/socket",
            "data:text/plain,x",
            "/relative",
            "",
            "https://user@a.example/",
            "https://:password@a.example/",
            "https://a.example/#there",
            long.as_str(),
        ];
        for wrong in wrong {
            assert!(checked_address("url", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_is_added_and_left_out() {
        let cases = [
            ("https://a.example/x?y=1", "https://a.example/x?y=1", "https://a.example:443/x?y=1"),
            ("http://a.example", "http://a.example", "http://a.example:80"),
            ("https://a.example:8443/x:y", "https://a.example/x:y", "https://a.example:8443/x:y"),
            ("https://u:p@a.example/", "https://u:p@a.example/", "https://u:p@a.example:443/"),
            ("https://u:p@a.example:1?z", "https://u:p@a.example?z", "https://u:p@a.example:1?z"),
            ("https://[::1]/", "https://[::1]/", "https://[::1]:443/"),
            ("https://[::1]:8443/", "https://[::1]/", "https://[::1]:8443/"),
            ("https://u]:p@a.example/", "https://u]:p@a.example/", "https://u]:p@a.example:443/"),
            ("nothing", "nothing", "nothing"),
            ("", "", ""),
        ];
        for (url, without, with) in cases {
            assert_eq!(with_and_without_port(url), [without, with], "{url}");
        }
    }
}
