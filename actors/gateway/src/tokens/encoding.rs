//! Texts of seeds.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use zeroize::Zeroizing;

/// How a CSV file writes its seeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum SeedEncoding {
    /// Two hexadecimal digits a byte.
    Hex,
    /// RFC 4648 base32.
    Base32,
}

impl SeedEncoding {
    /// Decodes a text; upper and lower case, blanks and the padding of base32 do not count.
    pub(super) fn decode(self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let plain = |c: &char| !c.is_ascii_whitespace() && *c != '-';
        let plain: Zeroizing<String> = Zeroizing::new(text.chars().filter(plain).collect());
        let decoded = match self {
            Self::Hex => {
                let lower = Zeroizing::new(plain.to_ascii_lowercase());
                let digits = lower.strip_prefix("0x").unwrap_or(&lower);
                HEXLOWER.decode(digits.as_bytes()).ok()?
            }
            Self::Base32 => {
                let upper = Zeroizing::new(plain.to_ascii_uppercase());
                BASE32_NOPAD.decode(upper.trim_end_matches('=').as_bytes()).ok()?
            }
        };
        let decoded = Zeroizing::new(decoded);
        (!decoded.is_empty()).then_some(decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_are_strict_where_it_counts() {
        let hex = |text| SeedEncoding::Hex.decode(text).map(|b| b.to_vec());
        let base32 = |text| SeedEncoding::Base32.decode(text).map(|b| b.to_vec());
        assert_eq!(hex("4a 4B"), Some(vec![0x4a, 0x4b]));
        assert_eq!((hex("4a4"), hex("xy"), hex("")), (None, None, None));
        assert_eq!(base32("jbsw y3dp"), Some(b"Hello".to_vec()));
        assert_eq!(base32("JBSWY3DPEA======"), Some(b"Hello ".to_vec()));
        assert_eq!((base32("JBSWY3D1"), base32("é"), base32("=")), (None, None, None));
    }
}
