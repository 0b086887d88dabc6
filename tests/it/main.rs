//! The integration tests: one binary, one module for each thing that is shown.

mod custody;
mod dependencies;
mod door;
mod faults;
mod forget;
mod interrupted;
mod model;
mod negative;
mod node;
mod outbox;
mod promises;
mod races;
mod support;
mod tamper;
mod tidy;
mod wire;

/// A file that no `mod` names is a test that never runs.
#[test]
fn no_module_file_is_forgotten() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("it");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let index = if folder == root { folder.join("main.rs") } else { folder.join("mod.rs") };
        let declared = std::fs::read_to_string(&index).unwrap();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let is_module = path.extension().is_some_and(|extension| extension == "rs") || path.join("mod.rs").exists();
            let named = [format!("\nmod {stem};"), format!("\npub mod {stem};")];
            let is_index = path == index;
            assert!(!is_module || is_index || named.iter().any(|line| declared.contains(line)), "{}", path.display());
            if path.join("mod.rs").exists() {
                folders.push(path);
            }
        }
    }
}
