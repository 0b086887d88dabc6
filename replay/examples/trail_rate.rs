//! How fast audit logs are read, and in how much memory.
//!
//! ```sh
//! cargo run --release --package countersign-replay --example trail_rate            # a million records, 3,872 files
//! cargo run --release --package countersign-replay --example trail_rate -- 100000 500
//! ```
//!
//! The trail is made up: one record in two hundred is about MFA or sign-ins, one in ten is of a session with MFA, and
//! the rest are calls of other services, as in trails that are public.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use countersign_replay::ask::{StateQuery, Told, state};
use countersign_replay::fold::fold;
use countersign_replay::time::Time;
use countersign_replay::trail::{LoadOptions, Progress, load};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

const USERS: u64 = 500;

/// A number that looks random and is not.
const fn scatter(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn record(number: u64, into: &mut impl Write) -> io::Result<()> {
    let chance = scatter(number + 1);
    let user = scatter(chance) % USERS;
    let at = Time(1_714_521_600_000 + (number / 20) as i64 * 1000);
    let (source, name, rest) = match chance % 200 {
        0 => (
            "iam",
            "EnableMFADevice",
            format!(r#"{{"userName":"user{user}","serialNumber":"arn:aws:iam::111122223333:mfa/device{user}"}}"#),
        ),
        1 => (
            "iam",
            "DeactivateMFADevice",
            format!(r#"{{"userName":"user{user}","serialNumber":"arn:aws:iam::111122223333:mfa/device{user}"}}"#),
        ),
        _ => (
            "ec2",
            "DescribeInstances",
            format!(
                r#"{{"instancesSet":{{"items":[{{"instanceId":"i-{:017x}"}}]}},"filterSet":{{}},"maxResults":{}}}"#,
                chance >> 4,
                chance % 1000
            ),
        ),
    };
    let mfa = if chance % 10 == 5 { "true" } else { "false" };
    let opened = Time(1_714_521_600_000 + (number / 720_000) as i64 * 36_000_000);
    write!(
        into,
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","principalId":"AIDA{user:016}","arn":"arn:aws:iam::111122223333:user/user{user}","accountId":"111122223333","accessKeyId":"ASIA{user:016}","userName":"user{user}","sessionContext":{{"sessionIssuer":{{}},"webIdFederationData":{{}},"attributes":{{"creationDate":"{opened}","mfaAuthenticated":"{mfa}"}}}}}},"eventTime":"{at}","eventSource":"{source}.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.{}","userAgent":"aws-cli/2.15.30 Python/3.11.8 Linux/6.1.0 exe/x86_64.debian.12 prompt/off command/ec2.describe-instances","requestParameters":{rest},"responseElements":null,"requestID":"{:08x}-{:04x}-4000-8000-{:012x}","eventID":"{:08x}-{:04x}-4000-9000-{:012x}","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}}"#,
        chance % 250,
        chance >> 32,
        number & 0xffff,
        chance & 0xffff_ffff_ffff,
        scatter(chance) >> 32,
        number & 0xffff,
        number,
    )
}

/// Writes a packed document of some records; returns its size before packing.
fn document(path: &Path, numbers: std::ops::Range<u64>) -> io::Result<u64> {
    struct Counted<W>(W, u64);
    impl<W: Write> Write for Counted<W> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = self.0.write(bytes)?;
            self.1 += count as u64;
            Ok(count)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }
    let packed = GzEncoder::new(BufWriter::new(File::create(path)?), Compression::fast());
    let mut out = Counted(packed, 0);
    out.write_all(b"{\"Records\":[")?;
    for number in numbers.clone() {
        if number > numbers.start {
            out.write_all(b",")?;
        }
        record(number, &mut out)?;
    }
    out.write_all(b"]}")?;
    let Counted(packed, raw) = out;
    packed.finish()?.flush()?;
    Ok(raw)
}

/// The most memory that this process has had, in MiB.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or(0) / 1024
}

fn say(line: &str) {
    let _closed = writeln!(io::stdout(), "{line}");
}

fn measure(what: &str, path: &Path, raw: u64, records: u64, threads: usize) {
    let began = Instant::now();
    let options = LoadOptions { threads, ..LoadOptions::default() };
    let loaded = load(&[path.to_owned()], &options, &Progress::default());
    let read_s = began.elapsed().as_secs_f64();
    let (counted, unique) = (loaded.inputs.records, loaded.inputs.unique_records);
    let told = Told { history: fold(loaded.events), flaws: loaded.flaws, ..Told::default() };
    let principals = state(&told, &StateQuery::default()).principals.len();
    let all_s = began.elapsed().as_secs_f64();
    say(&format!(
        "{what}, {threads} threads: {all_s:.2} s ({read_s:.2} s reading), {:.0} MB/s raw, {:.0} records/s, \
         {counted} of {records} records, {unique:?} different, {principals} principals, peak {} MiB",
        raw as f64 / 1e6 / all_s,
        records as f64 / all_s,
        peak_mib()
    ));
}

fn inflate_alone(path: &Path, raw: u64) -> io::Result<()> {
    let began = Instant::now();
    let mut reader = GzDecoder::new(io::BufReader::with_capacity(64 << 10, File::open(path)?));
    let mut buffer = vec![0; 256 << 10];
    while reader.read(&mut buffer)? > 0 {}
    let seconds = began.elapsed().as_secs_f64();
    say(&format!("inflating alone: {seconds:.2} s, {:.0} MB/s raw", raw as f64 / 1e6 / seconds));
    Ok(())
}

fn main() -> io::Result<()> {
    let number = |place: usize, otherwise: u64| {
        std::env::args().nth(place).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (records, files) = (number(1, 1_000_000), number(2, 3_872));
    let dir: PathBuf = std::env::temp_dir().join(format!("trail-rate-{}", std::process::id()));
    fs::create_dir_all(dir.join("small"))?;
    let big = dir.join("big.json.gz");
    let raw = document(&big, 0..records)?;
    let packed = fs::metadata(&big)?.len();
    say(&format!("one document: {records} records, {} MB raw, {} MB packed", raw / 1_000_000, packed / 1_000_000));
    inflate_alone(&big, raw)?;
    measure("one document", &big, raw, records, 1);
    let each = 8;
    let mut small = 0;
    for file in 0..files {
        small += document(&dir.join(format!("small/{file}_20240501T0000Z.json.gz")), file * each..(file + 1) * each)?;
    }
    for threads in [1, 2] {
        measure(&format!("{files} small files"), &dir.join("small"), small, files * each, threads);
    }
    fs::remove_dir_all(dir)
}
