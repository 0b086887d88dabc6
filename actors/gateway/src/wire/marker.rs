//! Markers of paged lists: opaque, and bound to what they continue (R162, R215).
//!
//! A marker is `v1.` + tag + `.` + the last item that was shown. The tag is keyed, so that a marker
//! works only for the account, the operation and the filters that it was made for. The size of the
//! page is not bound.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::errors::ApiError;

/// Bytes of the tag; together with a serial number of 256 characters it fits the 320 of a marker (R219).
const TAG_BYTES: usize = 16;

const VERSION: &str = "v1";

/// Makes and reads markers under one key.
#[derive(Clone)]
pub struct Markers {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Markers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Markers(..)")
    }
}

impl Markers {
    /// Uses a key; markers outlive a restart if the key does.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        Self { mac: Hmac::new(&block.into()) }
    }

    /// The marker after an item, for a list that is named by `scope` (account, operation, filters).
    #[must_use]
    pub fn make(&self, scope: &[&str], last: &str) -> String {
        format!("{VERSION}.{}.{last}", BASE64URL_NOPAD.encode(&self.tag(scope, last)))
    }

    /// The item that a marker stands after.
    ///
    /// # Errors
    /// `ValidationError` `Invalid Marker.` for one that was not made for this list (R162).
    pub fn read<'a>(&self, scope: &[&str], marker: &'a str) -> Result<&'a str, ApiError> {
        let parse = || {
            let (version, rest) = marker.split_once('.')?;
            let (tag, last) = rest.split_once('.')?;
            let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
            let ours = self.tag(scope, last);
            (version == VERSION && tag == ours).then_some(last)
        };
        parse().ok_or_else(|| ApiError::Validation("Invalid Marker.".into()))
    }

    fn tag(&self, scope: &[&str], last: &str) -> [u8; TAG_BYTES] {
        let mut mac = self.mac.clone();
        for part in scope.iter().chain([&last]) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let full = mac.finalize().into_bytes();
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&full[..TAG_BYTES]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_works_only_for_its_list() {
        let markers = Markers::new(&[7; 32]);
        let scope = ["123456789012", "ListVirtualMFADevices", "Any"];
        let marker = markers.make(&scope, "arn:aws:iam::123456789012:mfa/x");
        assert_eq!(markers.read(&scope, &marker).unwrap(), "arn:aws:iam::123456789012:mfa/x");
        let others: [&[&str]; 3] = [
            &["123456789012", "ListVirtualMFADevices", "Assigned"],
            &["123456789012", "ListMFADevices", "Any"],
            &["123456789012", "ListVirtualMFADevicesAny", ""],
        ];
        for other in others {
            assert_eq!(markers.read(other, &marker).unwrap_err().message(), "Invalid Marker.");
        }
        for bad in ["", "v1", "v1.x.y", "v2.AAAA.x", &marker[1..], &format!("{marker}x")] {
            assert!(markers.read(&scope, bad).is_err(), "{bad}");
        }
        assert!(Markers::new(&[8; 32]).read(&scope, &marker).is_err());
    }

    #[test]
    fn the_longest_serial_number_fits() {
        let marker = Markers::new(&[7; 32]).make(&["a"], &"x".repeat(256));
        assert!(marker.len() <= 320, "{}", marker.len());
    }
}
