//! Reading of `application/x-www-form-urlencoded` forms, strictly.
//!
//! A form that two readers could understand differently is refused: a parameter given twice, a
//! broken escape, bytes that are not UTF-8.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode;

use crate::errors::ApiError;

/// The largest form that is read, in bytes; the largest request of a client has about one thousand.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// The most parameters in one form: fifty tags take one hundred.
pub const PARAMETERS_MAX: usize = 512;

/// Names that carry the signature of a pre-signed request and are no parameters of an operation.
const SIGNATURE_PREFIX: &str = "X-Amz-";

/// The parameters of a request, each name once.
///
/// `Debug` shows names alone: values hold codes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    values: BTreeMap<String, String>,
}

impl Params {
    /// Reads a form, which is the body of a POST or the query of a GET (R202).
    ///
    /// # Errors
    /// When the form is too large, has too many parameters, repeats one, or cannot be decoded.
    pub fn parse(form: &[u8]) -> Result<Self, ApiError> {
        if form.len() > FORM_BYTES_MAX {
            return Err(ApiError::RequestTooLarge);
        }
        let mut values = BTreeMap::new();
        for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = match at {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &pair[pair.len()..]),
            };
            let name = decode(name)?;
            if name.starts_with(SIGNATURE_PREFIX) {
                continue;
            }
            if values.len() == PARAMETERS_MAX {
                return Err(ApiError::MalformedQueryString("too many parameters"));
            }
            if values.insert(name, decode(value)?).is_some() {
                return Err(ApiError::MalformedQueryString("a parameter is given more than once"));
            }
        }
        Ok(Self { values })
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The parameters whose names begin with a prefix, with the rest of their names, in order of names.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values
            .range(prefix.to_owned()..)
            .map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// How many parameters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Undoes the escapes of one name or value; a plus is a space (R202).
fn decode(bytes: &[u8]) -> Result<String, ApiError> {
    let whole = |rest: &[u8]| rest.len() >= 2 && rest[0].is_ascii_hexdigit() && rest[1].is_ascii_hexdigit();
    let mut spaced = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' if !whole(&bytes[at + 1..]) => {
                return Err(ApiError::MalformedQueryString("an escape is broken"));
            }
            b'+' => spaced.push(b' '),
            other => spaced.push(*other),
        }
    }
    percent_decode(&spaced)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| ApiError::MalformedQueryString("a parameter is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_the_way_clients_encode() {
        let form = b"Action=TagMFADevice&Version=2010-05-08&SerialNumber=arn%3Aaws%3Amfa%2F%C3%BC%2B+~%2Ax&Empty=&Bare";
        let params = Params::parse(form).unwrap();
        assert_eq!(params.get("SerialNumber"), Some("arn:aws:mfa/ü+ ~*x"));
        assert_eq!((params.get("Empty"), params.get("Bare")), (Some(""), Some("")));
        assert_eq!((params.get("Nothing"), params.len()), (None, 5));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for form in ["A=1&A=2", "A=%", "A=%4", "A=%zz", "A=%ff", "A=%+1", "%C3=1"] {
            let error = Params::parse(form.as_bytes()).unwrap_err();
            assert_eq!((error.code(), error.status()), ("MalformedQueryString", 404), "{form}");
        }
        assert_eq!(Params::parse(&vec![b'a'; FORM_BYTES_MAX + 1]), Err(ApiError::RequestTooLarge));
        let many: String = (0..=PARAMETERS_MAX).map(|n| format!("p{n}=1&")).collect();
        assert!(Params::parse(many.as_bytes()).is_err());
    }

    #[test]
    fn prefixes_and_signature_parameters() {
        let params = Params::parse(b"T.member.1=a&T.member.2=b&Tz=c&X-Amz-Date=x&T=d").unwrap();
        let found: Vec<_> = params.with_prefix("T.member.").collect();
        assert_eq!(found, [("1", "a"), ("2", "b")]);
        assert_eq!(params.get("X-Amz-Date"), None);
    }

    #[test]
    fn debug_shows_no_value() {
        let params = Params::parse(b"AuthenticationCode1=123456").unwrap();
        assert_eq!(format!("{params:?}"), r#"{"AuthenticationCode1"}"#);
    }
}
