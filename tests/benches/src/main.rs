//! Prints what Countersign costs, beside what the store and the disk below it cost in the same run.
//!
//! `cargo run --release -p countersign-benches -- [--short] [--only NAME] [--seed N] [--json] [--dir DIR]`
//!
//! No figure makes it fail. A refused verification or a count that is off does.

mod activation;
mod args;
mod facade;
mod load;
mod machine;
mod own;
mod population;
mod raw;
mod replay;
mod report;
mod resident;
mod sample;
mod sms;
mod smsc;
mod startup;
mod store;

use std::path::Path;
use std::process::ExitCode;

use args::{Args, Section};
use machine::Others;
use report::Report;
use store::Stores;

/// What ends a run: a refusal, a count that is off, or a disk that fails.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if_eq(resident::CHILD).is_some() {
        return ended(resident::child(words));
    }
    if words.next_if_eq(own::CHILD).is_some() {
        return ended(own::child(words));
    }
    let args = match Args::parse(words) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    if args.dir.exists() {
        let text = "exists, and would be removed afterwards; remove it or name another with --dir";
        return ended(Err(format!("`{}` {text}", args.dir.display()).into()));
    }
    let result = std::fs::create_dir_all(&args.dir).map_err(Into::into).and_then(|()| run(&args));
    let _left = std::fs::remove_dir_all(&args.dir);
    ended(result)
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let whole = Others::watch();
    let mut report = Report::new(args.json);
    machine::describe(&mut report, args)?;
    let mut stores = Stores::new(args);
    for section in Section::ALL.into_iter().filter(|section| args.wants(*section)) {
        let part = Others::watch();
        match section {
            Section::Fsync => raw::fsync_rows(&mut report, args)?,
            Section::Raw => raw::store_rows(&mut report, args)?,
            Section::Facade => facade::rows(&mut report, args)?,
            Section::Replay => replay::rows(&mut report, args, &mut stores)?,
            Section::Activation => activation::rows(&mut report, args)?,
            Section::Startup => startup::rows(&mut report, &mut stores)?,
            Section::Size => resident::rows(&mut report, args, &mut stores)?,
            Section::Sms => sms::rows(&mut report, args)?,
            Section::Own => own::rows(&mut report, args)?,
        }
        report.took(section.name(), &part);
    }
    report.took("the whole run", &whole);
    Ok(())
}

/// Makes an empty directory for one measurement.
fn fresh(dir: &Path, name: &str) -> Result<std::path::PathBuf, Failure> {
    let path = dir.join(name);
    std::fs::create_dir(&path)?;
    Ok(path)
}
