//! From a signed request to an answer.
//!
//! The order of the checks is that of R56: what the form says, then who signed it, then whether the
//! caller may, and the engine decides the rest.

mod authentication;
mod devices;
mod refusal;
mod sessions;
#[cfg(test)]
mod tests;
mod users;

use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::directory::{Access, Directory, Identity, Resource, arn_of, user_arn};
use crate::engine::{Channel, CommandId, Countersign, Error, Path, Request, UserView};
use crate::errors::{ApiError, Service};
use crate::session_token::SessionSealer;
use crate::sigv4::Received;
use crate::wire::answer::{self, Output, UserItem};
use crate::wire::marker::Markers;
use crate::wire::operation::service_of_version;
use crate::wire::{Input, Operation, Params};

/// Header that is the same for each retry of one call; it makes retries safe.
const INVOCATION_HEADER: &str = "amz-sdk-invocation-id";
/// The longest id of an invocation that is taken, in characters.
const INVOCATION_CHARS_MAX: usize = 128;

/// The API in front of an engine and a directory.
pub struct Gateway {
    engine: Countersign,
    directory: Arc<dyn Directory>,
    sealer: SessionSealer,
    markers: Markers,
}

/// What goes back to the client, and what is worth a log line. Nothing in the line is a secret.
pub struct Reply {
    /// Status of the HTTP answer.
    pub status: u16,
    /// XML.
    pub body: String,
    /// The operation, once it is known.
    pub operation: Option<Operation>,
    /// Who called, once it is known.
    pub principal: Option<String>,
    /// The code of a refusal.
    pub code: Option<&'static str>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body may hold a seed or a session.
        let Self { status, operation, principal, code, .. } = self;
        write!(f, "Reply {{ {status} {operation:?} {principal:?} {code:?} }}")
    }
}

/// One authenticated request.
struct Call {
    operation: Operation,
    identity: Identity,
    /// Who asks the engine, with the id under which a retry is recognised.
    request: Request,
}

impl Gateway {
    /// Puts the API in front of an engine and a directory. Sessions and markers are sealed under keys of
    /// the engine's key ring, so they outlive a restart.
    ///
    /// # Errors
    /// When the key ring fails.
    pub fn new(engine: Countersign, directory: Arc<dyn Directory>) -> Result<Self, Error> {
        let sealer = SessionSealer::new(&*engine.derive_key("session tokens")?);
        let markers = Markers::new(&*engine.derive_key("markers")?);
        Ok(Self { engine, directory, sealer, markers })
    }

    /// The engine behind the API.
    #[must_use]
    pub const fn engine(&self) -> &Countersign {
        &self.engine
    }

    /// Answers a request.
    pub async fn answer(&self, received: &Received, request_id: &str) -> Reply {
        let form = match received.method {
            http::Method::POST if !received.body.is_empty() => &received.body[..],
            // R202: GET with the same in the query string is accepted.
            _ => received.uri.query().unwrap_or_default().as_bytes(),
        };
        let params = match Params::parse(form) {
            Ok(params) => params,
            Err(error) => return refused(Service::Iam, &error, request_id),
        };
        let operation = match Operation::of(&params) {
            Ok(operation) => operation,
            Err(error) => return refused(service_of_version(&params), &error, request_id),
        };
        let mut principal = None;
        let judged = self.judge(operation, &params, received, &mut principal).await;
        let reply = match judged {
            Ok(output) => Reply {
                status: 200,
                body: answer::success(operation, &output, request_id),
                operation: None,
                principal: None,
                code: None,
            },
            Err(error) => refused(operation.service(), &error, request_id),
        };
        Reply { operation: Some(operation), principal, ..reply }
    }

    async fn judge(
        &self,
        operation: Operation,
        params: &Params,
        received: &Received,
        principal: &mut Option<String>,
    ) -> Result<Output, ApiError> {
        let input = Input::read(operation, params)?;
        let identity = self.authenticate(received, operation).await?;
        *principal = Some(identity.user.id.to_string());
        let mut request = Request::by(identity.caller(channel_of(received)));
        request.command = command_of(received, operation, &identity);
        self.run(&Call { operation, identity, request }, input).await
    }

    async fn run(&self, call: &Call, input: Input) -> Result<Output, ApiError> {
        match input {
            Input::CreateVirtualMFADevice(input) => self.create_virtual_device(call, input).await,
            Input::DeleteVirtualMFADevice(input) => self.delete_virtual_device(call, input).await,
            Input::EnableMFADevice(input) => self.enable_device(call, input).await,
            Input::ResyncMFADevice(input) => self.resync_device(call, input).await,
            Input::DeactivateMFADevice(input) => self.deactivate_device(call, input).await,
            Input::ListMFADevices(input) => self.list_devices(call, input).await,
            Input::ListVirtualMFADevices(input) => self.list_virtual_devices(call, input).await,
            Input::CreateUser(input) => self.create_user(call, input).await,
            Input::GetUser(input) => self.get_user(call, input).await,
            Input::DeleteUser(input) => self.delete_user(call, input).await,
            Input::ListUsers(input) => self.list_users(call, input).await,
            Input::CreateAccessKey(input) => self.create_access_key(call, input).await,
            Input::ListAccessKeys(input) => self.list_access_keys(call, input).await,
            Input::DeleteAccessKey(input) => self.delete_access_key(call, input).await,
            Input::GetSessionToken(input) => self.get_session_token(call, input).await,
            Input::GetCallerIdentity => Ok(caller_identity(call)),
        }
    }

    /// Asks the directory whether the caller may (R45, R47).
    async fn authorize(&self, call: &Call, resource: &Resource) -> Result<(), ApiError> {
        self.authorize_shown(call, resource, resource.arn()).await
    }

    /// As [`Self::authorize`]; a denial shows `shown`, which must not tell more than the caller said.
    async fn authorize_shown(&self, call: &Call, resource: &Resource, shown: &str) -> Result<(), ApiError> {
        let action = call.operation.action();
        let access = self.directory.authorize(&call.identity, &action, resource).await;
        let forbidden = match access.map_err(|error| refusal::of_directory(&error, None))? {
            Access::Allowed => return Ok(()),
            Access::NotAllowed => false,
            Access::Denied => true,
        };
        let (caller, resource) = (call.identity.arn(), shown.to_owned());
        Err(ApiError::NotAuthorized { caller, action, resource, forbidden })
    }

    /// The user that a request is about, the caller when it names none, and whether the caller may do
    /// this to it. Leave comes before existence (R56): who may not ask does not learn who exists.
    async fn subject(&self, call: &Call, name: Option<&str>) -> Result<UserView, ApiError> {
        let Some(name) = name else {
            let user = call.identity.user.clone();
            let resource = Resource::Principal { id: Some(user.id.clone()), arn: arn_of(&user) };
            self.authorize(call, &resource).await?;
            return Ok(user);
        };
        let account = call.identity.account();
        let found = self.directory.user_named(account, name).await;
        let found = found.map_err(|error| refusal::of_directory(&error, None))?;
        let named = user_arn(account, &Path::root(), name);
        let arn = found.as_ref().map_or_else(|| named.clone(), arn_of);
        let id = found.as_ref().map(|user| user.id.clone());
        self.authorize_shown(call, &Resource::Principal { id, arn }, &named).await?;
        found.ok_or_else(|| ApiError::NoSuchUser(name.to_owned()))
    }

    /// The marker after the last item of a page, if more follows.
    fn marker(&self, call: &Call, filter: &str, last: Option<&str>) -> Option<String> {
        let account = call.identity.account().to_string();
        last.map(|last| self.markers.make(&[&account, call.operation.name(), filter], last))
    }

    /// The item that a page starts after (R162).
    fn start<'a>(&self, call: &Call, filter: &str, marker: Option<&'a str>) -> Result<Option<&'a str>, ApiError> {
        let account = call.identity.account().to_string();
        let scope = [account.as_str(), call.operation.name(), filter];
        marker.map(|marker| self.markers.read(&scope, marker)).transpose()
    }
}

/// The answer for requests that never become an operation.
#[must_use]
pub fn refused(service: Service, error: &ApiError, request_id: &str) -> Reply {
    Reply {
        status: error.status(),
        body: answer::failure(service, error, request_id),
        operation: None,
        principal: None,
        code: Some(error.code()),
    }
}

fn caller_identity(call: &Call) -> Output {
    let identity = &call.identity;
    Output::Caller { id: id_of(&identity.user), account: identity.account().to_string(), arn: identity.arn() }
}

/// The id of a user, or the account's for its root (R161).
fn id_of(user: &UserView) -> String {
    match &user.id {
        crate::engine::PrincipalId::Root(account) => account.to_string(),
        crate::engine::PrincipalId::User(_, id) => id.to_string(),
    }
}

fn user_item(user: &UserView) -> UserItem {
    UserItem {
        named: (!user.id.is_root()).then(|| (user.path.to_string(), user.name.to_string())),
        id: id_of(user),
        arn: arn_of(user),
        created_ms: user.created_at.0,
    }
}

/// The door, as far as the client tells: the CLI is judged like any other client and recorded apart.
fn channel_of(received: &Received) -> Channel {
    let agent = received.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.starts_with("aws-cli/")) { Channel::Cli } else { Channel::Api }
}

/// The id under which a retry of this call is recognised. It is bound to the key that signed and to
/// the whole form, so that nobody can claim the answer to somebody else's call or to another one.
fn command_of(received: &Received, operation: Operation, identity: &Identity) -> Option<CommandId> {
    let invocation = received.headers.get(INVOCATION_HEADER)?.to_str().ok()?;
    if invocation.is_empty() || invocation.len() > INVOCATION_CHARS_MAX {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(&received.body);
    hash.update([0]);
    hash.update(received.uri.query().unwrap_or_default());
    let body = HEXLOWER.encode(&hash.finalize());
    Some(CommandId::derive(&[&identity.access_key_id, invocation, operation.name(), &body]))
}
