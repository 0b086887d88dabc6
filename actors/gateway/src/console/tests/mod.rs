//! The console as browsers see it, over an engine in memory and a clock that stands until it is moved.

mod devices;
mod guards;
mod passwords;
mod recorded;
mod recovery;
mod sessions;
mod sign_in;
mod sms;
mod sms_report;
mod users;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use countersign::store::{EphemeralKeyRing, Journal, MemoryJournal};
use countersign::{ManualClock, SmsRoute, SmsTransport};
use data_encoding::BASE32_NOPAD;

use super::{Console, ConsoleSettings, routes};
use crate::directory::{Directory as _, Founded, Founding, Standalone};
use crate::engine::{
    AccountId, Caller, Code, Config, Countersign, DevelopmentTransports, DeviceKind, DeviceName, Path, PhoneNumber,
    Policy, PrincipalId, Request, Serial, Transports, UnixMillis,
};
use crate::secret::Secret;
use crate::testing::code;

const ACCOUNT: &str = "123456789012";
const START: UnixMillis = UnixMillis::from_secs(1_795_000_000);
const PASSWORD: &str = "a long enough password";

/// A server with a user `lee`, and what would be sent by it.
struct World {
    console: web::Data<Console>,
    engine: Countersign,
    journal: Arc<dyn Journal>,
    directory: Arc<Standalone>,
    clock: ManualClock,
    outbox: Arc<DevelopmentTransports>,
    founded: Founded,
    lee: PrincipalId,
}

/// How a world differs from the usual one.
#[derive(Default)]
struct Setup {
    policy: Option<Policy>,
    secure: bool,
    /// Whether the server shows what it would send.
    development: bool,
    /// Whether it can send.
    sends: bool,
    /// What carries codes by SMS instead of the outbox.
    sms: Option<Arc<dyn SmsTransport>>,
}

fn config(setup: &Setup, clock: &ManualClock, outbox: &Arc<DevelopmentTransports>) -> Config {
    let mut transports = if setup.sends { Transports::development(outbox) } else { Transports::default() };
    if let Some(gateway) = &setup.sms {
        transports.sms = vec![SmsRoute { price_micros: 7_500, ..SmsRoute::new("main", Arc::clone(gateway)) }];
    }
    Config {
        policy: setup.policy.clone().unwrap_or_else(Policy::classic),
        clock: Arc::new(clock.clone()),
        transports,
        ..Config::default()
    }
}

fn console(
    engine: &Countersign,
    directory: &Arc<Standalone>,
    setup: &Setup,
    outbox: &Arc<DevelopmentTransports>,
) -> web::Data<Console> {
    let settings = ConsoleSettings {
        public_origin: None,
        secure: setup.secure,
        relying_party_id: "localhost".into(),
        outbox: setup.development.then(|| outbox.clone()),
        trusted_proxy: None,
        currency: "EUR".into(),
    };
    web::Data::new(Console::new(engine.clone(), directory.clone(), settings).unwrap())
}

impl World {
    async fn new() -> Self {
        Self::with(Setup { sends: true, ..Setup::default() }).await
    }

    async fn modern() -> Self {
        Self::with(Setup { policy: Some(Policy::modern()), sends: true, ..Setup::default() }).await
    }

    async fn with(setup: Setup) -> Self {
        let clock = ManualClock::at(START);
        let outbox = DevelopmentTransports::new(true);
        let ring = Arc::new(EphemeralKeyRing::new().unwrap());
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new(ring.clone()).unwrap());
        let engine = Countersign::on(Arc::clone(&journal), ring, config(&setup, &clock, &outbox)).unwrap();
        let directory = Arc::new(Standalone::open(engine.clone()).unwrap());
        let founding = Founding {
            account: Some(ACCOUNT.parse().unwrap()),
            root_email: "root@example.com".into(),
            root_phone: Some(PhoneNumber::parse("+1 415 555 1234").unwrap()),
            administrator: DeviceName::new("administrator").unwrap(),
        };
        let founded = directory.found(founding).await.unwrap();
        let console = console(&engine, &directory, &setup, &outbox);
        let lee = user(&directory, "lee").await;
        Self { console, engine, journal, directory, clock, outbox, founded, lee }
    }

    fn account(&self) -> AccountId {
        self.founded.account
    }

    fn root(&self) -> PrincipalId {
        PrincipalId::Root(self.account())
    }

    fn step(&self) -> u64 {
        self.engine.now().secs() / 30
    }

    /// The code that a device shows now, and goes on to the next one.
    fn code(&self, seed: &[u8]) -> String {
        self.clock.advance_s(30);
        code(seed, self.step())
    }

    /// Gives a principal a virtual device, not by way of the console.
    async fn virtual_device(&self, of: &PrincipalId, name: &str) -> (Serial, Vec<u8>) {
        let by = || Request::by(Caller::at_console(of.clone(), Some(self.engine.now())));
        let name = DeviceName::new(name).unwrap();
        let made = self.engine.create_virtual_device(by(), of.account(), Path::root(), name).await.unwrap().value;
        let seed = BASE32_NOPAD.decode(made.base32().as_bytes()).unwrap();
        let shown = |step: u64| Code::parse(&code(&seed, step)).unwrap();
        let (first, second) = (shown(self.step() - 1), shown(self.step()));
        let proof = self.engine.enable(by(), of, &made.serial, first, second).await.unwrap().value;
        assert!(proof.is_accepted());
        (made.serial.clone(), seed)
    }

    /// Gives lee an SMS device, not by way of the console; `code` finds what was sent.
    async fn enrol_sms_by(&self, code: impl FnOnce() -> String) {
        let by = || Request::by(Caller::at_console(self.lee.clone(), None));
        let phone = PhoneNumber::parse("+14155551234").unwrap();
        let sent = self.engine.begin_sms_enrolment(by(), &self.lee, phone).await.unwrap().value;
        let code = Code::parse(&code()).unwrap();
        let proof = self.engine.finish_sms_enrolment(by(), &self.lee, sent.challenge, code).await.unwrap().value;
        assert!(proof.is_accepted());
        assert_eq!(self.engine.devices(&self.lee)[0].kind, DeviceKind::Sms);
    }

    async fn enrol_sms(&self) {
        self.enrol_sms_by(|| self.outbox.messages().last().unwrap().code.to_string()).await;
    }

    fn browser(&self) -> Browser {
        Browser::new(self.console.clone())
    }

    /// A browser in which lee is signed in.
    async fn lee(&self) -> Browser {
        let mut browser = self.browser();
        browser.sign_in("lee", PASSWORD).await.at("/console/");
        browser
    }

    /// A browser in which the administrator is signed in.
    async fn administrator(&self) -> Browser {
        let mut browser = self.browser();
        let password = self.founded.administrator_password.expose().to_owned();
        browser.sign_in("administrator", &password).await.at("/console/");
        browser
    }

    /// A browser in which root is signed in.
    async fn root_browser(&self) -> Browser {
        let mut browser = self.browser();
        let password = self.founded.root_password.expose().to_owned();
        browser.sign_in_root("root@example.com", &password).await.at("/console/");
        browser
    }
}

/// A user with a password.
async fn user(directory: &Standalone, name: &str) -> PrincipalId {
    let by = || Request::by(Caller::operator());
    let account = directory.account().unwrap();
    let user = directory.create_user(by(), account, DeviceName::new(name).unwrap(), Path::root()).await.unwrap();
    directory.set_password(by(), &user.id, &Secret::new(PASSWORD)).await.unwrap();
    user.id
}

/// A browser: it keeps cookies and follows redirects.
#[derive(Clone)]
struct Browser {
    console: web::Data<Console>,
    jar: BTreeMap<String, String>,
    /// The token of the last page.
    token: String,
    address: SocketAddr,
    /// How it calls the server.
    host: &'static str,
    /// What it calls itself.
    agent: &'static [u8],
}

/// What came back.
#[derive(Clone, Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: String,
    /// Where the browser ended up.
    path: String,
}

impl Reply {
    #[track_caller]
    fn at(self, path: &str) -> Self {
        assert_eq!(self.path, path, "{}", self.body);
        self
    }

    #[track_caller]
    fn shows(self, text: &str) -> Self {
        assert!(self.body.contains(text), "`{text}` is not in {}", self.body);
        self
    }

    #[track_caller]
    fn hides(self, text: &str) -> Self {
        assert!(!self.body.contains(text), "`{text}` is in {}", self.body);
        self
    }

    #[track_caller]
    fn status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What stands between two texts.
    fn between(&self, start: &str, end: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(start)?;
        rest.split_once(end).map(|(found, _)| found)
    }

    /// The secret that a wizard shows.
    fn seed(&self) -> Vec<u8> {
        let secret = self.between("id=\"secret\" class=\"secret\">", "<").unwrap().replace(' ', "");
        BASE32_NOPAD.decode(secret.as_bytes()).unwrap()
    }
}

impl Browser {
    fn new(console: web::Data<Console>) -> Self {
        let address = SocketAddr::from(([192, 0, 2, 1], 4000));
        Self { console, jar: BTreeMap::new(), token: String::new(), address, host: "localhost:7617", agent: b"Test/1" }
    }

    /// One request and its answer, without following it.
    async fn send(&mut self, request: TestRequest, path: &str) -> Reply {
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = request.uri(path).peer_addr(self.address).insert_header((header::HOST, self.host));
        request = request.insert_header((header::USER_AGENT, HeaderValue::from_bytes(self.agent).unwrap()));
        if !cookies.is_empty() {
            request = request.insert_header((header::COOKIE, cookies.join("; ")));
        }
        let console = self.console.clone();
        let app = init_service(App::new().configure(|app| routes(app, console))).await;
        let answer = call_service(&app, request.to_request()).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
        for cookie in headers.get_all(header::SET_COOKIE) {
            let (pair, flags) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if flags.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let reply = Reply { status, headers, body, path: path.to_owned() };
        if let Some(token) = reply.between("name=\"token\" value=\"", "\"") {
            token.clone_into(&mut self.token);
        }
        reply
    }

    /// A page, after the redirects that lead to it.
    async fn get(&mut self, path: &str) -> Reply {
        let mut reply = self.send(TestRequest::get(), path).await;
        for _ in 0..5 {
            let Some(to) = reply.headers.get(header::LOCATION) else { break };
            let to = to.to_str().unwrap().to_owned();
            reply = self.send(TestRequest::get(), &to).await;
        }
        reply
    }

    /// A form as it is, without following the answer.
    async fn post_raw(&mut self, path: &str, form: &str) -> Reply {
        let request = TestRequest::post()
            .insert_header((header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .set_payload(form.to_owned());
        self.send(request, path).await
    }

    /// A form with the token of the last page, without following the answer.
    async fn post_once(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form = form(&self.token, fields);
        self.post_raw(path, &form).await
    }

    /// A form, and the page that it leads to.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let reply = self.post_once(path, fields).await;
        match reply.headers.get(header::LOCATION) {
            Some(to) => {
                assert_eq!(reply.status, 303);
                let to = to.to_str().unwrap().to_owned();
                self.get(&to).await
            }
            None => reply,
        }
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> Reply {
        self.get("/console/sign-in").await;
        let fields = [("account", ACCOUNT), ("user_name", name), ("password", password)];
        self.post("/console/sign-in", &fields).await
    }

    async fn sign_in_root(&mut self, email: &str, password: &str) -> Reply {
        self.get("/console/sign-in/root").await;
        self.post("/console/sign-in/root", &[("email", email), ("password", password)]).await
    }

    fn cookie(&self, name: &str) -> Option<String> {
        self.jar.get(name).cloned()
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn form(token: &str, fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("&{name}={}", encoded(value)));
    format!("token={}{}", encoded(token), pairs.collect::<String>())
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}
