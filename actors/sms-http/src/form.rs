//! Reading and writing of `application/x-www-form-urlencoded` forms; the reading is strict.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use zeroize::Zeroizing;

/// The most parameters that are read in one form.
const PARAMETERS_MAX: usize = 128;

/// What is escaped: everything but letters, digits and four marks.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// A form, written; it is wiped when dropped.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let longest = pairs.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    // Room for all of it from the start: a vector that grows leaves copies behind.
    let mut form = Zeroizing::new(Vec::with_capacity(longest));
    for (name, value) in pairs {
        if !form.is_empty() {
            form.push(b'&');
        }
        escape(name, &mut form);
        form.push(b'=');
        escape(value, &mut form);
    }
    form
}

fn escape(text: &str, form: &mut Vec<u8>) {
    for piece in utf8_percent_encode(text, ESCAPED) {
        form.extend_from_slice(piece.as_bytes());
    }
}

/// The parameters of a form in the order of their names; `None` when two readers could understand it differently: a
/// name is there twice, an escape is broken, something is not UTF-8; or when there are too many.
pub(crate) fn decode(form: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = unescape(halves.next()?)?;
        let value = unescape(halves.next().unwrap_or_default())?;
        if values.len() == PARAMETERS_MAX || values.insert(name, value).is_some() {
            return None;
        }
    }
    Some(values)
}

fn unescape(bytes: &[u8]) -> Option<String> {
    let mut spaced = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        let whole = || bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match byte {
            b'%' if !whole() => return None,
            b'+' => spaced.push(b' '),
            other => spaced.push(*other),
        }
    }
    Some(percent_decode(&spaced).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let pairs =
            [("Body", "123456 is your code.\n\n@a.example #123456"), ("To", "+14155550100"), ("x&=%", "ü漢😀+*~")];
        let form = encode(&pairs);
        assert!(form.is_ascii() && !form.contains(&b'+') && !form.contains(&b'@'));
        let read = decode(&form).unwrap();
        let expected = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, BTreeMap::from(expected));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for form in ["A=1&A=2", "A=1&%41=2", "A=%", "A=%4", "A=%zz", "A=%ff", "A=%+1", "%C3=1"] {
            assert_eq!(decode(form.as_bytes()), None, "{form}");
        }
        assert_eq!(decode(b"A=\xff"), None);
        let many: String = (0..=PARAMETERS_MAX).map(|n| format!("p{n}=1&")).collect();
        assert_eq!(decode(many.as_bytes()), None);
        assert_eq!(decode(b"&A&B=+%2B=&").unwrap().get("B").map(String::as_str), Some(" +="));
    }
}
