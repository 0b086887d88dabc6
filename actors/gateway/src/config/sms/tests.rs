//! What the file may say of SMS, and what it is told otherwise.

use std::path::Path;

use super::*;
use crate::config::{ConfigError, Layer, Settings};

fn file(text: &str) -> Result<Settings, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    Layer::from_file(&path)?.settle()
}

fn sms(text: &str) -> SmsSettings {
    file(text).unwrap().sms.unwrap()
}

fn refused(text: &str) -> String {
    file(text).unwrap_err().to_string()
}

const ALL: &str = r#"
public-origin = "https://mfa.example.com"

[sms]
service = "Example"
countries = ["DE", "us"]
currency = "EUR"
spend_max = 12.5
number_max = 5
prefix-max = 6
country-max = 7
account-max = 8
conversion-sample = 20
conversion-min-percent = 30
block-s = 3600

[[sms.route]]
name = "smsc"
kind = "smpp"
prefixes = ["+49"]
price = 0.0075
per_second = 20
window = 30
timeout_s = 5
address = "smpps://smsc.example.com:3550"
system-id = "countersign"
password_file = "/run/secrets/smpp"
source = "Example"
bind = "separate"
ids = "hex-in-response"

[[sms.route]]
name = "twilio"
kind = "twilio"
account-sid = "AC"
auth-token-file = "t"
from = "+14155552345"
max-price = "0.05"

[[sms.route]]
name = "hook"
kind = "webhook"
url = "https://sms.example.com/"
secret-file = "s"

[[sms.route]]
name = "cloud"
kind = "sns"
region = "eu-central-1"
access-key-id = "AKIDEXAMPLE"
secret-access-key-file = "k"
"#;

#[test]
fn a_whole_file_is_read_with_hyphens_and_underscores() {
    let sms = sms(ALL);
    let [smsc, twilio, hook, cloud] = &sms.route[..] else { panic!("{sms:?}") };
    assert_eq!((smsc.price.micros, smsc.per_second, smsc.window, smsc.timeout_s), (7_500, 20, 30, 5));
    assert_eq!(smsc.prefixes, ["+49"]);
    let GatewaySettings::Smpp(smpp) = &smsc.gateway else { panic!("{smsc:?}") };
    assert_eq!(smpp.password_file, Path::new("/run/secrets/smpp"));
    assert_eq!((smpp.bind.as_deref(), smpp.ids.as_deref()), (Some("separate"), Some("hex-in-response")));
    let GatewaySettings::Twilio(settings) = &twilio.gateway else { panic!("{twilio:?}") };
    assert_eq!(settings.max_price, Some(Money { micros: 50_000 }));
    assert_eq!((hook.price.micros, hook.per_second, hook.window, hook.timeout_s), (0, 50, 10, 10));
    assert!(matches!((&hook.gateway, &cloud.gateway), (GatewaySettings::Webhook(_), GatewaySettings::Sns(_))));
}

#[test]
fn the_example_of_the_readme_is_read() {
    let readme = include_str!("../../../../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let sms = sms(rest.split_once("```").unwrap().0);
    assert_eq!((sms.route.len(), sms.route[0].price.micros), (1, 7_500));
    assert!(sms.text(None, Some("https://console.example.com")).is_ok());
}

#[test]
fn the_rules_of_the_deployment_are_what_the_file_says() {
    let mut policy = Policy::modern();
    sms(ALL).govern(&mut policy).unwrap();
    let country = |text| Country::parse(text).unwrap();
    assert!(policy.sms_countries.contains(country("DE")) && policy.sms_countries.contains(country("US")));
    assert!(!policy.sms_countries.contains(country("FR")));
    let budgets = [policy.sms_number_max, policy.sms_prefix_max, policy.sms_country_max, policy.sms_account_max];
    assert_eq!((policy.sms_spend_max_micros, budgets), (12_500_000, [5, 6, 7, 8]));
    let alarm = (policy.sms_conversion_sample, policy.sms_conversion_min_percent, policy.sms_block_s);
    assert_eq!(alarm, (20, 30, 3600));
    let mut policy = Policy::classic();
    sms("[sms]").govern(&mut policy).unwrap();
    assert_eq!(policy, Policy::classic());
    sms("[sms]\ncountries = []").govern(&mut policy).unwrap();
    assert_eq!(policy.sms_countries, Countries::NONE);
}

#[test]
fn codes_are_bound_to_the_site_where_there_is_a_name_on_the_usual_port() {
    let host = |origin| sms("[sms]").text(None, origin).unwrap().host;
    assert_eq!(host(Some("https://mfa.example.com")).as_deref(), Some("mfa.example.com"));
    assert_eq!(host(Some("https://mfa.example.com:443")).as_deref(), Some("mfa.example.com"));
    for none in [None, Some("http://localhost:7617"), Some("https://mfa.example.com:8443"), Some("https://[::1]")] {
        assert_eq!(host(none), None, "{none:?}");
    }
    let origin = Some("https://mfa.example.com");
    assert_eq!(sms("[sms]\nhost = 'a.example'").text(None, origin).unwrap().host.as_deref(), Some("a.example"));
    assert_eq!(sms("[sms]\nhost = ''").text(None, origin).unwrap().host, None);
    assert_eq!(sms("[sms]").text(Some("Acme"), None).unwrap().service, "Acme");
    let error = sms("[sms]").text(Some(&"x".repeat(33)), None).unwrap_err();
    assert!(error.contains("`service`"), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_its_field_and_its_route() {
    let route = |text: &str| format!("[[sms.route]]\nname = 'main'\n{text}");
    let smpp = "kind = 'smpp'\naddress = 'a'\nsystem-id = 'i'\npassword-file = 'p'\nsource = 's'";
    assert!(file(&route(smpp)).is_ok());
    for (text, parts) in [
        ("[sms]\nservise = 'x'".to_owned(), &["unknown field", "servise"][..]),
        ("[sms]\ncountries = ['DEU']".to_owned(), &["`countries`", "`DEU`"]),
        ("[sms]\ncountries = ['UK']".to_owned(), &["`countries`", "`GB`"]),
        ("[sms]\ncurrency = 'euro'".to_owned(), &["`currency`", "`euro`"]),
        ("[sms]\nspend-max = -1".to_owned(), &["spend-max", "-1"]),
        ("[sms]\nspend-max = 0.0000001".to_owned(), &["spend-max", "six decimals"]),
        ("[sms]\nnumber-max = 0".to_owned(), &["`number-max` is 0", "1 to 1000"]),
        ("[sms]\nconversion-min-percent = 101".to_owned(), &["`conversion-min-percent` is 101"]),
        ("[sms]\nspend-max = 1\nspend_max = 2".to_owned(), &["says `spend-max` twice"]),
        ("[[sms.route]]\nkind = 'smpp'".to_owned(), &["SMS route number 1", "`name`"]),
        (route("kind = 'pigeon'"), &["SMS route `main`", "pigeon"]),
        (route("price = 1"), &["SMS route `main`", "`kind`"]),
        (route("kind = 'webhook'\nurl = 'u'"), &["SMS route `main`", "`secret-file`"]),
        (route("kind = 'webhook'\nurl = 'u'\nsecret = 'hunter2'"), &["SMS route `main`", "`secret`"]),
        (route(&format!("{smpp}\npassword = 'hunter2'")), &["SMS route `main`", "`password`"]),
        (route(&format!("{smpp}\nwindow = 0")), &["SMS route `main`", "`window` is 0, outside 1 to 1000"]),
        (route(&format!("{smpp}\ntimeout-s = 61")), &["SMS route `main`", "`timeout-s` is 61"]),
        (route(&format!("{smpp}\nper-second = 'x'")), &["SMS route `main`", "per-second"]),
        (route(&format!("{smpp}\nprice = 1e7")), &["SMS route `main`", "`price`"]),
        (format!("development-transports = true\n{}", route(smpp)), &["exclude each other"]),
    ] {
        let error = refused(&text);
        assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
    }
}
