//! The cookies of the console: what comes with a request and what goes back.

use actix_web::http::header::{COOKIE, HeaderMap};

/// The part of the site that gets the cookies where there is no TLS.
const COOKIE_PATH: &str = "/console";
/// Cookies of one request that are looked at.
const COOKIES_MAX: usize = 64;

/// The cookies of the console, each with one task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cookie {
    /// Random; the forms before any sign-in are bound to it.
    Visitor,
    /// A sign-in between its two pages, sealed. It opens no page of a session.
    Attempt,
    /// The secret of a session.
    Session,
    /// An enrolment that the session has begun, sealed and bound to it.
    Enrolment,
    /// A message for the next page, sealed.
    Flash,
}

impl Cookie {
    const fn name(self) -> &'static str {
        match self {
            Self::Visitor => "countersign-visitor",
            Self::Attempt => "countersign-attempt",
            Self::Session => "countersign-session",
            Self::Enrolment => "countersign-enrolment",
            Self::Flash => "countersign-flash",
        }
    }

    /// Its name on the wire. A browser takes a `__Host-` cookie over TLS and from this very host alone, so that no
    /// neighbour of the same domain plants one of its own: a session of its own account, say, in which somebody
    /// then registers a key. It wants the path `/` (RFC 6265bis, section 4.1.3.2).
    pub(super) fn wire_name(self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        format!("{prefix}{}", self.name())
    }

    /// The header that sets it, for as long as the browser runs or for some seconds.
    pub(super) fn set(self, value: &str, life_s: Option<u64>, secure: bool) -> String {
        let name = self.wire_name(secure);
        let path = if secure { "/" } else { COOKIE_PATH };
        let mut header = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Strict");
        if secure {
            header.push_str("; Secure");
        }
        if let Some(life_s) = life_s {
            header.push_str(&format!("; Max-Age={life_s}"));
        }
        header
    }

    /// The header that takes it away.
    pub(super) fn clear(self, secure: bool) -> String {
        self.set("", Some(0), secure)
    }
}

/// The cookies that came with a request.
#[derive(Default)]
pub(super) struct Cookies {
    values: Vec<(String, String)>,
    secure: bool,
}

impl Cookies {
    /// Reads the headers; what is no pair is passed over.
    pub(super) fn of(headers: &HeaderMap, secure: bool) -> Self {
        let lines = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let values = pairs.take(COOKIES_MAX).map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        Self { values: values.collect(), secure }
    }

    /// The value of a cookie, unless it is empty.
    pub(super) fn get(&self, cookie: Cookie) -> Option<&str> {
        let wanted = cookie.wire_name(self.secure);
        let found = self.values.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_prefix_follow_the_transport() {
        let plain = Cookie::Session.set("x", None, false);
        assert_eq!(plain, "countersign-session=x; Path=/console; HttpOnly; SameSite=Strict");
        let secure = Cookie::Attempt.set("x", Some(600), true);
        assert_eq!(secure, "__Host-countersign-attempt=x; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=600");
        assert!(Cookie::Flash.clear(true).ends_with("Max-Age=0"));
    }

    #[test]
    fn only_the_name_of_the_transport_counts() {
        let mut headers = HeaderMap::new();
        let line = "a; b=c; countersign-session=plain ;__Host-countersign-session=safe; countersign-flash=";
        headers.insert(COOKIE, line.parse().unwrap());
        assert_eq!(Cookies::of(&headers, false).get(Cookie::Session), Some("plain"));
        assert_eq!(Cookies::of(&headers, true).get(Cookie::Session), Some("safe"));
        assert_eq!(Cookies::of(&headers, false).get(Cookie::Flash), None);
        assert_eq!(Cookies::of(&headers, false).get(Cookie::Attempt), None);
    }
}
