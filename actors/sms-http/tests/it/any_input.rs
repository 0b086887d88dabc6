//! Whatever comes in, a report is read or refused, and an answer is an outcome.

use countersign::{SmsCallback, SmsTransport, UnixMillis};
use proptest::prelude::*;

use crate::stub::{Play, Stub};
use crate::support::{impatient, submit, twilio, webhook};

/// Text that looks like what is expected, more or less.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,60}",
        "(https|http|x)://[a@:\\[\\]0-9/?#%.]{0,30}",
        "(v1,[A-Za-z0-9+/=]{0,48} ?){0,3}",
        "[0-9]{0,22}"
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let form = "((MessageSid|MessageStatus|%[0-9a-f]{0,2}|\\PC)=?(sent|SM1|[%+&=\\PC]){0,5}&?){0,6}";
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), form.prop_map(String::into_bytes)]
}

proptest! {
    #[test]
    fn no_report_of_a_stranger_is_believed(url in text(), one in text(), two in text(), body in body(), now: u64) {
        let names = ["x-twilio-signature", "webhook-id", "webhook-signature"];
        let mut headers = names.map(|name| (name, one.as_str())).to_vec();
        headers.push(("webhook-timestamp", two.as_str()));
        let callback = SmsCallback { url: &url, headers: &headers, body: &body, now: UnixMillis(now) };
        prop_assert!(twilio("http://localhost", impatient()).callback(&callback).is_err());
        prop_assert!(webhook("http://localhost", impatient()).callback(&callback).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_answer_is_an_outcome(start in "(HTTP/1.1 [0-9]{3} \\PC{0,5}\r\n)?", rest in body()) {
        let stub = Stub::playing(Play::CutOff([start.as_bytes(), &rest].concat()));
        let _ = submit(&*twilio(&stub.url(), impatient()));
        let _ = submit(&*webhook(&stub.url(), impatient()));
        prop_assert_eq!(stub.seen().len(), 2);
    }
}
