//! `LIFECYCLE.md` is what the decisions say.

/// Set `COUNTERSIGN_BLESS=1` to write the file after a change of behaviour that is meant.
#[test]
fn the_written_table_is_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/LIFECYCLE.md");
    let made = countersign_domain::lifecycle::table();
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written, made, "LIFECYCLE.md is not what the code does");
}
