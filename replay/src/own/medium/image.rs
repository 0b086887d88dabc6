//! The log in an engine's file, read in its own order.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_domain::ids::Position;
use countersign_store::chunk::Chunk;
use countersign_store::{EntryRef, Fault, HIGH_WATER_BYTES, ReadError, decode_high_water};

use super::file::{Broken, EngineFile, Place};

/// How often what moved is looked for anew before it counts as missing.
const LOOKS_MAX: usize = 32;

/// What was found of a chunk.
#[derive(Debug)]
pub enum Stretch<'a> {
    /// Its bytes, which hold together.
    Chunk(&'a [u8]),
    /// Nothing of it is left that holds together; the next one begins at this position, if there is a next one.
    Missing(Option<Position>),
}

/// The log of a store as it was when it was opened. No file of the store is changed, locked or copied.
#[derive(Debug)]
pub struct Image {
    store: PathBuf,
    found: Mutex<Found>,
    head: Position,
    /// Entries that are known to have been acknowledged, or why that is not known.
    acked: Result<Option<u64>, Fault>,
}

#[derive(Debug)]
struct Found {
    file: EngineFile,
    places: Vec<Place>,
}

impl Found {
    /// Where the positions that follow each other from the first on end.
    fn gapless(&self) -> u64 {
        self.places.iter().fold(0, |end, place| if place.first == end { end + u64::from(place.count) } else { end })
    }

    fn end(&self) -> u64 {
        self.places.last().map_or(0, |place| place.first.saturating_add(place.count.into()))
    }

    fn refresh(&mut self) -> io::Result<bool> {
        let moved = self.file.refresh()?;
        if moved {
            self.places = self.file.places().collect();
        }
        Ok(moved)
    }

    /// The place of the chunk that has a position, or of the first one behind it.
    fn at_or_after(&self, position: Position) -> Option<Place> {
        let index = self.places.partition_point(|place| place.first.saturating_add(place.count.into()) <= position.0);
        self.places.get(index).copied()
    }
}

fn failed(what: &str, path: &Path, cause: &io::Error) -> Fault {
    Fault::because(&format!("could not read {what} `{}`", path.display()), cause)
}

impl Image {
    /// Finds the log of a store.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(store: &Path) -> Result<Self, Fault> {
        // Before the log, so that the log has at least as many.
        let acked = high_water(store);
        let least = acked.clone().ok().flatten().unwrap_or_default();
        let path = store.join("log").join("db");
        let file = EngineFile::open(&path).map_err(|cause| failed("the log", &path, &cause))?;
        let places = file.places().collect();
        let mut found = Found { file, places };
        for _ in 0..LOOKS_MAX {
            let whole = found.gapless() == found.end() && found.end() >= least;
            if whole || !found.refresh().map_err(|cause| failed("the log", &path, &cause))? {
                break;
            }
        }
        let head = Position(found.end());
        Ok(Self { store: store.to_owned(), found: Mutex::new(found), head, acked })
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries there are, those that cannot be found included.
    #[must_use]
    pub const fn head(&self) -> Position {
        self.head
    }

    /// How many entries are known to have been acknowledged.
    ///
    /// # Errors
    /// When the file that says so is not what was written.
    pub fn acked(&self) -> Result<Option<u64>, Fault> {
        self.acked.clone()
    }

    /// Bytes of the engine's file that were understood.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.found().file.bytes()
    }

    /// Places of the engine's file that are not as the engine wrote them. What changes while it is looked at is being
    /// written, and not damaged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn broken(&self) -> Result<Vec<Broken>, Fault> {
        let mut found = self.found();
        let path = self.store.join("log").join("db");
        let mut look = || {
            let moved = found.refresh()?;
            Ok::<_, io::Error>((moved, found.file.broken()?))
        };
        let failed = |cause| failed("the log", &path, &cause);
        let (_, mut before) = look().map_err(failed)?;
        for _ in 0..LOOKS_MAX {
            if before.is_empty() {
                break;
            }
            let (moved, now) = look().map_err(failed)?;
            before.retain(|broken| now.contains(broken));
            if !moved {
                break;
            }
        }
        Ok(before)
    }

    /// Visits the chunks from the one that has a position on, up to the head, and what is missing between them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stretches(
        &self,
        from: Position,
        visit: &mut dyn FnMut(Position, Stretch<'_>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut next = from;
        let mut buffer = Vec::new();
        while next < self.head {
            let (first, read) = self.chunk(next, &mut buffer)?;
            let went_on = match read {
                Some(end) => {
                    let at = first;
                    next = end;
                    visit(at, Stretch::Chunk(&buffer))
                }
                None => {
                    let at = next;
                    next = first.max(Position(next.0.saturating_add(1)));
                    visit(at, Stretch::Missing((next < self.head).then_some(next)))
                }
            };
            if went_on.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads the chunk that has a position into the buffer. Gives where it begins and ends, or where the next one
    /// begins when it is not there.
    fn chunk(&self, position: Position, buffer: &mut Vec<u8>) -> Result<(Position, Option<Position>), Fault> {
        let mut found = self.found();
        let path = self.store.join("log").join("db");
        for _ in 0..LOOKS_MAX {
            let place = found.at_or_after(position);
            if let Some(place) = place.filter(|place| place.first <= position.0) {
                buffer.resize(place.length as usize, 0);
                let read = found.file.read(place.at, buffer);
                let end = Chunk::open(Position(place.first), buffer).ok().map(|chunk| chunk.end());
                if read.is_ok() && end.is_some() {
                    return Ok((Position(place.first), end));
                }
            }
            if !found.refresh().map_err(|cause| failed("the log", &path, &cause))? {
                break;
            }
        }
        let behind = found.places.partition_point(|place| place.first <= position.0);
        Ok((found.places.get(behind).map_or(self.head, |place| Position(place.first)), None))
    }

    /// Visits the entries from a position on in their order.
    ///
    /// # Errors
    /// At the first entry or chunk that is not there or does not hold together.
    pub fn scan(
        &self,
        from: Position,
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        let mut next = from;
        let mut failed = None;
        self.stretches(from, &mut |first, stretch| {
            let bytes = match stretch {
                Stretch::Chunk(bytes) => bytes,
                Stretch::Missing(_) => {
                    failed = Some(ReadError::Corrupt { position: first, what: "the chunk is missing or changed" });
                    return ControlFlow::Break(());
                }
            };
            let visited = Chunk::open(first, bytes).and_then(|chunk| {
                for entry in chunk.entries() {
                    let entry = entry?;
                    if entry.position < from {
                        continue;
                    }
                    next = Position(entry.position.0 + 1);
                    if visit(entry).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            });
            visited.unwrap_or_else(|cause| {
                failed = Some(cause);
                ControlFlow::Break(())
            })
        })?;
        failed.map_or(Ok(next), Err)
    }
}

/// What the store's high-water file says.
fn high_water(store: &Path) -> Result<Option<u64>, Fault> {
    let path = store.join("high-water");
    for _ in 0..LOOKS_MAX {
        let bytes = fs::read(&path).map_err(|cause| failed("the high-water file", &path, &cause))?;
        // A store that was only just begun has no log yet.
        if bytes.is_empty() && !store.join("log").exists() {
            return Ok(None);
        }
        if let Some(entries) = <&[u8; HIGH_WATER_BYTES]>::try_from(bytes.as_slice()).ok().and_then(decode_high_water) {
            return Ok(Some(entries));
        }
    }
    Err(Fault::new("the high-water file is corrupt"))
}
