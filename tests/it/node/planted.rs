//! Bugs that are planted on purpose, each of which a seed of the simulation finds: `tests/planted/run.sh`.

use std::path::Path;
use std::process::Command;

/// A patch that does not apply any more shows nothing.
#[test]
fn each_planted_bug_can_still_be_planted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let patches = std::fs::read_dir(root.join("tests/planted")).unwrap().map(|entry| entry.unwrap().path());
    let patches: Vec<_> =
        patches.filter(|path| path.extension().is_some_and(|extension| extension == "patch")).collect();
    assert!(patches.len() >= 20, "{} planted bugs", patches.len());
    for patch in patches {
        let checked = Command::new("git").arg("apply").arg("--check").arg(&patch).current_dir(root).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: {said}", patch.display());
    }
}
