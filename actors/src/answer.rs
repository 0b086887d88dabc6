//! What is asked of the engine and what it answers.

use std::fmt;

use countersign_domain::caller::{By, Caller};
use countersign_domain::client::Client;
use countersign_domain::decide::{Denial, Verdict};
use countersign_domain::device::Serial;
use countersign_domain::event::CodeFault;
use countersign_domain::ids::{CommandId, Position, UnixMillis};
use countersign_domain::secret::Seed;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::totp::{Provisioning, base32};

/// Who asks, and optionally the id under which a retry is recognised.
///
/// ```
/// use countersign::{Caller, CommandId, Request};
///
/// let request = Request::by(Caller::operator()).with_command(CommandId::from_bytes([7; 16]));
/// assert!(request.command.is_some());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks, with which credentials, through which door.
    pub caller: Caller,
    /// The caller's own id for this command. The same command asked again under the same id gets the
    /// recorded answer; another command under it is another command. The last 65,536 are remembered.
    pub command: Option<CommandId>,
    /// Where the person sits, where that is known; it goes into the events of a sign-in.
    pub client: Option<Client>,
}

impl Request {
    /// A request without an id of its own.
    ///
    /// ```
    /// use countersign::{Caller, Request};
    /// assert_eq!(Request::by(Caller::operator()).command, None);
    /// ```
    #[must_use]
    pub const fn by(caller: Caller) -> Self {
        Self { caller, command: None, client: None }
    }

    /// The same request under an id, so that it can be retried safely.
    ///
    /// ```
    /// use countersign::{Caller, CommandId, Request};
    /// let id = CommandId::derive(&["key", "invocation-1"]);
    /// assert_eq!(Request::by(Caller::operator()).with_command(id).command, Some(id));
    /// ```
    #[must_use]
    pub fn with_command(self, command: CommandId) -> Self {
        Self { command: Some(command), ..self }
    }

    /// The same request from a client.
    ///
    /// ```
    /// use countersign::{Caller, Client, Request};
    /// let client = Client::new(Some([203, 0, 113, 7].into()), "Firefox/130");
    /// assert!(Request::by(Caller::operator()).from_client(client).client.is_some());
    /// ```
    #[must_use]
    pub fn from_client(self, client: Client) -> Self {
        Self { client: Some(client), ..self }
    }
}

/// The answer to a command, once it is durable.
///
/// ```
/// # fn show(ack: countersign::Ack<()>) -> String {
/// format!("done at {} s, seen by every query from position {} on", ack.at.secs(), ack.position)
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack<T> {
    /// The answer.
    pub value: T,
    /// How much of the log a view must have folded to know of it; see
    /// [`Countersign::has_folded`](crate::Countersign::has_folded).
    pub position: Position,
    /// When it was decided.
    pub at: UnixMillis,
}

/// Whether codes were accepted. A refusal is an answer, and is recorded.
///
/// ```
/// use countersign::{Proof, Refusal};
/// assert!(Proof::Accepted.is_accepted());
/// assert!(!Proof::Refused(Refusal::Wrong).is_accepted());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Accepted, and spent.
    Accepted,
    /// Refused.
    Refused(Refusal),
}

impl Proof {
    /// Whether the codes were accepted.
    ///
    /// ```
    /// assert!(countersign::Proof::Accepted.is_accepted());
    /// ```
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted)
    }

    pub(crate) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Done
            | Verdict::PairAccepted { .. }
            | Verdict::CodeAccepted { .. }
            | Verdict::SecondFactorWanted { .. }
            | Verdict::SignedIn { .. }
            | Verdict::Challenged { .. }
            | Verdict::KeyRegistered { .. } => Self::Accepted,
            // No proof is asked of a sender.
            Verdict::SmsSubmit { .. } | Verdict::SmsHeld { .. } | Verdict::SmsOver { .. } => Self::Accepted,
            Verdict::Denied(Denial::Locked { until }) => Self::Refused(Refusal::Locked { until }),
            Verdict::Denied(Denial::Code { fault: CodeFault::NotPropagated, .. }) => Self::Refused(Refusal::NotYet),
            Verdict::Denied(_) => Self::Refused(Refusal::Wrong),
        }
    }
}

/// Why codes were refused, as far as the person at the door may learn it. Whether a code was wrong,
/// used, early or late is in the log, for the auditor.
///
/// ```
/// use countersign::{Refusal, UnixMillis};
///
/// fn tell(refusal: Refusal, now: UnixMillis) -> String {
///     match refusal {
///         Refusal::Wrong => "that code is not valid".to_owned(),
///         Refusal::Locked { until } => format!("try again in {} s", until.secs().saturating_sub(now.secs())),
///         Refusal::NotYet => "the device was just changed; try again in a moment".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a valid code now: wrong, used, or outside the window.
    Wrong,
    /// The device's attempts are used up; nothing was evaluated (R91).
    Locked {
        /// When attempts are possible again.
        until: UnixMillis,
    },
    /// The device changed moments ago and STS does not honour it yet (R95).
    NotYet,
}

/// A virtual device that was just created: the only time its secret is given out (R16).
///
/// ```
/// # use countersign::*;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let engine = Countersign::in_memory(Config::default()).unwrap();
/// # let account = "123456789012".parse().unwrap();
/// # let by = || Request::by(Caller::operator());
/// # engine.open_account(by(), account, DeviceName::new("root").unwrap()).await.unwrap();
/// let name = DeviceName::new("lee-phone").unwrap();
/// let device = engine.create_virtual_device(by(), account, Path::root(), name).await.unwrap().value;
/// assert_eq!(device.serial.as_str(), "arn:aws:iam::123456789012:mfa/lee-phone");
/// assert_eq!(device.base32().len(), 64);
/// assert!(device.otpauth_uri().unwrap().starts_with("otpauth://totp/Countersign:lee-phone"));
/// assert!(device.qr_png().unwrap().starts_with(b"\x89PNG"));
/// # });
/// ```
pub struct NewVirtualDevice {
    /// Its ARN (R20).
    pub serial: Serial,
    seed: Seed,
    issuer: String,
    label: String,
}

impl NewVirtualDevice {
    pub(crate) const fn new(serial: Serial, seed: Seed, issuer: String, label: String) -> Self {
        Self { serial, seed, issuer, label }
    }

    /// The secret as authenticators take it by hand: base32 without padding (R15).
    #[must_use]
    pub fn base32(&self) -> Zeroizing<String> {
        base32(&self.seed)
    }

    /// The otpauth URI that the QR code holds (R18, A29).
    ///
    /// # Errors
    /// When the issuer cannot stand in one.
    pub fn otpauth_uri(&self) -> Result<Zeroizing<String>, Error> {
        Provisioning::new(&self.seed, &self.issuer, &self.label)?.uri()
    }

    /// A picture of the QR code, in PNG.
    ///
    /// # Errors
    /// When the issuer cannot stand in an otpauth URI.
    pub fn qr_png(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        Provisioning::new(&self.seed, &self.issuer, &self.label)?.qr_png()
    }
}

impl fmt::Debug for NewVirtualDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewVirtualDevice").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// A record that the host keeps in the log.
///
/// ```
/// fn size(entry: &countersign::HostEntry) -> usize { entry.body.len() }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// Its version in its stream: 1, 2, 3, …
    pub version: u64,
    /// The host's number for its type.
    pub kind: u16,
    /// When it was recorded.
    pub at: UnixMillis,
    /// Who asked for it; records of the first releases do not say.
    pub by: Option<By>,
    /// Where from; empty where it was not told.
    pub client: Client,
    /// The record.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, kind, body, .. } = self;
        write!(f, "HostEntry {{ version: {version}, kind: {kind}, body: {} bytes }}", body.len())
    }
}
