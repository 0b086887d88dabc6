//! A message as `submit_sm` (SMPP 3.4, section 4.4.1).

use std::time::Duration;

use countersign::{SmsFailure, SmsMessage};
use rusmpp::extra::encoding::gsm7bit::Gsm7BitUnpacked;
use rusmpp::pdus::SubmitSm;
use rusmpp::types::{COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, Npi, RegisteredDelivery, Ton};

use crate::source::Source;

/// What one message holds (3GPP TS 23.040, section 9.2.3.16): septets of GSM 03.38, or units of UTF-16.
const SEPTETS_MAX: usize = 160;
const UNITS_MAX: usize = 70;
/// The longest period that is asked for; no code lives longer.
pub(crate) const VALIDITY_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// A receipt for the final outcome, good or bad, and nothing else (section 5.2.17).
const FINAL_RECEIPT: u8 = 0x01;

/// Writes a message, but for its period. A text that does not fit one message is refused: two would cost twice, and arrive apart.
pub(crate) fn submit_sm(source: &Source, message: &SmsMessage) -> Result<SubmitSm, SmsFailure> {
    let (text, data_coding) = encode(message.text()).ok_or(SmsFailure::Refused)?;
    let number = message.to.e164().trim_start_matches('+');
    let refused = |_| SmsFailure::Refused;
    Ok(SubmitSm::builder()
        .source_addr_ton(source.ton)
        .source_addr_npi(source.npi)
        .source_addr(c_string(&source.address).ok_or(SmsFailure::Refused)?)
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(c_string(number).ok_or(SmsFailure::Refused)?)
        // The default of this release of the codec is 0x08, a delivery acknowledgement.
        .esm_class(EsmClass::from(0))
        .registered_delivery(RegisteredDelivery::from(FINAL_RECEIPT))
        .data_coding(data_coding)
        .short_message(OctetString::from_vec(text).map_err(refused)?)
        .build())
}

/// Has the SMSC give a message up after what is left of its life: in whole seconds, and one at least.
pub(crate) fn live_for(message: &mut SubmitSm, left: Duration) -> Result<(), SmsFailure> {
    message.validity_period = validity_period(left).ok_or(SmsFailure::Refused)?;
    Ok(())
}

/// GSM 03.38, a septet in each octet, when every character is in it; else UTF-16, which phones take for UCS-2.
fn encode(text: &str) -> Option<(Vec<u8>, DataCoding)> {
    // A longer text cannot fit either, and need not be looked at.
    if text.is_empty() || text.len() > 4 * SEPTETS_MAX {
        return None;
    }
    if let Ok(septets) = Gsm7BitUnpacked::new().encode_to_vec(text) {
        return (septets.len() <= SEPTETS_MAX).then_some((septets, DataCoding::McSpecific));
    }
    let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    (octets.len() <= 2 * UNITS_MAX).then_some((octets, DataCoding::Ucs2))
}

/// A period from now on, as `YYMMDDhhmmss000R` (section 7.1.1.2), in whole seconds and never none.
fn validity_period(life: Duration) -> Option<EmptyOrFullCOctetString<17>> {
    let secs = life.min(VALIDITY_MAX).as_secs().max(1);
    let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
    let period = format!("0000{days:02}{hours:02}{minutes:02}{:02}000R\0", secs % 60);
    EmptyOrFullCOctetString::from_vec(period.into_bytes()).ok()
}

/// A text as SMPP writes it, with the zero at its end.
pub(crate) fn c_string<const MAX: usize>(text: &str) -> Option<COctetString<1, MAX>> {
    let mut octets = Vec::with_capacity(text.len().saturating_add(1));
    octets.extend_from_slice(text.as_bytes());
    octets.push(0);
    COctetString::from_vec(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gsm_texts_have_160_septets() {
        let (octets, coding) = encode("\n@signin.example.com #123456").unwrap();
        assert_eq!((octets[0], octets[1], coding), (0x0a, 0x00, DataCoding::McSpecific));
        assert_eq!(encode(&"a".repeat(160)).unwrap().0.len(), 160);
        assert_eq!(encode(&"a".repeat(161)), None);
        // A character of the extension table takes two septets.
        assert_eq!(encode(&"€".repeat(80)).unwrap().0.len(), 160);
        assert_eq!(encode(&format!("a{}", "€".repeat(80))), None);
    }

    #[test]
    fn other_texts_have_70_units() {
        let (octets, coding) = encode("漢 @").unwrap();
        assert_eq!((octets, coding), (vec![0x6f, 0x22, 0x00, 0x20, 0x00, 0x40], DataCoding::Ucs2));
        assert_eq!(encode(&"漢".repeat(70)).unwrap().0.len(), 140);
        assert_eq!(encode(&"漢".repeat(71)), None);
        // Outside the first plane a character takes two units.
        assert_eq!(encode(&"🔑".repeat(35)).unwrap().0.len(), 140);
        assert_eq!(encode(&"🔑".repeat(36)), None);
        assert_eq!(encode(&"`".repeat(71)), None);
    }

    #[test]
    fn no_text_and_a_very_long_text_are_refused() {
        assert_eq!(encode(""), None);
        assert_eq!(encode(&"a".repeat(1_000_000)), None);
    }

    #[test]
    fn periods_are_relative() {
        let period = |secs| validity_period(Duration::from_millis(secs)).unwrap().as_str().to_owned();
        assert_eq!(period(600_000), "000000001000000R");
        assert_eq!(period(0), "000000000001000R");
        assert_eq!(period(1999), "000000000001000R");
        assert_eq!(period((86_400 + 2 * 3600 + 3 * 60 + 4) * 1000), "000001020304000R");
        assert_eq!(period(u64::MAX), "000007000000000R");
    }
}
