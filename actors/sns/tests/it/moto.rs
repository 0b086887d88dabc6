//! Against moto, an SNS that nobody here wrote: `moto_server -H 127.0.0.1 -p 0`, its address in `COUNTERSIGN_MOTO_URL`.

use std::io::{Read, Write};
use std::net::TcpStream;

use countersign::SmsAccepted;

use crate::support::{TEXT, patient, sns, submit_to};

/// What moto says it has sent.
fn sent(url: &str) -> serde_json::Value {
    let host = url.strip_prefix("http://").expect("the address begins with http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /moto-api/data.json HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<serde_json::Value>(body).unwrap()["sns"]["SMS"].take()
}

#[test]
#[ignore = "needs moto_server, and its address in COUNTERSIGN_MOTO_URL"]
fn moto_sends_what_it_is_given() {
    let url = std::env::var("COUNTERSIGN_MOTO_URL").expect("COUNTERSIGN_MOTO_URL is the address of a moto_server");
    let transport = sns(&url, patient());
    // A number of this run's own, since moto remembers all.
    let number = format!("+1415555{:04}", std::process::id() % 10_000);
    let Ok(SmsAccepted { message_id: Some(id) }) = submit_to(&*transport, &number) else { panic!("moto took nothing") };
    let all = sent(&url);
    let found = all.as_array().unwrap().iter().find(|message| message.to_string().contains(&id));
    let found = found.unwrap_or_else(|| panic!("moto knows no such message")).to_string();
    let text = serde_json::Value::from(TEXT).to_string();
    assert!(found.contains(&number) && found.contains(&text), "{found}");
}
