//! The names of the engine that the gateway uses.

pub use countersign::{
    AccountId, Assignment, Caller, Channel, Code, CommandId, Config, Countersign, Credential, DeactivateReason,
    DeviceName, DeviceView, Error, PAGE_MAX, Path, Policy, PrincipalId, Proof, Purpose, RECORDS_MAX, Refusal,
    Rejection, Removal, Request, Seed, Serial, UnixMillis, UserId, UserView,
};
