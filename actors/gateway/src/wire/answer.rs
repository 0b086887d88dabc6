//! The XML of answers (R206..R212).

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::errors::{ApiError, Service};
use crate::secret::Secret;
use crate::wire::input::Tag;
use crate::wire::operation::Operation;
use crate::wire::time::iso8601;
use crate::wire::xml::Xml;

/// A user in an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserItem {
    /// Path and name; `None` for the root user, who has neither (R161).
    pub named: Option<(String, String)>,
    /// Immutable id; the account id for root.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
}

/// An enabled device in an answer (R159).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceItem {
    /// Name of its user.
    pub user_name: String,
    /// ARN or serial number.
    pub serial: String,
    /// When it was enabled, in milliseconds since the epoch.
    pub enabled_ms: u64,
}

/// A virtual device in an answer (R160).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualDeviceItem {
    /// ARN.
    pub serial: String,
    /// Since when, and whose it is; `None` when unassigned.
    pub assigned: Option<(u64, UserItem)>,
}

/// An access key in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKeyItem {
    /// Name of its user.
    pub user_name: String,
    /// Id.
    pub id: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
}

/// What an operation answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// Nothing but the id of the request (R207).
    Empty,
    /// A new virtual device, with its seed and picture for the only time (R16, R57).
    VirtualDevice {
        /// ARN.
        serial: String,
        /// Base32 text of the seed, which is encoded once more on the wire (R210).
        base32_seed: Zeroizing<String>,
        /// Bytes of the picture.
        qr_png: Zeroizing<Vec<u8>>,
        /// Tags, if the request had any (R57).
        tags: Option<Vec<Tag>>,
    },
    /// A page of devices of a user.
    Devices(Vec<DeviceItem>, Option<String>),
    /// A page of virtual devices.
    VirtualDevices(Vec<VirtualDeviceItem>, Option<String>),
    /// One user.
    User(UserItem),
    /// A page of users.
    Users(Vec<UserItem>, Option<String>),
    /// A new access key, with its secret for the only time.
    AccessKey(AccessKeyItem, Secret),
    /// A page of access keys.
    AccessKeys(Vec<AccessKeyItem>, Option<String>),
    /// A session (R145).
    Session {
        /// Id, `ASIA…`.
        access_key_id: String,
        /// Secret.
        secret_access_key: Secret,
        /// Token.
        session_token: Secret,
        /// End, in milliseconds since the epoch.
        expires_ms: u64,
    },
    /// Who the caller is.
    Caller {
        /// Immutable id.
        id: String,
        /// Account.
        account: String,
        /// ARN.
        arn: String,
    },
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Some hold a secret.
        f.write_str("Output(..)")
    }
}

/// The body of a success.
#[must_use]
pub fn success(operation: Operation, output: &Output, request_id: &str) -> String {
    let name = operation.name();
    let mut xml = Xml::new();
    xml.root(&format!("{name}Response"), operation.service().namespace(), |xml| {
        if *output != Output::Empty {
            xml.element(&format!("{name}Result"), |xml| write_output(xml, output));
        }
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    });
    xml.finish()
}

/// The body of a refusal (R212).
#[must_use]
pub fn failure(service: Service, error: &ApiError, request_id: &str) -> String {
    let mut xml = Xml::new();
    xml.root("ErrorResponse", service.namespace(), |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", error.fault().as_str());
            xml.text("Code", error.code());
            xml.text("Message", &error.message());
        });
        xml.text("RequestId", request_id);
    });
    xml.finish()
}

fn write_output(xml: &mut Xml, output: &Output) {
    match output {
        Output::Empty => {}
        Output::VirtualDevice { serial, base32_seed, qr_png, tags } => {
            xml.element("VirtualMFADevice", |xml| {
                xml.text("SerialNumber", serial);
                xml.text("Base32StringSeed", &BASE64.encode(base32_seed.as_bytes()));
                xml.text("QRCodePNG", &BASE64.encode(qr_png));
                if let Some(tags) = tags {
                    write_members(xml, "Tags", tags, |xml, tag| {
                        xml.text("Key", &tag.key);
                        xml.text("Value", &tag.value);
                    });
                }
            });
        }
        Output::Devices(devices, marker) => {
            write_members(xml, "MFADevices", devices, |xml, device| {
                xml.text("UserName", &device.user_name);
                xml.text("SerialNumber", &device.serial);
                xml.text("EnableDate", &iso8601(device.enabled_ms));
            });
            write_page_end(xml, marker.as_deref());
        }
        Output::VirtualDevices(devices, marker) => {
            write_members(xml, "VirtualMFADevices", devices, |xml, device| {
                xml.text("SerialNumber", &device.serial);
                if let Some((enabled_ms, user)) = &device.assigned {
                    xml.text("EnableDate", &iso8601(*enabled_ms));
                    xml.element("User", |xml| write_user(xml, user));
                }
            });
            write_page_end(xml, marker.as_deref());
        }
        Output::User(user) => xml.element("User", |xml| write_user(xml, user)),
        Output::Users(users, marker) => {
            write_members(xml, "Users", users, write_user);
            write_page_end(xml, marker.as_deref());
        }
        Output::AccessKey(key, secret) => xml.element("AccessKey", |xml| {
            write_access_key(xml, key);
            xml.text("SecretAccessKey", secret.expose());
        }),
        Output::AccessKeys(keys, marker) => {
            write_members(xml, "AccessKeyMetadata", keys, write_access_key);
            write_page_end(xml, marker.as_deref());
        }
        Output::Session { access_key_id, secret_access_key, session_token, expires_ms } => {
            xml.element("Credentials", |xml| {
                xml.text("AccessKeyId", access_key_id);
                xml.text("SecretAccessKey", secret_access_key.expose());
                xml.text("SessionToken", session_token.expose());
                xml.text("Expiration", &iso8601(*expires_ms));
            });
        }
        Output::Caller { id, account, arn } => {
            xml.text("UserId", id);
            xml.text("Account", account);
            xml.text("Arn", arn);
        }
    }
}

fn write_members<T>(xml: &mut Xml, list: &str, items: &[T], write: impl Fn(&mut Xml, &T)) {
    xml.element(list, |xml| {
        for item in items {
            xml.element("member", |xml| write(xml, item));
        }
    });
}

fn write_page_end(xml: &mut Xml, marker: Option<&str>) {
    xml.boolean("IsTruncated", marker.is_some());
    if let Some(marker) = marker {
        xml.text("Marker", marker);
    }
}

fn write_user(xml: &mut Xml, user: &UserItem) {
    if let Some((path, name)) = &user.named {
        xml.text("Path", path);
        xml.text("UserName", name);
    }
    xml.text("UserId", &user.id);
    xml.text("Arn", &user.arn);
    xml.text("CreateDate", &iso8601(user.created_ms));
}

fn write_access_key(xml: &mut Xml, key: &AccessKeyItem) {
    xml.text("UserName", &key.user_name);
    xml.text("AccessKeyId", &key.id);
    xml.text("Status", "Active");
    xml.text("CreateDate", &iso8601(key.created_ms));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f3ba1aa-0e95-11ea-8d71-362b9e155667";

    #[test]
    fn an_empty_answer_has_no_result_element() {
        assert_eq!(
            success(Operation::EnableMFADevice, &Output::Empty, ID),
            "<EnableMFADeviceResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata><RequestId>6f3ba1aa-0e95-11ea-8d71-362b9e155667</RequestId></ResponseMetadata></EnableMFADeviceResponse>"
        );
    }

    #[test]
    fn an_empty_list_has_its_wrapper() {
        let out = success(Operation::ListMFADevices, &Output::Devices(vec![], None), ID);
        assert!(
            out.contains(
                "<ListMFADevicesResult><MFADevices></MFADevices><IsTruncated>false</IsTruncated></ListMFADevicesResult>"
            ),
            "{out}"
        );
    }

    #[test]
    fn the_seed_is_encoded_twice() {
        let output = Output::VirtualDevice {
            serial: "arn:aws:iam::123456789012:mfa/lee".into(),
            base32_seed: Zeroizing::new("JBSWY3DP".into()),
            qr_png: Zeroizing::new(b"PNG".to_vec()),
            tags: None,
        };
        let out = success(Operation::CreateVirtualMFADevice, &output, ID);
        let read = roxmltree::Document::parse(&out).unwrap();
        let text = |name: &str| {
            read.descendants()
                .find(|n| n.has_tag_name(("https://iam.amazonaws.com/doc/2010-05-08/", name)))
                .and_then(|n| n.text())
                .unwrap()
        };
        assert_eq!(text("Base32StringSeed"), "SkJTV1kzRFA=");
        assert_eq!(text("QRCodePNG"), "UE5H");
        assert!(!out.contains("Tags") && !out.contains("EnableDate"));
        assert_eq!(format!("{output:?}"), "Output(..)");
    }

    #[test]
    fn devices_of_root_have_no_name() {
        let root = UserItem {
            named: None,
            id: "123456789012".into(),
            arn: "arn:aws:iam::123456789012:root".into(),
            created_ms: 0,
        };
        let item = VirtualDeviceItem { serial: "s".into(), assigned: Some((0, root)) };
        let out = success(Operation::ListVirtualMFADevices, &Output::VirtualDevices(vec![item], Some("m".into())), ID);
        assert!(out.contains("<User><UserId>123456789012</UserId><Arn>"), "{out}");
        assert!(out.contains("<IsTruncated>true</IsTruncated><Marker>m</Marker>"));
    }

    #[test]
    fn refusals_have_the_namespace_of_their_service() {
        let out = failure(Service::Sts, &ApiError::MfaNotValidated, ID);
        assert!(out.starts_with("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Multi"));
        assert!(out.ends_with("</Error><RequestId>6f3ba1aa-0e95-11ea-8d71-362b9e155667</RequestId></ErrorResponse>"));
    }
}
