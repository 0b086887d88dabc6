//! Lists of the Query protocol: `Tags.member.1.Key=k` (R203, R204).

use std::collections::BTreeMap;

use crate::errors::ApiError;
use crate::wire::form::Params;

/// How far an index may jump beyond the members before it (R204).
const INDEX_JUMP_MAX: u32 = 10;

/// The members of a list in order of their indexes, each with its fields.
///
/// A field is named by what follows the index, such as `Key`; a list of plain values has one field
/// with an empty name. `None` says that the request has no such list; an empty one is sent as `Tags=` (R203).
///
/// # Errors
/// `MalformedInput` for an index that is zero, signed, no number, given twice or too far away (R204).
pub fn members<'a>(params: &'a Params, name: &'a str) -> Result<Option<Vec<BTreeMap<&'a str, &'a str>>>, ApiError> {
    let malformed = |text: String| Err(ApiError::MalformedInput(text));
    let prefix = format!("{name}.");
    let mut found: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
    for (full, value) in params.with_prefix(name) {
        let Some(rest) = full.strip_prefix('.') else {
            if full.is_empty() && !value.is_empty() {
                return malformed(format!("'{name}' is a list"));
            }
            continue;
        };
        let Some(indexed) = rest.strip_prefix("member.") else {
            return malformed(format!("'{prefix}{}' is not a member of a list", shown(rest)));
        };
        let (index, field) = indexed.split_once('.').unwrap_or((indexed, ""));
        let index = parse_index(index)?;
        if found.entry(index).or_default().insert(field, value).is_some() {
            return malformed(format!("member {index} of '{name}' is given more than once"));
        }
    }
    let mut extent = 0;
    for index in found.keys() {
        let skipped = index - extent - 1;
        if skipped > INDEX_JUMP_MAX {
            return malformed(format!("Excessively sparse input would skip {skipped} list elements"));
        }
        extent = *index;
    }
    let empty = params.get(name).is_some();
    Ok((empty || !found.is_empty()).then(|| found.into_values().collect()))
}

/// An index from 1; `01` is `1` (R204).
fn parse_index(text: &str) -> Result<u32, ApiError> {
    let malformed = |text: String| Err(ApiError::MalformedInput(text));
    if let Some(sign) = text.chars().next().filter(|c| matches!(c, '+' | '-')) {
        return malformed(format!("Key {} may not have a leading '{sign}'", shown(text)));
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(index) if digits && index > 0 => Ok(index),
        _ => malformed(format!("{} is not a valid index", shown(text))),
    }
}

/// The first characters of something that is repeated in an answer.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<Option<usize>, String> {
        let params = Params::parse(form.as_bytes()).unwrap();
        members(&params, "Tags").map(|list| list.map(|l| l.len())).map_err(|e| e.message().into())
    }

    #[test]
    fn members_come_in_order_of_their_indexes() {
        let form = b"Tags.member.10.Key=z&Tags.member.2.Key=b&Tags.member.02.Value=v&Tags.member.1.Key=a&TagsX=1";
        let params = Params::parse(form).unwrap();
        let list = members(&params, "Tags").unwrap().unwrap();
        let keys: Vec<_> = list.iter().map(|m| m["Key"]).collect();
        assert_eq!((keys, list[1]["Value"]), (vec!["a", "b", "z"], "v"));
    }

    #[test]
    fn none_and_empty_differ() {
        assert_eq!(read("A=1"), Ok(None));
        assert_eq!(read("Tags="), Ok(Some(0)));
        assert!(read("Tags=x").is_err());
    }

    #[test]
    fn bad_indexes_are_named() {
        let text = |form| read(form).unwrap_err();
        assert_eq!(text("Tags.member.0.Key=a"), "0 is not a valid index");
        assert_eq!(text("Tags.member.-1.Key=a"), "Key -1 may not have a leading '-'");
        assert_eq!(text("Tags.member.%2B1.Key=a"), "Key +1 may not have a leading '+'");
        assert_eq!(text("Tags.member.x.Key=a"), "x is not a valid index");
        assert_eq!(text("Tags.member.99999999999.Key=a"), "99999999999 is not a valid index");
        assert_eq!(
            text("Tags.member.1.Key=a&Tags.member.13.Key=b"),
            "Excessively sparse input would skip 11 list elements"
        );
        assert_eq!(read("Tags.member.1.Key=a&Tags.member.12.Key=b"), Ok(Some(2)));
        assert!(read("Tags.member.1.Key=a&Tags.member.01.Key=b").is_err());
        assert!(read("Tags.1.Key=a").is_err());
    }
}
