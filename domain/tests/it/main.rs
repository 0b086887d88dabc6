//! The domain from outside: scenarios of the decisions, forged histories, the generated table.

mod bounds;
mod checked;
mod folds;
mod forged_messages;
mod forged_sign_ins;
mod forger;
mod forgeries;
mod forgetting;
mod journeys;
mod keys;
mod laws;
mod lifecycle;
mod messages;
mod numbers;
mod outbox;
mod pairs;
mod pending;
mod people;
mod receipts;
mod recovery;
mod registrations;
mod seeds;
mod senders;
mod settings;
mod shown;
mod sign_in;
mod stage;

/// A file that no `mod` names is a test that never runs.
#[test]
fn no_module_file_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let declared = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(stem == "main" || declared.contains(&format!("\nmod {stem};")), "{}", path.display());
    }
}
