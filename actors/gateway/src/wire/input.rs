//! The inputs of the operations, checked against the shapes of the public API models (R219).

use std::fmt;

use crate::errors::ApiError;
use crate::wire::constraints::{Checks, Pattern, TextRule};
use crate::wire::lists;

/// The size of a page when the request does not say (R159).
pub const PAGE_ITEMS_DEFAULT: u32 = 100;
/// The largest page (R219).
pub const PAGE_ITEMS_MAX: u32 = 1000;
/// The most tags on one device (R169).
pub const TAGS_MAX: usize = 50;
/// The shortest session, in seconds (R135).
pub const SESSION_SECS_MIN: u32 = 900;
/// The longest session, in seconds (R135).
pub const SESSION_SECS_MAX: u32 = 129_600;
/// The life of a session when the request does not say, in seconds (R135).
pub const SESSION_SECS_DEFAULT: u32 = 43_200;
/// The longest session of a root user, in seconds; more is cut to it (R135, A31).
pub const ROOT_SESSION_SECS_MAX: u32 = 3_600;

const NAME_TEXT: &str = "It must contain only alphanumeric characters and/or the following: +=,.@_-";
const PATH_TEXT: &str = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.";

const fn rule(name: &'static str, least: usize, most: usize, pattern: Pattern) -> TextRule {
    TextRule { name, chars_min: least, chars_max: most, pattern }
}

const EXISTING_USER: TextRule = rule("UserName", 1, 128, Pattern::Any);
const NEW_USER: TextRule = rule("UserName", 1, 64, Pattern::Any);
const SERIAL: TextRule = rule("SerialNumber", 9, 256, Pattern::Serial);
const SERIAL_STS: TextRule = rule("SerialNumber", 9, 256, Pattern::SerialSts);
const TOKEN_CODE: TextRule = rule("TokenCode", 6, 6, Pattern::DigitsSts);
const CODE_1: TextRule = rule("AuthenticationCode1", 6, 6, Pattern::Digits);
const CODE_2: TextRule = rule("AuthenticationCode2", 6, 6, Pattern::Digits);
const PATH: TextRule = rule("Path", 1, 512, Pattern::Any);
const PATH_PREFIX: TextRule = rule("PathPrefix", 1, 512, Pattern::Any);
const MARKER: TextRule = rule("Marker", 1, 320, Pattern::Marker);
const ACCESS_KEY_ID: TextRule = rule("AccessKeyId", 16, 128, Pattern::Word);
const DEVICE_NAME: TextRule = rule("VirtualMFADeviceName", 1, 128, Pattern::Any);
/// What is left of a serial number of 256 characters after `arn:aws:iam::123456789012:mfa` (R19).
const DEVICE_PATH_AND_NAME_CHARS_MAX: usize = 256 - 29;
const TAG_KEY: TextRule = rule("Tags", 1, 128, Pattern::Any);
const TAG_VALUE: TextRule = rule("Tags", 0, 256, Pattern::Any);

/// A code as typed; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(pub String);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// A tag of a device (R169).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Which page of a list is wanted (R215).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Where the page before ended.
    pub marker: Option<String>,
    /// The most items on the page.
    pub max_items: u32,
}

impl Page {
    fn read(c: &mut Checks<'_>) -> Self {
        let marker = c.optional(MARKER);
        let max_items = c.integer("MaxItems", 1, PAGE_ITEMS_MAX);
        Self { marker, max_items: max_items.unwrap_or(PAGE_ITEMS_DEFAULT) }
    }
}

/// Input of `CreateVirtualMFADevice` (R57).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateVirtualDevice {
    /// Path, `/` by default.
    pub path: String,
    /// Name.
    pub name: String,
    /// Tags; `None` when the request has none, so that the answer has none either.
    pub tags: Option<Vec<Tag>>,
}

impl CreateVirtualDevice {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        let path = read_path(c);
        let name = read_name(c, DEVICE_NAME, true).unwrap_or_default();
        let most = DEVICE_PATH_AND_NAME_CHARS_MAX.saturating_sub(path.chars().count());
        let fits = name.chars().count() <= most.min(DEVICE_NAME.chars_max);
        if path.chars().count() <= PATH.chars_max && most == 0 {
            // No name fits behind a path this long, so it is the path that is at fault.
            let most = DEVICE_PATH_AND_NAME_CHARS_MAX - 1;
            c.violated("path", &path, &format!("Member must have length less than or equal to {most}"));
        } else if path.chars().count() <= PATH.chars_max && !fits && most < DEVICE_NAME.chars_max {
            let what = format!("Member must have length less than or equal to {most}");
            c.violated("virtualMFADeviceName", &name, &what);
        }
        if !Pattern::Serial.allows(&path) {
            // The path becomes part of a serial number, which has fewer characters than a path (R219).
            c.object(ApiError::Validation(PATH_TEXT.to_owned()));
        }
        let tags = read_tags(c);
        Self { path, name, tags }
    }
}

/// Input of `DeleteVirtualMFADevice` (R73).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteVirtualDevice {
    /// Serial number, which is an ARN here.
    pub serial: String,
}

impl DeleteVirtualDevice {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        Self { serial: c.required(SERIAL) }
    }
}

/// Input of `EnableMFADevice` and `ResyncMFADevice` (R62, R111).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DevicePair {
    /// Name of the user.
    pub user_name: String,
    /// ARN or serial number of hardware.
    pub serial: String,
    /// The first code.
    pub code_1: Code,
    /// The code right after it.
    pub code_2: Code,
}

impl DevicePair {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        Self {
            user_name: read_name(c, EXISTING_USER, true).unwrap_or_default(),
            serial: c.required(SERIAL),
            code_1: Code(c.required(CODE_1)),
            code_2: Code(c.required(CODE_2)),
        }
    }
}

/// Input of `DeactivateMFADevice` (R68).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeactivateDevice {
    /// Name of the user; the caller when absent (R183).
    pub user_name: Option<String>,
    /// ARN or serial number of hardware.
    pub serial: String,
}

impl DeactivateDevice {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        Self { user_name: read_name(c, EXISTING_USER, false), serial: c.required(SERIAL) }
    }
}

/// Input of `ListMFADevices` (R159).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListDevices {
    /// Name of the user; the caller when absent.
    pub user_name: Option<String>,
    /// The page.
    pub page: Page,
}

impl ListDevices {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        Self { user_name: read_name(c, EXISTING_USER, false), page: Page::read(c) }
    }
}

/// Which virtual devices a list shows (R160).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignment {
    /// Those of somebody.
    Assigned,
    /// Those of nobody.
    Unassigned,
    /// All.
    Any,
}

/// Input of `ListVirtualMFADevices` (R160).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListVirtualDevices {
    /// Which devices.
    pub assignment: Assignment,
    /// The page.
    pub page: Page,
}

impl ListVirtualDevices {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        let words =
            [("Assigned", Assignment::Assigned), ("Unassigned", Assignment::Unassigned), ("Any", Assignment::Any)];
        let assignment = c.one_of("AssignmentStatus", &words).unwrap_or(Assignment::Any);
        Self { assignment, page: Page::read(c) }
    }
}

/// Input of `CreateUser`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateUser {
    /// Name.
    pub user_name: String,
    /// Path, `/` by default.
    pub path: String,
}

impl CreateUser {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        let path = read_path(c);
        Self { user_name: read_name(c, NEW_USER, true).unwrap_or_default(), path }
    }
}

/// Input of the operations that take one user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByUser {
    /// Name of the user; the caller when absent.
    pub user_name: Option<String>,
}

impl ByUser {
    pub(crate) fn read_optional(c: &mut Checks<'_>) -> Self {
        Self { user_name: read_name(c, EXISTING_USER, false) }
    }

    pub(crate) fn read_required(c: &mut Checks<'_>) -> Self {
        Self { user_name: read_name(c, EXISTING_USER, true) }
    }
}

/// Input of `ListUsers`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListUsers {
    /// Only users whose path begins so.
    pub path_prefix: String,
    /// The page.
    pub page: Page,
}

impl ListUsers {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        let path_prefix = c.optional(PATH_PREFIX).unwrap_or_else(|| "/".to_owned());
        if !path_prefix.starts_with('/') || !path_prefix.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
            let text = "The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters.";
            c.object(ApiError::Validation(text.to_owned()));
        }
        Self { path_prefix, page: Page::read(c) }
    }
}

/// Input of `CreateAccessKey` and `ListAccessKeys`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKeyInput {
    /// Name of the user; the caller when absent.
    pub user_name: Option<String>,
    /// The page, of the listing.
    pub page: Page,
}

impl AccessKeyInput {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        Self { user_name: read_name(c, EXISTING_USER, false), page: Page::read(c) }
    }
}

/// Input of `DeleteAccessKey`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteAccessKey {
    /// Name of the user; the caller when absent.
    pub user_name: Option<String>,
    /// Id of the key.
    pub access_key_id: String,
}

impl DeleteAccessKey {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        Self { user_name: read_name(c, EXISTING_USER, false), access_key_id: c.required(ACCESS_KEY_ID) }
    }
}

/// Input of `GetSessionToken` (R134, R135).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetSessionToken {
    /// Wanted life of the session.
    pub duration_secs: Option<u32>,
    /// Serial number of the device.
    pub serial: Option<String>,
    /// A code of the device.
    pub code: Option<Code>,
}

impl GetSessionToken {
    pub(crate) fn read(c: &mut Checks<'_>) -> Self {
        Self {
            duration_secs: c.integer("DurationSeconds", SESSION_SECS_MIN, SESSION_SECS_MAX),
            serial: c.optional(SERIAL_STS),
            code: c.optional(TOKEN_CODE).map(Code),
        }
    }
}

/// A name; its characters have a message of their own (R58).
fn read_name(c: &mut Checks<'_>, rule: TextRule, required: bool) -> Option<String> {
    let value = if required { Some(c.required(rule)) } else { c.optional(rule) };
    if value.as_deref().is_some_and(|name| !Pattern::Name.allows(name)) {
        let at = if rule.name == "UserName" { "userName" } else { "virtualMFADeviceName" };
        let text = format!("The specified value for {at} is invalid. {NAME_TEXT}");
        c.object(ApiError::Validation(text));
    }
    value
}

/// A path: `/`, or starts and ends with `/` (R9). Double slashes inside pass, `//` alone does not (R59).
fn read_path(c: &mut Checks<'_>) -> String {
    let path = c.optional(PATH).unwrap_or_else(|| "/".to_owned());
    let framed = path.len() > 1 && path.starts_with('/') && path.ends_with('/') && path != "//";
    let printable = path.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if path != "/" && !(framed && printable) {
        c.object(ApiError::Validation(PATH_TEXT.to_owned()));
    }
    path
}

/// Tags of a new device; bad ones fail the whole call (R58, R169).
fn read_tags(c: &mut Checks<'_>) -> Option<Vec<Tag>> {
    let members = match lists::members(c.params(), "Tags") {
        Ok(members) => members?,
        Err(error) => {
            c.unreadable(error);
            return None;
        }
    };
    if members.len() > TAGS_MAX {
        let what = format!("Member must have length less than or equal to {TAGS_MAX}");
        c.violated("tags", "", &what);
    }
    let mut tags: Vec<Tag> = Vec::with_capacity(members.len());
    for (number, member) in (1..).zip(&members) {
        let mut field = |name: &str, rule: TextRule| {
            let at = format!("tags.{number}.member.{}", name.to_ascii_lowercase());
            match member.get(name) {
                Some(value) => c.check_text(&at, value, rule),
                None => c.missing(&at),
            }
            member.get(name).copied().unwrap_or_default().to_owned()
        };
        let tag = Tag { key: field("Key", TAG_KEY), value: field("Value", TAG_VALUE) };
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            let text = "Tag keys that begin with aws: are reserved";
            c.object(ApiError::InvalidInput(text.to_owned()));
        }
        if tags.iter().any(|other| other.key == tag.key) {
            c.object(ApiError::InvalidInput("Duplicate tag keys found".to_owned()));
        }
        tags.push(tag);
    }
    Some(tags)
}

#[cfg(test)]
mod tests;
