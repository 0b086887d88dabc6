//! A disk with a volatile cache: it remembers which writes came between which flushes, so that a power cut is a choice
//! among them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dice::Dice;

/// What a disk writes whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// The beginning of a disk that is never torn: ext4 has its superblock there, with a checksum over two sectors, and does
/// not live through a half of it.
const WHOLE: usize = 4096;

/// Something that reached the disk.
#[derive(Clone, Debug)]
enum Step {
    Write { at: usize, bytes: Vec<u8> },
    Flush,
}

/// What became true for the one who writes, and when.
#[derive(Clone, Debug)]
pub struct Noted<A> {
    after: usize,
    what: A,
}

/// How a disk misbehaves before its power is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ills {
    /// It says that it has flushed, and has not.
    pub lies: bool,
    /// Flushes after which every further one fails.
    pub fails_after: Option<usize>,
}

/// A disk that is written to.
#[derive(Debug)]
pub struct Disk<A> {
    base: Vec<u8>,
    now: Vec<u8>,
    steps: Vec<Step>,
    noted: Vec<Noted<A>>,
    flushes: usize,
    ills: Ills,
}

/// A disk that more than one has hold of.
pub type Shared<A> = Arc<Mutex<Disk<A>>>;

/// The disk, whoever fell while he had it.
pub fn locked<A>(disk: &Shared<A>) -> MutexGuard<'_, Disk<A>> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The input or output failed.
#[derive(Debug)]
pub struct Failed;

impl<A: Clone> Disk<A> {
    pub fn new(image: Vec<u8>, ills: Ills) -> Self {
        Self { now: image.clone(), base: image, steps: Vec::new(), noted: Vec::new(), flushes: 0, ills }
    }

    pub const fn len(&self) -> usize {
        self.now.len()
    }

    pub fn read(&self, at: usize, len: usize) -> &[u8] {
        let end = at.saturating_add(len).min(self.now.len());
        self.now.get(at..end).unwrap_or_default()
    }

    pub fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        let place = at.checked_add(bytes.len()).and_then(|end| self.now.get_mut(at..end)).ok_or(Failed)?;
        place.copy_from_slice(bytes);
        self.steps.push(Step::Write { at, bytes: bytes.to_vec() });
        Ok(())
    }

    pub fn flush(&mut self) -> Result<(), Failed> {
        self.flushes += 1;
        if self.ills.fails_after.is_some_and(|after| self.flushes > after) {
            return Err(Failed);
        }
        if !self.ills.lies {
            self.steps.push(Step::Flush);
        }
        Ok(())
    }

    /// Remembers what is true from now on.
    pub fn note(&mut self, what: A) {
        self.noted.push(Noted { after: self.steps.len(), what });
    }

    /// Cuts the power: what lies on the disk afterwards, and what was noted before. Everything before the last flush is
    /// there. Of what came after it some is and some is not, and of a write there may be some sectors only.
    pub fn cut(&self, dice: &mut Dice) -> (Vec<u8>, Vec<A>) {
        let cut = dice.roll(self.steps.len() as u64 + 1) as usize;
        let before = self.steps.get(..cut).unwrap_or_default();
        let flushed = before.iter().rposition(|step| matches!(step, Step::Flush)).map_or(0, |at| at + 1);
        // All, none, or a part of what was in the cache.
        let kept_of_ten = [0, 5, 9, 10][dice.roll(4) as usize];
        let mut image = self.base.clone();
        for (number, step) in before.iter().enumerate() {
            let Step::Write { at, bytes } = step else { continue };
            if number < flushed || dice.roll(10) < kept_of_ten {
                let torn = number >= flushed && *at >= WHOLE && dice.roll(4) == 0;
                for (sector, part) in bytes.chunks(SECTOR).enumerate() {
                    let from = at + sector * SECTOR;
                    if torn && dice.roll(2) == 0 {
                        continue;
                    }
                    if let Some(place) = image.get_mut(from..from + part.len()) {
                        place.copy_from_slice(part);
                    }
                }
            }
        }
        let noted = self.noted.iter().filter(|noted| noted.after <= cut).map(|noted| noted.what.clone()).collect();
        (image, noted)
    }
}
