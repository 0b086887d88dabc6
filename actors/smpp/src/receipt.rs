//! What a `deliver_sm` says of a message (SMPP 3.4, section 4.6.1 and appendix B).

use countersign::{SmsDelivery, SmsReceipt};
use rusmpp::pdus::DeliverSm;
use rusmpp::tlvs::TlvValue;
use rusmpp::values::{MessageState, MessageType};

use crate::ids::IdForm;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// A receipt.
    Receipt(SmsReceipt),
    /// A receipt of which one cannot tell for what message it is, or what it says.
    Unclear,
    /// Something that somebody sent to us.
    Message,
}

/// Reads a `deliver_sm`: the optional parameters, and for what they do not say, the text.
pub(crate) fn read(deliver: &DeliverSm, ids: IdForm) -> Delivered {
    let (mut id, mut state, mut payload) = (None, None, None);
    for value in deliver.tlvs().iter().filter_map(|tlv| tlv.value()) {
        match value {
            TlvValue::ReceiptedMessageId(found) => id = ids.of_receipt(found.as_str()),
            TlvValue::MessageState(found) => state = Some(of_state(*found)),
            TlvValue::MessagePayload(found) => payload = Some(&found.value),
            _ => {}
        }
    }
    let is_receipt = matches!(
        deliver.esm_class.message_type,
        MessageType::ShortMessageContainsMCDeliveryReceipt
            | MessageType::ShortMessageContainsIntermediateDeliveryNotification
    );
    // Some SMSCs do not mark a receipt, and name the message all the same.
    if !is_receipt && id.is_none() {
        return Delivered::Message;
    }
    let text = payload.map_or(deliver.short_message().as_ref(), AsRef::as_ref);
    let id = id.or_else(|| ids.of_receipt(&field(text, b"id:")?));
    let state = state.or_else(|| of_stat(&field(text, b"stat:")?));
    match (id, state) {
        (Some(message_id), Some(delivery)) => Delivered::Receipt(SmsReceipt { message_id, delivery }),
        _ => Delivered::Unclear,
    }
}

/// The value of a field in a text like `id:123 sub:001 dlvrd:001 submit date:... stat:DELIVRD err:000 text:...`. What
/// the message said comes last, and is not looked at.
fn field(text: &[u8], name: &[u8]) -> Option<String> {
    let starts =
        |word: &[u8], name: &[u8]| word.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let words = text.split(|byte| byte.is_ascii_whitespace() || *byte == 0);
    let value = words.take_while(|word| !starts(word, b"text:")).find(|word| starts(word, name))?.get(name.len()..)?;
    (value.len() <= 64 && value.is_ascii()).then(|| String::from_utf8_lossy(value).into_owned())
}

/// Section 5.2.28, with what version 5 adds. "Accepted" is on its way for most who say it.
fn of_state(state: MessageState) -> SmsDelivery {
    match state {
        MessageState::Scheduled | MessageState::Enroute | MessageState::Accepted => SmsDelivery::Enroute,
        MessageState::Delivered => SmsDelivery::Delivered,
        MessageState::Expired => SmsDelivery::Expired,
        MessageState::Deleted => SmsDelivery::Deleted,
        MessageState::Undeliverable => SmsDelivery::Undeliverable,
        MessageState::Rejected | MessageState::Skipped => SmsDelivery::Rejected,
        MessageState::Unknown | MessageState::Other(_) => SmsDelivery::Unknown,
    }
}

/// Appendix B, table B-2, and the longer words that are met as well.
fn of_stat(stat: &str) -> Option<SmsDelivery> {
    Some(match stat.to_ascii_uppercase().as_str() {
        "ENROUTE" | "ACCEPTD" | "ACCEPTED" | "SCHEDULED" => SmsDelivery::Enroute,
        "DELIVRD" | "DELIVERED" => SmsDelivery::Delivered,
        "EXPIRED" => SmsDelivery::Expired,
        "DELETED" => SmsDelivery::Deleted,
        "UNDELIV" | "UNDELIVERABLE" => SmsDelivery::Undeliverable,
        "REJECTD" | "REJECTED" => SmsDelivery::Rejected,
        "UNKNOWN" => SmsDelivery::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusmpp::tlvs::MessageDeliveryRequestTlvValue as Value;
    use rusmpp::types::OctetString;
    use rusmpp::values::EsmClass;

    fn deliver(esm_class: u8, text: &[u8], values: Vec<Value>) -> Delivered {
        let text = OctetString::from_slice(text).unwrap();
        let builder = DeliverSm::builder().esm_class(EsmClass::from(esm_class));
        read(&builder.short_message(text).tlvs(values).build(), IdForm::AsIs)
    }

    fn receipt(id: &str, delivery: SmsDelivery) -> Delivered {
        Delivered::Receipt(SmsReceipt { message_id: id.to_owned(), delivery })
    }

    fn id(id: &str) -> Value {
        Value::ReceiptedMessageId(crate::pdu::c_string(id).unwrap())
    }

    #[test]
    fn parameters_come_before_the_text() {
        let text = b"id:9 stat:UNDELIV err:001";
        let state = || Value::MessageState(MessageState::Delivered);
        assert_eq!(deliver(4, text, vec![id("7"), state()]), receipt("7", SmsDelivery::Delivered));
        assert_eq!(deliver(4, text, vec![id("7")]), receipt("7", SmsDelivery::Undeliverable));
        assert_eq!(deliver(4, text, vec![state()]), receipt("9", SmsDelivery::Delivered));
        assert_eq!(deliver(0, b"", vec![id("7"), state()]), receipt("7", SmsDelivery::Delivered));
        assert_eq!(deliver(0x20, text, vec![]), receipt("9", SmsDelivery::Undeliverable));
    }

    #[test]
    fn texts_are_read_as_the_appendix_writes_them() {
        let text = b"id:00A1 sub:001 dlvrd:001 submit date:2611221305 done date:2611221306 stat:DELIVRD err:0 Text:stat:EXPIRED";
        assert_eq!(deliver(4, text, vec![]), receipt("00A1", SmsDelivery::Delivered));
        assert_eq!(deliver(4, b"Id:1 Stat:expired", vec![]), receipt("1", SmsDelivery::Expired));
        for (stat, delivery) in [
            ("ENROUTE", SmsDelivery::Enroute),
            ("ACCEPTD", SmsDelivery::Enroute),
            ("DELETED", SmsDelivery::Deleted),
            ("REJECTD", SmsDelivery::Rejected),
            ("UNKNOWN", SmsDelivery::Unknown),
        ] {
            assert_eq!(deliver(4, format!("id:1 stat:{stat}").as_bytes(), vec![]), receipt("1", delivery));
        }
    }

    #[test]
    fn junk_is_unclear() {
        let long = format!("id:{} stat:DELIVRD", "1".repeat(65));
        for text in [
            &b""[..],
            b"id: stat:DELIVRD",
            b"id:1",
            b"id:1 stat:",
            b"id:1 stat:SOMETHING",
            b"stat:DELIVRD",
            b"text:id:1 stat:DELIVRD",
            b"id:\xff stat:DELIVRD",
            b"\x00\x01\x02\xff",
            long.as_bytes(),
        ] {
            assert_eq!(deliver(4, text, vec![]), Delivered::Unclear, "{text:?}");
        }
    }

    #[test]
    fn messages_of_people_are_none() {
        assert_eq!(deliver(0, b"id:1 stat:DELIVRD", vec![]), Delivered::Message);
        assert_eq!(deliver(0x08, b"hello", vec![]), Delivered::Message);
    }
}
