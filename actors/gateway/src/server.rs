//! The HTTP side: one path for the API, two for probes, one for reports of SMS gateways, and limits on everything.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use uuid::Builder;

use crate::admin;
use crate::config::Settings;
use crate::console::{self, Console};
use crate::engine::{Client, Countersign};
use crate::errors::{ApiError, Service};
use crate::gateway::{Gateway, Reply, refused};
use crate::sigv4::Received;
use crate::sms_status::{self, SmsStatus};
use crate::wire::form::FORM_BYTES_MAX;

/// Threads that answer requests; the engine has its own.
const WORKERS: usize = 2;
/// Open connections of one worker; more wait in the backlog.
const CONNECTIONS_MAX: usize = 4096;
/// Connections that wait to be taken.
const BACKLOG: u32 = 1024;
/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take for the body of a request.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may idle between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long a client may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long requests under way may take once the server is stopping, in seconds.
const STOP_SECS_MAX: u64 = 20;
/// The most headers of a request that the API looks at; clients send about ten.
const HEADERS_MAX: usize = 64;
/// The largest head of a request that the API looks at, in bytes of names and values. A session token
/// has about four hundred.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// The longest path and query, in bytes: a form that comes as a query.
const URI_BYTES_MAX: usize = 16 * 1024;
/// The longest user agent that is logged, in characters.
const AGENT_CHARS_MAX: usize = 128;

const XML: &str = "text/xml";
const REQUEST_ID: &str = "x-amzn-RequestId";

/// Serves until the process is told to stop, then finishes what is under way and closes the engine.
///
/// With a console, browsers find it at `/console/`. `announce` gets the address once the server listens, such as
/// `http://127.0.0.1:7617`.
///
/// # Errors
/// When the address cannot be had, the certificate or its key cannot be read, or the engine could
/// not close.
pub async fn serve(
    gateway: Gateway,
    console: Option<Console>,
    settings: &Settings,
    announce: impl FnOnce(&str) -> io::Result<()>,
) -> io::Result<()> {
    let stop = stop_signal()?;
    let engine = gateway.engine().clone();
    follow_hangups(engine.clone())?;
    // Without it the server serves all the same, and its operator stops it for a backup.
    let operator = admin::listen(&settings.data, engine.clone());
    let _operator = operator.inspect_err(|cause| tracing::warn!(%cause, "no backup can be asked for while this runs"));
    let gateway = web::Data::from(Arc::new(gateway));
    let console = console.map(|console| web::Data::from(Arc::new(console)));
    let status = web::Data::new(SmsStatus::new(engine.clone(), settings.public_origin.clone()));
    let server = HttpServer::new(move || {
        let app = App::new();
        // First: it takes a browser's `/` from the API.
        let app = match console.clone() {
            Some(console) => app.configure(|app| console::routes(app, console)),
            None => app,
        };
        app.configure(|app| sms_status::routes(app, status.clone())).configure(|app| routes(app, gateway.clone()))
    });
    let server = server
        .workers(WORKERS)
        .max_connections(CONNECTIONS_MAX)
        .backlog(BACKLOG)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(CLOSE_TIMEOUT)
        .shutdown_timeout(STOP_SECS_MAX)
        .shutdown_signal(stop);
    let (server, scheme) = match &settings.tls {
        Some((certificate, key)) => (server.bind_rustls_0_23(settings.listen, tls(certificate, key)?)?, "https"),
        None => (server.bind(settings.listen)?, "http"),
    };
    let address = server.addrs().first().copied().unwrap_or(settings.listen);
    let running = server.run();
    announce(&format!("{scheme}://{address}"))?;
    tracing::info!(%address, "listening");
    let served = running.await;
    tracing::info!("stopping");
    let closed = engine.close().await.map_err(|error| io::Error::other(error.to_string()));
    served.and(closed)
}

/// What the server answers: to be mounted in an application of one's own, or used by [`serve`].
pub fn routes(app: &mut web::ServiceConfig, gateway: web::Data<Gateway>) {
    app.app_data(gateway)
        .route("/healthz", web::get().to(healthy))
        .route("/readyz", web::get().to(ready))
        .service(web::resource("/").route(web::get().to(api)).route(web::post().to(api)))
        .default_service(web::to(nothing_here));
}

/// Says that the process is alive.
async fn healthy() -> HttpResponse {
    plain(HttpResponse::Ok(), "ok\n")
}

/// Says whether commands can be done.
async fn ready(gateway: web::Data<Gateway>) -> HttpResponse {
    if gateway.engine().is_ready() {
        plain(HttpResponse::Ok(), "ready\n")
    } else {
        plain(HttpResponse::ServiceUnavailable(), "not ready\n")
    }
}

async fn nothing_here() -> HttpResponse {
    plain(HttpResponse::NotFound(), "not found\n")
}

fn plain(mut answer: actix_web::HttpResponseBuilder, text: &'static str) -> HttpResponse {
    answer.content_type("text/plain; charset=utf-8").insert_header((header::CACHE_CONTROL, "no-store")).body(text)
}

/// One request of the API, from its bytes to its log line.
async fn api(request: HttpRequest, payload: web::Payload, gateway: web::Data<Gateway>) -> HttpResponse {
    let started = Instant::now();
    let request_id = new_request_id(gateway.engine());
    let reply = match receive(&request, payload).await {
        Ok(received) => gateway.answer(&received, &request_id).await,
        Err(error) => refused(Service::Iam, &error, &request_id),
    };
    log(&request, &request_id, &reply, started.elapsed());
    let status = actix_web::http::StatusCode::from_u16(reply.status);
    let status = status.unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    if status == actix_web::http::StatusCode::PAYLOAD_TOO_LARGE {
        // What is left of the request is not read, so nothing can follow it.
        answer.force_close();
    }
    // Answers hold seeds and secrets.
    answer.content_type(XML).insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((REQUEST_ID, request_id)).body(reply.body)
}

/// Whether the head of a request is larger than any that is looked at. A body that says itself that it is too
/// large is not waited for.
pub(crate) fn is_too_large(request: &HttpRequest, body_bytes_max: usize) -> bool {
    let head = request.headers();
    let bytes: usize = head.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let announced = head.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let body_too_large =
        announced.is_some_and(|length| length.parse::<u64>().map_or(true, |length| length > body_bytes_max as u64));
    head.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX || target.len() > URI_BYTES_MAX || body_too_large
}

/// Reads a request whole, within the limits, in the types of the signature crate.
async fn receive(request: &HttpRequest, payload: web::Payload) -> Result<Received, ApiError> {
    if is_too_large(request, FORM_BYTES_MAX) {
        return Err(ApiError::RequestTooLarge);
    }
    let head = request.headers();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let body = actix_rt::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(FORM_BYTES_MAX)).await;
    let body = match body {
        Ok(Ok(Ok(body))) => body,
        Ok(Err(_too_large)) => return Err(ApiError::RequestTooLarge),
        Ok(Ok(Err(_))) | Err(_) => return Err(ApiError::MalformedQueryString("the body did not arrive")),
    };
    let unreadable = |_| ApiError::MalformedQueryString("the request line cannot be read");
    let method = http::Method::from_bytes(request.method().as_str().as_bytes()).map_err(|_| ApiError::MissingAction)?;
    let uri: http::Uri = target.parse().map_err(unreadable)?;
    let mut headers = http::HeaderMap::with_capacity(head.len());
    for (name, value) in head {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = http::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    Ok(Received { method, uri, headers, body })
}

/// What a client calls itself. Bytes that are no text are replaced, so that nobody goes unnamed by sending some.
pub(crate) fn agent_of(request: &HttpRequest) -> Cow<'_, str> {
    let agent = request.headers().get(header::USER_AGENT);
    agent.map_or(Cow::Borrowed(""), |agent| String::from_utf8_lossy(agent.as_bytes()))
}

/// The same for a log line, tamed and cut.
pub(crate) fn logged_agent(request: &HttpRequest) -> String {
    Client::new(None, &agent_of(request)).agent().chars().take(AGENT_CHARS_MAX).collect()
}

/// One line for each request. It says who did what and how it ended; no code, token or body is in it.
fn log(request: &HttpRequest, request_id: &str, reply: &Reply, took: Duration) {
    tracing::info!(
        request_id,
        remote = request.peer_addr().map(tracing::field::display),
        operation = reply.operation.map_or("", |operation| operation.name()),
        principal = reply.principal.as_deref().unwrap_or(""),
        status = reply.status,
        code = reply.code.unwrap_or(""),
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        agent = logged_agent(request),
        "request"
    );
}

/// A random UUID (R213).
pub(crate) fn new_request_id(engine: &Countersign) -> String {
    let mut bytes = [0; 16];
    if engine.fill_random(&mut bytes).is_err() {
        tracing::error!("no randomness for the id of a request");
    }
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Certificate and key for TLS, on ring.
fn tls(certificate: &Path, key: &Path) -> io::Result<ServerConfig> {
    let unreadable = |path: &Path, error: String| io::Error::other(format!("cannot use {}: {error}", path.display()));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unreadable(certificate, error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| io::Error::other(error.to_string()))?;
    let config = builder.with_no_client_auth().with_single_cert(chain, private);
    config.map_err(|error| unreadable(certificate, error.to_string()))
}

/// Takes up what was added to the key ring at each SIGHUP, and now, when an earlier rotation may have been broken off.
fn follow_hangups(engine: Countersign) -> io::Result<()> {
    let mut hangup = actix_rt::signal::unix::signal(actix_rt::signal::unix::SignalKind::hangup())?;
    actix_rt::spawn(async move {
        loop {
            match engine.rotate_keys() {
                Ok(()) => tracing::info!("the key ring was read; what an older key has wrapped is wrapped anew"),
                Err(error) => tracing::error!(%error, "the key ring was not taken up; all goes on as before"),
            }
            if hangup.recv().await.is_none() {
                return;
            }
        }
    });
    Ok(())
}

/// Resolves when the process is told to stop: by the service manager or from the keyboard.
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use actix_rt::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        std::future::poll_fn(|context| {
            let stopped = terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready();
            if stopped { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Standalone;
    use crate::engine::Config;
    use crate::testing::text_of;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};

    /// Sends one request and gives status, headers and body.
    fn send(request: TestRequest) -> (u16, header::HeaderMap, String) {
        actix_rt::System::new().block_on(async {
            let engine = Countersign::in_memory(Config::default()).unwrap();
            let directory = Arc::new(Standalone::open(engine.clone()).unwrap());
            let gateway = web::Data::new(Gateway::new(engine, directory).unwrap());
            let app = init_service(App::new().configure(|app| routes(app, gateway.clone()))).await;
            let answer = call_service(&app, request.to_request()).await;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = read_body(answer).await;
            (status, headers, String::from_utf8(body.to_vec()).unwrap())
        })
    }

    #[test]
    fn answers_carry_the_id_of_their_request() {
        let (status, headers, body) = send(TestRequest::post().uri("/").set_payload("Action=Nothing"));
        assert_eq!((status, headers.get("content-type").unwrap().as_bytes()), (400, &b"text/xml"[..]));
        let id = text_of(&body, "RequestId").unwrap();
        assert_eq!(headers.get("x-amzn-requestid").unwrap().as_bytes(), id.as_bytes());
        assert!(uuid::Uuid::parse_str(&id).is_ok());
        assert_eq!(headers.get("cache-control").unwrap().as_bytes(), b"no-store");
    }

    #[test]
    fn a_form_may_come_as_a_query() {
        let form = "Action=GetCallerIdentity&Version=2011-06-15";
        for request in [
            TestRequest::get().uri(&format!("/?{form}")),
            TestRequest::post().uri(&format!("/?{form}")),
            TestRequest::post().uri("/").set_payload(form),
        ] {
            let (status, _, body) = send(request);
            assert_eq!((status, text_of(&body, "Code").as_deref()), (403, Some("MissingAuthenticationToken")));
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let many = |count: usize| {
            let header = |at: usize| (format!("x-h{at}"), "v".to_owned());
            (0..count).map(header).fold(TestRequest::post().uri("/").set_payload("Action=X"), |request, header| {
                request.insert_header(header)
            })
        };
        let long = TestRequest::post().uri("/").insert_header(("x-long", "v".repeat(HEADER_BYTES_MAX)));
        let uri = format!("/?Action={}", "x".repeat(URI_BYTES_MAX));
        for request in [
            TestRequest::post().uri("/").set_payload("x".repeat(FORM_BYTES_MAX + 1)),
            TestRequest::get().uri(&uri),
            many(HEADERS_MAX + 1),
            long,
        ] {
            let (status, _, body) = send(request);
            assert_eq!((status, text_of(&body, "Code").as_deref()), (413, Some("RequestEntityTooLarge")));
        }
        assert_eq!(send(many(10)).0, 400);
    }

    #[test]
    fn probes_and_other_paths() {
        assert_eq!(send(TestRequest::get().uri("/healthz")).0, 200);
        assert_eq!(send(TestRequest::get().uri("/readyz")).0, 200);
        assert_eq!(send(TestRequest::get().uri("/elsewhere")).0, 404);
        assert_eq!(send(TestRequest::put().uri("/")).0, 405);
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        assert!(tls(&certificate, &key).unwrap_err().to_string().contains("cert.pem"));
        std::fs::write(&certificate, "nothing").unwrap();
        assert!(tls(&certificate, &key).unwrap_err().to_string().contains("key.pem"));
    }
}
