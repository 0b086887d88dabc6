//! PSKC documents (RFC 6030), as far as time-based tokens need them.
//!
//! Elements are matched by their local names, because real files mix namespaces: the parameters of
//! PBKDF2 come without one. A document type is refused, so no entity can do harm. Times of validity in a
//! policy are not judged here.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use roxmltree::{Document, Node, ParsingOptions};
use zeroize::Zeroizing;

use super::pskc_keys::{Encrypted, Keys};
use super::{FileError, ImportedToken, Inventory, Place, Reason, Refused, TOKENS_MAX, Unlock, name, shown};
use crate::engine::{Seed, Serial};

/// The most nodes of a document; one token takes about fifty.
const NODES_MAX: u32 = 8_000_000;
/// The most attributes of an element, and the most prefixes of namespaces. For each of them the reader of XML looks at all
/// others: without a bound, a file of a megabyte would keep it for minutes.
const ATTRIBUTES_MAX: usize = 1024;
const NAMESPACES_MAX: usize = 64;
const TOTP: &str = "urn:ietf:params:xml:ns:keyprov:pskc:totp";

pub(super) fn read(text: &str, unlock: &Unlock) -> Result<Inventory, FileError> {
    bounded(text).map_err(|what| FileError::Xml(what.to_owned()))?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| FileError::Xml(plain(&error)))?;
    let container = document.root_element();
    if container.tag_name().name() != "KeyContainer" {
        return Err(FileError::NotPskc(shown(container.tag_name().name())));
    }
    let keys = Keys::read(container, unlock)?;
    let mut inventory = Inventory::default();
    for (number, package) in (1..).zip(children(container, "KeyPackage")) {
        if number > TOKENS_MAX {
            return Err(FileError::TooMany);
        }
        match token(package, number, keys.as_ref()) {
            Ok(token) => inventory.tokens.push(token),
            Err(refused) => inventory.refused.push(refused),
        }
    }
    Ok(inventory)
}

/// What the reader says, without what a terminal would obey: it quotes the character that it did not expect.
fn plain(error: &roxmltree::Error) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    error.to_string().chars().map(escaped).collect()
}

/// Counts, before anybody builds anything: each attribute has an equals sign, and no tag has a `<` in it.
fn bounded(text: &str) -> Result<(), &'static str> {
    let crowded = |tag: &str| tag.bytes().filter(|byte| *byte == b'=').count() > ATTRIBUTES_MAX;
    if text.split('<').any(crowded) {
        return Err("an element has too many attributes");
    }
    let mut prefixes = BTreeSet::new();
    for declared in text.split("xmlns:").skip(1) {
        let end = declared.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or_default();
        prefixes.insert(declared.get(..end));
        if prefixes.len() > NAMESPACES_MAX {
            return Err("there are too many prefixes of namespaces");
        }
    }
    Ok(())
}

fn token(package: Node<'_, '_>, number: usize, keys: Option<&Keys>) -> Result<ImportedToken, Refused> {
    let device = child(package, "DeviceInfo");
    let about = |what| device.and_then(|device| child(device, what)).and_then(|node| node.text());
    let unnamed = |reason| Refused { place: Place::Package(number), reason };
    let serial = about("SerialNo").map(str::trim).filter(|serial| !serial.is_empty());
    let serial = serial.ok_or_else(|| unnamed(Reason::NoSerial))?;
    let serial = Serial::new(serial).map_err(|_| unnamed(Reason::BadSerial))?;
    let refuse = |reason| Refused { place: Place::Serial(serial.to_string()), reason };

    let key = child(package, "Key").ok_or_else(|| refuse(Reason::NoSecret))?;
    check_parameters(key).map_err(refuse)?;
    let seed = secret(key, keys).map_err(refuse)?;
    let seed = Seed::new(seed.to_vec()).map_err(|_| refuse(Reason::SecretLength(seed.len())))?;
    Ok(ImportedToken {
        serial,
        seed,
        manufacturer: about("Manufacturer").and_then(name),
        model: about("Model").and_then(name),
    })
}

/// Takes SHA-1, six digits and 30 seconds, which are the defaults where the file is silent.
fn check_parameters(key: Node<'_, '_>) -> Result<(), Reason> {
    let algorithm = key.attribute("Algorithm").unwrap_or_default();
    if !algorithm.eq_ignore_ascii_case(TOTP) {
        return Err(Reason::NotTimeBased(shown(algorithm)));
    }
    if let Some(parameters) = child(key, "AlgorithmParameters") {
        let suite = child(parameters, "Suite").and_then(|node| node.text()).unwrap_or("HMAC-SHA1").trim();
        let plain = suite.to_ascii_uppercase().replace(['-', '_'], "");
        if !matches!(plain.as_str(), "HMACSHA1" | "SHA1") {
            return Err(Reason::Hash(shown(suite)));
        }
        if let Some(format) = child(parameters, "ResponseFormat") {
            let encoding = format.attribute("Encoding").unwrap_or("DECIMAL");
            let digits = format.attribute("Length").unwrap_or("6");
            if digits.trim() != "6" || !encoding.eq_ignore_ascii_case("DECIMAL") {
                return Err(Reason::Digits(format!("{} {}", shown(digits), shown(encoding))));
            }
        }
    }
    let interval = child(key, "Data").and_then(|data| child(data, "TimeInterval"));
    if let Some(interval) = interval {
        let secs = child(interval, "PlainValue").and_then(|node| node.text()).unwrap_or_default().trim();
        if secs != "30" {
            return Err(Reason::Interval(shown(secs)));
        }
    }
    check_policy(key)
}

/// RFC 6030, section 4.4: a policy that the reader does not understand forbids the use of the key.
fn check_policy(key: Node<'_, '_>) -> Result<(), Reason> {
    let Some(policy) = child(key, "Policy") else { return Ok(()) };
    let usages: Vec<_> = children(policy, "KeyUsage").filter_map(|usage| usage.text()).collect();
    let known = |node: Node<'_, '_>| matches!(node.tag_name().name(), "StartDate" | "ExpiryDate" | "KeyUsage");
    let understood = policy.children().filter(Node::is_element).all(known);
    if understood && (usages.is_empty() || usages.iter().any(|usage| usage.trim() == "OTP")) {
        Ok(())
    } else {
        Err(Reason::Policy)
    }
}

fn secret(key: Node<'_, '_>, keys: Option<&Keys>) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let secret = child(key, "Data").and_then(|data| child(data, "Secret")).ok_or(Reason::NoSecret)?;
    if let Some(plain) = child(secret, "PlainValue") {
        return plain.text().and_then(decode).ok_or(Reason::BadSecret);
    }
    let encrypted = child(secret, "EncryptedValue").ok_or(Reason::NoSecret)?;
    let encrypted = Encrypted::read(encrypted).map_err(Reason::Cipher)?.ok_or(Reason::BadSecret)?;
    let mac = child(secret, "ValueMAC").and_then(|node| node.text()).ok_or(Reason::NoMac)?;
    let mac = decode(mac).ok_or(Reason::BadSecret)?;
    keys.ok_or(Reason::WrongMac)?.open(&encrypted, &mac)
}

/// The first child element of a name, whatever its namespace.
pub(super) fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn children<'a, 'input>(node: Node<'a, 'input>, name: &str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// Base64, blanks ignored.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let plain: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let bytes = Zeroizing::new(BASE64.decode(plain.as_bytes()).ok()?);
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const PLAIN: &str = include_str!("../../testdata/plain.pskcxml");
    const PRESHARED: &str = include_str!("../../testdata/preshared-aes128.pskcxml");
    const PASSWORD: &str = include_str!("../../testdata/password-aes256.pskcxml");
    const KEY_WRAP: &str = include_str!("../../testdata/key-wrap.pskcxml");
    const KEY: [u8; 16] =
        [0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12];

    fn with_key(key: &[u8]) -> Unlock {
        Unlock { key: Some(Zeroizing::new(key.to_vec())), ..Unlock::default() }
    }

    fn with_password(password: &str) -> Unlock {
        Unlock { password: Some(Secret::new(password)), ..Unlock::default() }
    }

    fn seeds(text: &str, unlock: &Unlock) -> Vec<Vec<u8>> {
        let inventory = read(text, unlock).unwrap();
        assert_eq!(inventory.refused, vec![]);
        inventory.tokens.iter().map(|token| token.seed.expose().to_vec()).collect()
    }

    fn reasons(text: &str, unlock: &Unlock) -> Vec<Reason> {
        read(text, unlock).unwrap().refused.into_iter().map(|refused| refused.reason).collect()
    }

    /// The files were written by another implementation of RFC 6030.
    #[test]
    fn plain_and_encrypted_files_give_the_same_tokens() {
        let want = vec![b"12345678901234567890".to_vec(), b"abcdefghijklmnopqrst".to_vec()];
        assert_eq!(seeds(PLAIN, &Unlock::default()), want);
        assert_eq!(seeds(PRESHARED, &with_key(&KEY)), want);
        assert_eq!(seeds(PASSWORD, &with_password("correct horse")), want);
        let inventory = read(PLAIN, &Unlock::default()).unwrap();
        let token = &inventory.tokens[1];
        assert_eq!(token.serial.as_str(), "GAHT00000002");
        assert_eq!((token.manufacturer.as_deref(), token.model.as_deref()), (Some("Feitian"), Some("c200")));
    }

    /// Figures 6 and 7 of RFC 6030 use HOTP with eight digits; here they are made TOTP with six.
    #[test]
    fn the_example_of_the_rfc_opens() {
        let text = r#"<pskc:KeyContainer Version="1.0" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xenc="http://www.w3.org/2001/04/xmlenc#">
          <pskc:EncryptionKey><ds:KeyName>Pre-shared-key</ds:KeyName></pskc:EncryptionKey>
          <pskc:MACMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"><pskc:MACKey>
            <xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
            <xenc:CipherData><xenc:CipherValue>ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX</xenc:CipherValue></xenc:CipherData>
          </pskc:MACKey></pskc:MACMethod>
          <pskc:KeyPackage><pskc:DeviceInfo><pskc:SerialNo>987654321</pskc:SerialNo></pskc:DeviceInfo>
            <pskc:Key Id="12345678" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"><pskc:Data><pskc:Secret>
              <pskc:EncryptedValue><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
                <xenc:CipherData><xenc:CipherValue>AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv</xenc:CipherValue></xenc:CipherData>
              </pskc:EncryptedValue>
              <pskc:ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</pskc:ValueMAC>
            </pskc:Secret></pskc:Data></pskc:Key></pskc:KeyPackage></pskc:KeyContainer>"#;
        assert_eq!(seeds(text, &with_key(&KEY)), [b"12345678901234567890"]);
    }

    #[test]
    fn a_wrong_key_and_a_changed_file_are_told_alike() {
        for judged in [read(PRESHARED, &with_key(&[1; 16])), read(PASSWORD, &with_password("wrong"))] {
            let wrong = match judged {
                Err(error) => error == FileError::WrongKey,
                Ok(inventory) => {
                    inventory.tokens.is_empty() && inventory.refused.iter().all(|r| r.reason == Reason::WrongMac)
                }
            };
            assert!(wrong);
        }
        for element in ["<xenc:CipherValue>", "<pskc:ValueMAC>"] {
            // The last one of its kind belongs to the second token.
            let at = PRESHARED.rfind(element).unwrap() + element.len();
            let other = if PRESHARED[at..].starts_with('A') { "B" } else { "A" };
            let changed = format!("{}{other}{}", &PRESHARED[..at], &PRESHARED[at + 1..]);
            assert_eq!(reasons(&changed, &with_key(&KEY)), [Reason::WrongMac], "{element}");
        }
    }

    #[test]
    fn an_encrypted_value_without_a_mac_is_refused() {
        let start = PRESHARED.find("<pskc:ValueMAC>").unwrap();
        let end = PRESHARED.find("</pskc:ValueMAC>").unwrap() + "</pskc:ValueMAC>".len();
        let without = format!("{}{}", &PRESHARED[..start], &PRESHARED[end..]);
        assert_eq!(reasons(&without, &with_key(&KEY)), [Reason::NoMac]);
        let start = PRESHARED.find("<pskc:MACMethod").unwrap();
        let end = PRESHARED.find("</pskc:MACMethod>").unwrap() + "</pskc:MACMethod>".len();
        let without = format!("{}{}", &PRESHARED[..start], &PRESHARED[end..]);
        assert_eq!(reasons(&without, &with_key(&KEY)), [Reason::NoMac, Reason::NoMac]);
    }

    #[test]
    fn what_is_missing_or_unsupported_is_named() {
        assert_eq!(read(PRESHARED, &Unlock::default()), Err(FileError::KeyNeeded));
        assert_eq!(read(PASSWORD, &with_key(&KEY)), Err(FileError::PasswordNeeded));
        assert!(
            matches!(read(KEY_WRAP, &with_key(&KEY)), Err(FileError::Unsupported(what)) if what.ends_with("kw-aes128"))
        );
        let hard = PASSWORD.replace(">1000<", ">5000001<");
        assert_eq!(read(&hard, &with_password("x")), Err(FileError::TooManyIterations(5_000_001)));
        let huge = PASSWORD.replace(">1000<", ">99999999999999999999999<");
        assert!(matches!(read(&huge, &with_password("x")), Err(FileError::Unsupported(_))));
    }

    #[test]
    fn only_plain_totp_is_taken() {
        let with = |from: &str, to: &str| reasons(&PLAIN.replacen(from, to, 1), &Unlock::default());
        assert_eq!(
            with("pskc:totp", "pskc:hotp"),
            [Reason::NotTimeBased("urn:ietf:params:xml:ns:keyprov:pskc:hotp".into())]
        );
        assert_eq!(with("Length=\"6\"", "Length=\"8\""), [Reason::Digits("8 DECIMAL".into())]);
        assert_eq!(with(">30<", ">60<"), [Reason::Interval("60".into())]);
        assert_eq!(
            with("<pskc:AlgorithmParameters>", "<pskc:AlgorithmParameters><pskc:Suite>HMAC-SHA256</pskc:Suite>"),
            [Reason::Hash("HMAC-SHA256".into())]
        );
        assert_eq!(with("</pskc:Data>", "</pskc:Data><pskc:Policy><pskc:PINPolicy/></pskc:Policy>"), [Reason::Policy]);
        assert_eq!(
            with("</pskc:Data>", "</pskc:Data><pskc:Policy><pskc:KeyUsage>OTP</pskc:KeyUsage></pskc:Policy>"),
            []
        );
        assert_eq!(with("<pskc:SerialNo>GAHT00000001</pskc:SerialNo>", ""), [Reason::NoSerial]);
        assert_eq!(with("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "!"), [Reason::BadSecret]);
        assert_eq!(with("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "MTIz"), [Reason::SecretLength(3)]);
    }

    #[test]
    fn entities_and_other_documents_are_refused() {
        let laughs = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><KeyContainer>&b;</KeyContainer>"#;
        let outside = r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><KeyContainer>&a;</KeyContainer>"#;
        for text in [laughs, outside, "<KeyContainer>&a;</KeyContainer>", "<KeyContainer>", ""] {
            assert!(matches!(read(text, &Unlock::default()), Err(FileError::Xml(_))), "{text}");
        }
        assert_eq!(read("<Tokens/>", &Unlock::default()), Err(FileError::NotPskc("Tokens".into())));
    }

    #[test]
    fn what_takes_a_reader_the_square_of_its_length_is_refused() {
        let attributes: String = (0..ATTRIBUTES_MAX).map(|n| format!(" a{n}=''")).collect();
        let nested: String = (0..=NAMESPACES_MAX).map(|n| format!("<a xmlns:n{n}='{n}'>")).collect();
        let refused = |text: &str| matches!(read(text, &Unlock::default()), Err(FileError::Xml(what)) if what.contains("too many"));
        assert!(refused(&format!("<a b=''{attributes}/>")));
        assert!(refused(&format!("<a b='>'{attributes}/>")), "the end of a tag in a value is none");
        assert!(refused(&format!("{nested}{}", "</a>".repeat(NAMESPACES_MAX + 1))));
        // A package may say again what its parents say.
        let package =
            "<p:KeyPackage xmlns:p='urn:ietf:params:xml:ns:keyprov:pskc' xmlns='x'/>".repeat(2 * NAMESPACES_MAX);
        assert!(read(&format!("<KeyContainer>{package}</KeyContainer>"), &Unlock::default()).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_document_is_told_in_plain_characters() {
        for text in ["<a\0/>", "<a b\u{1b}[31m=''/>", "<a>\u{7}</a>", "<a></b\u{9b}>"] {
            let told = read(text, &Unlock::default()).unwrap_err().to_string();
            assert!(!told.chars().any(char::is_control), "{told:?}");
        }
    }
}
