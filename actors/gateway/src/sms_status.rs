//! Where gateways report by HTTP how far a message came: `POST /sms/status/ROUTE`.
//!
//! A report is believed when the transport of its route finds its signature genuine. Signatures are made over the address
//! that the gateway was told, so the address is put together from the public origin, not from what the request says.
//!
//! | answer | what it means |
//! |---|---|
//! | 204 | taken, or of a message that nobody knows |
//! | 400 | signed, and not understood; or cut off |
//! | 403 | not signed by the gateway, or too long ago |
//! | 404 | no route of this name takes reports |
//! | 413 | larger than any report |
//! | 503 | not now: report again |

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::engine::{Countersign, RouteName, SmsCallback, SmsCallbackError};
use crate::server::{BODY_TIMEOUT, is_too_large, new_request_id};

/// The largest report, in bytes; gateways send a few hundred.
const REPORT_BYTES_MAX: usize = 16 * 1024;

/// Where reports go, and the address at which gateways think that is.
pub struct SmsStatus {
    engine: Countersign,
    public_origin: Option<String>,
}

impl SmsStatus {
    /// Reports for an engine. Without a public origin, `localhost` and the port that is listened on make the address.
    #[must_use]
    pub const fn new(engine: Countersign, public_origin: Option<String>) -> Self {
        Self { engine, public_origin }
    }

    fn url(&self, request: &HttpRequest) -> String {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        match &self.public_origin {
            Some(origin) => format!("{origin}{target}"),
            None => {
                let here = request.app_config();
                let scheme = if here.secure() { "https" } else { "http" };
                format!("{scheme}://localhost:{}{target}", here.local_addr().port())
            }
        }
    }
}

impl fmt::Debug for SmsStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsStatus").field("public_origin", &self.public_origin).finish_non_exhaustive()
    }
}

/// The address of the reports of a route, below an origin.
///
/// ```
/// let url = countersign_gateway::sms_status::status_url("https://mfa.example.com", "main");
/// assert_eq!(url, "https://mfa.example.com/sms/status/main");
/// ```
#[must_use]
pub fn status_url(origin: &str, route: &str) -> String {
    format!("{origin}/sms/status/{route}")
}

/// To be mounted before [`crate::server::routes`].
pub fn routes(app: &mut web::ServiceConfig, status: web::Data<SmsStatus>) {
    app.app_data(status).service(web::resource("/sms/status/{route}").route(web::post().to(entry)));
}

/// One report, from its bytes to its log line. Nothing of its body is in the line.
async fn entry(request: HttpRequest, payload: web::Payload, status: web::Data<SmsStatus>) -> HttpResponse {
    let name = RouteName::new(request.match_info().get("route").unwrap_or_default());
    let answer = match &name {
        Some(name) => receive(&request, payload, &status, name).await,
        None => Err(StatusCode::NOT_FOUND),
    };
    let code = answer.err().unwrap_or(StatusCode::NO_CONTENT);
    tracing::info!(
        request_id = new_request_id(&status.engine),
        remote = request.peer_addr().map(tracing::field::display),
        route = name.as_ref().map_or("", RouteName::as_str),
        status = code.as_u16(),
        "sms status"
    );
    let mut answer = HttpResponse::build(code);
    if code == StatusCode::PAYLOAD_TOO_LARGE {
        // What is left of the request is not read, so nothing can follow it.
        answer.force_close();
    }
    answer.insert_header((header::CACHE_CONTROL, "no-store")).finish()
}

async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    status: &SmsStatus,
    route: &RouteName,
) -> Result<(), StatusCode> {
    if is_too_large(request, REPORT_BYTES_MAX) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = actix_rt::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(REPORT_BYTES_MAX)).await;
    let body = match body {
        Ok(Ok(Ok(body))) => body,
        Ok(Err(_too_large)) => return Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(Err(_))) | Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let headers: Vec<(&str, &str)> =
        request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let url = status.url(request);
    let callback = SmsCallback { url: &url, headers: &headers, body: &body, now: status.engine.now() };
    status.engine.sms_callback(route.as_str(), &callback).await.map_err(code_of)
}

fn code_of(error: SmsCallbackError) -> StatusCode {
    match error {
        SmsCallbackError::NotTaken => StatusCode::NOT_FOUND,
        SmsCallbackError::Signature | SmsCallbackError::Stale => StatusCode::FORBIDDEN,
        SmsCallbackError::Malformed => StatusCode::BAD_REQUEST,
        // Also what a later engine may say: a gateway then reports again.
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use countersign::{SmsRoute, SmsTransport};

    use super::*;
    use crate::engine::{
        Caller, ChallengeId, Config, DevelopmentTransports, DeviceName, Path, PhoneNumber, PrincipalId, Request,
        SmsDelivery, SmsState, Transports, UserId,
    };
    use crate::testing::FakeGateway;

    const ORIGIN: &str = "https://mfa.example.com";
    const PATH: &str = "/sms/status/main";

    /// An engine that has sent `SM1`.
    async fn sent() -> (Countersign, ChallengeId) {
        let main = SmsRoute::new("main", FakeGateway::new() as Arc<dyn SmsTransport>);
        let silent = SmsRoute::new("silent", DevelopmentTransports::new(false) as Arc<dyn SmsTransport>);
        let transports = Transports { sms: vec![main, silent], ..Transports::default() };
        let engine = Countersign::in_memory(Config { transports, ..Config::default() }).unwrap();
        let operator = || Request::by(Caller::operator());
        let account = "123456789012".parse().unwrap();
        engine.open_account(operator(), account, DeviceName::new("root").unwrap()).await.unwrap();
        let id = UserId::new("AIDALEE").unwrap();
        let name = DeviceName::new("lee").unwrap();
        engine.register_user(operator(), account, id.clone(), name, Path::root()).await.unwrap();
        let lee = PrincipalId::User(account, id);
        let by_lee = Request::by(Caller::at_console(lee.clone(), None));
        let phone = PhoneNumber::parse("+14155551234").unwrap();
        let sent = engine.begin_sms_enrolment(by_lee, &lee, phone).await.unwrap().value;
        (engine, sent.challenge)
    }

    async fn answer(engine: &Countersign, origin: Option<&str>, request: TestRequest) -> (u16, String) {
        let status = web::Data::new(SmsStatus::new(engine.clone(), origin.map(str::to_owned)));
        let app = init_service(App::new().configure(|app| routes(app, status))).await;
        let answer = call_service(&app, request.to_request()).await;
        let code = answer.status().as_u16();
        (code, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    }

    fn report(path: &str, signed: &str, body: impl Into<web::Bytes>) -> TestRequest {
        TestRequest::post().uri(path).insert_header(("X-Signature", signed.to_owned())).set_payload(body)
    }

    #[test]
    fn a_genuine_report_is_taken_once_and_for_all() {
        actix_rt::System::new().block_on(async {
            let (engine, challenge) = sent().await;
            let state = || engine.sms_message(challenge).unwrap().state;
            let url = status_url(ORIGIN, "main");
            for (body, delivery) in
                [("SM1 on-its-way", None), ("SM1 delivered", Some(SmsDelivery::Delivered)), ("SM9 delivered", None)]
            {
                let (code, text) = answer(&engine, Some(ORIGIN), report(PATH, &url, body)).await;
                assert_eq!((code, text.as_str()), (204, ""), "{body}");
                if let Some(delivery) = delivery {
                    assert_eq!(state(), SmsState::Reported(delivery));
                }
            }
            assert_eq!(answer(&engine, Some(ORIGIN), report(PATH, &url, "SM1 delivered")).await.0, 204);
            assert_eq!(state(), SmsState::Reported(SmsDelivery::Delivered));
        });
    }

    #[test]
    fn the_address_is_the_one_that_gateways_were_told() {
        actix_rt::System::new().block_on(async {
            let (engine, _) = sent().await;
            let with_query = "https://mfa.example.com/sms/status/main?attempt=2&x=%20";
            let to = |signed: &str| report("/sms/status/main?attempt=2&x=%20", signed, "SM1 on-its-way");
            let spoofed = to(with_query).insert_header(("host", "evil.example"));
            let spoofed = spoofed.insert_header(("x-forwarded-host", "evil.example"));
            assert_eq!(answer(&engine, Some(ORIGIN), spoofed).await.0, 204);
            assert_eq!(answer(&engine, Some(ORIGIN), to(&status_url(ORIGIN, "main"))).await.0, 403, "the query counts");
            let elsewhere = to("https://evil.example/sms/status/main?attempt=2&x=%20");
            assert_eq!(answer(&engine, Some(ORIGIN), elsewhere.insert_header(("host", "evil.example"))).await.0, 403);
            let here = report(PATH, "http://localhost:8080/sms/status/main", "SM1 on-its-way");
            assert_eq!(answer(&engine, None, here).await.0, 204, "without an origin it is this machine's name");
        });
    }

    #[test]
    fn what_is_not_believed_or_not_understood_changes_nothing() {
        actix_rt::System::new().block_on(async {
            let (engine, challenge) = sent().await;
            let url = status_url(ORIGIN, "main");
            let unsigned = TestRequest::post().uri(PATH).set_payload("SM1 delivered");
            let many = (0..65).fold(report(PATH, &url, "SM1 delivered"), |request, at| {
                request.insert_header((format!("x-h{at}"), "v".to_owned()))
            });
            let cases = [
                (403, unsigned),
                (403, report(PATH, "", "SM1 delivered")),
                (403, report(PATH, &url.replace("https", "http"), "SM1 delivered")),
                (403, report(PATH, &url, "SM1 late")),
                (400, report(PATH, &url, "SM1")),
                (400, report(PATH, &url, &b"SM1 \xff"[..])),
                (404, report("/sms/status/silent", &url, "SM1 delivered")),
                (404, report("/sms/status/other", &url, "SM1 delivered")),
                (404, report("/sms/status/Main", &url, "SM1 delivered")),
                (404, report("/sms/status/%2e%2e", &url, "SM1 delivered")),
                (404, report("/sms/status/", &url, "SM1 delivered")),
                (413, report(PATH, &url, "x".repeat(REPORT_BYTES_MAX + 1))),
                (413, many),
                (405, TestRequest::get().uri(PATH)),
                (405, TestRequest::put().uri(PATH)),
            ];
            for (number, (code, request)) in cases.into_iter().enumerate() {
                assert_eq!(answer(&engine, Some(ORIGIN), request).await.0, code, "case {number}");
            }
            assert_eq!(engine.sms_message(challenge).unwrap().state, SmsState::Taken);
        });
    }

    #[test]
    fn what_cannot_be_taken_now_is_to_come_again() {
        actix_rt::System::new().block_on(async {
            let (engine, _) = sent().await;
            engine.close().await.unwrap();
            let url = status_url(ORIGIN, "main");
            assert_eq!(answer(&engine, Some(ORIGIN), report(PATH, &url, "SM1 delivered")).await.0, 503);
        });
    }
}
