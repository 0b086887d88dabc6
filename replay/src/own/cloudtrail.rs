//! Our own log as records of CloudTrail, for tools that read those, this one among them.
//!
//! A record is written for what AWS would have recorded: successful calls, and refused ones where the log has them. Names
//! and serial numbers are in it, and the addresses of sign-ins; codes, seeds, passwords and telephone numbers never are.
//! What is sealed has its stream for a name.
//!
//! CloudTrail keeps no order within an instant. Instants therefore have milliseconds where ours do, and what came after
//! something else of the same principal, device or name, and would be put before it, is dated one millisecond later.

mod record;

use std::ops::ControlFlow;

use countersign_domain::account::Claim;
use countersign_domain::event::{Event, Purpose, SignInFactor};
use countersign_domain::ids::{CommandId, StreamId, UnixMillis};
use countersign_store::Header;
use serde_json::{Value, json};

use super::cast::{Cast, Known, each_known};
use super::error::OwnError;
use super::read::Entries;
use super::states::{ByStream, REGISTERED};
use super::subject::device_of;
use super::tell::{by_of, client_of, is_detail, is_lifecycle, mfa_type};
use crate::ask::Sealing;
use crate::event::{DeviceKind, Who};
use crate::time::Time;
use record::{Call, Place, in_request, name_of};

/// Writes a log as records of CloudTrail, one after another in its order, up to an instant, that instant included. Memory
/// goes with the number of principals and devices, whatever the length of the log.
///
/// ```
/// # use std::sync::Arc;
/// use std::ops::ControlFlow;
/// use countersign_replay::own::{OpenJournal, cloudtrail::records};
/// use countersign_store::{EphemeralKeyRing, MemoryJournal};
///
/// let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// let mut count = 0;
/// records(&OpenJournal(&journal), None, &mut |_record| {
///     count += 1;
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(count, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log cannot be read.
pub fn records(
    log: &dyn Entries,
    until: Option<UnixMillis>,
    take: &mut dyn FnMut(Value) -> ControlFlow<()>,
) -> Result<Sealing, OwnError> {
    let mut wanted = |header: &Header| is_lifecycle(header.event_type) || is_detail(header);
    let mut clock = Clock::default();
    each_known(log, until, &mut wanted, &mut |cast, entry| {
        let writer = Writer { cast };
        let Some(call) = writer.call(entry) else { return ControlFlow::Continue(()) };
        let at = clock.date(entry, &call);
        take(call.into_record(Place { at, position: entry.position.0, stream: entry.stream }))
    })
}

/// Dates records so that they are put back into the log's order.
#[derive(Default)]
struct Clock {
    /// The last record about each principal, device and name.
    latest: ByStream<Dated>,
    /// The last record that each principal is named in as the one who did it.
    acted: ByStream<Dated>,
}

#[derive(Clone, Copy)]
struct Dated {
    at: Time,
    rank: u8,
    command: CommandId,
}

impl Dated {
    /// The earliest instant at which a record of a rank comes behind this one.
    const fn behind(&self, rank: u8, in_order: bool) -> Time {
        Time(self.at.0.saturating_add((rank < self.rank && !in_order) as i64))
    }
}

impl Clock {
    fn date(&mut self, entry: &Known, call: &Call) -> Time {
        let (rank, command) = (call.rank, entry.command);
        let event = entry.event.as_ref().ok();
        let device = event.and_then(device_of);
        let names = call.names.iter().filter_map(|name| name_stream(&call.account, name));
        let about: Vec<StreamId> = [entry.stream].into_iter().chain(device).chain(names).collect();
        let actor = event.and_then(by_of).and_then(|by| by.who).filter(|actor| *actor != entry.stream);
        let mut at = Time(i64::try_from(entry.time.0).unwrap_or(i64::MAX));
        for stream in &about {
            // What one command does to several devices of a principal may be told in either order.
            let several = |last: &Dated| last.command == command && Some(*stream) != device;
            at = at.max(self.latest.get(stream).map_or(at, |last| last.behind(rank, several(last))));
        }
        // Who does something has the name of that moment.
        let named = actor.and_then(|actor| self.latest.get(&actor));
        at = at.max(named.map_or(at, |last| last.behind(rank, last.rank > RENAMED_RANK)));
        if call.rank == RENAMED_RANK || call.rank == REMOVED_RANK {
            at = at.max(self.acted.get(&entry.stream).map_or(at, |last| last.behind(rank, false)));
        }
        let dated = Dated { at, rank, command };
        self.latest.extend(about.into_iter().map(|stream| (stream, dated)));
        self.acted.extend(actor.map(|actor| (actor, dated)));
        at
    }
}

const RENAMED_RANK: u8 = 1;
const REMOVED_RANK: u8 = 10;

fn name_stream(account: &str, name: &str) -> Option<StreamId> {
    let name = countersign_domain::device::DeviceName::new(name).ok()?;
    Some(Claim::stream(account.parse().ok()?, &name))
}

struct Writer<'a> {
    cast: &'a Cast,
}

impl Writer<'_> {
    fn call(&self, entry: &Known) -> Option<Call> {
        let Known { stream, event_type, event, .. } = entry;
        let call = match event {
            Ok(event) => self.of_user(*stream, event).or_else(|| self.of_device(*stream, event))?,
            Err(_) if *event_type == REGISTERED => self.user_created(*stream)?,
            Err(_) => return None,
        };
        let Ok(event) = event else { return Some(call) };
        let by = by_of(event);
        let identity = match by.map(|by| by.who) {
            Some(Some(who)) => Some(self.cast.who(who)),
            Some(None) => None,
            None => call.actor.clone(),
        };
        Some(call.by(identity, client_of(event).cloned()))
    }

    fn user_created(&self, stream: StreamId) -> Option<Call> {
        let who = self.cast.who(stream);
        let Who::User { account, name: Some(name), uid } = &who else { return None };
        let mut user = json!({"arn": format!("arn:aws:iam::{account}:user/{name}"), "path": "/", "userName": name});
        if let Some(uid) = uid {
            user["userId"] = json!(uid);
        }
        let call = Call::iam("CreateUser", 0, account).asking(json!({"userName": name}));
        Some(call.answered(json!({"user": user})).naming(name))
    }

    fn of_user(&self, stream: StreamId, event: &Event) -> Option<Call> {
        match event {
            Event::PrincipalRegistered(_) => self.user_created(stream),
            Event::PrincipalRenamed(renamed) => {
                let who = self.cast.who(stream);
                let (old, new) = (name_of(&who), renamed.name.as_str());
                let request = json!({"newUserName": new, "userName": old});
                Some(Call::iam("UpdateUser", 1, who.account()).asking(request).naming(old).naming(new))
            }
            Event::PrincipalRemoved(_) => {
                let who = self.cast.who(stream);
                let request = json!({"userName": name_of(&who)});
                Some(Call::iam("DeleteUser", 10, who.account()).asking(request).naming(name_of(&who)))
            }
            Event::SignedIn(done) => {
                // Other factors of root, and the device of a linked principal, are neither a device of its own nor the
                // absence of one, so they leave the word out.
                let own = done.device.filter(|device| self.cast.owner(*device).is_none_or(|owner| owner == stream));
                let extra = match (done.factor, own) {
                    (SignInFactor::Device, Some(device)) => {
                        json!({"MFAIdentifier": self.cast.device(device).serial, "MFAUsed": "Yes"})
                    }
                    (SignInFactor::Nothing, _) => json!({"MFAUsed": "No"}),
                    _ => json!({}),
                };
                Some(Call::sign_in("ConsoleLogin", true, &self.cast.who(stream)).adding(extra))
            }
            Event::SignInRefused(_) => {
                let extra = json!({"MFAUsed": "Yes"});
                Some(Call::sign_in("ConsoleLogin", false, &self.cast.who(stream)).adding(extra))
            }
            Event::PasswordRefused(refused) => {
                let who = self.cast.who(refused.who?);
                Some(Call::sign_in("ConsoleLogin", false, &who).adding(json!({"MFAUsed": "No"})))
            }
            _ => self.of_proof(stream, event),
        }
    }

    /// Codes and keys that were shown.
    fn of_proof(&self, stream: StreamId, event: &Event) -> Option<Call> {
        let (purpose, success) = match event {
            _ if self.cast.is_enrolment(event) => return None,
            Event::CodeAccepted(accepted) => (Some(accepted.purpose), true),
            Event::CodeRefused(refused) => (Some(refused.purpose), false),
            Event::KeyAccepted(_) | Event::SmsCodeAccepted(_) => (None, true),
            Event::KeyRefused(_) | Event::SmsCodeRefused(_) => (None, false),
            _ => return None,
        };
        let serial = device_of(event).map(|device| self.cast.device(device).serial);
        let who = self.cast.who(stream);
        let name = match purpose {
            Some(Purpose::SessionToken) => "GetSessionToken",
            Some(Purpose::AssumeRole) => "AssumeRole",
            Some(Purpose::SignIn | Purpose::StepUp) | None => {
                let kind = serial.as_deref().map_or("Virtual MFA", mfa_type);
                return Some(Call::sign_in("CheckMfa", success, &who).adding(json!({"MfaType": kind})));
            }
        };
        let call = Call::sts(name, &who);
        Some(match success {
            true => call.asking(json!({"serialNumber": serial})),
            false => {
                call.refused("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
            }
        })
    }

    fn of_device(&self, stream: StreamId, event: &Event) -> Option<Call> {
        let of_owner = |name, rank, device| {
            let (who, serial) = (self.cast.who(stream), self.cast.device(device).serial);
            let request = json!({"serialNumber": serial, "userName": in_request(&who)});
            Call::iam(name, rank, who.account()).asking(request)
        };
        let invalid = |call: Call| {
            call.refused("InvalidAuthenticationCodeException", "Authentication code for device is not valid.")
        };
        match event {
            Event::DeviceEnabled(enabled) => Some(of_owner("EnableMFADevice", 4, enabled.device)),
            Event::DeviceDeactivated(gone) => Some(of_owner("DeactivateMFADevice", 7, gone.device)),
            Event::DeviceResynced(resynced) => Some(of_owner("ResyncMFADevice", 5, resynced.device)),
            Event::ResyncRefused(refused) => Some(invalid(of_owner("ResyncMFADevice", 6, refused.device))),
            Event::PairRefused(refused) => {
                let (who, serial) = (self.cast.who(refused.owner), self.cast.device(stream).serial);
                let request = json!({"serialNumber": serial, "userName": in_request(&who)});
                Some(invalid(Call::iam("EnableMFADevice", 6, who.account()).asking(request)))
            }
            // Only virtual devices are made and deleted by calls of their own.
            Event::VirtualDeviceCreated(_) => {
                let device = self.cast.device(stream);
                let name = device.serial.split_once(":mfa/").map_or("", |(_, name)| name);
                let call = Call::iam("CreateVirtualMFADevice", 3, &device.account);
                let request = json!({"path": "/", "virtualMFADeviceName": name});
                Some(call.asking(request).answered(json!({"virtualMFADevice": {"serialNumber": device.serial}})))
            }
            Event::DeviceDeleted(_) => {
                let device = self.cast.device(stream);
                let is_virtual = DeviceKind::of(&device.serial) == DeviceKind::Virtual;
                let call = Call::iam("DeleteVirtualMFADevice", 8, &device.account);
                is_virtual.then(|| call.asking(json!({"serialNumber": device.serial})))
            }
            _ => None,
        }
    }
}
