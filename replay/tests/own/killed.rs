//! A store whose process was killed while it wrote is read as the engine reads it when it is opened again.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use countersign_domain::policy::Policy;
use countersign_replay::own::verify::verify;
use countersign_replay::own::{Entries, OpenJournal, OwnStore};
use countersign_store::Journal;

use crate::medium::{append, leaves};
use crate::world::{cases, sled};

const DIR: &str = "REPLAY_TEST_STORE";

/// What is run in a process of its own, and killed.
#[test]
#[ignore = "runs only as the child of the test below"]
fn writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let journal = sled(&dir);
    let begun = journal.head().0;
    let mut versions = Default::default();
    for number in 0.. {
        let end = append(&journal, &mut versions, begun, number, 900);
        writeln!(std::io::stdout(), "acked {end}").unwrap();
    }
}

#[test]
fn a_killed_store_is_read_as_its_engine_reads_it_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    // Each round kills at another length.
    let rounds = cases(3, 8);
    for round in 0..rounds as usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acked = 0;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        for line in lines
            .filter_map(|line| line.strip_prefix("acked ")?.parse::<u64>().ok())
            .take(300 + 1_519 * round / (rounds as usize - 1).max(1))
        {
            acked = line;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = OwnStore::open(dir.path(), None).unwrap();
        assert!(store.head().0 >= acked, "{} of {acked}", store.head());
        assert_eq!(store.image().broken().unwrap(), []);
        let read = leaves(&store);
        let found = verify(dir.path(), None, &Policy::modern()).unwrap();
        assert!(found.is_intact() || found.problems.iter().all(|problem| problem.what.contains("event")), "{found}");
        assert_eq!(read, leaves(&OpenJournal(&sled(dir.path()))), "round {round}");
    }
}
