//! Which operation a request asks for, and its typed input.

use crate::errors::{ApiError, Service};
use crate::wire::constraints::Checks;
use crate::wire::form::Params;
use crate::wire::input::{
    AccessKeyInput, ByUser, CreateUser, CreateVirtualDevice, DeactivateDevice, DeleteAccessKey, DeleteVirtualDevice,
    DevicePair, GetSessionToken, ListDevices, ListUsers, ListVirtualDevices,
};

/// The longest name or version that an answer repeats, in characters.
const REPEATED_CHARS_MAX: usize = 128;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $service:ident),+ $(,)?) => {
        /// The operations that this door knows.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name in the form, in answers and in policies.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The service that it belongs to.
            #[must_use]
            pub const fn service(self) -> Service {
                match self { $(Self::$name => Service::$service,)+ }
            }
        }
    };
}

operations! {
    /// Makes an unassigned virtual device (R57).
    CreateVirtualMFADevice: Iam,
    /// Removes an unassigned virtual device (R73).
    DeleteVirtualMFADevice: Iam,
    /// Assigns a device to a user (R62).
    EnableMFADevice: Iam,
    /// Learns the clock of a device again (R111).
    ResyncMFADevice: Iam,
    /// Takes a device from a user (R68).
    DeactivateMFADevice: Iam,
    /// Lists the enabled devices of a user (R159).
    ListMFADevices: Iam,
    /// Lists the virtual devices of the account (R160).
    ListVirtualMFADevices: Iam,
    /// Makes a user.
    CreateUser: Iam,
    /// Tells of one user.
    GetUser: Iam,
    /// Removes a user (R76).
    DeleteUser: Iam,
    /// Lists the users of the account.
    ListUsers: Iam,
    /// Makes an access key for a user.
    CreateAccessKey: Iam,
    /// Lists the access keys of a user.
    ListAccessKeys: Iam,
    /// Removes an access key.
    DeleteAccessKey: Iam,
    /// Opens a session, with or without MFA (R131..R139).
    GetSessionToken: Sts,
    /// Tells the caller who it is.
    GetCallerIdentity: Sts,
}

impl Operation {
    /// The operation that a form asks for.
    ///
    /// # Errors
    /// `MissingAction` without one; `InvalidAction` for a name or a version that is not ours (R220).
    pub fn of(params: &Params) -> Result<Self, ApiError> {
        let action = params.get("Action").filter(|name| !name.is_empty());
        let action = action.ok_or(ApiError::MissingAction)?;
        let version = params.get("Version");
        Self::ALL
            .iter()
            .copied()
            .find(|op| op.name() == action && version == Some(op.service().version()))
            .ok_or_else(|| ApiError::InvalidAction { action: repeated(action), version: version.map(repeated) })
    }

    /// The action in a policy or a denial, such as `iam:EnableMFADevice`.
    #[must_use]
    pub fn action(self) -> String {
        format!("{}:{}", self.service().name(), self.name())
    }
}

/// The service whose namespace an error has when no operation is known.
#[must_use]
pub fn service_of_version(params: &Params) -> Service {
    match params.get("Version") {
        Some(version) if version == Service::Sts.version() => Service::Sts,
        _ => Service::Iam,
    }
}

fn repeated(text: &str) -> String {
    text.chars().take(REPEATED_CHARS_MAX).collect()
}

/// The checked input of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// See [`Operation::CreateVirtualMFADevice`].
    CreateVirtualMFADevice(CreateVirtualDevice),
    /// See [`Operation::DeleteVirtualMFADevice`].
    DeleteVirtualMFADevice(DeleteVirtualDevice),
    /// See [`Operation::EnableMFADevice`].
    EnableMFADevice(DevicePair),
    /// See [`Operation::ResyncMFADevice`].
    ResyncMFADevice(DevicePair),
    /// See [`Operation::DeactivateMFADevice`].
    DeactivateMFADevice(DeactivateDevice),
    /// See [`Operation::ListMFADevices`].
    ListMFADevices(ListDevices),
    /// See [`Operation::ListVirtualMFADevices`].
    ListVirtualMFADevices(ListVirtualDevices),
    /// See [`Operation::CreateUser`].
    CreateUser(CreateUser),
    /// See [`Operation::GetUser`].
    GetUser(ByUser),
    /// See [`Operation::DeleteUser`].
    DeleteUser(ByUser),
    /// See [`Operation::ListUsers`].
    ListUsers(ListUsers),
    /// See [`Operation::CreateAccessKey`].
    CreateAccessKey(AccessKeyInput),
    /// See [`Operation::ListAccessKeys`].
    ListAccessKeys(AccessKeyInput),
    /// See [`Operation::DeleteAccessKey`].
    DeleteAccessKey(DeleteAccessKey),
    /// See [`Operation::GetSessionToken`].
    GetSessionToken(GetSessionToken),
    /// See [`Operation::GetCallerIdentity`].
    GetCallerIdentity,
}

impl Input {
    /// Reads and checks the parameters of an operation. Unknown ones are ignored (R205).
    ///
    /// # Errors
    /// See [`Checks::finish`].
    pub fn read(operation: Operation, params: &Params) -> Result<Self, ApiError> {
        use Operation as O;
        let mut checks = Checks::new(params, operation.service());
        let c = &mut checks;
        let input = match operation {
            O::CreateVirtualMFADevice => Self::CreateVirtualMFADevice(CreateVirtualDevice::read(c)),
            O::DeleteVirtualMFADevice => Self::DeleteVirtualMFADevice(DeleteVirtualDevice::read(c)),
            O::EnableMFADevice => Self::EnableMFADevice(DevicePair::read(c)),
            O::ResyncMFADevice => Self::ResyncMFADevice(DevicePair::read(c)),
            O::DeactivateMFADevice => Self::DeactivateMFADevice(DeactivateDevice::read(c)),
            O::ListMFADevices => Self::ListMFADevices(ListDevices::read(c)),
            O::ListVirtualMFADevices => Self::ListVirtualMFADevices(ListVirtualDevices::read(c)),
            O::CreateUser => Self::CreateUser(CreateUser::read(c)),
            O::GetUser => Self::GetUser(ByUser::read_optional(c)),
            O::DeleteUser => Self::DeleteUser(ByUser::read_required(c)),
            O::ListUsers => Self::ListUsers(ListUsers::read(c)),
            O::CreateAccessKey => Self::CreateAccessKey(AccessKeyInput::read(c)),
            O::ListAccessKeys => Self::ListAccessKeys(AccessKeyInput::read(c)),
            O::DeleteAccessKey => Self::DeleteAccessKey(DeleteAccessKey::read(c)),
            O::GetSessionToken => Self::GetSessionToken(GetSessionToken::read(c)),
            O::GetCallerIdentity => Self::GetCallerIdentity,
        };
        checks.finish()?;
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(form: &str) -> Result<Operation, ApiError> {
        Operation::of(&Params::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn name_and_version_together_find_an_operation() {
        assert_eq!(of("Action=EnableMFADevice&Version=2010-05-08"), Ok(Operation::EnableMFADevice));
        assert_eq!(of("Action=GetSessionToken&Version=2011-06-15"), Ok(Operation::GetSessionToken));
        assert_eq!(of("Version=2010-05-08"), Err(ApiError::MissingAction));
        assert_eq!(of("Action=&Version=2010-05-08"), Err(ApiError::MissingAction));
        for bad in [
            "Action=EnableMFADevice",
            "Action=EnableMFADevice&Version=2011-06-15",
            "Action=enablemfadevice&Version=2010-05-08",
            "Action=GetCallerIdentity&Version=2010-05-08",
            "Action=Publish&Version=2010-03-31",
        ] {
            assert_eq!(of(bad).unwrap_err().code(), "InvalidAction", "{bad}");
        }
    }
}
