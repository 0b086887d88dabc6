//! The device that shows codes, in the user's hand: written from RFC 4226 and RFC 6238 and from nothing else here.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::{Code, NewVirtualDevice, Serial, UnixMillis};

/// Seconds of one step (RFC 6238, section 4.1).
///
/// ```
/// assert_eq!(countersign::testing::STEP_S, 30);
/// ```
pub const STEP_S: u64 = 30;

/// The six digits of a secret at a counter (RFC 4226, section 5.3).
///
/// # Panics
/// Never: HMAC takes a key of any length, and its last nibble is at most 15.
///
/// ```
/// // RFC 4226, appendix D.
/// assert_eq!(countersign::testing::hotp(b"12345678901234567890", 1), 287_082);
/// ```
#[must_use]
pub fn hotp(secret: &[u8], counter: u64) -> u32 {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes any key");
    mac.update(&counter.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 0x0f);
    let word = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    word % 1_000_000
}

/// As [`hotp`], remembered: searches over the same counters come again and again.
///
/// ```
/// use countersign::testing::{hotp, remembered};
/// assert_eq!(remembered(b"secret", 9), hotp(b"secret", 9));
/// ```
#[must_use]
pub fn remembered(secret: &[u8], counter: u64) -> u32 {
    type Known = HashMap<Vec<u8>, HashMap<u64, u32>>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains_key(secret) {
        known.insert(secret.to_vec(), HashMap::new());
    }
    let Some(codes) = known.get_mut(secret) else { return hotp(secret, counter) };
    *codes.entry(counter).or_insert_with(|| hotp(secret, counter))
}

/// Digits as a person types them.
///
/// ```
/// assert_eq!(countersign::testing::digits(81_804), "081804");
/// ```
#[must_use]
pub fn digits(code: u32) -> String {
    format!("{code:06}")
}

/// The bytes of an unpadded base32 text (RFC 4648), as an authenticator takes them by hand.
///
/// # Panics
/// When the text is not base32.
///
/// ```
/// assert_eq!(countersign::testing::from_base32("MZXW6YTB"), b"fooba");
/// ```
#[must_use]
pub fn from_base32(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => panic!("not a letter of base32"),
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

/// An authenticator in somebody's hand: the secret that it was shown, and a clock of its own.
///
/// The clock may go ahead or behind, or stand still. Instants are those of the true clock. `Debug` does not show the
/// secret.
///
/// ```
/// use countersign::testing::Authenticator;
/// use countersign::{Serial, UnixMillis};
///
/// let phone = Authenticator::new(Serial::new("GAHT00000001")?, *b"12345678901234567890");
/// let now = UnixMillis::from_secs(59);
/// assert_eq!(phone.code(now).expose(), "287082");
/// assert_eq!(phone.clone().ahead_s(30).code(now).expose(), "359152");
/// assert_eq!(phone.clone().behind_s(30).code(now).expose(), "755224");
/// assert_eq!(phone.stopped_at(now).code(UnixMillis::from_secs(4000)).expose(), "287082");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// What the device is called.
    pub serial: Serial,
    /// The shared secret.
    pub secret: Vec<u8>,
    /// How many seconds its clock is ahead, below 0 behind.
    pub drift_s: i64,
    /// The instant at which its clock stopped.
    pub stopped: Option<UnixMillis>,
}

impl Authenticator {
    /// An authenticator with a right clock.
    ///
    /// ```
    /// # use countersign::{Serial, testing::Authenticator};
    /// let token = Authenticator::new(Serial::new("GAHT00000001").unwrap(), [7; 20]);
    /// assert_eq!(token.drift_s, 0);
    /// ```
    #[must_use]
    pub fn new(serial: Serial, secret: impl Into<Vec<u8>>) -> Self {
        Self { serial, secret: secret.into(), drift_s: 0, stopped: None }
    }

    /// Takes the secret of a new virtual device, as a person does who types its base32 text.
    ///
    /// ```
    /// use countersign::NewVirtualDevice;
    /// use countersign::testing::Authenticator;
    /// fn scan(device: &NewVirtualDevice) -> Authenticator { Authenticator::of(device) }
    /// ```
    #[must_use]
    pub fn of(device: &NewVirtualDevice) -> Self {
        Self::new(device.serial.clone(), from_base32(&device.base32()))
    }

    /// The authenticator with its clock so much further ahead.
    ///
    /// ```
    /// # use countersign::{Serial, testing::Authenticator};
    /// let token = Authenticator::new(Serial::new("GAHT00000001").unwrap(), [7; 20]).ahead_s(90);
    /// assert_eq!(token.drift_s, 90);
    /// ```
    #[must_use]
    pub fn ahead_s(mut self, seconds: u32) -> Self {
        self.drift_s = self.drift_s.saturating_add(seconds.into());
        self
    }

    /// The authenticator with its clock so much further behind.
    ///
    /// ```
    /// # use countersign::{Serial, testing::Authenticator};
    /// let token = Authenticator::new(Serial::new("GAHT00000001").unwrap(), [7; 20]).behind_s(90);
    /// assert_eq!(token.drift_s, -90);
    /// ```
    #[must_use]
    pub fn behind_s(mut self, seconds: u32) -> Self {
        self.drift_s = self.drift_s.saturating_sub(seconds.into());
        self
    }

    /// The authenticator with its clock stopped at an instant: it shows the same code for ever.
    ///
    /// ```
    /// # use countersign::{Serial, UnixMillis, testing::Authenticator};
    /// let token = Authenticator::new(Serial::new("GAHT00000001").unwrap(), [7; 20]).stopped_at(UnixMillis(0));
    /// assert_eq!(token.code(UnixMillis(0)).expose(), token.code(UnixMillis(90_000)).expose());
    /// ```
    #[must_use]
    pub const fn stopped_at(mut self, at: UnixMillis) -> Self {
        self.stopped = Some(at);
        self
    }

    /// What it shows at an instant.
    ///
    /// ```
    /// # use countersign::{Serial, UnixMillis, testing::Authenticator};
    /// let token = Authenticator::new(Serial::new("GAHT00000001").unwrap(), *b"12345678901234567890");
    /// assert_eq!(token.code(UnixMillis::from_secs(59)).expose(), "287082");
    /// ```
    #[must_use]
    pub fn code(&self, now: UnixMillis) -> Code {
        Code::of_number(self.number(now))
    }

    pub(super) fn number(&self, now: UnixMillis) -> u32 {
        hotp(&self.secret, self.step(now))
    }

    pub(super) fn drifted(mut self, seconds: i64) -> Self {
        self.drift_s = self.drift_s.saturating_add(seconds);
        self
    }

    /// Two codes, one after the other, the second of which it shows at an instant.
    ///
    /// ```
    /// # use countersign::{Serial, UnixMillis, testing::Authenticator};
    /// let token = Authenticator::new(Serial::new("GAHT00000001").unwrap(), *b"12345678901234567890");
    /// let (first, second) = token.pair(UnixMillis::from_secs(59));
    /// assert_eq!((first.expose(), second.expose()), ("755224", "287082"));
    /// ```
    #[must_use]
    pub fn pair(&self, now: UnixMillis) -> (Code, Code) {
        let before = self.step(now).saturating_sub(1);
        (Code::of_number(hotp(&self.secret, before)), self.code(now))
    }

    /// Codes that it shows at no time within nine hours of an instant.
    ///
    /// ```
    /// # use countersign::{Serial, UnixMillis, testing::Authenticator};
    /// let token = Authenticator::new(Serial::new("GAHT00000001").unwrap(), [7; 20]);
    /// let now = UnixMillis::from_secs(1_700_000_000);
    /// assert_ne!(token.wrong(now).next().unwrap().expose(), token.code(now).expose());
    /// ```
    pub fn wrong(&self, now: UnixMillis) -> impl Iterator<Item = Code> + use<> {
        self.wrong_numbers(now).map(Code::of_number)
    }

    pub(super) fn wrong_number(&self, now: UnixMillis) -> u32 {
        self.wrong_numbers(now).next().unwrap_or_default()
    }

    fn wrong_numbers(&self, now: UnixMillis) -> impl Iterator<Item = u32> + use<> {
        let step = self.step(now);
        let near = step.saturating_sub(1100)..step.saturating_add(1100);
        let near: BTreeSet<u32> = near.map(|step| remembered(&self.secret, step)).collect();
        (0..1_000_000).filter(move |number| !near.contains(number))
    }

    /// The step that its own clock is in.
    fn step(&self, now: UnixMillis) -> u64 {
        self.stopped.unwrap_or(now).secs().saturating_add_signed(self.drift_s) / STEP_S
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { serial, drift_s, stopped, .. } = self;
        write!(f, "Authenticator {{ serial: {serial:?}, drift_s: {drift_s}, stopped: {stopped:?}, .. }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 4226, appendix D.
    #[test]
    fn the_vectors_of_rfc_4226() {
        let expected = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        for (counter, code) in (0..).zip(expected) {
            assert_eq!(hotp(SECRET, counter), code);
            assert_eq!(remembered(SECRET, counter), code);
        }
    }

    /// RFC 6238, appendix B, SHA-1: the last six of the eight digits.
    #[test]
    fn the_vectors_of_rfc_6238() {
        let vectors = [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ];
        for (seconds, code) in vectors {
            assert_eq!(hotp(SECRET, seconds / STEP_S), code, "{seconds}");
        }
        assert_eq!(digits(hotp(SECRET, 1_111_111_109 / STEP_S)), "081804");
    }

    #[test]
    fn base32_is_read_as_authenticators_read_it() {
        assert_eq!(from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), SECRET);
        assert_eq!(from_base32("MZXW6YTB"), b"fooba");
    }
}
