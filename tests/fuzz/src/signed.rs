//! Requests that are signed, and tokens that are sealed.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use actix_web::web::Bytes;
use countersign_gateway::engine::{AccountId, PrincipalId, UnixMillis, UserId};
use countersign_gateway::errors::{ApiError, Service};
use countersign_gateway::secret::Secret;
use countersign_gateway::session_token::{MfaProof, Session, SessionSealer};
use countersign_gateway::sigv4::{Presented, Received, verify};
use countersign_gateway::wire::time::at_ms;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::halves;

const NOW: UnixMillis = UnixMillis::from_secs(1_795_000_000);
const KEY: &str = "AKIDEXAMPLE";
/// No request among the seeds is signed with it.
const SECRET: &str = "fuzzing/fuzzing/fuzzing/fuzzing/fuzzing+";

/// A method and an address, lines of headers, and a body: refused as it is, and taken when it is signed for what it is.
pub fn sigv4(data: &[u8]) {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &data[data.len()..]),
    };
    let Ok(head) = str::from_utf8(head) else { return };
    let mut lines = head.split('\n');
    let Some((method, uri)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let (Ok(method), Ok(uri)) = (method.parse(), uri.parse()) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    let request = Received { method, uri, headers, body: Bytes::copy_from_slice(body) };
    for service in [Service::Iam, Service::Sts] {
        for secret in [None, Some(SECRET)] {
            assert!(judge(&request, secret, service).is_err(), "nobody has signed it");
        }
    }
    signed(&request);
}

fn judge(request: &Received, secret: Option<&str>, service: Service) -> Result<(), ApiError> {
    let presented = Presented::of(request)?;
    let secret = secret.map(Secret::new);
    let mut verdict = pin!(verify(request, &presented, secret.as_ref(), service, NOW));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..8 {
        if let Poll::Ready(verdict) = verdict.as_mut().poll(&mut context) {
            return verdict;
        }
    }
    panic!("a verdict waits for nobody");
}

/// Signs the body and what the request says of its session, as clients do.
fn signed(request: &Received) {
    let token = request.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok()).map(str::trim);
    // Signers take the blanks in a value together; nobody has a token with any.
    let token = token.filter(|token| !token.is_empty() && !token.contains(char::is_whitespace));
    let stamp = at_ms(NOW.0).format("%Y%m%dT%H%M%SZ").to_string();
    let mut signed = vec![("host", "localhost"), ("x-amz-date", stamp.as_str())];
    signed.extend(token.map(|token| ("x-amz-security-token", token)));
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", hash(&request.body));
    let scope = format!("{}/us-east-1/iam/aws4_request", &stamp[..8]);
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hash(canonical.as_bytes()));
    let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| keyed(&key, part));
    let signature = HEXLOWER.encode(&keyed(&key, &to_sign));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}");
    signed.push(("authorization", &authorization));
    let headers: HeaderMap = signed
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
        .collect();
    let good =
        Received { method: http::Method::POST, uri: http::Uri::from_static("/"), headers, body: request.body.clone() };
    assert_eq!(judge(&good, Some(SECRET), Service::Iam), Ok(()));
    assert_eq!(Presented::of(&good).map(|presented| presented.access_key_id), Ok(KEY.to_owned()));
    let refused = |change: &dyn Fn(&mut Received)| {
        let mut other = good.clone();
        change(&mut other);
        assert!(judge(&other, Some(SECRET), Service::Iam).is_err(), "{other:?}");
    };
    refused(&|other| other.body = Bytes::from([&other.body[..], b"&"].concat()));
    refused(&|other| other.method = http::Method::PUT);
    refused(&|other| other.uri = http::Uri::from_static("/?a=b"));
    refused(&|other| drop(other.headers.insert("host", HeaderValue::from_static("elsewhere"))));
    refused(&|other| _ = other.headers.append("x-amz-security-token", HeaderValue::from_static("other")));
    assert!(judge(&good, Some(SECRET), Service::Sts).is_err());
    assert!(judge(&good, None, Service::Iam).is_err());
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A token of a stranger opens nothing; a session comes out of its token as it went in, for its own key only.
pub fn session_token(data: &[u8]) {
    let sealer = SessionSealer::new(&[3; 32]);
    let Ok(text) = str::from_utf8(data) else { return };
    let (key_id, rest) = halves(text, "--");
    assert!(sealer.open(&Secret::new(text), key_id, NOW).is_none());
    assert!(sealer.open(&Secret::new(rest), key_id, NOW).is_none());
    let (secret, user) = halves(rest, "--");
    let Some(account) = AccountId::from_number(text.len() as u64 * 7) else { return };
    let principal = match UserId::new(user) {
        Ok(user) => PrincipalId::User(account, user),
        Err(_) => PrincipalId::Root(account),
    };
    let mfa = (!secret.is_empty()).then(|| MfaProof { at: UnixMillis(1), serial: secret.to_owned() });
    let (issued_at, expires_at) = (UnixMillis(text.len() as u64), NOW);
    let session = Session {
        principal,
        access_key_id: key_id.to_owned(),
        secret: Secret::new(secret),
        issued_at,
        expires_at,
        mfa,
    };
    let token = sealer.seal(&session, [9; 12]).expect("a session can be sealed");
    let before = UnixMillis(NOW.0 - 1);
    if token.expose().len() <= 4096 {
        assert_eq!(sealer.open(&token, key_id, before), Some((session.clone(), false)));
        assert_eq!(sealer.open(&token, key_id, NOW), Some((session, true)));
    }
    assert!(sealer.open(&token, &format!("{key_id}x"), before).is_none());
    assert!(SessionSealer::new(&[4; 32]).open(&token, key_id, before).is_none());
    assert!(!format!("{token:?}").contains(token.expose()));
}
