//! A person's authenticator, from what the QR code says: a second reading of RFC 6238.

use countersign::{Code, NewVirtualDevice, Serial};
use totp_rs::{Builder, Secret, Totp};

pub struct Phone {
    pub serial: Serial,
    totp: Totp,
}

impl Phone {
    /// Takes the secret from the otpauth URI, as a phone does that scans it.
    pub fn scan(device: &NewVirtualDevice) -> Self {
        let uri = device.otpauth_uri().unwrap();
        let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(secret).with_account_name("x").build().unwrap();
        Self { serial: device.serial.clone(), totp }
    }

    /// What the phone shows at an instant.
    pub fn code(&self, seconds: u64) -> Code {
        Code::parse(&self.totp.generate(seconds).to_string()).unwrap()
    }

    /// Digits that the phone shows at no time near an instant.
    #[allow(dead_code, reason = "not every story needs a wrong code")]
    pub fn wrong_code(&self, seconds: u64) -> Code {
        let near: Vec<String> =
            (0..2100).map(|step| self.totp.generate(seconds + 30 * step - 31_500).to_string()).collect();
        let free = (0..1_000_000).map(|digits| format!("{digits:06}")).find(|digits| !near.contains(digits));
        Code::parse(&free.unwrap()).unwrap()
    }
}
