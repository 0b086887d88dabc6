//! CloudTrail's digest files, public keys and signatures, as they lie in a folder.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::time::Time;
use crate::trail::input::content;

/// A digest names a few thousand files at most, in about 400 bytes each.
const DIGEST_BYTES_MAX: u64 = 64 << 20;
/// Lists of keys and signatures are at most this long.
const LIST_BYTES_MAX: u64 = 16 << 20;

/// An hourly digest: what was delivered, and the digest before.
#[derive(Clone, Debug)]
pub(super) struct DigestFile {
    pub(super) path: String,
    /// `BUCKET/KEY` of the digest itself.
    pub(super) object: String,
    pub(super) start_text: Option<String>,
    pub(super) end_text: String,
    pub(super) fingerprint: String,
    /// SHA-256 of the inflated content, in hexadecimal.
    pub(super) hash: String,
    pub(super) previous_object: Option<String>,
    pub(super) previous_hash: Option<String>,
    pub(super) previous_signature: Option<String>,
    pub(super) logs: Vec<LogEntry>,
}

/// A log file, as its digest names it.
#[derive(Clone, Debug)]
pub(super) struct LogEntry {
    /// `BUCKET/KEY`.
    pub(super) object: String,
    pub(super) hash: String,
}

/// Reads a file's inflated content up to a limit.
fn inflated(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let reader = content(path, &Arc::default()).map_err(|error| error.to_string())?;
    reader.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err("too long".to_owned());
    }
    Ok(bytes)
}

/// SHA-256 of a file's inflated content, in hexadecimal.
pub(super) fn hash_of(path: &Path) -> Result<String, String> {
    let mut reader = content(path, &Arc::default()).map_err(|error| error.to_string())?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(HEXLOWER.encode(&hash.finalize())),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl DigestFile {
    /// Reads a digest; `None` if the file is none.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut beginning = [0; 512];
        let mut reader = content(path, &Arc::default()).ok()?;
        let mut filled = 0;
        while filled < beginning.len() {
            match reader.read(&mut beginning[filled..]).ok()? {
                0 => break,
                count => filled += count,
            }
        }
        // Log files are many and long, and begin otherwise.
        let head = &beginning[..filled];
        if !head.trim_ascii_start().starts_with(b"{") || memchr::memmem::find(head, b"igest").is_none() {
            return None;
        }
        let bytes = inflated(path, DIGEST_BYTES_MAX).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        let object = |bucket: &str, key: &str| Some(format!("{}/{}", text(bucket)?, text(key)?));
        let logs = value.get("logFiles")?.as_array()?.iter().filter_map(|log| {
            let part = |key: &str| log.get(key)?.as_str();
            let object = format!("{}/{}", part("s3Bucket")?, part("s3Object")?);
            Some(LogEntry { object, hash: part("hashValue")?.to_lowercase() })
        });
        Some(Self {
            path: path.display().to_string(),
            object: object("digestS3Bucket", "digestS3Object")?,
            start_text: text("digestStartTime"),
            end_text: text("digestEndTime")?,
            fingerprint: text("digestPublicKeyFingerprint")?,
            hash: HEXLOWER.encode(&Sha256::digest(&bytes)),
            previous_object: object("previousDigestS3Bucket", "previousDigestS3Object"),
            previous_hash: text("previousDigestHashValue").map(|hash| hash.to_lowercase()),
            previous_signature: text("previousDigestSignature"),
            logs: logs.collect(),
        })
    }

    /// The text that is signed.
    fn signed(&self) -> String {
        let previous = self.previous_signature.as_deref().unwrap_or("null");
        format!("{}\n{}\n{}\n{previous}", self.end_text, self.object, self.hash)
    }
}

/// Public keys by fingerprint.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys {
    keys: HashMap<String, Key>,
}

#[derive(Clone, Debug)]
struct Key {
    der: Vec<u8>,
    from: Option<Time>,
    to: Option<Time>,
}

/// What a public key says to a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Holds,
    Fails,
    NoKey,
}

impl PublicKeys {
    /// Reads a list of keys, as `aws cloudtrail list-public-keys` prints it.
    ///
    /// # Errors
    /// When the file cannot be read or is no such list.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = inflated(path, LIST_BYTES_MAX)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| "not JSON")?;
        let list = value.get("PublicKeyList").and_then(Value::as_array).ok_or("no `PublicKeyList`")?;
        let mut keys = HashMap::new();
        for entry in list {
            let der = entry.get("Value").and_then(Value::as_str).and_then(|text| BASE64.decode(text.as_bytes()).ok());
            let fingerprint = entry.get("Fingerprint").and_then(Value::as_str);
            let (Some(der), Some(fingerprint)) = (der, fingerprint) else {
                return Err("a key without its value or fingerprint".to_owned());
            };
            let time = |key: &str| entry.get(key).and_then(instant);
            let key = Key { der, from: time("ValidityStartTime"), to: time("ValidityEndTime") };
            keys.insert(fingerprint.to_lowercase(), key);
        }
        Ok(Self { keys })
    }

    pub(super) fn check(&self, digest: &DigestFile, signature: &str) -> Checked {
        let Some(key) = self.keys.get(&digest.fingerprint.to_lowercase()) else { return Checked::NoKey };
        let end: Option<Time> = digest.end_text.parse().ok();
        let in_time = |end: Time| key.from.is_none_or(|from| end >= from) && key.to.is_none_or(|to| end <= to);
        if !end.is_some_and(in_time) {
            return Checked::NoKey;
        }
        let Ok(signature) = HEXLOWER_PERMISSIVE.decode(signature.trim().as_bytes()) else { return Checked::Fails };
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.der);
        match key.verify(digest.signed().as_bytes(), &signature) {
            Ok(()) => Checked::Holds,
            Err(_) => Checked::Fails,
        }
    }
}

/// An instant in ISO 8601 or in seconds since 1970, as different releases of the client print it.
fn instant(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(seconds) => {
            let seconds = seconds.as_f64()?;
            (seconds.abs() < 1e11).then_some(Time((seconds * 1000.0) as i64))
        }
        _ => None,
    }
}

/// Signatures by the key of their digest; the storage keeps them beside the object, so a copy of a bucket lacks them.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    by_name: HashMap<String, String>,
}

impl Signatures {
    /// Reads signatures: a JSON object of keys and signatures in hexadecimal, or lines of a key and a signature.
    ///
    /// # Errors
    /// When the file cannot be read or is neither.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = inflated(path, LIST_BYTES_MAX)?;
        let text = String::from_utf8(bytes).map_err(|_| "not a text")?;
        let mut by_name = HashMap::new();
        let mut add = |name: &str, signature: &str| {
            by_name.insert(base(name).to_owned(), signature.to_owned());
        };
        if text.trim_start().starts_with('{') {
            let value: HashMap<String, String> =
                serde_json::from_str(&text).map_err(|_| "not an object of names and signatures")?;
            value.iter().for_each(|(name, signature)| add(name, signature));
        } else {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let mut words = line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
                let (Some(name), Some(signature), None) = (words.next(), words.next(), words.next()) else {
                    return Err("a line that is not a key and a signature".to_owned());
                };
                add(name, signature);
            }
        }
        Ok(Self { by_name })
    }

    pub(super) fn of(&self, object: &str) -> Option<&str> {
        self.by_name.get(base(object)).map(String::as_str)
    }
}

/// The last part of a key or path: a copy of a bucket keeps it.
pub(super) fn base(object: &str) -> &str {
    object.rsplit(['/', '\\']).next().unwrap_or_default()
}
