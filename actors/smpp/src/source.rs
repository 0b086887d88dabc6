//! Who a message comes from.

use rusmpp::values::{Npi, Ton};

use crate::SmppError;

/// An originating address with its type (SMPP 3.4, sections 5.2.5 to 5.2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub ton: Ton,
    pub npi: Npi,
    pub address: String,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Self, SmppError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (ton, npi, address) = match text.strip_prefix('+') {
            Some(number) if digits(number) && (7..=15).contains(&number.len()) && !number.starts_with('0') => {
                (Ton::International, Npi::Isdn, number)
            }
            None if digits(text) && (3..=8).contains(&text.len()) => (Ton::NetworkSpecific, Npi::Unknown, text),
            None if is_name(text) => (Ton::Alphanumeric, Npi::Unknown, text),
            _ => {
                let rule = "a name of 1 to 11 characters, a short code of 3 to 8 digits, or `+` and 7 to 15 digits";
                return Err(SmppError::Text { field: "source", rule });
            }
        };
        Ok(Self { ton, npi, address: address.to_owned() })
    }
}

/// Eleven septets are what fits (3GPP TS 23.040, section 9.1.2.5).
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" -._&".contains(&byte);
    (1..=11).contains(&text.len())
        && text.bytes().all(allowed)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.trim().len() == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_short_codes_and_numbers_have_their_types() {
        let typed = |text| Source::parse(text).map(|source| (source.ton, source.npi, source.address));
        assert_eq!(typed("Countersign"), Ok((Ton::Alphanumeric, Npi::Unknown, "Countersign".to_owned())));
        assert_eq!(typed("A&B 24.7"), Ok((Ton::Alphanumeric, Npi::Unknown, "A&B 24.7".to_owned())));
        assert_eq!(typed("24273"), Ok((Ton::NetworkSpecific, Npi::Unknown, "24273".to_owned())));
        assert_eq!(typed("+15550101234"), Ok((Ton::International, Npi::Isdn, "15550101234".to_owned())));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in
            ["", "Countersigns", "12", "123456789", "+123456", "+0155501012", "+1555a10", " Example", "Exámple", "-"]
        {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }
}
