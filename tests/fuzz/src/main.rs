//! Coverage-guided fuzzing of every parser of foreign bytes; `FUZZ_TARGET` says of which.
//!
//! One program with all parsers in it is built once. A panic is a finding, and so is more memory than an input is worth,
//! or an answer that another way of reading does not give.
#![no_main]

mod console;
mod forms;
mod keys;
mod log;
mod proof;
mod settings;
mod signed;
mod sms;
mod tokens;
mod trail;
mod wire;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a parser may take for itself, and for each byte that it is given.
const MEMORY_MAX: usize = 16 << 20;
const MEMORY_MAX_EACH: usize = 1 << 10;

/// A parser under its name. It panics when something does not hold.
type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("callback", sms::callback),
    ("chunk", log::chunk),
    ("config", settings::config),
    ("console", console::console),
    ("csv", tokens::csv),
    ("digest", trail::digest),
    ("form", forms::form),
    ("gateway-answer", sms::answer),
    ("gzip", trail::gzip),
    ("key-ring", keys::ring),
    ("key-slot", keys::slot),
    ("log", log::log),
    ("note", proof::note),
    ("policy", settings::policy),
    ("pskc", tokens::pskc),
    ("receipt", proof::receipt),
    ("report", trail::report),
    ("session-token", signed::session_token),
    ("signers", keys::signers),
    ("sigv4", signed::sigv4),
    ("smpp", sms::smpp),
    ("trail", trail::trail),
    ("wire", wire::wire),
    ("witness", proof::witness),
];

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

/// Finds the parser that is asked for; `list` names them all.
fn choose() {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    if name == "list" {
        TARGETS.iter().for_each(|(name, _)| println!("{name}"));
        std::process::exit(0);
    }
    let Some((_, run)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        eprintln!("FUZZ_TARGET is `{name}`; `list` names those that there are");
        std::process::exit(2);
    };
    let _ = TARGET.set(*run);
}

fuzz_target!(init: choose(), |data: &[u8]| {
    let Some(run) = TARGET.get() else { return };
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    run(data);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let most = MEMORY_MAX + data.len() * MEMORY_MAX_EACH;
    assert!(taken <= most, "{taken} bytes of memory for {} of input", data.len());
});

/// A file of this process with some content, for parsers that only read files; readable by its owner alone.
fn file(name: &str, content: &[u8]) -> std::path::PathBuf {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    static DIR: OnceLock<std::path::PathBuf> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let base = std::env::var_os("FUZZ_FILES").map_or_else(std::env::temp_dir, std::path::PathBuf::from);
        let dir = base.join(format!("countersign-fuzz-{}", std::process::id()));
        let _ = std::fs::DirBuilder::new().mode(0o700).create(&dir);
        dir
    });
    let path = dir.join(name);
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    opened.and_then(|mut file| file.write_all(content)).expect("a file in memory can be written");
    path
}

/// Two halves of an input, parted by a line of its own.
fn halves<'a>(text: &'a str, line: &str) -> (&'a str, &'a str) {
    text.split_once(&format!("\n{line}\n")).unwrap_or((text, ""))
}
