//! Whether a request left the house, for both transports; and runtimes that come and go.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use countersign::{SmsFailure, SmsTransport};
use countersign_sms_http::http::{HttpClient, HttpOptions};
use rustls::pki_types::PrivateKeyDer;

use crate::stub::{Closing, Play, Stub, answer, serve};
use crate::support::{accepted, impatient, patient, submit, twilio, webhook};

/// Each transport at an address.
fn both(url: &str, http: &HttpOptions) -> [Arc<dyn SmsTransport>; 2] {
    [twilio(url, http.clone()), webhook(url, http.clone())]
}

fn taken() -> Play {
    answer("201 Created", "", r#"{"sid":"SM1","message_id":"SM1"}"#)
}

#[test]
fn nobody_who_listens_is_unavailable() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = [format!("http://{closed}"), "https://no-such-name.invalid".to_owned()];
    for transport in nowhere.iter().flat_map(|url| both(url, &patient())) {
        assert_eq!(submit(&*transport), Err(SmsFailure::Unavailable));
    }
}

#[test]
fn an_answer_that_does_not_come_leaves_the_outcome_unknown() {
    let plays = [
        Play::Silence,
        Play::CutOff(Vec::new()),
        Play::CutOff(b"HTTP/1.1 201 Cre".to_vec()),
        Play::CutOff(b"HTTP/1.1 201 Created\r\ncontent-len".to_vec()),
        Play::Bytes(b"HTTP/1.1 201 Created\r\n".to_vec()),
        Play::CutOff(b"220 smtp.example.com ESMTP\r\n".to_vec()),
        Play::CutOff(format!("HTTP/1.1 201 Created\r\n{}\r\n", "a: b\r\n".repeat(500)).into_bytes()),
    ];
    for play in plays {
        let stub = Stub::playing(play);
        for transport in both(&stub.url(), &impatient()) {
            assert_eq!(submit(&*transport), Err(SmsFailure::Unknown));
        }
        assert_eq!(stub.seen().len(), 2, "a message was sent twice");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Stub::playing(taken());
    for status in
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let stub = Stub::playing(answer(status, &format!("location: {}/\r\n", other.url()), ""));
        for transport in both(&stub.url(), &patient()) {
            assert_eq!(submit(&*transport), Err(SmsFailure::Unavailable), "{status}");
        }
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn a_transport_outlives_the_runtime_that_used_it_first() {
    let stub = Stub::playing(taken());
    let [twilio, webhook] = both(&stub.url(), &patient());
    // Each hand-over has a runtime of its own, and the server keeps its connections.
    for (tries, transport) in [&twilio, &webhook, &twilio, &webhook].into_iter().enumerate() {
        assert_eq!(submit(&**transport), accepted("SM1"));
        assert_eq!(stub.connections(), tries + 1);
    }
}

#[test]
fn a_proxy_sees_where_a_message_goes_and_not_what_it_is() {
    let proxy = Stub::playing(answer("407 Proxy Authentication Required", "", ""));
    let http = HttpOptions { proxy: Some(proxy.url()), ..patient() };
    for transport in both("https://sms.example.com", &http) {
        assert_eq!(submit(&*transport), Err(SmsFailure::Unavailable));
    }
    for seen in proxy.seen() {
        assert_eq!((seen.line(), seen.body.len()), ("CONNECT sms.example.com:443 HTTP/1.1", 0));
        assert_eq!(seen.header("authorization"), None);
    }
    let near = Stub::playing(taken());
    for transport in both(&near.url(), &http) {
        assert_eq!(submit(&*transport), accepted("SM1"));
    }
    assert_eq!(proxy.seen().len(), 2);
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let https = countersign_sms_http::checked_address("url", "https://sms.example.com/").unwrap();
    let short = Duration::from_millis(1);
    let cases = [
        ("proxy", HttpOptions { proxy: Some("socks5://localhost".to_owned()), ..patient() }),
        ("proxy", HttpOptions { proxy: Some(String::new()), ..patient() }),
        ("roots_pem", HttpOptions { roots_pem: Some(String::new()), ..patient() }),
        ("answer_time_max", HttpOptions { answer_time_max: Duration::from_secs(61), ..patient() }),
        ("connect_time_max", HttpOptions { connect_time_max: Duration::from_secs(30), ..patient() }),
        ("connect_time_max", HttpOptions { connect_time_max: short, ..patient() }),
    ];
    for (setting, options) in cases {
        assert_eq!(HttpClient::new(&options, &https).unwrap_err().setting(), setting);
    }
}

#[test]
fn each_message_has_a_connection_of_its_own() {
    let stub = Stub::playing(taken());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (tries, transport) in both(&stub.url(), &patient()).iter().cycle().take(6).enumerate() {
        assert_eq!(runtime.block_on(transport.submit(crate::support::message())), accepted("SM1"));
        assert_eq!(stub.connections(), tries + 1);
    }
}

#[test]
fn a_hand_over_that_is_dropped_does_no_harm() {
    let (silent, stub) = (Stub::playing(Play::Silence), Stub::playing(taken()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for transport in both(&silent.url(), &patient()) {
        let pause = Duration::from_millis(20);
        let dropped = async { tokio::time::timeout(pause, transport.submit(crate::support::message())).await };
        assert!(runtime.block_on(dropped).is_err());
    }
    for transport in both(&stub.url(), &patient()) {
        assert_eq!(runtime.block_on(transport.submit(crate::support::message())), accepted("SM1"));
    }
}

// ---- TLS ----

impl Closing for rustls::StreamOwned<rustls::ServerConnection, std::net::TcpStream> {
    fn close(&mut self) {
        self.sock.close();
    }
}

/// Serves one connection with a certificate for `localhost`, and tells who signed it.
fn tls_stub() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let stream = rustls::StreamOwned::new(connection, listener.accept().unwrap().0);
        serve(stream, &std::sync::Mutex::default(), &taken());
    });
    (url, made.cert.pem())
}

#[test]
fn a_certificate_has_to_be_signed_by_somebody_trusted() {
    let (url, pem) = tls_stub();
    let trusting = HttpOptions { roots_pem: Some(pem), ..patient() };
    assert_eq!(submit(&*twilio(&url, trusting)), accepted("SM1"));
    let (url, _) = tls_stub();
    let (_, other) = tls_stub();
    let wary = HttpOptions { roots_pem: Some(other), ..patient() };
    assert_eq!(submit(&*webhook(&url, wary)), Err(SmsFailure::Unavailable));
}
