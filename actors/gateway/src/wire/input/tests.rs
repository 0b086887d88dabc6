use super::*;
use crate::wire::{Input, Operation, Params};

fn read(operation: Operation, form: &str) -> Result<Input, String> {
    let params = Params::parse(form.as_bytes()).unwrap();
    Input::read(operation, &params).map_err(|error| error.to_string())
}

fn refusal(operation: Operation, form: &str) -> String {
    read(operation, form).unwrap_err()
}

#[test]
fn texts_of_creation() {
    let text = |form: &str| refusal(Operation::CreateVirtualMFADevice, form);
    let bad_path = format!("ValidationError: {PATH_TEXT}");
    for path in ["a", "%2Fa", "a%2F", "%2F%2F", "%2Fa+b%2F", "%2F%C3%BC%2F"] {
        assert_eq!(text(&format!("VirtualMFADeviceName=x&Path={path}")), bad_path, "{path}");
    }
    let long = format!("VirtualMFADeviceName=x&Path=%2F{}%2F", "a".repeat(511));
    assert_eq!(
        text(&long),
        "ValidationError: 1 validation error detected: Value at 'path' failed to satisfy constraint: Member must have length less than or equal to 512"
    );
    for name in ["%C3%BCx", "a+b", "a%2Fb", "a%00"] {
        assert_eq!(
            text(&format!("VirtualMFADeviceName={name}")),
            "ValidationError: The specified value for virtualMFADeviceName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        );
    }
    assert!(text("Path=%2F").contains("Value null at 'virtualMFADeviceName'"));
    let name = "n".repeat(129);
    assert!(text(&format!("VirtualMFADeviceName={name}")).contains("equal to 128"));
    let path = format!("%2F{}%2F", "p".repeat(198));
    let long = format!("VirtualMFADeviceName={}&Path={path}", "n".repeat(28));
    assert!(text(&long).contains("equal to 27"), "{}", text(&long));
}

#[test]
fn good_paths_pass_and_default() {
    for (path, want) in [("", "/"), ("&Path=%2Fteam%2F", "/team/"), ("&Path=%2Fa%2F%2Fb%2F", "/a//b/")] {
        let input = read(Operation::CreateVirtualMFADevice, &format!("VirtualMFADeviceName=x{path}"));
        let Ok(Input::CreateVirtualMFADevice(input)) = input else { panic!("{input:?}") };
        assert_eq!((&*input.path, input.tags), (want, None));
    }
}

#[test]
fn codes_have_six_digits() {
    let form = |one: &str| {
        format!("UserName=a&SerialNumber=GAHT12345678&AuthenticationCode1={one}&AuthenticationCode2=654321")
    };
    for operation in [Operation::EnableMFADevice, Operation::ResyncMFADevice] {
        assert!(read(operation, &form("012345")).is_ok());
        assert_eq!(
            refusal(operation, &form("12345a")),
            "ValidationError: 1 validation error detected: Value at 'authenticationCode1' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]+"
        );
        for bad in
            ["", "12345", "1234567", "+12345", "12+456", "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"]
        {
            assert!(refusal(operation, &form(bad)).contains("'authenticationCode1'"), "{bad}");
        }
    }
    let nothing = refusal(Operation::EnableMFADevice, "");
    assert!(nothing.starts_with("ValidationError: 4 validation errors detected: Value null at 'userName'"));
}

#[test]
fn sessions_quote_their_values() {
    let text = |form: &str| refusal(Operation::GetSessionToken, form);
    assert_eq!(
        text("SerialNumber=GAHT12345678&TokenCode=12345"),
        "ValidationError: 1 validation error detected: Value '12345' at 'tokenCode' failed to satisfy constraint: Member must have length greater than or equal to 6"
    );
    assert!(text("DurationSeconds=899").contains("Value '899' at 'durationSeconds'"));
    assert!(text("DurationSeconds=129601").contains("less than or equal to 129600"));
    assert!(text("DurationSeconds=1e3").starts_with("MalformedInput"));
}

#[test]
fn tags_are_checked_whole() {
    let text = |tags: &str| refusal(Operation::CreateVirtualMFADevice, &format!("VirtualMFADeviceName=x&{tags}"));
    assert!(text("Tags.member.1.Key=aws:x&Tags.member.1.Value=").starts_with("InvalidInput"));
    assert!(
        text("Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=a&Tags.member.2.Value=2")
            .starts_with("InvalidInput")
    );
    assert!(text("Tags.member.1.Key=a").contains("Value null at 'tags.1.member.value'"));
    assert!(text("Tags.member.0.Key=a").starts_with("MalformedInput: 0 is not"));
    let many: Vec<_> = (1..=51).map(|n| format!("Tags.member.{n}.Key={n}&Tags.member.{n}.Value=v")).collect();
    assert!(text(&many.join("&")).contains("'tags'"));
}

#[test]
fn debug_hides_codes() {
    let form = "UserName=a&SerialNumber=GAHT12345678&AuthenticationCode1=918273&AuthenticationCode2=654321";
    let shown = format!("{:?}", read(Operation::EnableMFADevice, form).unwrap());
    assert!(shown.contains("GAHT12345678") && !shown.contains("918273"), "{shown}");
}
