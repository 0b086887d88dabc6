//! Destroys what the log says is to be forgotten.
//!
//! The tombstone comes first: an event says that something is gone, and only when that is durable is its key destroyed.
//! The writer does it before it answers the command. What a crash leaves undone is done at the next start, before
//! anybody is answered: the views' checkpoint never covers a tombstone whose key was not destroyed, so whatever is left
//! lies in the part of the log that a start reads.

use countersign_domain::device::seed_stream;
use countersign_domain::event::Event;
use countersign_domain::ids::StreamId;
use countersign_store::Journal;

use crate::error::Error;

/// Whether an event says that keys are to be destroyed.
pub(crate) const fn is_tombstone(event: &Event) -> bool {
    matches!(event, Event::DeviceDeleted(_) | Event::PrincipalForgotten(_))
}

/// Destroys the keys that a durable event of a stream is the tombstone of. Done twice, it is done once. Says whether all
/// that was derived from the log was thrown away with them.
///
/// # Errors
/// When a key's slot cannot be overwritten; the journal takes nothing more then.
pub(crate) fn shred(journal: &dyn Journal, stream: StreamId, event: &Event) -> Result<bool, Error> {
    match event {
        Event::DeviceDeleted(gone) => {
            // A device without a seed has no such stream, and nothing happens (A36).
            journal.destroy_key(seed_stream(stream, gone.life))?;
            Ok(false)
        }
        Event::PrincipalForgotten(forgotten) => {
            for key in &forgotten.keys {
                journal.destroy_key_of(key.stream, key.version)?;
            }
            // The rows of queries were written behind the acks more than once, and the medium overwrites nothing.
            journal.renew_derived()?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
