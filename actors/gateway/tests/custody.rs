//! The operator changes the keys of the ring, under a running server too, and gives old ones up.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use countersign::*;

fn countersign(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).arg("--data").arg(data).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// By which key of the ring each live slot is wrapped: that is how its wrapped key begins.
fn wrapped_by(data: &Path) -> Vec<u8> {
    let keys = fs::read(data.join("store/keys")).unwrap();
    keys.chunks(128).filter(|slot| slot[4] == 1).map(|slot| slot[35]).collect()
}

/// A server that is killed when it is not needed any more.
struct Server {
    process: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "info", "--data"]).arg(data);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned)).unwrap();
        Self { process, log, address }
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Reads the log up to a line that has some words.
    fn until(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the log ended without `{words}`");
        }
        line
    }

    fn is_ready(&self) -> bool {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200")
    }

    fn end(mut self, signal: &str) {
        self.signal(signal);
        // What is still told has to go somewhere.
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn a_key_is_given_up_once_nothing_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(!countersign(&data, &["keys", "retire", "1"]).status.success());
    assert!(countersign(&data, &["init", "--json"]).status.success());
    let stolen = fs::read_to_string(data.join("keyring")).unwrap();
    let refused = countersign(&data, &["keys", "retire", "1"]);
    assert!(!refused.status.success() && err(&refused).contains("key 1 is needed"), "{}", err(&refused));
    for part in ["the key of derived data", "the root", "keys of streams", "the log is signed with"] {
        assert!(err(&refused).contains(part), "{}", err(&refused));
    }
    assert!(countersign(&data, &["keys", "rotate"]).status.success());
    let newest = countersign(&data, &["keys", "retire", "2"]);
    assert!(!newest.status.success() && err(&newest).contains("key 2 is needed"), "{}", err(&newest));
    let unknown = countersign(&data, &["keys", "retire", "9"]);
    assert!(!unknown.status.success() && err(&unknown).contains("no key 9"), "{}", err(&unknown));
    let retired = countersign(&data, &["keys", "retire", "1"]);
    assert!(retired.status.success() && out(&retired).contains("key 1 is not in"), "{}", err(&retired));
    let ring = fs::read_to_string(data.join("keyring")).unwrap();
    let secret = stolen.lines().nth(1).unwrap().split_once(' ').unwrap().1;
    assert!(!ring.contains(secret) && ring.lines().count() == 2);
    let server = Server::start(&data);
    assert!(server.is_ready(), "everything works without it");
    server.end("-TERM");

    // A thief with the old key and the files as they are now.
    fs::write(data.join("keyring"), stolen).unwrap();
    let closed = countersign(&data, &["keys", "rotate"]);
    assert!(!closed.status.success() && err(&closed).contains("no key 2"), "{}", err(&closed));
}

#[test]
fn a_running_server_takes_a_key_up_and_goes_on_where_it_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(countersign(&data, &["init", "--json"]).status.success());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let engine = Countersign::open(&data, Config::default()).unwrap();
        let account = engine.accounts()[0];
        for number in 0..400 {
            let (id, name) = (UserId::new(format!("AIDA{number}")).unwrap(), format!("user-{number}"));
            let name = DeviceName::new(name).unwrap();
            let path = countersign::Path::root();
            engine.register_user(Request::by(Caller::operator()), account, id, name, path).await.unwrap();
        }
        engine.close().await.unwrap();
    });
    let mut server = Server::start(&data);
    let busy = countersign(&data, &["keys", "retire", "1"]);
    assert!(!busy.status.success() && err(&busy).contains("open in another process"), "{}", err(&busy));
    assert!(countersign(&data, &["keys", "add"]).status.success());
    assert!(wrapped_by(&data).iter().all(|number| *number == 1), "nothing happens by itself");
    server.until("the key ring was read");
    server.signal("-HUP");
    let line = server.until("wrapping keys with the newest key");
    assert!(line.contains("looked_at=") && line.contains("slots="), "{line}");
    assert!(server.is_ready());
    server.end("-KILL");
    let half = wrapped_by(&data);
    assert!(half.contains(&1) && half.contains(&2), "it was killed on the way");

    let mut server = Server::start(&data);
    server.until("every key is wrapped with the newest key");
    assert!(server.is_ready());
    assert!(wrapped_by(&data).iter().all(|number| *number == 2));
    // A ring that lost a key by a slip of the hand is not taken up.
    let ring = fs::read_to_string(data.join("keyring")).unwrap();
    let cut: Vec<&str> = ring.lines().filter(|line| !line.starts_with("2 ")).collect();
    fs::write(data.join("keyring"), cut.join("\n") + "\n").unwrap();
    server.signal("-HUP");
    let line = server.until("was not taken up");
    assert!(line.contains("key 2 is gone"), "{line}");
    assert!(server.is_ready());
    fs::write(data.join("keyring"), ring).unwrap();
    server.end("-TERM");
    assert!(countersign(&data, &["keys", "retire", "1"]).status.success());
    let server = Server::start(&data);
    assert!(server.is_ready());
    server.end("-TERM");
}
