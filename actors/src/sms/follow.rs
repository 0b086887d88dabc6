//! The log as an outbox: what was queued since a position, and how far a sender came.

use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_domain::event::{Event, SmsQueued, SmsRedriven};
use countersign_domain::ids::{ChallengeId, Position, UnixMillis};
use countersign_domain::sms::RouteName;
use countersign_domain::wire;

use super::step::Open;
use crate::error::Error;
use crate::history;
use crate::shared::Shared;
use crate::views::SmsState;

/// Entries that are read at once.
const ENTRIES_MAX: u64 = 65_536;
/// What the position means, beside the lanes.
const FINGERPRINT: u64 = 1;

/// What a sender found in the log.
pub(super) struct Found {
    /// Up to where it was read.
    pub(super) read: Position,
    /// What is to be handed over.
    pub(super) messages: Vec<(Position, Open)>,
}

fn name(lane: &RouteName) -> String {
    format!("sms-{lane}")
}

/// A lane that is no more leaves its messages to the first one, which may have passed them by: so a position counts only
/// while the lanes are the same (FNV-1a over their names).
fn fingerprint(shared: &Shared) -> u64 {
    let lanes = shared.sms.lanes();
    let bytes = lanes.iter().flat_map(|lane| lane.as_str().bytes().chain([0]));
    bytes
        .fold(0xcbf2_9ce4_8422_2325 ^ FINGERPRINT, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where a sender left off. The views know every message that may still be sent, and when it was queued; what came before
/// the position is done.
pub(super) async fn position(shared: &Arc<Shared>, lane: &RouteName) -> Position {
    let name = name(lane);
    let saved = shared.blocking(move |shared| Ok(shared.journal.load_checkpoint(&name)?)).await;
    match saved {
        Ok(Some(saved)) if saved.fingerprint == fingerprint(shared) => saved.position,
        _ => Position(0),
    }
}

/// Writes down how far a sender came. It may be lost: then more of the log is read again.
pub(super) async fn save(shared: &Arc<Shared>, lane: &RouteName, at: Position) {
    let name = name(lane);
    let saved = shared.blocking(move |shared| {
        let at = at.min(shared.journal.head());
        Ok(shared.journal.save_checkpoint(&name, at, fingerprint(shared), Vec::new())?)
    });
    if let Err(error) = saved.await {
        tracing::debug!(route = %lane, %error, "how far the sender came was not written down");
    }
}

/// Reads on from a position: the messages of a lane that are still to be handed over.
pub(super) async fn read(shared: &Arc<Shared>, lane: &RouteName, from: Position, room: usize) -> Result<Found, Error> {
    let lane = lane.clone();
    shared.blocking(move |shared| scan(shared, &lane, from, room)).await
}

fn scan(shared: &Shared, lane: &RouteName, from: Position, room: usize) -> Result<Found, Error> {
    let (queued, redriven) = (wire_type("SmsQueued"), wire_type("SmsRedriven"));
    let journal = &*shared.journal;
    let now = shared.clock.now();
    // What is not in the views yet is not looked at yet: they say what is to be done.
    let end = shared.views(|views| Position(views.folded));
    let (mut messages, mut read, mut failed) = (Vec::new(), from, None);
    let visit = &mut |entry: countersign_store::EntryRef<'_>| {
        if entry.position >= end {
            return ControlFlow::Break(());
        }
        let kind = Some(entry.header.event_type);
        if kind == queued || kind == redriven {
            let challenge = match history::event_of(journal, &entry.header, entry.body) {
                Ok(
                    Event::SmsQueued(SmsQueued { challenge, .. }) | Event::SmsRedriven(SmsRedriven { challenge, .. }),
                ) => Some(challenge),
                Ok(_) => None,
                // A principal that was forgotten is sent nothing.
                Err(error) if error.is_forgotten() => None,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let wanted = challenge.and_then(|challenge| open(shared, lane, challenge, now));
            messages.extend(wanted.map(|open| (entry.position, open)));
        }
        read = Position(entry.position.0.saturating_add(1));
        let enough = messages.len() >= room || read.0 - from.0 >= ENTRIES_MAX;
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    journal.scan(from, visit)?;
    // What came before it is carried all the same.
    match failed {
        Some(error) if messages.is_empty() => Err(error),
        _ => Ok(Found { read, messages }),
    }
}

/// The message of a challenge, if it is this lane's and not at its end. A lane that is no more is the first one's.
fn open(shared: &Shared, lane: &RouteName, challenge: ChallengeId, now: UnixMillis) -> Option<Open> {
    shared.views(|views| {
        let row = views.sms.messages.get(&challenge)?;
        let lanes = shared.sms.lanes();
        let mine = row.lane == *lane || (!lanes.contains(&row.lane) && lanes.first() == Some(lane));
        let to_do = matches!(row.state, SmsState::Waiting | SmsState::Submitting);
        // What is past its time for long was given up before, or by a clock that was ahead: it is not worth an event.
        let recent = row.until.plus_ms(24 * 3600 * 1000) > now;
        let principal = views.id_of(row.principal)?;
        (mine && to_do && recent).then(|| Open {
            principal,
            challenge,
            decision: row.decision,
            to: row.destination.prefix.clone(),
            until: row.until,
        })
    })
}

fn wire_type(name: &str) -> Option<u16> {
    wire::TYPES.iter().find(|(_, _, of, _)| *of == name).map(|(id, ..)| *id)
}
