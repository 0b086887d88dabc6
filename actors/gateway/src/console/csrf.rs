//! Forms count only when they come from our own pages.
//!
//! Two checks, each enough where the other fails: what the browser says about the request's origin, and a
//! token in the form that is bound to the session, the sign-in or the visitor whose page it was.

use actix_web::http::header::{HeaderMap, ORIGIN};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::engine::{Countersign, Error};

const LABEL: &[u8] = b"countersign console form v1";
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What a form is bound to.
#[derive(Clone, Copy)]
pub(super) enum Bound<'a> {
    /// The visitor cookie: before any sign-in.
    Visitor(&'a [u8]),
    /// A sign-in between its two pages.
    Attempt(&'a [u8]),
    /// A session.
    Session(&'a [u8]),
}

/// Makes and checks the tokens of forms.
pub(super) struct Csrf {
    mac: Hmac<Sha256>,
}

impl Csrf {
    pub(super) fn new(engine: &Countersign) -> Result<Self, Error> {
        let key = engine.derive_key("console forms")?;
        let mut block = zeroize::Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&*key);
        Ok(Self { mac: Hmac::new(&(*block).into()) })
    }

    fn mac(&self, bound: Bound<'_>) -> Hmac<Sha256> {
        let (kind, bytes) = match bound {
            Bound::Visitor(bytes) => (1, bytes),
            Bound::Attempt(bytes) => (2, bytes),
            Bound::Session(bytes) => (3, bytes),
        };
        self.mac.clone().chain_update(LABEL).chain_update([kind]).chain_update(bytes)
    }

    pub(super) fn token(&self, bound: Bound<'_>) -> String {
        BASE64URL_NOPAD.encode(&self.mac(bound).finalize().into_bytes())
    }

    /// Takes the same time wherever a token differs.
    pub(super) fn fits(&self, bound: Bound<'_>, token: &str) -> bool {
        let token = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap_or_default();
        self.mac(bound).verify_slice(&token).is_ok()
    }
}

/// Whether the browser says that a form comes from a page of ours. Where it says nothing, the token decides: our
/// pages send no referrer, and browsers then call the origin of a form `null`.
pub(super) fn from_own_page(headers: &HeaderMap, host: &str, public_origin: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = text(ORIGIN.as_str()).filter(|origin| *origin != "null") else { return true };
    let own = origin.split_once("://").is_some_and(|(scheme, rest)| scheme.starts_with("http") && rest == host);
    own || public_origin == Some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Config;

    #[test]
    fn a_token_fits_its_own_binding_only() {
        let engine = Countersign::in_memory(Config::default()).unwrap();
        let csrf = Csrf::new(&engine).unwrap();
        let token = csrf.token(Bound::Session(b"a"));
        assert!(csrf.fits(Bound::Session(b"a"), &token));
        for other in [Bound::Session(b"b"), Bound::Attempt(b"a"), Bound::Visitor(b"a")] {
            assert!(!csrf.fits(other, &token));
        }
        for junk in ["", "A", "%", &token[1..], &format!("{token}AA")] {
            assert!(!csrf.fits(Bound::Session(b"a"), junk), "{junk}");
        }
    }

    #[test]
    fn other_sites_are_refused() {
        let judged = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(name.parse().unwrap(), value.parse().unwrap());
            }
            from_own_page(&headers, "127.0.0.1:7617", Some("https://console.example.com"))
        };
        assert!(judged(&[]));
        assert!(judged(&[("origin", "http://127.0.0.1:7617"), (SEC_FETCH_SITE, "same-origin")]));
        assert!(judged(&[("origin", "https://console.example.com")]));
        assert!(judged(&[("origin", "null"), (SEC_FETCH_SITE, "same-origin")]));
        for bad in ["http://127.0.0.1:7618", "http://evil.example", "https://console.example.com.evil.example"] {
            assert!(!judged(&[("origin", bad)]), "{bad}");
        }
        for bad in ["cross-site", "same-site", "none"] {
            assert!(!judged(&[("origin", "http://127.0.0.1:7617"), (SEC_FETCH_SITE, bad)]), "{bad}");
        }
    }
}
