//! The laws of the domain over what a journal has.

use std::ops::ControlFlow;

use countersign_domain::laws::{Fact, LawBook, Unread, Violation};
use countersign_domain::wire;
use countersign_store::{Journal, KeyError};

use crate::{Policy, Position};

/// Reads a whole journal and names every place where a law of the [domain](crate::domain::laws::Law) does not hold.
///
/// The policy is that under which the engine wrote it; what accounts chose is read from the log. What was forgotten is
/// judged by those laws only that rest on what is never sealed.
///
/// # Errors
/// When the journal cannot be read to its end, or an event of it cannot be decoded.
///
/// ```
/// use countersign::testing::{World, broken_laws};
/// use countersign::Policy;
///
/// let world = World::new(Policy::classic());
/// assert_eq!(broken_laws(&**world.journal(), world.policy())?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn broken_laws(journal: &dyn Journal, policy: &Policy) -> Result<Vec<Violation>, Box<dyn std::error::Error>> {
    let mut laws = LawBook::new(policy.clone());
    let mut broken = Vec::new();
    let mut problem: Option<Box<dyn std::error::Error>> = None;
    let mut place = 0;
    journal.scan(Position(0), &mut |entry| {
        let header = entry.header;
        let (position, stream, version) = (Position(place), header.stream, header.version);
        place += 1;
        match journal.unseal(&header, entry.body) {
            Ok(body) => match wire::decode(header.event_type, header.type_version, &body) {
                Ok(event) => {
                    broken.extend(laws.observe(&Fact { position, stream, version, at: header.time, event: &event }))
                }
                Err(error) => problem = Some(Box::from(error.to_string())),
            },
            Err(KeyError::Destroyed(_)) => {
                broken.extend(laws.observe_unread(&Unread {
                    position,
                    stream,
                    version,
                    event_type: header.event_type,
                }));
            }
            Err(error) => problem = Some(Box::from(error.to_string())),
        }
        if problem.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    broken.extend(laws.finish());
    Ok(broken)
}
