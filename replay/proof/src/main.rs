//! `countersign-proof`: checks what a log has signed, offline, with one public key.

use std::fs::File;
use std::io::{Read, Write};
use std::process::ExitCode;

use countersign_proof::{Checkpoint, Entry, Receipt, Trust, VerifierKey};

const USAGE: &str = "usage: countersign-proof receipt --key KEY [--rotation RECEIPT]... FILE [--entry FILE]
       countersign-proof consistent --key KEY [--rotation RECEIPT]... OLD NEW...
       countersign-proof key --key KEY RECEIPT...

receipt     checks that an entry is in the log, and shows what it says to anybody
consistent  checks that each checkpoint continues the one before it; NEW has the proof above the checkpoint
key         follows the log's changes of keys, and prints the key that signs after them

KEY is the log's public key as the log prints it, NAME+ID+KEY. RECEIPT is the receipt of a change of keys.
Exit codes: 0 it holds; 2 usage; 3 a file cannot be read; 4 it is not to be believed.";

/// The longest file that is looked at, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no good answer: an exit code, and what to say.
struct Failure(u8, String);

type Answer = Result<String, Failure>;

fn usage(what: &str) -> Failure {
    Failure(2, format!("{what}\n{USAGE}"))
}

fn read(path: &str) -> Answer {
    let text = String::from_utf8(read_bytes(path)?);
    text.map_err(|_| Failure(3, format!("`{}` is not a text", path.escape_debug())))
}

fn read_bytes(path: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= FILE_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(Failure(3, format!("`{}` is too long", path.escape_debug()))),
        Err(cause) => Err(Failure(3, format!("`{}`: {cause}", path.escape_debug()))),
    }
}

fn doubted(path: &str) -> impl FnOnce(countersign_proof::ProofError) -> Failure {
    move |cause| Failure(4, format!("`{}`: {cause}", path.escape_debug()))
}

/// What stands on the command line behind the verb.
#[derive(Default)]
struct Asked {
    key: Option<String>,
    rotations: Vec<String>,
    entry: Option<String>,
    files: Vec<String>,
}

impl Asked {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut asked = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| usage(&format!("`{word}` lacks its value")));
            match word.as_str() {
                "--key" => asked.key = Some(value()?),
                "--rotation" => asked.rotations.push(value()?),
                "--entry" => asked.entry = Some(value()?),
                flag if flag.starts_with("--") => {
                    return Err(usage(&format!("unknown flag `{}`", flag.escape_debug())));
                }
                _ => asked.files.push(word),
            }
        }
        Ok(asked)
    }

    /// The key that was given, and those that it leads to.
    fn trust(&self) -> Result<Trust, Failure> {
        let key = self.key.as_deref().ok_or_else(|| usage("--key is missing"))?;
        let key: VerifierKey = key.parse().map_err(|cause| usage(&format!("--key: {cause}")))?;
        let mut trust = Trust::new(key);
        follow(&mut trust, &self.rotations)?;
        Ok(trust)
    }
}

fn follow(trust: &mut Trust, paths: &[String]) -> Result<(), Failure> {
    let parsed = |path: &String| read(path)?.parse().map_err(doubted(path));
    let receipts: Vec<Receipt> = paths.iter().map(parsed).collect::<Result<_, Failure>>()?;
    trust.follow_receipts(&receipts).map_err(|cause| Failure(4, format!("the changes of keys: {cause}")))
}

fn receipt(asked: &Asked) -> Answer {
    let [path] = asked.files.as_slice() else { return Err(usage("name one receipt")) };
    let trust = asked.trust()?;
    let receipt: Receipt = read(path)?.parse().map_err(doubted(path))?;
    let beside = asked.entry.as_deref().map(read_bytes).transpose()?;
    let entry = beside.as_deref().or_else(|| receipt.extra());
    let entry = entry.ok_or_else(|| usage("the receipt does not have its entry with it; name it with --entry"))?;
    let checkpoint = trust.receipt(&receipt, entry).map_err(doubted(path))?;
    let said = match Entry::read(entry) {
        Ok(entry) => entry.to_string(),
        Err(_) => format!("an entry of {} bytes\n", entry.len()),
    };
    Ok(format!("entry {} of {}\n{said}{}", receipt.index(), checkpoint.origin(), under(&checkpoint)))
}

fn under(checkpoint: &Checkpoint) -> String {
    format!("under a checkpoint of {} entries with the root {}\n", checkpoint.size(), checkpoint.root())
}

fn consistent(asked: &Asked) -> Answer {
    let [old, later @ ..] = asked.files.as_slice() else { return Err(usage("name an old checkpoint and later ones")) };
    if later.is_empty() {
        return Err(usage("name a later checkpoint, too"));
    }
    let trust = asked.trust()?;
    let mut checkpoint = trust.checkpoint(&read(old)?).map_err(doubted(old))?;
    let mut sizes = vec![checkpoint.size()];
    for path in later {
        checkpoint = trust.growth(&checkpoint, &read(path)?).map_err(doubted(path))?;
        sizes.push(checkpoint.size());
    }
    let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
    Ok(format!("{} has only grown: {}\n", checkpoint.origin(), sizes.join(", ")))
}

fn key(asked: &Asked) -> Answer {
    let mut trust = asked.trust()?;
    follow(&mut trust, &asked.files)?;
    Ok(format!("{}\n", trust.current()))
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let verb = words.next().unwrap_or_default();
    let answer = Asked::parse(words).and_then(|asked| match verb.as_str() {
        "receipt" => receipt(&asked),
        "consistent" => consistent(&asked),
        "key" => key(&asked),
        "help" | "--help" | "-h" => Ok(format!("{USAGE}\n")),
        _ => Err(usage("ask for receipt, consistent or key")),
    });
    // A reader that went away is no error.
    match answer {
        Ok(text) => {
            let _closed = write!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(Failure(code, what)) => {
            let _closed = writeln!(std::io::stderr(), "countersign-proof: {what}");
            ExitCode::from(code)
        }
    }
}
