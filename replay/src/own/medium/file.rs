//! The log engine's file as a whole: which segments there are, and where the chunks of the log lie in them.
//!
//! The file is opened for reading and never locked, so a server may be writing it meanwhile. The engine moves pages from
//! segment to segment, but never changes a chunk; so what is looked for is a whole copy of each chunk, and a segment that was
//! given another content since is read anew, until nothing has moved any more.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use super::frame::{Content, Ending, SEGMENT_BYTES, SEGMENT_HEAD_BYTES, SegmentHead, is_overwritten, read_segment};
use super::{read_exact_at, read_up_to};

/// Rounds after which a file that does not come to rest is taken as it was last seen.
const ROUNDS_MAX: usize = 256;
/// How often a segment that does not hold together is read again before it counts as damaged.
const READS_MAX: usize = 4;

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The position of its first entry.
    pub first: u64,
    /// How many entries it has.
    pub count: u16,
    /// Its bytes.
    pub length: u32,
    /// Where it begins in the file.
    pub at: u64,
}

/// What is known of one segment.
#[derive(Clone, Copy, Debug)]
struct Segment {
    head: SegmentHead,
    ending: Ending,
    /// The last group of messages that count together: its beginning and end in the engine's order.
    batch: Option<(u64, u64)>,
}

/// A place in the file that is not as the engine wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The first byte of the file that cannot be understood.
    pub at: u64,
    /// Whether it is where the engine was writing last: a write that was cut short by a power cut looks like that, too.
    pub at_end: bool,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.at_end { ", where it was written last" } else { "" };
        write!(f, "the log's file is not as it was written at byte {}{end}", self.at)
    }
}

/// The file, and what was found in it.
#[derive(Debug)]
pub(super) struct EngineFile {
    file: File,
    segments: BTreeMap<u64, Segment>,
    /// Segments without a head that are not empty.
    headless: Vec<u64>,
    places: Vec<Place>,
    settled: usize,
}

impl EngineFile {
    /// Opens the file and finds every chunk in it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let (segments, headless, places) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut opened = Self { file, segments, headless, places, settled: 0 };
        opened.refresh()?;
        Ok(opened)
    }

    /// Follows what the engine did since, and says whether it did anything.
    pub(super) fn refresh(&mut self) -> io::Result<bool> {
        let mut any = false;
        for _ in 0..ROUNDS_MAX {
            let moved = self.round()?;
            any |= moved;
            if !moved {
                break;
            }
        }
        self.settle();
        Ok(any)
    }

    /// The chunks that count, by position; those that the engine itself would not find any more are left out.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let cut = self.cut();
        self.places.iter().copied().filter(move |place| self.lsn(place.at) < cut)
    }

    /// Reads bytes of the file.
    pub(super) fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, buffer, at)
    }

    /// Places in the file that are not as the engine wrote them, in their order.
    pub(super) fn broken(&self) -> io::Result<Vec<Broken>> {
        let last = self.segments.values().map(|segment| segment.head.lsn).max();
        let mut all: Vec<Broken> = self.headless.iter().map(|at| Broken { at: *at, at_end: false }).collect();
        for (base, segment) in &self.segments {
            let at_end = Some(segment.head.lsn) == last;
            let broken = match segment.ending {
                Ending::Sealed => None,
                Ending::Broken(at) => Some(at),
                Ending::Open(at) => (!at_end && !self.is_reused(*base, segment.head, at)?).then_some(at),
            };
            all.extend(broken.map(|at| Broken { at: base + at as u64, at_end }));
        }
        all.sort_by_key(|broken| broken.at);
        Ok(all)
    }

    fn is_reused(&self, base: u64, head: SegmentHead, at: usize) -> io::Result<bool> {
        let mut buffer = vec![0; SEGMENT_BYTES];
        let length = read_up_to(&self.file, &mut buffer, base)?;
        Ok(is_overwritten(head, &buffer[..length], at))
    }

    /// Bytes of the file that were understood.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.len() as u64 * SEGMENT_BYTES as u64
    }

    fn lsn(&self, at: u64) -> u64 {
        let base = at / SEGMENT_BYTES as u64 * SEGMENT_BYTES as u64;
        self.segments.get(&base).map_or(u64::MAX, |segment| segment.head.lsn.saturating_add(at - base))
    }

    /// Looks at every segment's head, and reads those that have another one or are being filled.
    fn round(&mut self) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        let mut moved = false;
        self.headless.clear();
        for base in (0..size).step_by(SEGMENT_BYTES) {
            let mut head = [0; SEGMENT_HEAD_BYTES];
            if read_exact_at(&self.file, &mut head, base).is_err() {
                continue;
            }
            let found = SegmentHead::read(&head);
            let known = self.segments.get(&base).copied();
            match (found, known) {
                (Some(found), Some(known)) if known.head == found && known.ending == Ending::Sealed => {}
                (Some(found), known) => moved |= self.take(base, found, known)?,
                (None, known) => {
                    if known.is_some() {
                        self.forget(base);
                        moved = true;
                    }
                    if !self.is_blank(base, size)? {
                        self.headless.push(base);
                    }
                }
            }
        }
        Ok(moved)
    }

    /// Reads a segment; says whether it is another one than before, or has grown.
    fn take(&mut self, base: u64, head: SegmentHead, known: Option<Segment>) -> io::Result<bool> {
        let mut buffer = vec![0; SEGMENT_BYTES];
        let (mut head, mut content) = (head, Content { ending: Ending::Sealed, chunks: Vec::new(), batch: None });
        let mut bytes: &[u8] = &[];
        for _ in 0..READS_MAX {
            let length = read_up_to(&self.file, &mut buffer, base)?;
            bytes = &buffer[..length];
            let Some(now) = SegmentHead::read(bytes) else { return Ok(true) };
            head = now;
            content = read_segment(head, bytes);
            if !matches!(content.ending, Ending::Broken(_)) {
                break;
            }
        }
        let batch = content.batch.map(|(at, last)| (head.lsn + at as u64, last));
        let segment = Segment { head, ending: content.ending, batch };
        if known.is_some_and(|known| known.head == head && known.ending == content.ending) {
            return Ok(false);
        }
        let places = content.chunks.iter().filter_map(|chunk| {
            let head = bytes.get(chunk.clone())?;
            Some(Place {
                first: u64::from_be_bytes(*head.get(8..)?.first_chunk()?),
                count: u16::from_be_bytes(*head.get(6..)?.first_chunk()?),
                length: u32::try_from(chunk.len()).ok()?,
                at: base + chunk.start as u64,
            })
        });
        let places: Vec<Place> = places.collect();
        if known.is_some() {
            self.forget(base);
        }
        self.segments.insert(base, segment);
        self.places.extend(places);
        if self.places.len() > 2 * self.settled + 65_536 {
            self.settle();
        }
        Ok(true)
    }

    fn forget(&mut self, base: u64) {
        self.segments.remove(&base);
        self.places.retain(|place| place.at / SEGMENT_BYTES as u64 != base / SEGMENT_BYTES as u64);
    }

    /// Keeps of each chunk the copy that was written last: the older ones are about to be overwritten.
    fn settle(&mut self) {
        let mut places = std::mem::take(&mut self.places);
        let cut = self.cut();
        // A copy that does not count never hides one that does.
        places.sort_by_cached_key(|place| {
            let lsn = self.lsn(place.at);
            (place.first, lsn >= cut, u64::MAX - lsn)
        });
        places.dedup_by_key(|place| place.first);
        self.settled = places.len();
        self.places = places;
    }

    /// Whether a segment without a head holds nothing.
    fn is_blank(&self, base: u64, size: u64) -> io::Result<bool> {
        let length = usize::try_from(size - base).unwrap_or(SEGMENT_BYTES).min(SEGMENT_BYTES);
        let mut buffer = vec![0; length];
        let length = read_up_to(&self.file, &mut buffer, base)?;
        Ok(buffer[..length].iter().all(|byte| *byte == 0))
    }

    /// From where on in the engine's order nothing counts: the end of what was written without a gap, or the beginning
    /// of a group whose end is not there.
    fn cut(&self) -> u64 {
        let by_lsn: BTreeMap<u64, &Segment> =
            self.segments.values().map(|segment| (segment.head.lsn, segment)).collect();
        let stable = self.segments.values().map(|segment| segment.head.stable).max().unwrap_or_default();
        let mut end = stable / SEGMENT_BYTES as u64 * SEGMENT_BYTES as u64;
        let mut batch = None;
        for (lsn, segment) in by_lsn.range(end..) {
            if *lsn != end {
                break;
            }
            batch = segment.batch.or(batch);
            end = match segment.ending {
                // What follows a broken message was written all the same, and is evidence.
                Ending::Sealed | Ending::Broken(_) => lsn.saturating_add(SEGMENT_BYTES as u64),
                Ending::Open(at) => lsn.saturating_add(at as u64),
            };
            if segment.ending != Ending::Sealed {
                break;
            }
        }
        match batch {
            Some((begin, last)) if last > end => begin,
            _ => end,
        }
    }
}
