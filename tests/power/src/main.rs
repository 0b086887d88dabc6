//! Cuts the power under a store, again and again, and looks whether everything that was answered for is still there.
//!
//! `cargo run --release -p countersign-power -- [--cuts N] [--seed N] [--must-find lies|early]`
//!
//! The store lies on an ext4 of its own, on a loop device, on a disk in this process that remembers the order of writes
//! and flushes. A cut keeps what was flushed, and any part of what was not, sector by sector. What is left is mounted,
//! opened by a process of its own, compared with what was written and acked, and written on; then that may be cut.
//!
//! It needs to be root, `/dev/fuse` and a loop device. Where it is not let, it says so and ends with 77.

mod dice;
mod disk;
mod mount;
mod story;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use dice::Dice;
use disk::{Disk, Ills, Shared, locked};
use mount::Mounted;
use story::{Acked, Failure, LOST, Manner, Story};

/// Bytes of the disk.
const DISK: u64 = 48 << 20;
/// The longest that one life of the store may take.
const LIFE: Duration = Duration::from_secs(60);
/// Lives after which a disk is exchanged for an empty one.
const LIVES: u64 = 12;
/// First word of the process that writes.
const WRITE: &str = "write";
/// Ends with it where mounts are not allowed, as test programs say that they were skipped.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first() {
        Some(word) if word == WRITE => write(&words).map(|()| ExitCode::SUCCESS),
        _ => Campaign::parse(&words).and_then(|campaign| campaign.run()),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })
}

/// `write FOLDER SEED GROUPS MANNER ACKED..`
fn write(words: &[String]) -> Result<(), Failure> {
    let [_, folder, seed, groups, manner, acked @ ..] = words else { return Err("words are missing".into()) };
    let story = Story { seed: seed.parse()? };
    let manner = Manner::ALL.into_iter().find(|each| each.name() == manner).ok_or("no such manner")?;
    story::act(Path::new(folder), story, &acked.join(" ").parse()?, groups.parse()?, manner)
}

/// A fault that the campaign has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    /// The disk says that it has flushed, and has not.
    Lies,
    /// The writer answers before the commit.
    Early,
}

/// What a life has to bear besides that it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// Every flush fails after so many.
    FlushesFail(usize),
    /// Nothing more than some hundred kilobytes can be written.
    Cramped,
}

impl Trouble {
    /// Whether a writer may have ended so. It may never have lost anything.
    fn excuses(self, failure: Option<&str>) -> bool {
        match self {
            Self::None => false,
            // The store, or even the file system, may not open on a disk that fails at once.
            Self::FlushesFail(_) => true,
            Self::Cramped => !failure.is_some_and(|failure| failure.contains(LOST)),
        }
    }
}

/// How long a life is, and how hard.
#[derive(Clone, Copy, Debug)]
struct Terms {
    groups: u64,
    trouble: Trouble,
}

#[derive(Default)]
struct Tally {
    cuts: u64,
    troubled: u64,
    found: u64,
}

struct Campaign {
    cuts: u64,
    seed: u64,
    planted: Option<Planted>,
}

/// A life of the store: what was written, and how the process ended.
struct Life {
    disk: Disk<Acked>,
    failure: Option<String>,
}

impl Life {
    /// The kernel may hold on to the disk for a while. It gets an empty one.
    fn ended(disk: &Shared<Acked>, failure: Option<String>) -> Self {
        Self { disk: std::mem::replace(&mut *locked(disk), Disk::new(Vec::new(), Ills::default())), failure }
    }
}

impl Campaign {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut campaign = Self { cuts: 60, seed: 1, planted: None };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match (word, words.next()) {
                ("--cuts", Some(number)) => campaign.cuts = number.parse()?,
                ("--seed", Some(number)) => campaign.seed = number.parse()?,
                ("--must-find", Some("lies")) => campaign.planted = Some(Planted::Lies),
                ("--must-find", Some("early")) => campaign.planted = Some(Planted::Early),
                _ => return Err("[--cuts N] [--seed N] [--must-find lies|early]".into()),
            }
        }
        Ok(campaign)
    }

    fn run(&self) -> Result<ExitCode, Failure> {
        let dir = tempfile::tempdir()?;
        if let Err(cause) = try_mount(dir.path()) {
            eprintln!("skipped: no file system can be mounted here: {cause}");
            return Ok(ExitCode::from(SKIPPED));
        }
        let (mut tally, mut seed) = (Tally::default(), self.seed);
        while tally.cuts < self.cuts {
            self.one_disk(dir.path(), seed, &mut tally).map_err(|failure| format!("seed {seed}: {failure}"))?;
            seed = seed.wrapping_add(1);
        }
        self.verdict(&tally)
    }

    /// Lives of one store, each begun with what a cut of an earlier one left.
    fn one_disk(&self, dir: &Path, seed: u64, tally: &mut Tally) -> Result<(), Failure> {
        let mut dice = Dice::new(seed);
        let image = mount::fresh(dir, DISK)?;
        let mut life = self.live(dir, image, seed, &Acked::default(), Terms { groups: 40, trouble: Trouble::None })?;
        let mut floor = Acked::default();
        for number in 0..LIVES {
            let (image, noted) = life.disk.cut(&mut dice);
            let acked = noted.into_iter().fold(floor.clone(), Acked::and);
            let terms = Terms { groups: dice.roll(30), trouble: self.trouble(&mut dice) };
            let next = self.live(dir, image, seed, &acked, terms)?;
            tally.cuts += 1;
            match &next.failure {
                Some(failure) if self.planted.is_some() && failure.contains(LOST) => tally.found += 1,
                Some(_) if terms.trouble.excuses(next.failure.as_deref()) => tally.troubled += 1,
                Some(failure) => return Err(format!("after cut {number}, {terms:?}: {failure}").into()),
                None => {}
            }
            // Half of the cuts are of the life that came after the one before.
            if (self.planted.is_none() || next.failure.is_none()) && dice.roll(2) == 0 {
                (life, floor) = (next, acked);
            }
        }
        Ok(())
    }

    /// Every fifth life has something besides the cut.
    const fn trouble(&self, dice: &mut Dice) -> Trouble {
        match dice.roll(10) {
            0 if self.planted.is_none() => Trouble::FlushesFail(dice.roll(60) as usize),
            1 if self.planted.is_none() => Trouble::Cramped,
            _ => Trouble::None,
        }
    }

    fn verdict(&self, tally: &Tally) -> Result<ExitCode, Failure> {
        let Tally { cuts, troubled, found } = tally;
        let mut out = std::io::stdout().lock();
        match self.planted {
            None => {
                let all_well = "all that was acked was there, and the store opened";
                writeln!(out, "{cuts} power cuts: {all_well}")?;
                writeln!(out, "{troubled} lives in between ended by a full file system or by flushes that failed")?;
            }
            Some(planted) if *found == 0 => {
                return Err(format!("{planted:?} was planted, and {cuts} power cuts did not find it").into());
            }
            Some(planted) => writeln!(out, "{planted:?} was planted, and {found} of {cuts} power cuts found it")?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Mounts a disk and lets a process look at the store and go on writing.
    fn live(&self, dir: &Path, image: Vec<u8>, seed: u64, acked: &Acked, terms: Terms) -> Result<Life, Failure> {
        let fails_after = match terms.trouble {
            Trouble::FlushesFail(after) => Some(after),
            _ => None,
        };
        let ills = Ills { lies: self.planted == Some(Planted::Lies), fails_after };
        let manner = match (self.planted, terms.trouble) {
            (Some(Planted::Early), _) => Manner::Early,
            (_, Trouble::Cramped) => Manner::Cramped,
            _ => Manner::Well,
        };
        let disk = Arc::new(Mutex::new(Disk::new(image, ills)));
        let mounted = match Mounted::new(&disk, dir) {
            Ok(mounted) => mounted,
            Err(cause) => return Ok(Life::ended(&disk, Some(format!("{LOST}the file system: {cause}")))),
        };
        let mut child = Command::new(std::env::current_exe()?)
            .arg(WRITE)
            .arg(mounted.folder())
            .args([seed.to_string(), terms.groups.to_string(), manner.name().to_owned()])
            .args(acked.to_string().split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let failure = listen(&mut child, |acked| locked(&disk).note(acked))?;
        // What unmounting writes comes after the life, and may be cut short like the rest.
        drop(mounted);
        Ok(Life::ended(&disk, failure))
    }
}

/// Reads what the writer says as it says it; why it failed, if it did.
fn listen(child: &mut Child, mut note: impl FnMut(Acked)) -> Result<Option<String>, Failure> {
    let out = child.stdout.take().ok_or("no pipe")?;
    let (say, said) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if say.send(line).is_err() {
                break;
            }
        }
    });
    let mut stuck = false;
    loop {
        match said.recv_timeout(LIFE) {
            Ok(line) => note(line.parse()?),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                stuck = true;
                child.kill()?;
                break;
            }
        }
    }
    let mut why = String::new();
    if let Some(mut err) = child.stderr.take() {
        std::io::Read::read_to_string(&mut err, &mut why)?;
    }
    let status = child.wait()?;
    let _ended = reader.join();
    if stuck {
        return Ok(Some(format!("nothing was heard for {} s", LIFE.as_secs())));
    }
    Ok((!status.success()).then(|| format!("{status}: {}", why.trim())))
}

/// Whether file systems may be mounted here.
fn try_mount(dir: &Path) -> Result<(), Failure> {
    let disk = Arc::new(Mutex::new(Disk::<Acked>::new(mount::fresh(dir, DISK)?, Ills::default())));
    drop(Mounted::new(&disk, dir)?);
    Ok(())
}
