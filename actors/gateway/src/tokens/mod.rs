//! Import of hardware tokens from the files that vendors send (R27, A10).
//!
//! A file is PSKC (RFC 6030) or one of three CSV forms. The outcome is a list of tokens and a list
//! of refusals, each with its serial number or line and a reason, so that nothing fails silently.
//! Seeds are wiped after use and never part of a message.

mod csv;
mod encoding;
mod pskc;
mod pskc_keys;

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::engine::{Seed, Serial};
use crate::secret::Secret;
pub use encoding::SeedEncoding;

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most tokens in one file.
pub const TOKENS_MAX: usize = 100_000;
/// The longest name of a manufacturer or a model that is kept, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The form of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Portable Symmetric Key Container, RFC 6030.
    Pskc,
    /// Comma-separated values.
    Csv,
}

impl Format {
    /// The form that the first characters of a file tell.
    #[must_use]
    pub fn guess(file: &[u8]) -> Self {
        let text = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'<') { Self::Pskc } else { Self::Csv }
    }
}

/// The mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// What opens the secrets of a file.
#[derive(Clone, Default)]
pub struct Unlock {
    /// A pre-shared key.
    pub key: Option<Zeroizing<Vec<u8>>>,
    /// A password.
    pub password: Option<Secret>,
    /// How a CSV file writes its seeds; found out when absent.
    pub encoding: Option<SeedEncoding>,
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, password) = (self.key.is_some(), self.password.is_some());
        write!(f, "Unlock {{ key: {key}, password: {password} }}")
    }
}

/// A token that can be imported.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedToken {
    /// Serial number.
    pub serial: Serial,
    /// Seed.
    pub seed: Seed,
    /// Manufacturer, if the file names one.
    pub manufacturer: Option<String>,
    /// Model, if the file names one.
    pub model: Option<String>,
}

impl fmt::Debug for ImportedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImportedToken({})", self.serial)
    }
}

/// Where in a file something is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The token of this serial number, as far as it could be read.
    Serial(String),
    /// A line of a CSV file, from 1.
    Line(usize),
    /// A key package of a PSKC file without a serial number, from 1.
    Package(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "{serial}"),
            Self::Line(line) => write!(f, "line {line}"),
            Self::Package(number) => write!(f, "key package {number}"),
        }
    }
}

/// Why a token is not imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It has no serial number.
    NoSerial,
    /// Its serial number is not one that devices have (R26).
    BadSerial,
    /// Its serial number is in the file more than once, so that no entry can be trusted.
    Duplicate,
    /// It has no secret.
    NoSecret,
    /// Its secret cannot be decoded.
    BadSecret,
    /// Its secret is too short or too long.
    SecretLength(usize),
    /// It is no time-based token.
    NotTimeBased(String),
    /// Its codes have another number of digits than six.
    Digits(String),
    /// Its codes change at another pace than every 30 seconds.
    Interval(String),
    /// It uses another hash function than SHA-1.
    Hash(String),
    /// It is encrypted in a way that is not supported.
    Cipher(String),
    /// It carries a rule about its use that is not understood (RFC 6030, section 4.4).
    Policy,
    /// Encrypted data without an authentication code.
    NoMac,
    /// The authentication code does not fit.
    WrongMac,
    /// The row has too few columns or too many.
    Columns(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSerial => f.write_str("it has no serial number"),
            Self::BadSerial => f.write_str("its serial number is not 9 to 256 letters, digits and `_+=/:,.@-`"),
            Self::Duplicate => f.write_str("its serial number is in the file more than once"),
            Self::NoSecret => f.write_str("it has no secret"),
            Self::BadSecret => f.write_str("its secret cannot be decoded"),
            Self::SecretLength(bytes) => {
                write!(f, "its secret has {bytes} bytes, and {} to {} are needed", Seed::MIN_BYTES, Seed::MAX_BYTES)
            }
            Self::NotTimeBased(kind) => write!(f, "it is `{kind}`, and only time-based tokens work"),
            Self::Digits(digits) => write!(f, "its codes have `{digits}` digits, and only 6 work"),
            Self::Interval(secs) => write!(f, "its interval is `{secs}` seconds, and only 30 work"),
            Self::Hash(hash) => write!(f, "it uses `{hash}`, and only SHA-1 works"),
            Self::Cipher(cipher) => write!(f, "it is encrypted with `{cipher}`, which is not supported"),
            Self::Policy => f.write_str("it carries a policy that is not understood"),
            Self::NoMac => f.write_str("it is encrypted without an authentication code"),
            Self::WrongMac => f.write_str("the key or password is wrong, or the file was changed"),
            Self::Columns(count) => write!(f, "the row has {count} columns"),
        }
    }
}

/// One token that is not imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Which.
    pub place: Place,
    /// Why.
    pub reason: Reason,
}

/// What a file contains.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inventory {
    /// Tokens to import.
    pub tokens: Vec<ImportedToken>,
    /// Tokens that cannot be imported.
    pub refused: Vec<Refused>,
}

/// Why a whole file cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FileError {
    /// It is larger than [`FILE_BYTES_MAX`].
    TooLarge,
    /// It has more than [`TOKENS_MAX`] tokens.
    TooMany,
    /// It is not UTF-8.
    NotUtf8,
    /// It is no XML, or XML with a document type, which is never read.
    Xml(String),
    /// It is XML and no PSKC.
    NotPskc(String),
    /// It is encrypted, and no key was given.
    KeyNeeded,
    /// It is encrypted, and no password was given.
    PasswordNeeded,
    /// It is encrypted in a way that is not supported.
    Unsupported(String),
    /// Its key derivation asks for more work than is done.
    TooManyIterations(u64),
    /// The key or password is wrong, or the file was changed.
    WrongKey,
    /// Its columns are none of the known forms.
    UnknownColumns,
    /// Some of its seeds are hexadecimal and some base32.
    MixedEncodings,
    /// Its seeds could be hexadecimal and base32 alike.
    AmbiguousEncoding,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the file has more than {FILE_BYTES_MAX} bytes"),
            Self::TooMany => write!(f, "the file has more than {TOKENS_MAX} tokens"),
            Self::NotUtf8 => f.write_str("the file is not UTF-8; convert it first"),
            Self::Xml(what) => write!(f, "the file is not readable as XML: {what}"),
            Self::NotPskc(root) => {
                write!(f, "the file is `{root}` and not a PSKC `KeyContainer`; ask the vendor for PSKC or CSV")
            }
            Self::KeyNeeded => f.write_str("the file is encrypted; give its key with --key-hex-file"),
            Self::PasswordNeeded => f.write_str("the file is encrypted; give its password with --password-file"),
            Self::Unsupported(what) => write!(f, "the file is encrypted with `{what}`, which is not supported"),
            Self::TooManyIterations(count) => write!(
                f,
                "the file asks for {count} rounds of key derivation, more than {}",
                pskc_keys::ITERATIONS_MAX
            ),
            Self::WrongKey => f.write_str("the key or password is wrong, or the file was changed"),
            Self::UnknownColumns => f.write_str(
                "the columns are none of `upn,serial number,secret key,time interval,manufacturer,model`, `serial,hexkey,totp,6,30` and `serial,seed`",
            ),
            Self::MixedEncodings => f.write_str("some seeds are hexadecimal and some base32; split the file"),
            Self::AmbiguousEncoding => {
                f.write_str("the seeds could be hexadecimal or base32; say which with --encoding")
            }
        }
    }
}

impl std::error::Error for FileError {}

/// Reads a file.
///
/// # Errors
/// When the file as a whole cannot be read. A token that cannot is listed in the result.
pub fn read(file: &[u8], format: Format, unlock: &Unlock) -> Result<Inventory, FileError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(FileError::TooLarge);
    }
    let file = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
    let text = std::str::from_utf8(file).map_err(|_| FileError::NotUtf8)?;
    let inventory = match format {
        Format::Pskc => pskc::read(text, unlock)?,
        Format::Csv => csv::read(text, unlock)?,
    };
    if inventory.tokens.len() + inventory.refused.len() > TOKENS_MAX {
        return Err(FileError::TooMany);
    }
    Ok(without_duplicates(inventory))
}

/// Refuses every entry whose serial number is there twice: one of them is wrong, and no reader can
/// say which.
fn without_duplicates(inventory: Inventory) -> Inventory {
    let Inventory { tokens, mut refused } = inventory;
    let mut seen: BTreeMap<Serial, usize> = BTreeMap::new();
    for token in &tokens {
        *seen.entry(token.serial.clone()).or_default() += 1;
    }
    let is_single = |token: &ImportedToken| seen.get(&token.serial) == Some(&1);
    let (tokens, twice): (Vec<_>, Vec<_>) = tokens.into_iter().partition(is_single);
    refused.extend(
        twice
            .into_iter()
            .map(|token| Refused { place: Place::Serial(token.serial.to_string()), reason: Reason::Duplicate }),
    );
    Inventory { tokens, refused }
}

/// A name from a file, bounded, without control characters; `None` when nothing is left.
fn name(text: &str) -> Option<String> {
    let name: String = text.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

/// A word from a file, for a message.
fn shown(text: &str) -> String {
    name(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_tells_the_form() {
        assert_eq!(Format::guess(b"\xef\xbb\xbf \n<?xml"), Format::Pskc);
        assert_eq!(Format::guess(b"upn,serial"), Format::Csv);
        assert_eq!(Format::guess(b""), Format::Csv);
    }

    #[test]
    fn every_entry_of_a_doubled_serial_is_refused() {
        let file = b"GAHT00000001,3132333435363738393031323334353637383930\nGAHT00000002,3132333435363738393031323334353637383930\nGAHT00000001,3132333435363738393031323334353637383931\n";
        let inventory = read(file, Format::Csv, &Unlock::default()).unwrap();
        assert_eq!(inventory.tokens.len(), 1);
        assert_eq!(inventory.refused.len(), 2);
        assert!(inventory.refused.iter().all(|r| r.reason == Reason::Duplicate));
    }

    #[test]
    fn limits_and_encodings() {
        assert_eq!(read(&vec![b' '; FILE_BYTES_MAX + 1], Format::Csv, &Unlock::default()), Err(FileError::TooLarge));
        assert_eq!(read(b"\xff\xfe", Format::Pskc, &Unlock::default()), Err(FileError::NotUtf8));
    }

    #[test]
    fn no_seed_is_shown() {
        let file = b"GAHT00000001,3132333435363738393031323334353637383930";
        let shown = format!("{:?}", read(file, Format::Csv, &Unlock::default()).unwrap());
        assert!(shown.contains("GAHT00000001") && !shown.contains("3132") && !shown.contains("49, 50"), "{shown}");
    }

    #[test]
    fn a_damaged_file_is_never_a_panic() {
        let files: [(&[u8], Format); 3] = [
            (include_bytes!("../../testdata/preshared-aes128.pskcxml"), Format::Pskc),
            (include_bytes!("../../testdata/plain.pskcxml"), Format::Pskc),
            (b"upn,serial number,secret key\n\"a\",GAHT00000001,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n", Format::Csv),
        ];
        let unlock = Unlock { key: Some(Zeroizing::new(vec![0x12; 16])), ..Unlock::default() };
        for (file, format) in files {
            for at in 0..file.len() {
                drop(read(&file[..at], format, &unlock));
                let mut damaged = file.to_vec();
                damaged[at] = if at % 2 == 0 { b'<' } else { b'"' };
                drop(read(&damaged, format, &unlock));
            }
        }
    }
}
