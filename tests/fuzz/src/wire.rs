//! Bodies of events.

use countersign_domain::wire::{HOST_TYPES, SIGNING_KEY_ROTATED, WireError, decode, encode};

/// Type, version, body. What is read is written and read again as the same event, and is what it shows itself to be.
pub fn wire(data: &[u8]) {
    let Some((head, body)) = data.split_first_chunk::<4>() else { return };
    let (event_type, type_version) = (u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]]));
    let event = match decode(event_type, type_version, body) {
        Ok(event) => event,
        Err(WireError::Unknown { event_type: told, .. } | WireError::Malformed { event_type: told, .. }) => {
            return assert_eq!(told, event_type);
        }
        Err(other) => panic!("{other}"),
    };
    // A text, and a record as platforms wrote it first, are as long as their body.
    let any_length = event_type == SIGNING_KEY_ROTATED || (event_type >= HOST_TYPES && type_version == 1);
    let longer = decode(event_type, type_version, &[body, &[0]].concat());
    assert!(any_length || longer.is_err(), "bytes behind the body are passed over");
    let encoded = encode(&event).expect("what was read can be written");
    assert_eq!(encoded.event_type, event_type);
    assert!(encoded.type_version >= type_version);
    let again = decode(encoded.event_type, encoded.type_version, &encoded.body).expect("what was written can be read");
    assert_eq!(again, event);
    assert_eq!(format!("{again:?}"), format!("{event:?}"));
    assert!(encode(&again).is_ok_and(|twice| twice == encoded));
}
