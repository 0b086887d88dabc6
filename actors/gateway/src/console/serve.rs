//! From a request to an answer: limits, headers and one log line, the same for every address of the console.

use std::time::Instant;

use actix_web::guard::{Guard, GuardContext};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::assets::ASSET_PATH;
use super::csrf::from_own_page;
use super::frame::Frame;
use super::problem::Problem;
use super::route::{Methods, Route};
use super::visit::{Answer, Visit};
use super::{Console, account, development, devices, factor, home, password, recovery, sign_in, sms, users};
use crate::config::is_this_machine;
use crate::server::{BODY_TIMEOUT, is_too_large, logged_agent, new_request_id};
use crate::wire::form::{FORM_BYTES_MAX, Params};

/// Nothing but our own files, no frame around us, no form to elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const PERMISSIONS_POLICY: &str = "publickey-credentials-create=(self), publickey-credentials-get=(self), camera=(), \
     geolocation=(), microphone=(), payment=(), usb=()";
/// For how long a browser comes back over TLS only, in seconds: a year.
const STRICT_TRANSPORT_S: u32 = 31_536_000;
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// What the console answers, to be mounted before [`crate::server::routes`]: a browser that asks for `/` is led
/// here.
pub fn routes(app: &mut web::ServiceConfig, console: web::Data<Console>) {
    app.app_data(console)
        .service(web::resource("/").guard(Browser).route(web::get().to(to_console)))
        .service(web::resource(["/console", "/console/{rest:.*}"]).to(entry));
}

async fn to_console() -> HttpResponse {
    let mut answer = see_other("/console/");
    answer.headers_mut().insert(header::VARY, header::HeaderValue::from_static("Accept"));
    answer
}

/// A browser that asks for a page, and no client of the API, whose queries are never empty.
struct Browser;

impl Guard for Browser {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        let head = context.head();
        let accepts = head.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        head.method == Method::GET
            && head.uri.query().is_none_or(str::is_empty)
            && accepts.is_some_and(|accept| accept.contains("text/html"))
    }
}

/// What is worth a log line. Nothing that was typed is in it.
#[derive(Default)]
struct Line {
    page: &'static str,
    principal: Option<String>,
}

/// One request of the console, from its bytes to its log line.
async fn entry(request: HttpRequest, payload: web::Payload, console: web::Data<Console>) -> HttpResponse {
    let started = Instant::now();
    let request_id = new_request_id(&console.engine);
    let mut line = Line::default();
    let mut answer = answer(&request, payload, &console, &request_id, &mut line).await;
    protect(&mut answer, &request, &console);
    tracing::info!(
        request_id,
        remote = request.peer_addr().map(tracing::field::display),
        method = %request.method(),
        page = line.page,
        principal = line.principal.as_deref().unwrap_or(""),
        status = answer.status().as_u16(),
        took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        agent = logged_agent(&request),
        "console"
    );
    answer
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    console: &Console,
    request_id: &str,
    line: &mut Line,
) -> HttpResponse {
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(name) = request.path().strip_prefix(ASSET_PATH)
        && reading
        && let Some(asset) = console.assets.answer(name)
    {
        line.page = "asset";
        return asset;
    }
    let (mut visit, readable) = Visit::new(console, request);
    let result = match readable {
        Ok(()) => perform(&mut visit, request, payload, line).await,
        Err(problem) => Err(problem),
    };
    line.principal = visit.principal.take();
    match result {
        Ok(answer) => visit.finish(answer),
        Err(Problem::SignInFirst) => {
            let answer = visit.sign_in_first();
            visit.finish(answer)
        }
        Err(Problem::AttemptOver) => {
            let answer = visit.attempt_over().await;
            visit.finish(answer)
        }
        Err(problem) => told(&mut visit, &problem, request_id),
    }
}

async fn perform(
    visit: &mut Visit<'_>,
    request: &HttpRequest,
    payload: web::Payload,
    line: &mut Line,
) -> Result<Answer, Problem> {
    let route = Route::of(request.path()).ok_or(Problem::NotFound)?;
    // A page elsewhere may give its own name the address of this machine, and would then read along.
    let shown = visit.console.settings.outbox.is_some() && is_this_machine(&visit.host);
    if route == Route::Development && !shown {
        return Err(Problem::NotFound);
    }
    line.page = route.name();
    let methods = route.methods();
    match *request.method() {
        Method::GET | Method::HEAD if methods != Methods::Post => {}
        Method::POST if methods != Methods::Get => receive(visit, request, payload).await?,
        _ => return Err(Problem::WrongMethod(methods.allow())),
    }
    visit.console.sweep(visit.now).await;
    if !visit.post && comes_from_elsewhere(request) && !visit.has_cookies() {
        let (frame, to) = (visit.bare_frame("One moment"), request.uri().to_string());
        return visit.show(&Arrival { frame, to });
    }
    dispatch(visit, route).await
}

/// A link on another site led here. The browser then keeps our cookies to itself, and sends them when it loads
/// the page once more of its own accord.
#[derive(Template)]
#[template(path = "arrival.html")]
struct Arrival {
    frame: Frame,
    to: String,
}

fn comes_from_elsewhere(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
    matches!(site, Some("cross-site" | "same-site"))
}

async fn dispatch(visit: &mut Visit<'_>, route: Route) -> Result<Answer, Problem> {
    match route {
        Route::Home => home::page(visit).await,
        Route::SignIn { root } => sign_in::page(visit, root).await,
        Route::SignOut => sign_in::sign_out(visit).await,
        Route::Factor(page) => factor::page(visit, page).await,
        Route::Recovery(page) => recovery::page(visit, page).await,
        Route::Devices(whose, page) => devices::page(visit, &whose, page).await,
        Route::Password => password::page(visit).await,
        Route::Users => users::list(visit).await,
        Route::CreateUser => users::create(visit).await,
        Route::User(user, page) => users::page(visit, user, page).await,
        Route::Sms(page) => sms::page(visit, page).await,
        Route::Account => account::page(visit).await,
        Route::Setting(setting) => account::change(visit, setting).await,
        Route::Development => development::page(visit).await,
    }
}

/// Reads a form, within the limits, when it comes from a page of ours.
async fn receive(visit: &mut Visit<'_>, request: &HttpRequest, payload: web::Payload) -> Result<(), Problem> {
    let head = request.headers();
    if !from_own_page(head, &visit.host, visit.console.settings.public_origin.as_deref()) {
        return Err(Problem::StaleForm);
    }
    let kind = head.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM_TYPE) {
        return Err(Problem::Malformed);
    }
    let body = actix_rt::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(FORM_BYTES_MAX)).await;
    let body = match body {
        Ok(Ok(Ok(body))) => body,
        Ok(Err(_too_large)) => return Err(Problem::TooLarge),
        Ok(Ok(Err(_))) | Err(_) => return Err(Problem::Malformed),
    };
    visit.form = Params::parse(&body).map_err(|_| Problem::Malformed)?;
    visit.post = true;
    Ok(())
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    status: u16,
    what: String,
    then: &'static str,
    onwards: (&'static str, &'static str),
    reference: String,
}

/// The page of a problem.
fn told(visit: &mut Visit<'_>, problem: &Problem, request_id: &str) -> HttpResponse {
    let told = problem.told(visit.now);
    let own_fault = matches!(problem, Problem::Busy | Problem::Failed);
    let page = ProblemPage {
        frame: visit.bare_frame(told.title),
        status: told.status.as_u16(),
        what: told.what,
        then: told.then,
        onwards: told.onwards,
        reference: if own_fault { request_id.to_owned() } else { String::new() },
    };
    // A page that cannot be rendered is a fault of the templates; its words are better than nothing.
    let html = page.render().unwrap_or_else(|_| told.title.to_owned());
    let mut answer = visit.finish(Answer::Page(html));
    *answer.status_mut() = told.status;
    let headers = answer.headers_mut();
    match problem {
        Problem::WrongMethod(allow) => {
            headers.insert(header::ALLOW, header::HeaderValue::from_static(allow));
        }
        Problem::TooMany { until } => {
            let seconds = until.0.saturating_sub(visit.now.0).div_ceil(1000).max(1);
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        Problem::TooLarge => {
            // What is left of the request is not read, so nothing can follow it.
            answer.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        }
        _ => {}
    }
    answer
}

/// A redirect that is fetched by GET.
pub(super) fn see_other(to: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(StatusCode::SEE_OTHER);
    answer.insert_header((header::LOCATION, to)).insert_header((header::CACHE_CONTROL, "no-store")).finish()
}

/// What every answer of the console tells the browser not to do.
fn protect(answer: &mut HttpResponse, request: &HttpRequest, console: &Console) {
    let headers = answer.headers_mut();
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(header::HeaderName::from_static(name), header::HeaderValue::from_static(value));
    };
    set("content-security-policy", CONTENT_SECURITY_POLICY);
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "no-referrer");
    set("permissions-policy", PERMISSIONS_POLICY);
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // On this machine the promise would bind every other port too.
    if console.settings.secure && !is_this_machine(host) {
        let value = header::HeaderValue::from_str(&format!("max-age={STRICT_TRANSPORT_S}"));
        if let Ok(value) = value {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    }
}

/// Whether a request is larger than any that the console looks at.
pub(super) fn exceeds(request: &HttpRequest) -> bool {
    is_too_large(request, FORM_BYTES_MAX)
}
