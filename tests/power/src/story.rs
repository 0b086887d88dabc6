//! What is written: each entry is a function of the seed and of its number, so that who looks at what a power cut left
//! knows what has to be there.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use countersign_domain::ids::Position;
use countersign_store::contract::{clear, command, on, sealed, stream};
use countersign_store::{
    Append, DataKey, EntryRef, EphemeralKeyRing, Journal, KeyError, Recorded, SledJournal, StoreOptions, TreeHash,
};

use crate::dice::Dice;

/// Entries after which streams are new ones.
const EPOCH: u64 = 48;
/// Streams of an epoch.
const STREAMS: u64 = 4;
/// Appends of a group, at most.
const GROUP: u64 = 6;

/// The one thing that went wrong, as text.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the journal has answered for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acked {
    /// Entries that are durable.
    pub entries: u64,
    /// Epochs of which all keys are destroyed, from the first on.
    pub destroyed: u64,
    /// A root of the tree, over so many entries; hexadecimal.
    pub root: Option<(u64, String)>,
}

impl Acked {
    /// What is known from both.
    pub fn and(self, other: Self) -> Self {
        let root = [self.root, other.root].into_iter().flatten().max();
        Self { entries: self.entries.max(other.entries), destroyed: self.destroyed.max(other.destroyed), root }
    }
}

impl fmt::Display for Acked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entries, self.destroyed)?;
        self.root.iter().try_for_each(|(size, root)| write!(f, " {size} {root}"))
    }
}

impl FromStr for Acked {
    type Err = Failure;

    fn from_str(line: &str) -> Result<Self, Failure> {
        let mut words = line.split_whitespace();
        let mut number = |what: &str| Ok::<u64, Failure>(words.next().ok_or(what)?.parse()?);
        let (entries, destroyed) = (number("no entries")?, number("no destroyed epochs")?);
        let root = match (words.next(), words.next()) {
            (Some(size), Some(root)) => Some((size.parse()?, root.to_owned())),
            _ => None,
        };
        Ok(Self { entries, destroyed, root })
    }
}

fn hex(hash: &TreeHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that is written under one seed.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    pub seed: u64,
}

impl Story {
    fn dice(self, number: u64) -> Dice {
        Dice::new(self.seed.wrapping_mul(0x1000_0001).wrapping_add(number))
    }

    /// Entries of the append that begins with an entry.
    fn width(self, first: u64) -> u64 {
        1 + self.dice(first).roll(3)
    }

    /// The stream and the body of an entry in the append that begins with `first`, and whether it is sealed.
    fn entry(self, first: u64, number: u64) -> (u64, Vec<u8>, bool) {
        let mut dice = self.dice(number);
        let turn = self.dice(first).roll(STREAMS);
        let stream = first / EPOCH * STREAMS + (turn + number - first) % STREAMS;
        let len = 8 + if dice.roll(20) == 0 { dice.roll(7_000) } else { dice.roll(300) };
        let mut body = number.to_le_bytes().to_vec();
        body.extend((8..len).map(|_| dice.roll(256) as u8));
        (stream, body, dice.roll(3) != 0)
    }

    /// Epochs that are old enough to be destroyed when there are so many entries.
    const fn due(entries: u64) -> u64 {
        (entries / EPOCH).saturating_sub(1)
    }
}

/// How a writer goes on after it has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Well,
    /// It answers before the commit: a fault that has to be found.
    Early,
    /// The file system is nearly full.
    Cramped,
}

impl Manner {
    pub const ALL: [Self; 3] = [Self::Well, Self::Early, Self::Cramped];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Early => "early",
            Self::Cramped => "cramped",
        }
    }
}

/// Begins what is said of a store in which something is missing that was answered for.
pub const LOST: &str = "lost: ";

/// Opens the store, looks whether all is there, and goes on with the story, saying what is answered for.
pub fn act(folder: &Path, story: Story, acked: &Acked, groups: u64, manner: Manner) -> Result<(), Failure> {
    let filler = folder.join("filler");
    if filler.exists() {
        std::fs::remove_file(&filler)?;
    }
    let ring = Arc::new(EphemeralKeyRing::from_key(DataKey::from_bytes([42; 32]))?);
    let options = StoreOptions { page_cache_bytes: 4 << 20, ..StoreOptions::default() };
    let lost = |failure: Failure| format!("{LOST}{failure}");
    let opened = SledJournal::open(&folder.join("store"), ring, options);
    let journal = opened.map_err(|cause| lost(cause.into()))?;
    let mut next = look(&journal, story, acked).map_err(lost)?;
    for epoch in acked.destroyed..Story::due(next) {
        destroy(&journal, epoch)?;
    }
    let mut said = Acked { entries: next, destroyed: Story::due(next), root: None };
    say(&said)?;
    let mut dice = story.dice(u64::MAX - next);
    if manner == Manner::Cramped {
        fill(&filler, dice.roll(600) * 1024)?;
    }
    for round in 0..groups {
        let (group, end) = group(&journal, story, next, 1 + dice.roll(GROUP))?;
        said.entries = end;
        if manner == Manner::Early {
            say(&said)?;
        }
        for answer in journal.append_group(group) {
            answer?;
        }
        next = end;
        say(&said)?;
        if Story::due(next) > said.destroyed {
            destroy(&journal, said.destroyed)?;
            said.destroyed += 1;
            say(&said)?;
        }
        if round % 8 == 0 {
            let head = journal.head().0;
            said.root = journal.tree_root_at(head)?.map(|root| (head, hex(&root)));
            say(&said)?;
        }
    }
    // A close is cut short as often as anything else.
    if dice.roll(3) == 0 {
        journal.close()?;
    }
    Ok(())
}

/// Leaves so many bytes to the others.
fn fill(filler: &Path, left: u64) -> std::io::Result<()> {
    let mut file = std::fs::File::create(filler)?;
    let mut len = 0;
    while let Ok(written) = file.write(&[0; 4096]) {
        len += written as u64;
    }
    file.set_len(len.saturating_sub(left))?;
    // What cannot be given up now is given up by the next life.
    let _full = file.sync_all();
    Ok(())
}

fn say(acked: &Acked) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{acked}")?;
    out.flush()
}

fn destroy(journal: &SledJournal, epoch: u64) -> Result<(), Failure> {
    for number in epoch * STREAMS..(epoch + 1) * STREAMS {
        journal.destroy_key(stream(number))?;
    }
    Ok(())
}

/// The next appends of the story, and the number after them.
fn group(journal: &SledJournal, story: Story, from: u64, appends: u64) -> Result<(Vec<Append>, u64), Failure> {
    let (mut versions, mut group, mut first) = (HashMap::new(), Vec::new(), from);
    for _ in 0..appends {
        let mut streams = Vec::new();
        for number in first..first + story.width(first) {
            let (of, body, seal) = story.entry(first, number);
            let version = match versions.get(&of) {
                Some(version) => *version,
                None => journal.stream_head(stream(of))?.map_or(0, |head| head.version.0),
            };
            versions.insert(of, version + 1);
            streams.push(on(of, version, vec![if seal { sealed(&body) } else { clear(&body) }]));
        }
        group.push(Append { command: command(first), streams });
        first += story.width(first);
    }
    Ok((group, first))
}

/// Compares the store with the story, and gives the number of the next entry.
fn look(journal: &SledJournal, story: Story, acked: &Acked) -> Result<u64, Failure> {
    let mut all: Vec<Recorded> = Vec::new();
    let mut keep = |entry: EntryRef<'_>| {
        all.push(entry.to_recorded());
        ControlFlow::Continue(())
    };
    let end = journal.scan(Position(0), &mut keep)?;
    if end != journal.head() || all.len() as u64 != end.0 {
        return Err(format!("the scan ends at {} and the head is {}", end.0, journal.head().0).into());
    }
    let (mut first, found) = (0, all.len() as u64);
    if found < acked.entries {
        return Err(format!("{} entries were acked and {found} are there", acked.entries).into());
    }
    while first < found {
        let after = first + story.width(first);
        for number in first..after {
            let Some(entry) = all.get(number as usize) else { return Err("an append is there in part".into()) };
            compare(journal, story, (acked.destroyed, Story::due(found)), (first, number), entry)?;
        }
        if journal.find_command(command(first)).is_none_or(|done| done.first.0 != first) {
            return Err(format!("the command of entry {first} is not remembered").into());
        }
        first = after;
    }
    if let Some((size, root)) = &acked.root
        && journal.tree_root_at(*size)?.is_none_or(|now| hex(&now) != *root)
    {
        return Err(format!("the root over {size} entries is another one than before").into());
    }
    journal.checkpoint()?;
    Ok(first)
}

fn compare(
    journal: &SledJournal,
    story: Story,
    (destroyed, due): (u64, u64),
    (first, number): (u64, u64),
    entry: &Recorded,
) -> Result<(), Failure> {
    let (of, body, seal) = story.entry(first, number);
    if entry.header.stream != stream(of) || entry.header.is_sealed() != seal {
        return Err(format!("entry {number} is another one").into());
    }
    let epoch = first / EPOCH;
    match journal.unseal(&entry.header, entry.body.as_stored()) {
        Ok(_) if seal && epoch < destroyed => Err(format!("the key of entry {number} is there again").into()),
        Ok(clear) if clear == body => Ok(()),
        Ok(_) => Err(format!("entry {number} has another body").into()),
        // It was done, or under way.
        Err(KeyError::Destroyed(_)) if epoch < due => Ok(()),
        Err(cause) => Err(format!("entry {number}: {cause}").into()),
    }
}
