//! That an entry is in the log (C2SP `tlog-proof`), and that the log has only grown (C2SP `tlog-witness`), as texts for others.

use std::fmt::Write as _;

use countersign_domain::ids::Position;
use data_encoding::BASE64;

use crate::tree::TreeHash;

/// The text. What is sent along is the entry itself: its hash is what the proof begins with.
pub(crate) fn text(entry: &[u8], position: Position, proof: &[TreeHash], note: &str) -> String {
    let mut text = format!("c2sp.org/tlog-proof@v1\nextra {}\nindex {}\n", BASE64.encode(entry), position.0);
    for hash in proof {
        let _ = writeln!(text, "{}", BASE64.encode(&hash.0));
    }
    text.push('\n');
    text.push_str(note);
    text
}

/// The text that shows that a log of `old` entries has grown to what the note is of.
pub(crate) fn growth_text(old: u64, proof: &[TreeHash], note: &str) -> String {
    let mut text = format!("old {old}\n");
    for hash in proof {
        let _ = writeln!(text, "{}", BASE64.encode(&hash.0));
    }
    text.push('\n');
    text.push_str(note);
    text
}
