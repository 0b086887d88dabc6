//! Settings: from the command line, the environment, a file, and defaults, in this order.
//!
//! | flag | environment | file | default |
//! |---|---|---|---|
//! | `--config` | `COUNTERSIGN_CONFIG` | | none |
//! | `--data` | `COUNTERSIGN_DATA` | `data` | `countersign-data` in the current folder |
//! | `--listen` | `COUNTERSIGN_LISTEN` | `listen` | `127.0.0.1:7617` |
//! | `--tls-cert` | `COUNTERSIGN_TLS_CERT` | `tls-cert` | none |
//! | `--tls-key` | `COUNTERSIGN_TLS_KEY` | `tls-key` | none |
//! | `--allow-plain-http` | `COUNTERSIGN_ALLOW_PLAIN_HTTP` | `allow-plain-http` | `false` |
//! | `--policy` | `COUNTERSIGN_POLICY` | `policy` | `classic` |
//! | `--issuer` | `COUNTERSIGN_ISSUER` | `issuer` | the engine's |
//! | `--public-origin` | `COUNTERSIGN_PUBLIC_ORIGIN` | `public-origin` | `http://localhost:PORT` |
//! | `--trusted-proxy` | `COUNTERSIGN_TRUSTED_PROXY` | `trusted-proxy` | none |
//! | `--key-attestation-roots` | `COUNTERSIGN_KEY_ATTESTATION_ROOTS` | `key-attestation-roots` | none |
//! | `--development-transports` | `COUNTERSIGN_DEVELOPMENT_TRANSPORTS` | `development-transports` | `false` |
//! | `--log` | `COUNTERSIGN_LOG` | `log` | `info` |
//! | | | `[sms]`, see [`SmsSettings`] | no codes by SMS |
//! | | | `[anchor]`, see [`AnchorSettings`] | checkpoints are kept beside the log alone |
//!
//! In the file, a name may be written with hyphens or with underscores.

mod anchor;
mod sms;

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use serde::Deserialize;
use toml::{Table, Value};

pub use self::anchor::{AnchorSettings, WitnessSettings};
pub use self::sms::{
    GatewaySettings, SmppSettings, SmsRouteSettings, SmsSettings, SnsSettings, TwilioSettings, WebhookSettings,
};
use crate::engine::Policy;

/// Where the store is, when nothing says otherwise: in sight, in the current folder.
pub const DATA_DEFAULT: &str = "countersign-data";
/// Where the server listens, when nothing says otherwise.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7617);
/// The largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The longest name of an issuer, in characters.
const ISSUER_CHARS_MAX: usize = 64;

/// A set of rules to start from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The rules of 2019-20: one device of any kind for each user.
    Classic,
    /// The rules since November 2022: up to eight devices, changed in sessions with MFA.
    Modern,
    /// Safety over fidelity: fresh pairs only, and codes only forwards.
    Strict,
}

impl Preset {
    /// The rules.
    #[must_use]
    pub const fn policy(self) -> Policy {
        match self {
            Self::Classic => Policy::classic(),
            Self::Modern => Policy::modern(),
            Self::Strict => Policy::strict(),
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Failures of the server.
    Error,
    /// And what may become one.
    Warn,
    /// And a line for every request.
    Info,
    /// And what helps to find a fault.
    Debug,
}

impl LogLevel {
    /// The level for the log writer.
    #[must_use]
    pub const fn level(self) -> tracing::Level {
        match self {
            Self::Error => tracing::Level::ERROR,
            Self::Warn => tracing::Level::WARN,
            Self::Info => tracing::Level::INFO,
            Self::Debug => tracing::Level::DEBUG,
        }
    }
}

/// Settings of one source; what it does not say is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, clap::Args)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Layer {
    /// Folder of the store [default: countersign-data] [env: COUNTERSIGN_DATA]
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:7617] [env: COUNTERSIGN_LISTEN]
    #[arg(long, value_name = "ADDR:PORT", global = true)]
    pub listen: Option<SocketAddr>,
    /// Certificate chain in PEM [env: COUNTERSIGN_TLS_CERT]
    #[arg(long, value_name = "FILE", global = true)]
    pub tls_cert: Option<PathBuf>,
    /// Private key in PEM [env: COUNTERSIGN_TLS_KEY]
    #[arg(long, value_name = "FILE", global = true)]
    pub tls_key: Option<PathBuf>,
    /// Listen without TLS beyond loopback, behind something that speaks TLS [env: COUNTERSIGN_ALLOW_PLAIN_HTTP]
    #[arg(long, global = true, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", require_equals = true)]
    pub allow_plain_http: Option<bool>,
    /// Set of rules [default: classic] [env: COUNTERSIGN_POLICY]
    #[arg(long, value_enum, value_name = "PRESET", global = true)]
    pub policy: Option<Preset>,
    /// Name that authenticator apps show [env: COUNTERSIGN_ISSUER]
    #[arg(long, value_name = "NAME", global = true)]
    pub issuer: Option<String>,
    /// How browsers call the console: scheme, domain and port; security keys are bound to the domain [default: http://localhost:PORT] [env: COUNTERSIGN_PUBLIC_ORIGIN]
    #[arg(long, value_name = "URL", global = true)]
    pub public_origin: Option<String>,
    /// Address of the proxy in front of the console; whom it names last in X-Forwarded-For is then the client [env: COUNTERSIGN_TRUSTED_PROXY]
    #[arg(long, value_name = "ADDR", global = true)]
    pub trusted_proxy: Option<IpAddr>,
    /// Certificates in PEM; new security keys must attest to one of them [env: COUNTERSIGN_KEY_ATTESTATION_ROOTS]
    #[arg(long, value_name = "FILE", global = true)]
    pub key_attestation_roots: Option<PathBuf>,
    /// Send nothing, and show codes and mails at /console/development: for development, on loopback only [env: COUNTERSIGN_DEVELOPMENT_TRANSPORTS]
    #[arg(long, global = true, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", require_equals = true)]
    pub development_transports: Option<bool>,
    /// How much is logged, on standard error [default: info] [env: COUNTERSIGN_LOG]
    #[arg(long, value_enum, value_name = "LEVEL", global = true)]
    pub log: Option<LogLevel>,
    /// Codes by SMS: in the file alone.
    #[arg(skip)]
    pub sms: Option<SmsSettings>,
    /// Where the log's checkpoints are kept outside: in the file alone.
    #[arg(skip)]
    pub anchor: Option<AnchorSettings>,
}

/// The settings that hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Folder of the store.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate chain and private key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Set of rules.
    pub policy: Preset,
    /// Name that authenticator apps show.
    pub issuer: Option<String>,
    /// How browsers call the console, without a slash at its end.
    pub public_origin: Option<String>,
    /// The proxy whose word on a client's address counts.
    pub trusted_proxy: Option<IpAddr>,
    /// Certificates to which new security keys must attest.
    pub key_attestation_roots: Option<PathBuf>,
    /// Nothing is sent; what would be is shown.
    pub development_transports: bool,
    /// How much is logged.
    pub log: LogLevel,
    /// Plain HTTP beyond loopback is wanted.
    pub allow_plain_http: bool,
    /// Codes by SMS.
    pub sms: Option<SmsSettings>,
    /// Where the log's checkpoints are kept outside.
    pub anchor: Option<AnchorSettings>,
}

/// Why the settings do not work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(String);

/// In one line, without a character that a terminal would obey: what a file says is quoted in it.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => f.write_char(c),
        })
    }
}

impl std::error::Error for ConfigError {}

impl Layer {
    /// The settings that environment variables make, found by their names.
    ///
    /// # Errors
    /// When a variable has a value that its setting cannot have.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        fn parsed<T: FromStr>(name: &str, value: Option<String>) -> Result<Option<T>, ConfigError> {
            let parse = |text: String| {
                text.parse()
                    .map_err(|_| ConfigError(format!("environment variable {name} is `{text}`, which it cannot be")))
            };
            value.map(parse).transpose()
        }
        fn chosen<T: ValueEnum>(name: &str, value: Option<String>) -> Result<Option<T>, ConfigError> {
            let choose = |text: String| {
                T::from_str(&text, false)
                    .map_err(|_| ConfigError(format!("environment variable {name} is `{text}`, which it cannot be")))
            };
            value.map(choose).transpose()
        }
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        Ok(Self {
            data: get("COUNTERSIGN_DATA").map(PathBuf::from),
            listen: parsed("COUNTERSIGN_LISTEN", get("COUNTERSIGN_LISTEN"))?,
            tls_cert: get("COUNTERSIGN_TLS_CERT").map(PathBuf::from),
            tls_key: get("COUNTERSIGN_TLS_KEY").map(PathBuf::from),
            allow_plain_http: parsed("COUNTERSIGN_ALLOW_PLAIN_HTTP", get("COUNTERSIGN_ALLOW_PLAIN_HTTP"))?,
            policy: chosen("COUNTERSIGN_POLICY", get("COUNTERSIGN_POLICY"))?,
            issuer: get("COUNTERSIGN_ISSUER"),
            public_origin: get("COUNTERSIGN_PUBLIC_ORIGIN"),
            trusted_proxy: parsed("COUNTERSIGN_TRUSTED_PROXY", get("COUNTERSIGN_TRUSTED_PROXY"))?,
            key_attestation_roots: get("COUNTERSIGN_KEY_ATTESTATION_ROOTS").map(PathBuf::from),
            development_transports: parsed(
                "COUNTERSIGN_DEVELOPMENT_TRANSPORTS",
                get("COUNTERSIGN_DEVELOPMENT_TRANSPORTS"),
            )?,
            log: chosen("COUNTERSIGN_LOG", get("COUNTERSIGN_LOG"))?,
            sms: None,
            anchor: None,
        })
    }

    /// The settings of a file.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, is no TOML or has a setting that is not known.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display();
        let unreadable = |error: std::io::Error| ConfigError(format!("cannot read {shown}: {error}"));
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(ConfigError(format!("{shown} has more than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let table: Table =
            toml::from_str(&text).map_err(|error| ConfigError(format!("cannot read {shown}: {}", error.message())))?;
        let table = hyphenated(table).map_err(|name| ConfigError(format!("{shown} says `{name}` twice")))?;
        table.try_into().map_err(|error| ConfigError(format!("cannot read {shown}: {}", in_one_line(&error))))
    }

    /// These settings, and where they are silent, those of another source.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            data: self.data.or(other.data),
            listen: self.listen.or(other.listen),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            allow_plain_http: self.allow_plain_http.or(other.allow_plain_http),
            policy: self.policy.or(other.policy),
            issuer: self.issuer.or(other.issuer),
            public_origin: self.public_origin.or(other.public_origin),
            trusted_proxy: self.trusted_proxy.or(other.trusted_proxy),
            key_attestation_roots: self.key_attestation_roots.or(other.key_attestation_roots),
            development_transports: self.development_transports.or(other.development_transports),
            log: self.log.or(other.log),
            sms: self.sms.or(other.sms),
            anchor: self.anchor.or(other.anchor),
        }
    }

    /// Fills in the defaults.
    ///
    /// # Errors
    /// When settings do not fit each other.
    pub fn settle(self) -> Result<Settings, ConfigError> {
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(ConfigError("--tls-cert and --tls-key go together".into())),
        };
        if let Some(issuer) = &self.issuer {
            let fits = (1..=ISSUER_CHARS_MAX).contains(&issuer.chars().count());
            if !fits || issuer.contains(':') || issuer.chars().any(char::is_control) {
                let text = format!("the issuer `{issuer}` is not 1 to {ISSUER_CHARS_MAX} characters without a colon");
                return Err(ConfigError(text));
            }
        }
        if let Some(sms) = &self.sms {
            sms.check().map_err(ConfigError)?;
            if self.development_transports == Some(true) && !sms.route.is_empty() {
                let text = "development-transports send nothing: they and [[sms.route]] exclude each other";
                return Err(ConfigError(text.into()));
            }
        }
        self.anchor.as_ref().map_or(Ok(()), AnchorSettings::check).map_err(ConfigError)?;
        Ok(Settings {
            data: self.data.unwrap_or_else(|| DATA_DEFAULT.into()),
            listen: self.listen.unwrap_or(LISTEN_DEFAULT),
            tls,
            policy: self.policy.unwrap_or(Preset::Classic),
            issuer: self.issuer,
            public_origin: self.public_origin.map(|origin| origin.trim_end_matches('/').to_owned()),
            trusted_proxy: self.trusted_proxy,
            key_attestation_roots: self.key_attestation_roots,
            development_transports: self.development_transports.unwrap_or(false),
            log: self.log.unwrap_or(LogLevel::Info),
            allow_plain_http: self.allow_plain_http.unwrap_or(false),
            sms: self.sms,
            anchor: self.anchor,
        })
    }
}

impl Settings {
    /// Refuses to speak plain HTTP where others could listen in (R214: HTTPS only).
    ///
    /// # Errors
    /// When the address is not loopback, and neither TLS nor the explicit consent is there; or when codes would be
    /// shown to others.
    pub fn check_listen(&self) -> Result<(), ConfigError> {
        let loopback = self.listen.ip().to_canonical().is_loopback();
        if self.development_transports && !loopback {
            return Err(ConfigError(format!(
                "refusing --development-transports on {}: it shows codes to whoever asks, so it listens on loopback alone",
                self.listen
            )));
        }
        if let Some(origin) = self.public_origin.as_deref().filter(|origin| !is_local(origin))
            && self.development_transports
        {
            return Err(ConfigError(format!(
                "refusing --development-transports with --public-origin {origin}: it shows codes to whoever asks, so \
                 browsers call it by localhost alone"
            )));
        }
        if loopback || self.tls.is_some() || self.allow_plain_http {
            return Ok(());
        }
        Err(ConfigError(format!(
            "refusing to listen on {} without TLS: give --tls-cert and --tls-key, \
             or --allow-plain-http when something in front of this server speaks TLS",
            self.listen
        )))
    }
}

/// The same with hyphens in names; the error is a name that is there in both spellings.
fn hyphenated(table: Table) -> Result<Table, String> {
    fn value_of(value: Value) -> Result<Value, String> {
        Ok(match value {
            Value::Table(table) => Value::Table(hyphenated(table)?),
            Value::Array(values) => Value::Array(values.into_iter().map(value_of).collect::<Result<_, _>>()?),
            other => other,
        })
    }
    let mut with_hyphens = Table::new();
    for (name, value) in table {
        let name = name.replace('_', "-");
        if with_hyphens.insert(name.clone(), value_of(value)?).is_some() {
            return Err(name);
        }
    }
    Ok(with_hyphens)
}

/// What a reader of TOML has to say, and of which setting.
fn in_one_line(error: &toml::de::Error) -> String {
    error.to_string().trim().replace('\n', " ")
}

/// Whether an origin is this very machine.
fn is_local(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| is_this_machine(authority))
}

/// Whether a host, with a port or without one, is this very machine by its own names.
pub(crate) fn is_this_machine(authority: &str) -> bool {
    let port = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, text)) if port(text) => host,
        _ => authority,
    };
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]"
}

#[cfg(test)]
mod tests;
