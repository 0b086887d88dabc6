//! Where the console is: the name that browsers call it by, and what follows from it.

mod sms;

use std::path::Path;

use crate::config::Settings;
use crate::console::ConsoleSettings;
use crate::engine::{DevelopmentTransports, RelyingParty, Transports};

/// Largest file of certificates, in bytes.
const ROOTS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the settings say about the site of the console.
#[derive(Clone, Debug)]
pub struct Site {
    /// Whom security keys are registered with.
    pub relying_party: RelyingParty,
    /// What carries messages.
    pub transports: Transports,
    /// What the console has to know.
    pub console: ConsoleSettings,
}

impl Site {
    /// Works it out.
    ///
    /// # Errors
    /// When browsers would not take the origin, or the certificates cannot be read; in words for the person who
    /// started the server.
    pub fn of(settings: &Settings) -> Result<Self, String> {
        let mut relying_party = match &settings.public_origin {
            Some(origin) => RelyingParty {
                id: host_of(origin)
                    .ok_or_else(|| format!("`{origin}` is no origin such as `https://console.example.com`"))?,
                origins: vec![origin.clone()],
                any_port: false,
                ..RelyingParty::default()
            },
            // Port 0 takes a free one, so the port is not known yet.
            None if settings.tls.is_some() => {
                RelyingParty { origins: vec!["https://localhost".to_owned()], ..RelyingParty::default() }
            }
            None => RelyingParty::default(),
        };
        relying_party.attestation_roots = settings.key_attestation_roots.as_deref().map(read_roots).transpose()?;
        relying_party.check().map_err(|error| error.to_string())?;
        let outbox = settings.development_transports.then(|| DevelopmentTransports::new(true));
        let mut transports = outbox.as_ref().map(Transports::development).unwrap_or_default();
        if let Some(sms) = settings.sms.as_ref().filter(|sms| !sms.route.is_empty()) {
            transports.sms = sms::routes(sms, settings.public_origin.as_deref())?;
        }
        let https = settings.public_origin.as_ref().is_some_and(|origin| origin.starts_with("https://"));
        let console = ConsoleSettings {
            public_origin: settings.public_origin.clone(),
            secure: settings.tls.is_some() || https,
            relying_party_id: relying_party.id.clone(),
            trusted_proxy: settings.trusted_proxy,
            currency: settings.sms.as_ref().map(|sms| sms.currency.clone()).unwrap_or_default(),
            outbox,
        };
        Ok(Self { relying_party, transports, console })
    }
}

/// Whether every client looks like one and the same: browsers come over TLS, which then ends at a proxy, and no proxy is
/// named. The tries at passwords of all people are counted together, and the log has the proxy's address.
#[must_use]
pub fn hides_clients(settings: &Settings) -> bool {
    let https = settings.public_origin.as_ref().is_some_and(|origin| origin.starts_with("https://"));
    https && settings.tls.is_none() && settings.trusted_proxy.is_none()
}

/// The host of an origin: what lies between the scheme and the port.
fn host_of(origin: &str) -> Option<String> {
    let (_, rest) = origin.split_once("://")?;
    let host = rest.split([':', '/']).next().unwrap_or_default();
    (!host.is_empty()).then(|| host.to_owned())
}

pub(crate) fn read_roots(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    if std::fs::metadata(path).map_err(unreadable)?.len() > ROOTS_BYTES_MAX {
        return Err(format!("{} has more than {ROOTS_BYTES_MAX} bytes", path.display()));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// The address at which a person opens the console. Security keys want a name: `localhost`, not 127.0.0.1.
#[must_use]
pub fn console_url(settings: &Settings, port: u16) -> String {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let origin = settings.public_origin.clone().unwrap_or_else(|| {
        let ip = settings.listen.ip().to_canonical();
        let host = if ip.is_loopback() || ip.is_unspecified() { "localhost".to_owned() } else { ip.to_string() };
        format!("{scheme}://{host}:{port}")
    });
    format!("{origin}/console/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    fn site(origin: Option<&str>) -> Result<Site, String> {
        let layer = Layer { public_origin: origin.map(str::to_owned), ..Layer::default() };
        Site::of(&layer.settle().unwrap())
    }

    #[test]
    fn an_origin_says_whom_keys_are_bound_to_and_whether_cookies_are_secure() {
        let named = site(Some("https://console.example.com/")).unwrap();
        assert_eq!(named.relying_party.id, "console.example.com");
        assert_eq!(named.relying_party.origins, ["https://console.example.com"]);
        assert!(named.console.secure && named.console.outbox.is_none());
        let local = site(None).unwrap();
        assert_eq!((local.relying_party.id.as_str(), local.console.secure), ("localhost", false));
        for bad in ["console.example.com", "http://console.example.com", "https://192.0.2.1", "https://", "https://a/b"]
        {
            assert!(site(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_that_is_not_named_hides_the_clients() {
        let hides = |origin: &str, tls: bool, proxy: Option<&str>| {
            let file = |tls: bool| tls.then(|| "pem".into());
            let layer = Layer {
                public_origin: Some(origin.to_owned()),
                tls_cert: file(tls),
                tls_key: file(tls),
                trusted_proxy: proxy.map(|proxy| proxy.parse().unwrap()),
                ..Layer::default()
            };
            hides_clients(&layer.settle().unwrap())
        };
        assert!(hides("https://console.example.com", false, None));
        assert!(!hides("https://console.example.com", false, Some("10.0.0.1")));
        assert!(!hides("https://console.example.com", true, None));
        assert!(!hides("http://localhost:7617", false, None));
    }

    #[test]
    fn the_console_is_opened_by_name() {
        let url = |listen: &str, origin: Option<&str>| {
            let layer = Layer {
                listen: Some(listen.parse().unwrap()),
                public_origin: origin.map(str::to_owned),
                ..Layer::default()
            };
            console_url(&layer.settle().unwrap(), 7617)
        };
        assert_eq!(url("127.0.0.1:0", None), "http://localhost:7617/console/");
        assert_eq!(url("192.0.2.1:1", None), "http://192.0.2.1:7617/console/");
        assert_eq!(url("0.0.0.0:1", Some("https://c.example.com")), "https://c.example.com/console/");
    }
}
