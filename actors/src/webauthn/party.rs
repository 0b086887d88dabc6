//! Whom security keys sign for.

use std::fmt;

use webauthn_rs::WebauthnBuilder;
use webauthn_rs::prelude::{AttestationCaList, Url, Webauthn};

/// Whom security keys sign for: the relying party of WebAuthn.
///
/// Keys are bound to the id for good. A change of the id makes every registered key useless; a change of
/// the rest does not.
///
/// ```
/// use countersign::RelyingParty;
///
/// let party = RelyingParty {
///     id: "example.com".to_owned(),
///     name: "Example".to_owned(),
///     origins: vec!["https://console.example.com".to_owned()],
///     any_port: false,
///     ..RelyingParty::default()
/// };
/// assert_eq!(party.check(), Ok(()));
///
/// let stranger = RelyingParty { id: "example.org".to_owned(), ..party };
/// assert!(stranger.check().unwrap_err().to_string().contains("`https://console.example.com`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The domain that keys are bound to; the origins are it or below it.
    pub id: String,
    /// What browsers call it.
    pub name: String,
    /// Where its pages come from: scheme, domain and port. HTTPS, or HTTP on `localhost`.
    pub origins: Vec<String>,
    /// Whether the origins' ports do not matter; for tests.
    pub any_port: bool,
    /// Certificates in PEM. With them, a new key must attest to one: passkeys, which do not attest, are
    /// not registered any more. Keys that are registered already stay good.
    pub attestation_roots: Option<String>,
}

impl Default for RelyingParty {
    fn default() -> Self {
        Self {
            id: "localhost".to_owned(),
            name: "Countersign".to_owned(),
            origins: vec!["http://localhost".to_owned()],
            any_port: true,
            attestation_roots: None,
        }
    }
}

/// Why a relying party cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelyingPartyError {
    /// The id is no domain in its canonical form: lower case, with neither scheme nor port.
    Id(String),
    /// There is no origin.
    NoOrigin,
    /// It is no origin: a scheme, a domain, perhaps a port, and nothing more.
    Origin(String),
    /// Browsers offer no keys to pages of this origin, since anyone may have changed them under way.
    Insecure(String),
    /// The origin does not belong to the id.
    Foreign(String),
    /// The attestation roots hold no certificate, or one that cannot be read.
    Roots,
}

impl fmt::Display for RelyingPartyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "the relying party's id `{id}` is no lower-case domain"),
            Self::NoOrigin => f.write_str("the relying party has no origin"),
            Self::Origin(origin) => write!(f, "`{origin}` is no origin such as `https://example.com`"),
            Self::Insecure(origin) => write!(f, "the origin `{origin}` is neither HTTPS nor on localhost"),
            Self::Foreign(origin) => write!(f, "the origin `{origin}` is not of the relying party's domain"),
            Self::Roots => f.write_str("the attestation roots are no bundle of PEM certificates"),
        }
    }
}

impl std::error::Error for RelyingPartyError {}

impl RelyingParty {
    /// Says whether keys can sign for it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), RelyingPartyError> {
        self.webauthn()?;
        self.roots().map(drop)
    }

    pub(super) fn webauthn(&self) -> Result<Webauthn, RelyingPartyError> {
        let canonical = Url::parse(&format!("https://{}/", self.id));
        if canonical.ok().and_then(|url| url.domain().map(|domain| domain == self.id)) != Some(true) {
            return Err(RelyingPartyError::Id(self.id.clone()));
        }
        let origins = self.origins.iter().map(|origin| self.origin(origin));
        let origins: Vec<Url> = origins.collect::<Result<_, _>>()?;
        let (first, others) = origins.split_first().ok_or(RelyingPartyError::NoOrigin)?;
        let foreign = |_| RelyingPartyError::Foreign(first.to_string());
        let builder = WebauthnBuilder::new(&self.id, first).map_err(foreign)?;
        let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        let builder = builder.rp_name(&self.name).allow_any_port(self.any_port);
        // The second factor after a password: a touch, no PIN. Chromium refuses the library's other offer.
        builder.danger_set_user_presence_only_security_keys(true).build().map_err(foreign)
    }

    fn origin(&self, text: &str) -> Result<Url, RelyingPartyError> {
        let no_origin = || RelyingPartyError::Origin(text.to_owned());
        let url = Url::parse(text).map_err(|_| no_origin())?;
        let domain = url.domain().ok_or_else(no_origin)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(no_origin());
        }
        let local = domain == "localhost" || domain.ends_with(".localhost");
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err(RelyingPartyError::Insecure(text.to_owned()));
        }
        let own = domain.strip_suffix(&self.id).is_some_and(|below| below.is_empty() || below.ends_with('.'));
        if own { Ok(url) } else { Err(RelyingPartyError::Foreign(text.to_owned())) }
    }

    /// The roots one by one, since the library reads one certificate at a time. Each vouches for every
    /// model: U2F keys name none.
    pub(super) fn roots(&self) -> Result<Option<AttestationCaList>, RelyingPartyError> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        let Some(bundle) = &self.attestation_roots else { return Ok(None) };
        let mut roots = AttestationCaList::default();
        for chunk in bundle.split(BEGIN).skip(1) {
            let (body, _) = chunk.split_once(END).ok_or(RelyingPartyError::Roots)?;
            let pem = format!("{BEGIN}{body}{END}\n");
            let root = AttestationCaList::try_from(pem.as_bytes()).map_err(|_| RelyingPartyError::Roots)?;
            roots.union(&root);
        }
        if roots.is_empty() { Err(RelyingPartyError::Roots) } else { Ok(Some(roots)) }
    }
}
