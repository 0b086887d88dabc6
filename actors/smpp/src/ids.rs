//! The gateway's names of messages, made one.

/// How an SMSC writes the id of a message in its answer and in the receipt.
///
/// SMPP leaves the form open (SMPP 3.4, section 5.2.23), and some SMSCs write the same number in two ways. The forms
/// that are numbers are made decimal, without leading zeros; what is no such number stays as it came.
///
/// ```
/// use countersign_smpp::IdForm;
/// let config = countersign_smpp::SmppConfig::new("smpp://localhost:2775", "id", "", "Example");
/// assert_eq!(config.ids, IdForm::AsIs);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm {
    /// The same text in both places.
    AsIs,
    /// Decimal in both, with or without leading zeros.
    Decimal,
    /// Hexadecimal in both, in any case, with or without leading zeros.
    Hex,
    /// Hexadecimal in the answer, decimal in the receipt.
    HexInResponse,
    /// Decimal in the answer, hexadecimal in the receipt.
    HexInReceipt,
}

/// The longest id (section 5.2.23).
const ID_MAX: usize = 64;

impl IdForm {
    pub(crate) fn of_response(self, id: &str) -> Option<String> {
        match self {
            Self::AsIs => clean(id),
            Self::Decimal | Self::HexInReceipt => number(id, 10),
            Self::Hex | Self::HexInResponse => number(id, 16),
        }
    }

    pub(crate) fn of_receipt(self, id: &str) -> Option<String> {
        match self {
            Self::AsIs => clean(id),
            Self::Decimal | Self::HexInResponse => number(id, 10),
            Self::Hex | Self::HexInReceipt => number(id, 16),
        }
    }
}

/// An id that can be kept and logged; `None` without one.
fn clean(id: &str) -> Option<String> {
    let id = id.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
    let fine = (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    fine.then(|| id.to_owned())
}

fn number(id: &str, radix: u32) -> Option<String> {
    let id = clean(id)?;
    // `from_str_radix` would take a sign.
    let plain = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u128::from_str_radix(&id, radix) {
        Ok(number) if plain => Some(number.to_string()),
        _ => Some(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_meet() {
        for (form, response, receipt, same) in [
            (IdForm::AsIs, "0A1f", "0A1f ", "0A1f"),
            (IdForm::Decimal, "0042", "42", "42"),
            (IdForm::Hex, "00ff", "FF", "255"),
            (IdForm::HexInResponse, "1A2B3C4D", "0439041101", "439041101"),
            (IdForm::HexInReceipt, "439041101", "1a2b3c4d", "439041101"),
            (IdForm::HexInResponse, "a-7", "a-7", "a-7"),
            (IdForm::Decimal, "+5", "+5", "+5"),
        ] {
            assert_eq!(form.of_response(response).as_deref(), Some(same), "{form:?}");
            assert_eq!(form.of_receipt(receipt).as_deref(), Some(same), "{form:?}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_no_id() {
        let long = "1".repeat(65);
        for bad in ["", "  ", "\0", "a\nb", "ä", "a\u{7f}", long.as_str()] {
            for form in [IdForm::AsIs, IdForm::Decimal, IdForm::HexInResponse] {
                assert_eq!(form.of_response(bad), None, "{bad:?}");
                assert_eq!(form.of_receipt(bad), None, "{bad:?}");
            }
        }
        assert_eq!(IdForm::Hex.of_response(&"f".repeat(64)), Some("f".repeat(64)));
    }
}
