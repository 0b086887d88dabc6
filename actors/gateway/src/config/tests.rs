//! Sources of settings, their order, and where the server may listen.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Result<Layer, ConfigError> {
    Layer::from_environment(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
}

fn file(text: &str) -> Result<Layer, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    Layer::from_file(&path)
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let of = |port: u16| Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let flag = Layer { listen: of(1), ..Layer::default() };
    let variable = environment(&[("COUNTERSIGN_LISTEN", "127.0.0.1:2"), ("COUNTERSIGN_POLICY", "modern")]).unwrap();
    let file = file("listen = '127.0.0.1:3'\npolicy = 'strict'\nissuer = 'Acme'\nallow-plain-http = true").unwrap();
    let settled = flag.or(variable.clone()).or(file.clone()).settle().unwrap();
    assert_eq!((Some(settled.listen), settled.policy), (of(1), Preset::Modern));
    assert_eq!((settled.issuer.as_deref(), settled.allow_plain_http), (Some("Acme"), true));
    assert_eq!((settled.data, settled.log), (PathBuf::from(DATA_DEFAULT), LogLevel::Info));
    assert_eq!(Some(variable.or(file.clone()).settle().unwrap().listen), of(2));
    assert_eq!(Some(file.settle().unwrap().listen), of(3));
    assert_eq!(Layer::default().settle().unwrap().listen, LISTEN_DEFAULT);
}

#[test]
fn every_variable_is_read() {
    let layer = environment(&[
        ("COUNTERSIGN_DATA", "d"),
        ("COUNTERSIGN_LISTEN", "[::1]:0"),
        ("COUNTERSIGN_TLS_CERT", "c"),
        ("COUNTERSIGN_TLS_KEY", "k"),
        ("COUNTERSIGN_ALLOW_PLAIN_HTTP", "true"),
        ("COUNTERSIGN_POLICY", "strict"),
        ("COUNTERSIGN_ISSUER", "Acme"),
        ("COUNTERSIGN_PUBLIC_ORIGIN", "https://console.example.com/"),
        ("COUNTERSIGN_TRUSTED_PROXY", "10.0.0.1"),
        ("COUNTERSIGN_KEY_ATTESTATION_ROOTS", "r"),
        ("COUNTERSIGN_DEVELOPMENT_TRANSPORTS", "true"),
        ("COUNTERSIGN_LOG", "debug"),
    ])
    .unwrap();
    assert!(layer.data.is_some() && layer.listen.is_some() && layer.tls_cert.is_some());
    assert!(layer.tls_key.is_some() && layer.issuer.is_some());
    assert_eq!((layer.policy, layer.log), (Some(Preset::Strict), Some(LogLevel::Debug)));
    assert_eq!((layer.allow_plain_http, layer.development_transports), (Some(true), Some(true)));
    assert!(layer.key_attestation_roots.is_some() && layer.trusted_proxy.is_some());
    let settled = layer.settle().unwrap();
    assert_eq!(settled.public_origin.as_deref(), Some("https://console.example.com"));
    assert_eq!(environment(&[("COUNTERSIGN_DATA", "")]).unwrap(), Layer::default());
}

#[test]
fn what_cannot_be_is_named() {
    let error = environment(&[("COUNTERSIGN_POLICY", "lax")]).unwrap_err();
    assert_eq!(error.to_string(), "environment variable COUNTERSIGN_POLICY is `lax`, which it cannot be");
    assert!(environment(&[("COUNTERSIGN_LISTEN", "nowhere")]).is_err());
    assert!(file("lisen = '127.0.0.1:3'").unwrap_err().to_string().contains("unknown field"));
    assert!(file("listen = 3").is_err() && file("[").is_err());
    assert!(Layer::from_file(Path::new("/nonexistent/c.toml")).is_err());
    let alone = Layer { tls_cert: Some("c".into()), ..Layer::default() };
    assert!(alone.settle().is_err());
    let colon = Layer { issuer: Some("a:b".into()), ..Layer::default() };
    assert!(colon.settle().is_err());
}

#[test]
fn beyond_loopback_only_with_tls_or_consent() {
    let settings = |listen: &str, tls: bool, allow: bool| {
        let tls_file = tls.then(|| PathBuf::from("f"));
        let layer = Layer {
            listen: Some(listen.parse().unwrap()),
            tls_cert: tls_file.clone(),
            tls_key: tls_file,
            allow_plain_http: Some(allow),
            ..Layer::default()
        };
        layer.settle().unwrap().check_listen()
    };
    for loopback in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert_eq!(settings(loopback, false, false), Ok(()), "{loopback}");
    }
    for beyond in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
        let error = settings(beyond, false, false).unwrap_err().to_string();
        assert!(error.contains("--tls-cert") && error.contains("--allow-plain-http"), "{error}");
        assert_eq!((settings(beyond, true, false), settings(beyond, false, true)), (Ok(()), Ok(())));
    }
}

#[test]
fn codes_are_shown_on_loopback_alone() {
    let judged = |listen: &str| {
        let listen = Some(listen.parse().unwrap());
        let layer =
            Layer { listen, development_transports: Some(true), allow_plain_http: Some(true), ..Layer::default() };
        layer.settle().unwrap().check_listen()
    };
    assert_eq!(judged("127.0.0.1:1"), Ok(()));
    assert!(judged("0.0.0.0:1").unwrap_err().to_string().contains("--development-transports"));
    let called = |origin: &str| {
        let public_origin = Some(origin.to_owned());
        let layer = Layer { public_origin, development_transports: Some(true), ..Layer::default() };
        layer.settle().unwrap().check_listen()
    };
    assert_eq!(called("https://localhost:8443"), Ok(()));
    for origin in ["https://console.example.com", "https://localhost.example.com", "https://127.0.0.1.example.com"] {
        assert!(called(origin).unwrap_err().to_string().contains(origin), "behind a proxy it is everybody's");
    }
}

#[test]
fn this_machine_has_three_names() {
    for own in ["localhost", "LOCALHOST:7617", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:7617"] {
        assert!(is_this_machine(own), "{own}");
    }
    for other in ["", "localhost.", "localhosts", "evil.example", "localhost:evil", "127.0.0.1.evil.example", "::1"] {
        assert!(!is_this_machine(other), "{other}");
    }
}

#[test]
fn places_for_checkpoints_are_named_in_the_file_alone() {
    let settled =
        file("[anchor]\norigin = 'example.com/mfa'\ndirectories = ['/mnt/a', '/mnt/b']\nevery_s = 5").unwrap().settle();
    let anchor = settled.unwrap().anchor.unwrap();
    let mut config = crate::engine::Config::default();
    anchor.govern(&mut config).unwrap();
    assert_eq!((config.origin.as_deref(), config.anchors.len()), (Some("example.com/mfa"), 2));
    assert_eq!(config.limits.anchor_every, std::time::Duration::from_secs(5));
    for bad in ["directories = ['a']", "every-s = 0", "every-s = 86401"] {
        assert!(file(&format!("[anchor]\n{bad}")).unwrap().settle().is_err(), "{bad}");
    }
    assert!(file("[anchor]\nwhere = 'there'").is_err());
}

#[cfg(feature = "witness")]
#[test]
fn a_witness_is_an_anchor_and_its_key_and_address_are_checked_at_the_start() {
    let governed = |url: &str, key: &str| {
        let text = format!("[anchor]\ndirectories = ['/mnt/a']\n[[anchor.witness]]\nurl = '{url}'\nkey = '{key}'");
        let mut config = crate::engine::Config::default();
        let anchor = file(&text).unwrap().settle().unwrap().anchor.unwrap();
        anchor.govern(&mut config).map(|()| config.anchors.iter().map(|anchor| anchor.name().to_owned()).collect())
    };
    let key = countersign_witness::example_key();
    let names: Vec<String> = governed("https://witness.example/submit", &key).unwrap();
    assert_eq!(names.last().map(String::as_str), Some("witness.example/w1"));
    for (url, key) in [("http://witness.example", key.as_str()), ("https://witness.example", "w1+00+AA")] {
        let error = governed(url, key).unwrap_err();
        assert!(error.contains(url), "{error}");
    }
}

#[test]
fn what_is_wrong_is_told_in_plain_characters() {
    for text in ["policy = \"\\u001b[31mred\"", "\"\\u009b\" = 1", "[sms]\n\"\\u007f\" = 1", "listen = \"\\n\""] {
        let told = file(text).unwrap_err().to_string();
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }
    let told = environment(&[("COUNTERSIGN_POLICY", "\u{1b}[31m")]).unwrap_err().to_string();
    assert!(told.contains("\\u{1b}[31m"), "{told:?}");
}
