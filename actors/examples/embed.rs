//! A small account platform with Countersign inside: people with passwords, and a second factor.
//!
//! `cargo run -p countersign --example embed`

use std::collections::HashMap;
use std::error::Error;

use countersign::{
    AccountId, Caller, Code, Config, Countersign, DeviceName, NewVirtualDevice, Path, PrincipalId, Proof, Purpose,
    Refusal, Request, Serial, UserId,
};
use totp_rs::{Builder, Secret};

/// What the platform knows by itself. Everything about second factors is the engine's.
struct Platform {
    mfa: Countersign,
    account: AccountId,
    passwords: HashMap<String, String>,
}

/// What a sign-in comes to.
#[derive(Debug, PartialEq)]
enum SignIn {
    Welcome,
    CodeWanted,
    Sorry(&'static str),
}

impl Platform {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let mfa = Countersign::in_memory(Config { issuer: "Tiny Cloud".to_owned(), ..Config::default() })?;
        let account: AccountId = "123456789012".parse()?;
        mfa.open_account(Request::by(Caller::operator()), account, DeviceName::new("owner")?).await?;
        Ok(Self { mfa, account, passwords: HashMap::new() })
    }

    async fn sign_up(&mut self, name: &str, password: &str) -> Result<(), Box<dyn Error>> {
        let (id, name_of) = (UserId::new(format!("U-{}", self.passwords.len()))?, DeviceName::new(name)?);
        self.mfa.register_user(Request::by(Caller::operator()), self.account, id, name_of, Path::root()).await?;
        self.passwords.insert(name.to_owned(), password.to_owned());
        Ok(())
    }

    fn person(&self, name: &str) -> Option<PrincipalId> {
        self.mfa.user_named(self.account, name).map(|user| user.id)
    }

    async fn offer_device(&self, name: &str) -> Result<NewVirtualDevice, Box<dyn Error>> {
        let person = self.person(name).ok_or("no such person")?;
        let by = Request::by(Caller::at_console(person, None));
        Ok(self.mfa.create_virtual_device(by, self.account, Path::root(), DeviceName::new(name)?).await?.value)
    }

    async fn enable(&self, name: &str, serial: &Serial, codes: [&str; 2]) -> Result<bool, Box<dyn Error>> {
        let person = self.person(name).ok_or("no such person")?;
        let by = Request::by(Caller::at_console(person.clone(), None));
        let [first, second] = [Code::parse(codes[0])?, Code::parse(codes[1])?];
        Ok(self.mfa.enable(by, &person, serial, first, second).await?.value.is_accepted())
    }

    async fn sign_in(&self, name: &str, password: &str, code: Option<&str>) -> Result<SignIn, Box<dyn Error>> {
        if self.passwords.get(name).is_none_or(|known| known != password) {
            return Ok(SignIn::Sorry("name or password is wrong"));
        }
        let person = self.person(name).ok_or("no such person")?;
        let Some(device) = self.mfa.devices(&person).into_iter().next() else { return Ok(SignIn::Welcome) };
        let Some(code) = code else { return Ok(SignIn::CodeWanted) };
        let by = Request::by(Caller::at_console(person.clone(), None));
        let proof = self.mfa.verify_code(by, &person, &device.serial, Code::parse(code)?, Purpose::SignIn).await?;
        Ok(match proof.value {
            Proof::Accepted => SignIn::Welcome,
            Proof::Refused(Refusal::Wrong) => SignIn::Sorry("that code is not valid"),
            Proof::Refused(Refusal::Locked { .. } | Refusal::NotYet) => SignIn::Sorry("try again in a few minutes"),
        })
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example may talk")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut platform = Platform::start().await?;
    platform.sign_up("lee", "correct horse").await?;
    assert_eq!(platform.sign_in("lee", "correct horse", None).await?, SignIn::Welcome);

    let device = platform.offer_device("lee").await?;
    let secret = Secret::try_from_base32(device.base32().as_str()).map_err(|_| "not base32")?;
    let phone = Builder::new().with_secret(secret).with_account_name("lee").build()?;
    let now = platform.mfa.now().secs();
    let shown = |seconds: u64| phone.generate(seconds).to_string();
    assert!(platform.enable("lee", &device.serial, [&shown(now), &shown(now + 30)]).await?);

    assert_eq!(platform.sign_in("lee", "correct horse", None).await?, SignIn::CodeWanted);
    let code = shown(now + 60);
    assert_eq!(platform.sign_in("lee", "correct horse", Some(&code)).await?, SignIn::Welcome);
    let again = platform.sign_in("lee", "correct horse", Some(&code)).await?;
    assert_eq!(again, SignIn::Sorry("that code is not valid"));
    println!("lee signed in once with each code");
    platform.mfa.close().await?;
    Ok(())
}
