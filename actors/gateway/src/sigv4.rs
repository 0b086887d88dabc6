//! Verification of AWS Signature Version 4 (R214).
//!
//! The arithmetic is that of `scratchstack-aws-signature`. Around it: the scope has to fit the
//! service, a session token has to be signed, and its errors become ours. The secret is looked up by the caller in between, because that may take time:
//!
//! 1. [`Presented::of`] reads what the request says of itself, believing nothing;
//! 2. the caller finds the secret of that key, or does not;
//! 3. [`verify`] says whether the request was signed with it.

use std::borrow::Cow;
use std::str::FromStr as _;

use actix_web::web::Bytes;
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, SignatureError, SignatureOptions,
    SliceSignedHeaderRequirements, service_for_signing_key_fn, sigv4_validate_request,
};

use crate::engine::UnixMillis;
use crate::errors::{ApiError, Service};
use crate::secret::Secret;
use crate::wire::time::at_ms;

/// The region of IAM, which is global (R214).
const IAM_REGION: &str = "us-east-1";
/// The longest name of a region that STS takes.
const REGION_CHARS_MAX: usize = 32;
const TOKEN_HEADER: &str = "x-amz-security-token";
/// A session token that is not signed could be swapped (R214).
const SIGNED_IF_THERE: &[Cow<'static, str>] = &[Cow::Borrowed(TOKEN_HEADER)];
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// A request as it came in, whole.
#[derive(Clone)]
pub struct Received {
    /// Method.
    pub method: http::Method,
    /// Path and query.
    pub uri: http::Uri,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers hold tokens, queries and bodies hold codes.
        write!(f, "Received({} {})", self.method, self.uri.path())
    }
}

/// What a request says of its signer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presented {
    /// The id of the access key.
    pub access_key_id: String,
    /// The session token, with temporary credentials.
    pub session_token: Option<Secret>,
    region: String,
}

impl Presented {
    /// Reads the credential of a request from its `Authorization` header.
    ///
    /// Pre-signed requests, which carry the signature in the query, are not taken.
    ///
    /// # Errors
    /// When there is no signature, or a header is given twice or is no text.
    pub fn of(request: &Received) -> Result<Self, ApiError> {
        let incomplete = |text: &str| ApiError::IncompleteSignature(text.to_owned());
        let text = |value: &http::HeaderValue| {
            value.to_str().map(str::to_owned).map_err(|_| incomplete("a header is not ASCII"))
        };
        let Some(header) = single(request, http::header::AUTHORIZATION.as_str())? else {
            return Err(if is_presigned(request) {
                incomplete("Pre-signed requests are not supported. Sign with the Authorization header.")
            } else {
                ApiError::MissingAuthenticationToken
            });
        };
        let header = text(header)?;
        let session_token = single(request, TOKEN_HEADER)?.map(text).transpose()?;
        // A credential that is missing or broken gets its error from the verification.
        let credential = credential_of(&header).unwrap_or_default();
        let mut parts = credential.split('/');
        let access_key_id = parts.next().unwrap_or_default().to_owned();
        let region = parts.nth(1).unwrap_or_default().to_owned();
        Ok(Self { access_key_id, session_token: session_token.map(Secret::new), region })
    }

    /// The region that the scope has to name.
    fn region_for(&self, service: Service) -> &str {
        let named = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=REGION_CHARS_MAX).contains(&self.region.len()) && self.region.bytes().all(named);
        if service == Service::Sts && fits { &self.region } else { IAM_REGION }
    }
}

/// Says whether a request was signed with a secret for a service, at a time within fifteen minutes.
///
/// `secret` is `None` when the key is unknown; that is found out in the order of the other checks,
/// and answered the same way for every unknown key.
///
/// # Errors
/// The refusal (R220).
pub async fn verify(
    request: &Received,
    presented: &Presented,
    secret: Option<&Secret>,
    service: Service,
    now: UnixMillis,
) -> Result<(), ApiError> {
    let (expected, secret) = (presented.clone(), secret.cloned());
    let signing_key = move |asked: &GetSigningKeyRequest| {
        let token = asked.session_token().map(Secret::new);
        let secret = secret
            .as_ref()
            .filter(|_| asked.access_key() == expected.access_key_id && token == expected.session_token)
            .ok_or_else(|| SignatureError::InvalidClientTokenId(String::new()))?;
        let key = KSecretKey::from_str(secret.expose())?;
        let key = key.to_ksigning(asked.request_date(), asked.region(), asked.service());
        Ok(GetSigningKeyResponse::builder().signing_key(key).build()?)
    };
    // Bound to a name first: inside the call it would be taken for a closure that runs only once.
    let signing_key = move |asked: GetSigningKeyRequest| std::future::ready(signing_key(&asked));
    let mut signing_keys = service_for_signing_key_fn(signing_key);
    let mut copy = http::Request::new(request.body.clone());
    *copy.method_mut() = request.method.clone();
    *copy.uri_mut() = request.uri.clone();
    *copy.headers_mut() = request.headers.clone();
    sigv4_validate_request(
        copy,
        presented.region_for(service),
        service.name(),
        &mut signing_keys,
        at_ms(now.0),
        &SliceSignedHeaderRequirements::new(&[], SIGNED_IF_THERE, &[]),
        SignatureOptions::default(),
    )
    .await
    .map(drop)
    .map_err(|error| refusal(SignatureError::from(error)))
}

fn refusal(error: SignatureError) -> ApiError {
    use SignatureError as E;
    match error {
        E::ExpiredToken(_) => ApiError::ExpiredToken,
        E::InvalidClientTokenId(_) => ApiError::InvalidClientTokenId,
        E::IncompleteSignature(text) => ApiError::IncompleteSignature(text),
        E::MissingAuthenticationToken(_) => ApiError::MissingAuthenticationToken,
        E::SignatureDoesNotMatch(text) => ApiError::SignatureDoesNotMatch(text.unwrap_or_else(|| MISMATCH.to_owned())),
        E::MalformedQueryString(_) | E::InvalidURIPath(_) => {
            ApiError::MalformedQueryString("the query string cannot be read")
        }
        E::InvalidBodyEncoding(_) | E::InvalidContentType(_) | E::InvalidRequestMethod(_) => {
            ApiError::SignatureDoesNotMatch(MISMATCH.to_owned())
        }
        _ => ApiError::ServiceFailure,
    }
}

/// A header that may be given once; twice, and two readers could take different ones.
fn single<'a>(request: &'a Received, name: &str) -> Result<Option<&'a http::HeaderValue>, ApiError> {
    let mut values = request.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(ApiError::IncompleteSignature(format!("header `{name}` is given more than once"))),
    }
}

/// The credential in an `Authorization` header; the last one counts, as in the verification.
fn credential_of(header: &str) -> Option<&str> {
    let (_algorithm, parts) = header.trim().split_once(' ')?;
    parts.split(',').filter_map(|part| part.trim().strip_prefix("Credential=")).next_back()
}

/// Whether the signature is in the query.
fn is_presigned(request: &Received) -> bool {
    request.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("X-Amz-Algorithm=")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{EXAMPLE_KEY, EXAMPLE_SECRET, Signer, recorded_requests};

    const NOW: UnixMillis = UnixMillis::from_secs(1_795_000_000);

    fn check(request: &Received, secret: Option<&str>, service: Service, now: UnixMillis) -> Result<(), ApiError> {
        let presented = Presented::of(request)?;
        let secret = secret.map(Secret::new);
        actix_rt::System::new().block_on(verify(request, &presented, secret.as_ref(), service, now))
    }

    fn signed() -> Received {
        Signer::new(Service::Iam).sign("Action=ListUsers&Version=2010-05-08", NOW)
    }

    fn code(request: &Received, now: UnixMillis) -> &'static str {
        match check(request, Some(EXAMPLE_SECRET), Service::Iam, now) {
            Ok(()) => "ok",
            Err(error) => error.code(),
        }
    }

    /// Uses the recorded requests of the AWS CLI beside the workspace; skipped where they are absent.
    #[test]
    fn recorded_requests_of_real_clients_verify() {
        let Some(requests) = recorded_requests() else { return };
        let mut seen = 0;
        for (name, request, at) in requests {
            let presented = Presented::of(&request).unwrap();
            assert_eq!(presented.access_key_id, EXAMPLE_KEY, "{name}");
            let service = if name.contains("GetSessionToken")
                || name.contains("AssumeRole")
                || name.contains("GetCallerIdentity")
            {
                Service::Sts
            } else {
                Service::Iam
            };
            let judged = check(&request, Some(EXAMPLE_SECRET), service, at);
            let foreign = ["Publish", "CheckIfPhone"].iter().any(|sns| name.contains(sns));
            if foreign {
                // Signed for another service: the scope does not fit.
                assert_eq!(judged.unwrap_err().code(), "SignatureDoesNotMatch", "{name}");
            } else {
                assert_eq!(judged, Ok(()), "{name}");
                seen += 1;
            }
            let mut tampered = request.clone();
            tampered.body = Bytes::from([&request.body[..], b"&X=1"].concat());
            let code = check(&tampered, Some(EXAMPLE_SECRET), service, at).unwrap_err().code();
            assert_eq!(code, "SignatureDoesNotMatch", "{name}");
        }
        assert!(seen >= 29, "{seen}");
    }

    #[test]
    fn a_request_is_good_for_fifteen_minutes_both_ways() {
        let request = signed();
        let quarter_ms = 15 * 60 * 1000;
        assert_eq!(code(&request, NOW), "ok");
        assert_eq!(code(&request, NOW.plus_ms(quarter_ms)), "ok");
        assert_eq!(code(&request, NOW.plus_ms(quarter_ms + 1000)), "SignatureDoesNotMatch");
        assert_eq!(code(&request, UnixMillis(NOW.0 - quarter_ms)), "ok");
        assert_eq!(code(&request, UnixMillis(NOW.0 - quarter_ms - 1000)), "SignatureDoesNotMatch");
        let late = check(&request, Some(EXAMPLE_SECRET), Service::Iam, NOW.plus_ms(quarter_ms + 1000));
        assert!(late.unwrap_err().message().starts_with("Signature expired: "));
    }

    #[test]
    fn each_part_that_is_changed_or_missing_is_refused() {
        let mut request = signed();
        request.headers.remove("authorization");
        assert_eq!(code(&request, NOW), "MissingAuthenticationToken");

        let with = |header: &str| {
            let mut request = signed();
            request.headers.insert("authorization", http::HeaderValue::from_str(header).unwrap());
            code(&request, NOW)
        };
        for header in [
            "",
            "AWS4-HMAC-SHA256",
            "Basic Zm9vOmJhcg==",
            "AWS4-HMAC-SHA256 Credential=x",
            "AWS4-HMAC-SHA256 Credential",
        ] {
            assert_eq!(with(header), "IncompleteSignature", "{header}");
        }
        let one = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/1/2, SignedHeaders=host;x-amz-date, Signature=00";
        assert_eq!(with(one), "IncompleteSignature");

        let mut request = signed();
        let header = request.headers["authorization"].clone();
        request.headers.append("authorization", header);
        assert_eq!(code(&request, NOW), "IncompleteSignature");

        let mut request = signed();
        request.headers.insert("host", http::HeaderValue::from_static("elsewhere"));
        assert_eq!(code(&request, NOW), "SignatureDoesNotMatch");

        let mut request = signed();
        request.method = http::Method::GET;
        assert_eq!(code(&request, NOW), "SignatureDoesNotMatch");

        assert_eq!(check(&signed(), None, Service::Iam, NOW), Err(ApiError::InvalidClientTokenId));
        let other = "X".repeat(40);
        assert_eq!(check(&signed(), Some(&other), Service::Iam, NOW).unwrap_err().code(), "SignatureDoesNotMatch");
    }

    #[test]
    fn the_scope_fits_the_service() {
        let of = |service, region: &str, judged| {
            let mut signer = Signer::new(service);
            signer.region = region.to_owned();
            check(&signer.sign("Action=X", NOW), Some(EXAMPLE_SECRET), judged, NOW).map_err(|e| e.code())
        };
        assert_eq!(of(Service::Iam, "us-east-1", Service::Iam), Ok(()));
        assert_eq!(of(Service::Iam, "eu-west-1", Service::Iam), Err("SignatureDoesNotMatch"));
        assert_eq!(of(Service::Sts, "eu-west-1", Service::Sts), Ok(()));
        assert_eq!(of(Service::Sts, "Not A Region", Service::Sts), Err("SignatureDoesNotMatch"));
        assert_eq!(of(Service::Iam, "us-east-1", Service::Sts), Err("SignatureDoesNotMatch"));
        assert_eq!(of(Service::Sts, "us-east-1", Service::Iam), Err("SignatureDoesNotMatch"));
    }

    #[test]
    fn a_session_token_has_to_be_signed() {
        let mut signer = Signer::new(Service::Iam);
        signer.session_token = Some("token".into());
        let request = signer.sign("Action=X", NOW);
        assert_eq!(Presented::of(&request).unwrap().session_token, Some(Secret::new("token")));
        assert_eq!(code(&request, NOW), "ok");

        let mut swapped = request.clone();
        swapped.headers.insert(TOKEN_HEADER, http::HeaderValue::from_static("other"));
        assert_eq!(code(&swapped, NOW), "SignatureDoesNotMatch");

        let mut added = signed();
        added.headers.insert(TOKEN_HEADER, http::HeaderValue::from_static("token"));
        assert_eq!(code(&added, NOW), "SignatureDoesNotMatch");

        let mut twice = request;
        twice.headers.append(TOKEN_HEADER, http::HeaderValue::from_static("other"));
        assert_eq!(code(&twice, NOW), "IncompleteSignature");
    }

    #[test]
    fn a_pre_signed_request_is_refused_with_a_reason() {
        let mut request = signed();
        request.headers.remove("authorization");
        request.uri = "/?Action=X&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00".parse().unwrap();
        assert_eq!(code(&request, NOW), "IncompleteSignature");
        let mut both = signed();
        both.uri = request.uri;
        assert_eq!(code(&both, NOW), "SignatureDoesNotMatch");
    }

    #[test]
    fn junk_is_refused_without_a_panic() {
        let mut seed = 1_u64;
        let mut next = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        let parts = [
            "AWS4-HMAC-SHA256",
            " ",
            ",",
            "=",
            "/",
            "Credential=",
            "SignedHeaders=",
            "Signature=",
            ";",
            "host",
            "AKIDEXAMPLE",
            "20261118",
            "us-east-1",
            "iam",
            "aws4_request",
            "x-amz-date",
            "\u{7f}",
            "é",
        ];
        for _ in 0..2000 {
            let header: String = (0..next() % 20).map(|_| parts[next() % parts.len()]).collect();
            let Ok(header) = http::HeaderValue::from_bytes(header.as_bytes()) else { continue };
            let mut request = signed();
            request.headers.insert("authorization", header.clone());
            if next() % 2 == 0 {
                request.headers.insert("x-amz-date", header);
            }
            assert!(check(&request, Some(EXAMPLE_SECRET), Service::Iam, NOW).is_err());
        }
    }
}
