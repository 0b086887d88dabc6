//! Forms: those of IAM and STS, and of the console.

use std::collections::BTreeMap;

use countersign_gateway::errors::ApiError;
use countersign_gateway::wire::answer::failure;
use countersign_gateway::wire::marker::Markers;
use countersign_gateway::wire::operation::service_of_version;
use countersign_gateway::wire::{Input, Operation, Params};
use countersign_sms_http::fuzzing::{decode_form, encode_form};

/// So many parameters any reader takes.
const FEW: usize = 32;

fn contains(data: &[u8], word: &[u8]) -> bool {
    data.windows(word.len()).any(|window| window == word)
}

/// A form is read as the reader of gateways' reports reads it, and again when it is written anew; its refusal is XML.
pub fn form(data: &[u8]) {
    let params = match Params::parse(data) {
        Ok(params) => params,
        Err(cause) => return refused(&Params::default(), &cause),
    };
    let pairs: BTreeMap<String, String> = params.with_prefix("").map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    assert_eq!(pairs.len(), params.len());
    let list: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(Params::parse(&encode_form(&list)).as_ref(), Ok(&params));
    match decode_form(data) {
        Some(mut other) => {
            other.retain(|name, _| !name.starts_with("X-Amz-"));
            assert_eq!(other, pairs);
        }
        // It takes fewer parameters, and reads those of a signature, too.
        None => {
            assert!(pairs.len() > FEW || contains(data, b"X-Amz-") || contains(data, b"%"), "one reader refuses it")
        }
    }
    let read = Operation::of(&params).and_then(|operation| Input::read(operation, &params));
    if let Err(cause) = &read {
        refused(&params, cause);
    }
    if let Some(marker) = params.get("Marker") {
        marked(marker);
    }
}

fn refused(params: &Params, cause: &ApiError) {
    let answer = failure(service_of_version(params), cause, "00000000-0000-0000-0000-000000000000");
    let document = roxmltree::Document::parse(&answer).expect("an answer is XML");
    let found = document
        .descendants()
        .find(|node| node.has_tag_name((document.root_element().tag_name().namespace().unwrap_or_default(), "Code")));
    assert_eq!(found.and_then(|node| node.text()), Some(cause.code()));
    assert!((400..=599).contains(&cause.status()));
}

/// A marker of a stranger is none; one of ours says what it was made of.
fn marked(text: &str) {
    let (markers, scope) = (Markers::new(&[9; 32]), ["123456789012", "ListUsers"]);
    assert!(markers.read(&scope, text).is_err());
    let ours = markers.make(&scope, text);
    assert_eq!(markers.read(&scope, &ours), Ok(text));
    assert!(markers.read(&["123456789012", "ListMFADevices"], &ours).is_err());
}
