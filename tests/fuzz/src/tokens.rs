//! Files of hardware tokens.

use std::collections::BTreeSet;

use countersign_gateway::secret::Secret;
use countersign_gateway::tokens::{Format, Inventory, Unlock, read};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

/// Rounds of a password key that are worth a fuzzer's time.
const DERIVED: &[u8] = b"PBKDF2";

pub fn csv(data: &[u8]) {
    check(data, Format::Csv, &Unlock::default());
}

/// The same keys open the seeds that are encrypted.
pub fn pskc(data: &[u8]) {
    let with_key = |key: &[u8]| Unlock { key: Some(Zeroizing::new(key.to_vec())), ..Unlock::default() };
    check(data, Format::Pskc, &with_key(b"\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12"));
    if data.windows(DERIVED.len()).any(|window| window == DERIVED) {
        let unlock = Unlock { password: Some(Secret::new("qwerty")), ..Unlock::default() };
        let _ = read(data, Format::Pskc, &unlock);
    }
}

/// Every serial number is there once, a mark at the beginning changes nothing, and the tokens that were read are read
/// again from a list of what they are.
fn check(data: &[u8], format: Format, unlock: &Unlock) {
    let found = read(data, format, unlock);
    if !data.starts_with(b"\xef\xbb\xbf") {
        assert!(
            read(&[b"\xef\xbb\xbf", data].concat(), format, unlock) == found,
            "a byte order mark changes what is read"
        );
    }
    let shown = |text: &str| assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
    let Inventory { tokens, refused } = match found {
        Ok(inventory) => inventory,
        Err(cause) => return shown(&cause.to_string()),
    };
    refused.iter().for_each(|refused| shown(&format!("{} {}", refused.place, refused.reason)));
    let serials: BTreeSet<&str> = tokens.iter().map(|token| token.serial.as_str()).collect();
    assert_eq!(serials.len(), tokens.len());
    if tokens.is_empty() {
        return;
    }
    let mut list = "serial number,secret key\n".to_owned();
    for token in &tokens {
        let quoted = token.serial.as_str().replace('"', "\"\"");
        list.push_str(&format!("\"{quoted}\",{}\n", HEXLOWER.encode(token.seed.expose())));
    }
    let hex = Unlock { encoding: Some(countersign_gateway::tokens::SeedEncoding::Hex), ..Unlock::default() };
    let again = read(list.as_bytes(), Format::Csv, &hex).expect("the list is one");
    assert!(again.refused.is_empty(), "{:?}", again.refused);
    let same =
        tokens.iter().zip(&again.tokens).all(|(a, b)| (&a.serial, a.seed.expose()) == (&b.serial, b.seed.expose()));
    assert!(same && again.tokens.len() == tokens.len());
}
