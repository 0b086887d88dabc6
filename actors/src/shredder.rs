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

/// Whether an event says that a key is to be destroyed.
pub(crate) const fn is_tombstone(event: &Event) -> bool {
    matches!(event, Event::DeviceDeleted(_))
}

/// Destroys the keys that a durable event of a stream is the tombstone of. Done twice, it is done once.
///
/// # Errors
/// When a key's slot cannot be overwritten; the journal takes nothing more then.
pub(crate) fn shred(journal: &dyn Journal, stream: StreamId, event: &Event) -> Result<(), Error> {
    if let Event::DeviceDeleted(gone) = event {
        // A device without a seed has no such stream, and nothing happens (A36).
        journal.destroy_key(seed_stream(stream, gone.life))?;
    }
    Ok(())
}
