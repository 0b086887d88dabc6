//! What a browser sends beside forms.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};
use countersign_gateway::console::fuzzing::{cookies, page};

const NAMES: [&str; 5] = ["visitor", "attempt", "session", "enrolment", "flash"];

/// A path, and below it lines of cookies, which a plain reader of the first cookie of each name reads alike.
pub fn console(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    if let Some(path) = lines.next().and_then(|path| str::from_utf8(path).ok()) {
        assert_eq!(page(path), page(&format!("{path}/")), "a slash at the end counts");
    }
    let mut headers = HeaderMap::new();
    let mut pairs = Vec::new();
    for line in lines {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        if let Ok(text) = value.to_str() {
            let split = text.split(';').filter_map(|pair| pair.split_once('='));
            pairs.extend(split.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())));
        }
        headers.append(COOKIE, value);
    }
    pairs.truncate(64);
    for secure in [false, true] {
        let prefix = if secure { "__Host-" } else { "" };
        let plain = NAMES.map(|name| {
            let wanted = format!("{prefix}countersign-{name}");
            let found = pairs.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        });
        assert_eq!(cookies(&headers, secure), plain);
    }
}
