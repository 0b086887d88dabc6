//! The API as a client sees it, over an engine in memory and a clock that stands until it is moved.

mod devices;
mod kinds;
mod rules;
mod sessions;

use std::sync::Arc;

use countersign::{DevelopmentTransports, ManualClock, Transports};
use data_encoding::{BASE32_NOPAD, BASE64};

use super::Gateway;
use crate::directory::{Founding, Standalone};
use crate::engine::{Config, Countersign, DeviceName, Policy, UnixMillis};
use crate::errors::{MFA_CODE_REFUSED, MFA_INCOMPLETE, MFA_NOT_VALIDATED, Service};
use crate::testing::{Signer, code, text_of};

const ACCOUNT: &str = "123456789012";
const START: UnixMillis = UnixMillis::from_secs(1_795_000_000);

/// A key, as a client has it.
#[derive(Clone)]
struct Key {
    id: String,
    secret: String,
    token: Option<String>,
}

/// A server and its administrator's key.
struct World {
    gateway: Gateway,
    engine: Countersign,
    clock: ManualClock,
    outbox: Arc<DevelopmentTransports>,
    admin: Key,
}

/// What came back.
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn get(&self, element: &str) -> String {
        text_of(&self.body, element).unwrap_or_else(|| panic!("no {element} in {}", self.body))
    }

    fn all(&self, element: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(&self.body).unwrap();
        let nodes = document.descendants().filter(|node| node.tag_name().name() == element);
        nodes.map(|node| node.text().unwrap_or_default().to_owned()).collect()
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    #[track_caller]
    fn refused(&self, status: u16, code: &str, message: &str) {
        let seen = (self.status, self.get("Code"), self.get("Message"));
        assert_eq!(seen, (status, code.to_owned(), message.to_owned()));
    }
}

impl World {
    async fn new(policy: Policy) -> Self {
        let clock = ManualClock::at(START);
        let outbox = DevelopmentTransports::new(true);
        let transports = Transports::development(&outbox);
        let config = Config { policy, clock: Arc::new(clock.clone()), transports, ..Config::default() };
        let engine = Countersign::in_memory(config).unwrap();
        let directory = Standalone::open(engine.clone()).unwrap();
        let founding = Founding {
            account: Some(ACCOUNT.parse().unwrap()),
            root_email: "root@example.com".into(),
            root_phone: None,
            administrator: DeviceName::new("administrator").unwrap(),
        };
        let founded = directory.found(founding).await.unwrap();
        let gateway = Gateway::new(engine.clone(), Arc::new(directory)).unwrap();
        let admin =
            Key { id: founded.access_key_id, secret: founded.secret_access_key.expose().to_owned(), token: None };
        Self { gateway, engine, clock, outbox, admin }
    }

    async fn call(&self, key: &Key, form: &str) -> Answer {
        self.call_as(key, form, None).await
    }

    async fn call_as(&self, key: &Key, form: &str, invocation: Option<&str>) -> Answer {
        let sts = form.contains("GetSessionToken") || form.contains("GetCallerIdentity");
        let service = if sts { Service::Sts } else { Service::Iam };
        let mut signer = Signer::new(service);
        (signer.key, signer.secret) = (key.id.clone(), key.secret.clone());
        signer.session_token.clone_from(&key.token);
        let version = service.version();
        let mut received = signer.sign(&format!("Action={form}&Version={version}"), self.engine.now());
        if let Some(invocation) = invocation {
            received.headers.insert("amz-sdk-invocation-id", invocation.parse().unwrap());
        }
        let reply = self.gateway.answer(&received, "6f3ba1aa-0e95-11ea-8d71-362b9e155667").await;
        Answer { status: reply.status, body: reply.body }
    }

    async fn admin(&self, form: &str) -> Answer {
        self.call(&self.admin, form).await
    }

    /// A user with an access key.
    async fn user(&self, name: &str) -> Key {
        self.admin(&format!("CreateUser&UserName={name}")).await.ok();
        let made = self.admin(&format!("CreateAccessKey&UserName={name}")).await.ok();
        Key { id: made.get("AccessKeyId"), secret: made.get("SecretAccessKey"), token: None }
    }

    /// A virtual device: its ARN and its seed.
    async fn device(&self, name: &str) -> (String, Vec<u8>) {
        let made = self.admin(&format!("CreateVirtualMFADevice&VirtualMFADeviceName={name}")).await.ok();
        let base32 = BASE64.decode(made.get("Base32StringSeed").as_bytes()).unwrap();
        (made.get("SerialNumber"), BASE32_NOPAD.decode(&base32).unwrap())
    }

    fn step(&self) -> u64 {
        self.engine.now().secs() / 30
    }

    fn pair(&self, seed: &[u8]) -> String {
        let (first, second) = (code(seed, self.step() - 1), code(seed, self.step()));
        format!("AuthenticationCode1={first}&AuthenticationCode2={second}")
    }

    async fn enable(&self, user: &str, serial: &str, seed: &[u8]) -> Answer {
        self.admin(&format!("EnableMFADevice&UserName={user}&SerialNumber={serial}&{}", self.pair(seed))).await
    }
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

fn session_of(answer: &Answer) -> Key {
    Key {
        id: answer.get("AccessKeyId"),
        secret: answer.get("SecretAccessKey"),
        token: Some(answer.get("SessionToken")),
    }
}
