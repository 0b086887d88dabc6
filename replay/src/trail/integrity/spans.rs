//! Which time the valid digests of each chain cover: what was delivered then is known to the last file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::chain::State;
use super::digest::{DigestFile, base};
use super::verdict::Verdict;
use crate::time::Time;

/// What is between the folder of an account and that of a region.
const FOLDER: &str = "/CloudTrail-Digest/";
/// What a digest's name has between account and region.
const IN_NAME: &str = "_CloudTrail-Digest_";
/// The mark of a digest that was made later for late files: it stands outside of every chain.
const BACKFILL: &str = "_backfill";

/// The digests of one trail in one region of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainRow {
    /// The bucket that they were delivered to.
    pub bucket: String,
    /// The account whose records they are of.
    pub account: String,
    /// The region.
    pub region: String,
    /// The trail's name.
    pub trail: String,
    /// How many of its digests are here.
    pub digests: u64,
    /// How many of them are valid.
    pub valid: u64,
    /// The stretches of time that valid digests cover, in order; empty when no digest is valid.
    pub covered: Vec<Span>,
}

/// A stretch of time without a hole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Its begin.
    pub from: String,
    /// Its end.
    pub to: String,
}

/// What the digests of one trail in one region have in common: the folder of the region, with bucket and account, and
/// their names up to the time.
pub(super) fn chain_of(object: &str) -> (&str, &str) {
    let below = object.find(FOLDER).map_or(0, |place| place + FOLDER.len());
    let region = object.get(below..).and_then(|rest| rest.find('/')).map_or(below, |length| below + length);
    let name = base(object);
    (object.get(..region).unwrap_or_default(), name.rsplit_once('_').map_or(name, |(chain, _)| chain))
}

/// What each chain covers, in the order of buckets, accounts, regions and trails.
pub(super) fn chains(digests: &[DigestFile], states: &[State]) -> Vec<ChainRow> {
    let mut by_chain: BTreeMap<(&str, &str), Vec<(&DigestFile, Verdict)>> = BTreeMap::new();
    for (digest, (verdict, _)) in digests.iter().zip(states).filter(|(digest, _)| !digest.object.contains(BACKFILL)) {
        by_chain.entry(chain_of(&digest.object)).or_default().push((digest, *verdict));
    }
    by_chain.into_iter().map(|((folder, name), digests)| row(folder, name, &digests)).collect()
}

fn row(folder: &str, name: &str, digests: &[(&DigestFile, Verdict)]) -> ChainRow {
    let (above, region) = folder.split_once(FOLDER).unwrap_or((folder, ""));
    // The name ends with the trail's home region, which has no mark of its own.
    let in_name = name.split_once(IN_NAME).map_or("", |(_, rest)| rest);
    let of_trail = in_name.strip_prefix(region).and_then(|rest| rest.strip_prefix('_')).unwrap_or(in_name);
    let valid: Vec<&DigestFile> =
        digests.iter().filter(|(_, verdict)| *verdict == Verdict::Valid).map(|(digest, _)| *digest).collect();
    ChainRow {
        bucket: above.split('/').next().unwrap_or_default().to_owned(),
        account: base(above).to_owned(),
        region: region.to_owned(),
        trail: of_trail.rsplit_once('_').map_or(of_trail, |(trail, _)| trail).to_owned(),
        digests: digests.len() as u64,
        valid: valid.len() as u64,
        covered: covered(&valid),
    }
}

/// The stretches that digests cover; one that does not tell its time covers none.
fn covered(digests: &[&DigestFile]) -> Vec<Span> {
    let time = |text: &str| text.parse::<Time>().ok();
    let mut hours: Vec<(Time, Time)> = digests
        .iter()
        .filter_map(|digest| time(digest.start_text.as_deref()?).zip(time(&digest.end_text)))
        .filter(|(from, to)| from < to)
        .collect();
    hours.sort_unstable();
    let mut stretches: Vec<(Time, Time)> = Vec::new();
    for (from, to) in hours {
        match stretches.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => stretches.push((from, to)),
        }
    }
    stretches.into_iter().map(|(from, to)| Span { from: from.to_string(), to: to.to_string() }).collect()
}

/// What the chains cover, as a table.
pub(super) fn text(chains: &[ChainRow]) -> String {
    let mut rows = Vec::new();
    for chain in chains {
        let count = format!("{} of {}", chain.valid, chain.digests);
        let mut row = |from: &str, to: &str| {
            let named = [&chain.bucket, &chain.account, &chain.region, &chain.trail].map(String::clone);
            let ends = [from.to_owned(), to.to_owned(), count.clone()];
            rows.push(named.into_iter().chain(ends).collect());
        };
        chain.covered.iter().for_each(|span| row(&span.from, &span.to));
        if chain.covered.is_empty() {
            row("-", "-");
        }
    }
    crate::ask::table(&["BUCKET", "ACCOUNT", "REGION", "TRAIL", "COVERED FROM", "TO", "VALID DIGESTS"], &rows)
}
