//! The command line.

use std::path::PathBuf;

const USAGE: &str = "\
usage: bench [--short] [--json] [--only NAME] [--seed N] [--dir DIR]

  --short       smaller counts; the same rows
  --json        a JSON line for each row, in place of the table
  --only NAME   one section; may be given again: fsync raw facade replay activation startup size sms own
  --seed N      seed of people, secrets and bytes (default 1)
  --dir DIR     where stores are made: a directory that does not exist, removed afterwards
                (default target/bench-tmp)";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The disk.
    Fsync,
    /// A plain file, the backend and the journal.
    Raw,
    /// Verifications through the engine.
    Facade,
    /// Scan, decode and fold of a whole log.
    Replay,
    /// The first command of a principal that is not in memory.
    Activation,
    /// Opening.
    Startup,
    /// Bytes and memory.
    Size,
    /// Codes by SMS.
    Sms,
    /// A store read in place, by the auditor's tool.
    Own,
}

impl Section {
    /// Every section, in the order in which it runs.
    pub const ALL: [Self; 9] = [
        Self::Fsync,
        Self::Raw,
        Self::Facade,
        Self::Replay,
        Self::Activation,
        Self::Startup,
        Self::Size,
        Self::Sms,
        Self::Own,
    ];

    /// Its name on the command line and in the rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Raw => "raw",
            Self::Facade => "facade",
            Self::Replay => "replay",
            Self::Activation => "activation",
            Self::Startup => "startup",
            Self::Size => "size",
            Self::Sms => "sms",
            Self::Own => "own",
        }
    }
}

/// How a run is done.
#[derive(Clone, Debug)]
pub struct Args {
    /// Smaller counts.
    pub short: bool,
    /// JSON lines in place of the table.
    pub json: bool,
    /// The seed of everything that is made up.
    pub seed: u64,
    /// Where stores are made.
    pub dir: PathBuf,
    only: Vec<Section>,
}

impl Args {
    /// Reads the words after the program's name; the error is what to tell.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let mut args = Self { short: false, json: false, seed: 1, dir: target.join("bench-tmp"), only: Vec::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--short" => args.short = true,
                "--json" => args.json = true,
                "--seed" => args.seed = value()?.parse().map_err(|_| "--seed needs a number".to_owned())?,
                "--dir" => args.dir = PathBuf::from(value()?),
                "--only" => {
                    let name = value()?;
                    let section = Section::ALL.into_iter().find(|section| section.name() == name);
                    args.only.push(section.ok_or_else(|| format!("no section `{name}`\n{USAGE}"))?);
                }
                "--help" | "-h" => return Err(USAGE.to_owned()),
                _ => return Err(format!("`{word}` is not known\n{USAGE}")),
            }
        }
        Ok(args)
    }

    /// Whether a section runs.
    pub fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    /// One of two numbers: for a short run, for a full one.
    pub const fn pick(&self, short: usize, full: usize) -> usize {
        if self.short { short } else { full }
    }
}
