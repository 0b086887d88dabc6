//! A small account platform with Countersign inside: people with passwords, and a second factor: an authenticator app,
//! or a security key.
//!
//! `cargo run -p countersign --example embed`

use std::collections::HashMap;
use std::error::Error;

use countersign::{
    AccountId, AttemptId, Caller, Client, Code, Config, Countersign, DeviceKind, DeviceName, KeyForm, KeyRegistration,
    Path, Policy, PrincipalId, Request, SignInStep, UserId,
};
use totp_rs::{Builder, Secret, Totp};
use webauthn_authenticator_rs::{WebauthnAuthenticator, prelude::Url, softpasskey::SoftPasskey};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the platform knows by itself. Everything about second factors is the engine's.
struct Platform {
    mfa: Countersign,
    account: AccountId,
    passwords: HashMap<String, String>,
}

impl Platform {
    async fn start() -> Outcome<Self> {
        let config = Config { issuer: "Tiny Cloud".to_owned(), policy: Policy::modern(), ..Config::default() };
        let (mfa, account) = (Countersign::in_memory(config)?, "123456789012".parse()?);
        mfa.open_account(Request::by(Caller::operator()), account, DeviceName::new("owner")?).await?;
        Ok(Self { mfa, account, passwords: HashMap::new() })
    }

    async fn sign_up(&mut self, name: &str, password: &str) -> Outcome<PrincipalId> {
        let (id, user) = (UserId::new(format!("U-{}", self.passwords.len()))?, DeviceName::new(name)?);
        self.mfa.register_user(Request::by(Caller::operator()), self.account, id.clone(), user, Path::root()).await?;
        self.passwords.insert(name.to_owned(), password.to_owned());
        Ok(PrincipalId::User(self.account, id))
    }

    /// The first page: name and password. What the engine answers says which page comes next.
    async fn sign_in(&self, name: &str, password: &str) -> Outcome<SignInStep> {
        let person = self.mfa.user_named(self.account, name).ok_or("name or password is wrong")?.id;
        if self.passwords.get(name).is_none_or(|known| known != password) {
            return Err("name or password is wrong".into());
        }
        Ok(self.mfa.begin_sign_in(at_the_door(&person), &person).await?.value)
    }

    async fn add_phone(&self, person: &PrincipalId, by: &Request) -> Outcome<Totp> {
        let device = self.mfa.create_virtual_device(by.clone(), self.account, Path::root(), DeviceName::new("phone")?);
        let device = device.await?.value;
        let secret = Secret::try_from_base32(device.base32().as_str()).map_err(|_| "not base32")?;
        let (phone, now) =
            (Builder::new().with_secret(secret).with_account_name("lee").build()?, self.mfa.now().secs());
        let [first, second] = [now, now + 30].map(|then| shown(&phone, then));
        assert!(self.mfa.enable(by.clone(), person, &device.serial, first?, second?).await?.value.is_accepted());
        Ok(phone)
    }

    async fn add_key(&self, person: &PrincipalId, by: &Request, key: &mut SoftPasskey) -> Outcome<()> {
        let (name, form) = (DeviceName::new("blue-key")?, KeyForm::SecurityKey);
        let asked = self.mfa.begin_key_registration(by.clone(), person, name, form, None).await?.value;
        let answer = key.do_registration(origin()?, serde_json::from_str(&asked.options)?).map_err(|_| "no key")?;
        let answer = serde_json::to_string(&answer)?;
        let registered = self.mfa.finish_key_registration(by.clone(), person, asked.id, &answer).await?.value;
        if matches!(registered, KeyRegistration::Registered(_)) { Ok(()) } else { Err("the key was refused".into()) }
    }

    /// The second page, for a code.
    async fn show_code(&self, person: &PrincipalId, attempt: AttemptId, code: Code) -> Outcome<SignInStep> {
        let mut devices = self.mfa.devices(person).into_iter();
        let phone = devices.rfind(|device| device.kind == DeviceKind::VirtualTotp).ok_or("no phone")?;
        Ok(self.mfa.sign_in_with_code(at_the_door(person), person, attempt, &phone.serial, code).await?.value)
    }

    /// The second page, for a tap.
    async fn tap_key(&self, person: &PrincipalId, attempt: AttemptId, key: &mut SoftPasskey) -> Outcome<SignInStep> {
        let asked = self.mfa.offer_key(at_the_door(person), person, attempt, KeyForm::SecurityKey).await?.value;
        let answer = key.do_authentication(origin()?, serde_json::from_str(&asked.options)?).map_err(|_| "no key")?;
        let answer = serde_json::to_string(&answer)?;
        Ok(self.mfa.sign_in_with_key(at_the_door(person), person, attempt, asked.id, &answer).await?.value)
    }
}

fn at_the_door(person: &PrincipalId) -> Request {
    let browser = Client::new(Some([203, 0, 113, 7].into()), "a browser");
    Request::by(Caller::at_console(person.clone(), None)).from_client(browser)
}

fn origin() -> Outcome<Url> {
    Ok(Url::parse("http://localhost")?)
}

fn shown(phone: &Totp, seconds: u64) -> Outcome<Code> {
    Ok(Code::parse(&phone.generate(seconds).to_string())?)
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example may talk")]
async fn main() -> Outcome<()> {
    let mut platform = Platform::start().await?;
    let lee = platform.sign_up("lee", "correct horse").await?;
    assert!(matches!(platform.sign_in("lee", "correct horse").await?, SignInStep::SignedIn(_)), "no device yet");
    let phone = platform.add_phone(&lee, &at_the_door(&lee)).await?;

    let SignInStep::Wanted { attempt, .. } = platform.sign_in("lee", "correct horse").await? else { panic!() };
    let code = shown(&phone, platform.mfa.now().secs() + 60)?;
    let SignInStep::SignedIn(done) = platform.show_code(&lee, attempt, code.clone()).await? else { panic!() };
    println!("lee is in with {:?}", done.by);

    let session = Request::by(Caller { credential: done.credential(), ..Caller::at_console(lee.clone(), None) });
    let mut key = SoftPasskey::new(false);
    platform.add_key(&lee, &session, &mut key).await?;
    let SignInStep::Wanted { attempt, .. } = platform.sign_in("lee", "correct horse").await? else { panic!() };
    let again = platform.show_code(&lee, attempt, code).await?;
    assert!(matches!(again, SignInStep::Refused(_)), "a code counts once");
    let SignInStep::SignedIn(done) = platform.tap_key(&lee, attempt, &mut key).await? else { panic!() };
    println!("lee is in with {:?}", done.by);
    platform.mfa.close().await?;
    Ok(())
}
