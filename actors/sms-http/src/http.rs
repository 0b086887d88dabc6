//! One request, one connection, one answer; and whether the request left the house.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, Proxy, Response, Url, redirect, retry};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::ConfigError;

/// The longest body of an answer that is read, in bytes.
///
/// ```
/// assert_eq!(countersign_sms_http::http::BODY_MAX, 65_536);
/// ```
pub const BODY_MAX: usize = 64 * 1024;

/// The most headers of an answer.
const HEADERS_MAX: usize = 100;

/// The longest time that may be set.
const TIME_MAX: Duration = Duration::from_secs(60);

/// How gateways are reached. `Debug` does not show the proxy, whose address may hold a password.
///
/// ```
/// use std::time::Duration;
/// use countersign_sms_http::http::HttpOptions;
///
/// let patient = HttpOptions { answer_time_max: Duration::from_secs(15), ..HttpOptions::default() };
/// assert_eq!(patient.connect_time_max, Duration::from_secs(3));
/// ```
#[derive(Clone)]
pub struct HttpOptions {
    /// For how long a connection is tried, name lookup and TLS included: 10 ms to less than `answer_time_max`. When
    /// that is over, nothing was sent.
    pub connect_time_max: Duration,
    /// For how long the whole exchange may take: at most 60 s. When that is over, nobody knows whether the message was
    /// taken. It should be less than the `submit_time_max` of the route.
    pub answer_time_max: Duration,
    /// The proxy that HTTPS goes through: an `http` or `https` address, perhaps with a name and password. The
    /// environment is not asked.
    pub proxy: Option<String>,
    /// The only certificate authorities that are trusted, in PEM; without them, those of the operating system.
    pub roots_pem: Option<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_time_max: Duration::from_secs(3),
            answer_time_max: Duration::from_secs(8),
            proxy: None,
            roots_pem: None,
        }
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("connect_time_max", &self.connect_time_max)
            .field("answer_time_max", &self.answer_time_max)
            .field("proxy", &self.proxy.is_some())
            .field("roots_pem", &self.roots_pem.is_some())
            .finish()
    }
}

/// A client that keeps no connection, follows no redirect and repeats nothing.
///
/// ```
/// use countersign_sms_http::checked_address;
/// use countersign_sms_http::http::{HttpClient, HttpOptions};
///
/// let url = checked_address("url", "http://127.0.0.1:8080/")?;
/// let client = HttpClient::new(&HttpOptions::default(), &url)?;
/// # Ok::<(), countersign_sms_http::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
}

/// What a server answered. `Debug` does not show its body.
///
/// ```
/// fn taken(answer: &countersign_sms_http::http::HttpAnswer) -> bool { answer.status == 201 }
/// ```
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `None` when it was cut off or has more than [`BODY_MAX`] bytes.
    pub body: Option<Vec<u8>>,
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpAnswer {{ status: {}, body: {:?} bytes }}", self.status, self.body.as_ref().map(Vec::len))
    }
}

/// Why there is no answer.
///
/// ```
/// use countersign_sms_http::http::HttpFailure;
/// assert_eq!(HttpFailure::NotReached.to_string(), "no connection to the gateway");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFailure {
    /// There was no connection to send anything over: no such name, nobody listens, no TLS.
    NotReached,
    /// The request may have arrived, and the answer did not: it took too long, was cut off, or is no HTTP.
    NoAnswer,
}

impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReached => "no connection to the gateway",
            Self::NoAnswer => "no answer from the gateway",
        })
    }
}

impl std::error::Error for HttpFailure {}

impl HttpClient {
    /// A client for the scheme of an address, which must be a [checked](crate::checked_address) one.
    ///
    /// # Errors
    /// When an option is out of its range, or there are no certificate authorities to trust.
    ///
    /// ```
    /// # use countersign_sms_http::{checked_address, http::{HttpClient, HttpOptions}};
    /// let url = checked_address("url", "https://sms.example.com/").unwrap();
    /// let options = HttpOptions { roots_pem: Some("no certificate".to_owned()), ..HttpOptions::default() };
    /// assert_eq!(HttpClient::new(&options, &url).unwrap_err().setting(), "roots_pem");
    /// ```
    pub fn new(options: &HttpOptions, url: &Url) -> Result<Self, ConfigError> {
        check_times(options)?;
        let tls = tls(options, url.scheme() == "https")?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(url.scheme() == "https")
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_time_max)
            .timeout(options.answer_time_max)
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .http1_only()
            .http1_max_headers(HEADERS_MAX)
            .no_proxy();
        if let Some(proxy) = &options.proxy {
            builder = builder.proxy(checked_proxy(proxy)?);
        }
        let client = builder.build().map_err(|_| ConfigError::new("http", "must make an HTTP client"))?;
        Ok(Self { client })
    }

    /// Sends a request once, and reads the answer, the first [`BODY_MAX`] bytes of its body at most.
    ///
    /// It needs a tokio runtime with timers and I/O, and leaves nothing behind on it.
    ///
    /// # Errors
    /// [`HttpFailure`] says whether the request may have arrived.
    ///
    /// ```
    /// use countersign_sms_http::http::{HttpAnswer, HttpClient, HttpFailure};
    ///
    /// async fn ask(client: &HttpClient) -> Result<HttpAnswer, HttpFailure> {
    ///     let request = http::Request::post("http://127.0.0.1:8080/").body(bytes::Bytes::new());
    ///     client.send(request.map_err(|_| HttpFailure::NotReached)?).await
    /// }
    /// ```
    pub async fn send(&self, request: ::http::Request<Bytes>) -> Result<HttpAnswer, HttpFailure> {
        let request = request.try_into().map_err(|_| HttpFailure::NotReached)?;
        let mut response = self.client.execute(request).await.map_err(|error| of_error(&error))?;
        let body = body(&mut response).await;
        Ok(HttpAnswer { status: response.status().as_u16(), headers: std::mem::take(response.headers_mut()), body })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

/// The time for connecting is always over first, so that a request that ran out of time had a connection.
fn check_times(options: &HttpOptions) -> Result<(), ConfigError> {
    if options.answer_time_max > TIME_MAX {
        return Err(ConfigError::new("answer_time_max", "must be 60 s at most"));
    }
    if options.connect_time_max < Duration::from_millis(10) || options.connect_time_max >= options.answer_time_max {
        return Err(ConfigError::new("connect_time_max", "must be 10 ms or more, and less than `answer_time_max`"));
    }
    Ok(())
}

/// Only HTTPS goes through it: the rest is for loopback addresses.
fn checked_proxy(text: &str) -> Result<Proxy, ConfigError> {
    let wrong = || ConfigError::new("proxy", "must be an http or https address");
    let url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    Proxy::https(url).map_err(|_| wrong())
}

/// An answer that is too long or cut off has no body; its status counts all the same.
async fn body(response: &mut Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > BODY_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// Errors of the client are not kept or shown: they quote addresses.
fn of_error(error: &reqwest::Error) -> HttpFailure {
    if error.is_connect() || error.is_builder() { HttpFailure::NotReached } else { HttpFailure::NoAnswer }
}

fn tls(options: &HttpOptions, wanted: bool) -> Result<ClientConfig, ConfigError> {
    let no_tls = |_| ConfigError::new("roots_pem", "must be given where the operating system trusts nobody");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(no_tls)?;
    let builder = match &options.roots_pem {
        Some(pem) => builder.with_root_certificates(roots(pem)?),
        None if wanted => builder.with_platform_verifier().map_err(no_tls)?,
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

fn roots(pem: &str) -> Result<RootCertStore, ConfigError> {
    let wrong = ConfigError::new("roots_pem", "must hold certificates in PEM");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|_| wrong)?).map_err(|_| wrong)?;
    }
    if roots.is_empty() { Err(wrong) } else { Ok(roots) }
}
