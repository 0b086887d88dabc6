//! Codes that are sent or shown: each follows from the secret of its challenge, so that none is stored.

use countersign_domain::device::PhoneNumber;
use countersign_domain::ids::AttemptId;
use countersign_domain::secret::ChallengeSecret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::code::Code;

/// What a code is derived for; a secret gives different codes for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Sms,
    Mail,
    Call,
}

impl Medium {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Sms => b"code by sms",
            Self::Mail => b"code by mail",
            Self::Call => b"code for a call",
        }
    }
}

/// The six digits that a challenge's secret stands for.
pub(crate) fn six_digits(secret: &ChallengeSecret, medium: Medium) -> Code {
    // The largest multiple of a million in 32 bits: what lies above would make some codes likelier than others.
    const END: u32 = u32::MAX / 1_000_000 * 1_000_000;
    let mut round: u8 = 0;
    loop {
        let digest = keyed(secret.expose(), &[medium.label(), &[round]]);
        let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        if number < END || round == u8::MAX {
            return Code::of_number(number % 1_000_000);
        }
        round += 1;
    }
}

/// The code of a mail: 128 bits, as 32 hexadecimal digits.
pub(crate) fn mail_code(secret: &ChallengeSecret) -> Zeroizing<String> {
    let digest = keyed(secret.expose(), &[Medium::Mail.label()]);
    Zeroizing::new(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether what came back is the code, in constant time.
pub(crate) fn is_same(code: &str, answer: &str) -> bool {
    code.as_bytes().ct_eq(answer.as_bytes()).into()
}

/// The key under which it is remembered which code a linked principal's device showed (A6).
pub(crate) struct MarkKey(Zeroizing<[u8; 32]>);

impl MarkKey {
    pub(crate) const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The mark of a code in one sign-in.
    pub(crate) fn mark(&self, attempt: AttemptId, code: &Code) -> [u8; 16] {
        let digest = keyed(&self.0, &[attempt.as_bytes(), code.as_str().as_bytes()]);
        shortened(&digest)
    }

    /// The mark of a telephone number.
    pub(crate) fn mark_number(&self, number: &PhoneNumber) -> [u8; 16] {
        shortened(&keyed(&self.0, &[b"number", number.e164().as_bytes()]))
    }
}

fn shortened(digest: &[u8; 32]) -> [u8; 16] {
    let mut mark = [0; 16];
    mark.copy_from_slice(&digest[..16]);
    mark
}

fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // HMAC fills a short key up with zeros to the block of its hash (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut hmac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        hmac.update(&(part.len() as u64).to_be_bytes());
        hmac.update(part);
    }
    Zeroizing::new(hmac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_gives_one_code_for_each_medium() {
        let secret = ChallengeSecret::new([7; 32]);
        let code = |medium| six_digits(&secret, medium).as_str().to_owned();
        assert_eq!(code(Medium::Sms), code(Medium::Sms));
        assert_ne!(code(Medium::Sms), code(Medium::Call));
        assert_eq!(mail_code(&secret).len(), 32);
        assert_ne!(code(Medium::Sms), six_digits(&ChallengeSecret::new([8; 32]), Medium::Sms).as_str());
    }

    #[test]
    fn every_digit_comes_up_in_every_place() {
        let mut seen = [[0_u32; 10]; 6];
        for number in 0..2000_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let code = six_digits(&ChallengeSecret::new(bytes), Medium::Sms);
            for (place, digit) in code.as_str().bytes().enumerate() {
                seen[place][usize::from(digit - b'0')] += 1;
            }
        }
        // 200 are expected of each; the secrets are fixed, so the outcome is too.
        assert!(seen.iter().flatten().all(|count| (140..260).contains(count)), "{seen:?}");
    }
}
