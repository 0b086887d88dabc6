//! The names of the engine that the gateway uses.

pub use countersign::{
    ANCHORS_MAX, AccountAlias, AccountId, AccountView, Ack, Anchor, Assignment, AttemptId, Caller, ChallengeId,
    Channel, Client, Code, CommandId, Config, Countersign, Countries, Country, Credential, DeactivateReason,
    DevelopmentTransports, DeviceKind, DeviceName, DeviceView, DirectoryAnchor, Error, FactorOf, ForgetReason, KeyForm,
    KeyRefusal, KeyRegistration, NewVirtualDevice, PAGE_MAX, Path, PhoneFault, PhoneNumber, Policy, Prefix,
    Preset as AccountPreset, PrincipalId, Proof, Purpose, RECORDS_MAX, Refusal, Rejection, RelyingParty, Removal,
    Request, RouteName, Seed, Serial, SignInStep, SmsBlocked, SmsCallback, SmsCallbackError, SmsDelivery,
    SmsDropReason, SmsEligibility, SmsErrand, SmsHealth, SmsLine, SmsMessageView, SmsReport, SmsRouteView, SmsState,
    SmsText, TransportError, Transports, UnixMillis, UserId, UserView,
};
