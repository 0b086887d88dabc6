//! `inputs`: what there is to read.

use std::collections::BTreeMap;

use clap::Args;
use countersign_replay::ask::table;
use countersign_replay::fold::Keep;
use serde::Serialize;

use super::Answered;
use super::heard::{self, Input, Own};

/// Counts what the input holds, by kind, and what could not be used.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
}

#[derive(Serialize)]
struct Counted<'a> {
    schema: u32,
    files: u64,
    records: u64,
    unique_records: Option<u64>,
    kinds: &'a BTreeMap<&'static str, u64>,
    /// Ten thousand at most.
    skipped: Vec<Skipped<'a>>,
    skipped_total: u64,
    /// Those of them that should have been used.
    skipped_unread: u64,
}

#[derive(Serialize)]
struct Skipped<'a> {
    place: &'a str,
    kind: &'static str,
    reason: &'a str,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let heard = heard::hear(&ask.input, Own::Of(Keep::Changes, None))?;
    let inputs = &heard.inputs;
    // Every entry of a store is one of a kind.
    let (stores, files) = ask.input.split();
    let own = if stores.is_empty() { 0 } else { inputs.kinds.get("own_entry").copied().unwrap_or(0) };
    let of_files = if files.is_empty() { Some(0) } else { inputs.unique_records };
    let skipped = inputs.skips.iter().map(|skip| Skipped { place: &skip.place, kind: skip.kind, reason: &skip.why });
    let counted = Counted {
        schema: 1,
        files: inputs.files,
        records: inputs.records,
        unique_records: of_files.map(|unique| unique + own),
        kinds: &inputs.kinds,
        skipped: skipped.collect(),
        skipped_total: inputs.skipped,
        skipped_unread: inputs.unread,
    };
    let integrity = heard.told.integrity([]);
    heard.answer(&ask.input, &integrity, &counted, || {
        let unique = counted.unique_records.map_or_else(|| "too many to tell".to_owned(), |count| count.to_string());
        let mut rows = vec![vec!["files".to_owned(), counted.files.to_string()]];
        rows.push(vec!["unique records".to_owned(), unique]);
        rows.extend(counted.kinds.iter().map(|(kind, count)| vec![(*kind).to_owned(), count.to_string()]));
        table(&["WHAT", "COUNT"], &rows)
    })
}
