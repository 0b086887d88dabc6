//! The form of a record.

use std::sync::Arc;

use countersign_domain::client::Client;
use countersign_domain::ids::StreamId;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::event::Who;
use crate::time::Time;

/// The user name of root in requests.
const ROOT_NAME: &str = "AWS ROOT USER";

/// Where and when something was recorded.
pub(super) struct Place {
    pub(super) at: Time,
    pub(super) position: u64,
    pub(super) stream: StreamId,
}

/// What a record says.
pub(super) struct Call {
    source: &'static str,
    kind: &'static str,
    name: &'static str,
    /// Its place within an instant (rule R5).
    pub(super) rank: u8,
    pub(super) account: Arc<str>,
    /// User names that it binds or frees.
    pub(super) names: Vec<String>,
    /// Who did it; `None` is the host.
    pub(super) actor: Option<Who>,
    pub(super) client: Option<Client>,
    request: Value,
    response: Value,
    extra: Value,
    error: Option<(&'static str, &'static str)>,
}

impl Call {
    fn new(source: &'static str, kind: &'static str, name: &'static str, rank: u8, account: &Arc<str>) -> Self {
        let (request, response, extra) = (Value::Null, Value::Null, Value::Null);
        let (account, names) = (Arc::clone(account), Vec::new());
        Self {
            source,
            kind,
            name,
            rank,
            account,
            names,
            actor: None,
            client: None,
            request,
            response,
            extra,
            error: None,
        }
    }

    pub(super) fn iam(name: &'static str, rank: u8, account: &Arc<str>) -> Self {
        Self::new("iam.amazonaws.com", "AwsApiCall", name, rank, account)
    }

    pub(super) fn sts(name: &'static str, who: &Who) -> Self {
        let call = Self::new("sts.amazonaws.com", "AwsApiCall", name, 6, who.account());
        Self { actor: Some(who.clone()), ..call }
    }

    pub(super) fn sign_in(name: &'static str, success: bool, who: &Who) -> Self {
        let call = Self::new("signin.amazonaws.com", "AwsConsoleSignIn", name, 6, who.account());
        let mut response = json!({});
        response[name] = json!(if success { "Success" } else { "Failure" });
        Self { actor: Some(who.clone()), response, error: (!success).then_some(("", "Failed authentication")), ..call }
    }

    pub(super) fn by(self, actor: Option<Who>, client: Option<Client>) -> Self {
        Self { actor, client, ..self }
    }

    pub(super) fn asking(self, request: Value) -> Self {
        Self { request, ..self }
    }

    pub(super) fn answered(self, response: Value) -> Self {
        Self { response, ..self }
    }

    pub(super) fn adding(self, extra: Value) -> Self {
        Self { extra, ..self }
    }

    pub(super) fn naming(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    pub(super) fn refused(self, code: &'static str, message: &'static str) -> Self {
        Self { error: Some((code, message)), ..self }
    }

    pub(super) fn into_record(self, place: Place) -> Value {
        let mut record = json!({
            "awsRegion": "us-east-1",
            "eventCategory": "Management",
            "eventID": event_id(&place),
            "eventName": self.name,
            "eventSource": self.source,
            "eventTime": place.at,
            "eventType": self.kind,
            "eventVersion": "1.08",
            "managementEvent": true,
            "readOnly": false,
            "recipientAccountId": self.account,
            "requestParameters": self.request,
            "responseElements": self.response,
            "userIdentity": identity(self.actor.as_ref()),
        });
        let address = self.client.as_ref().map_or("", Client::address);
        record["sourceIPAddress"] = json!(if address.is_empty() { "AWS Internal" } else { address });
        if let Some(agent) = self.client.as_ref().map(Client::agent).filter(|agent| !agent.is_empty()) {
            record["userAgent"] = json!(agent);
        }
        if !self.extra.is_null() {
            record["additionalEventData"] = self.extra;
        }
        if let Some((code, message)) = self.error {
            // Records of sign-ins carry no code.
            if !code.is_empty() {
                record["errorCode"] = json!(code);
            }
            record["errorMessage"] = json!(message);
        }
        record
    }
}

/// A user's name, or what stands for it.
pub(super) fn name_of(who: &Who) -> &str {
    match who {
        Who::Root { .. } => "root",
        Who::User { name, .. } => name.as_deref().unwrap_or_default(),
    }
}

/// How a request names a principal.
pub(super) fn in_request(who: &Who) -> &str {
    if matches!(who, Who::Root { .. }) { ROOT_NAME } else { name_of(who) }
}

fn identity(who: Option<&Who>) -> Value {
    match who {
        Some(Who::Root { account }) => {
            json!({"accountId": account, "arn": format!("arn:aws:iam::{account}:root"), "principalId": account, "type": "Root"})
        }
        Some(Who::User { account, name, uid }) => {
            let mut user = json!({"accountId": account, "type": "IAMUser"});
            if let Some(name) = name {
                user["arn"] = json!(format!("arn:aws:iam::{account}:user/{name}"));
                user["userName"] = json!(name);
            }
            if let Some(uid) = uid {
                user["principalId"] = json!(uid);
            }
            user
        }
        None => json!({"invokedBy": "countersign", "type": "AWSService"}),
    }
}

/// An id in the form of a UUID (version 8): the position, so that ids are in the log's order, and a digest of the stream.
fn event_id(place: &Place) -> String {
    let mut bytes = [0; 16];
    let digest =
        Sha256::new().chain_update(place.stream.as_bytes()).chain_update(place.position.to_be_bytes()).finalize();
    bytes.copy_from_slice(&digest[..16]);
    bytes[..6].copy_from_slice(&place.position.to_be_bytes()[2..]);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex = HEXLOWER.encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
