//! Codes by SMS, in the configuration file: what they say, what they may cost, and the routes that carry them.

use std::fmt;
use std::path::PathBuf;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use toml::Table;

use super::in_one_line;
use crate::engine::{Countries, Country, Policy, SmsText};
use crate::money::Money;

/// What a route has whatever its kind.
const COMMON: [&str; 7] = ["name", "kind", "prefixes", "price", "per-second", "window", "timeout-s"];
/// The highest limit of the price of a message: a thousand dollars.
const MAX_PRICE_MAX: Money = Money { micros: 1_000_000_000 };
/// The highest price of a message: a million.
const PRICE_MAX: Money = Money { micros: 1_000_000_000_000 };

/// The table `[sms]`. The budgets are those of an hour.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmsSettings {
    /// What people know the site as; the issuer when absent.
    pub service: Option<String>,
    /// The host at which browsers fill a code in, empty for none; that of the public origin when absent.
    pub host: Option<String>,
    /// The countries that codes are sent to, as `["DE", "US"]`; all when absent.
    pub countries: Option<Vec<String>>,
    /// What prices are in, as `"EUR"`.
    #[serde(default)]
    pub currency: String,
    /// What all codes may cost.
    pub spend_max: Option<Money>,
    /// Codes to one number.
    pub number_max: Option<u32>,
    /// Codes to numbers that differ in their last four digits only.
    pub prefix_max: Option<u32>,
    /// Codes to one country.
    pub country_max: Option<u32>,
    /// Codes of one account.
    pub account_max: Option<u32>,
    /// Codes to a prefix that say enough about it.
    pub conversion_sample: Option<u32>,
    /// Of these, how many in a hundred have to be used.
    pub conversion_min_percent: Option<u8>,
    /// For how long nothing is sent to a prefix otherwise, in seconds.
    pub block_s: Option<u32>,
    /// The tables `[[sms.route]]`.
    #[serde(default, deserialize_with = "routes")]
    pub route: Vec<SmsRouteSettings>,
}

/// A route: what it is called, what goes by it, and the gateway at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmsRouteSettings {
    /// `name`: its name in the log, in reports and in the address of status reports.
    pub name: String,
    /// `prefixes`: the numbers that it carries messages to, as `["+49"]`; none means all.
    pub prefixes: Vec<String>,
    /// `price`: what a message costs, as `0.0075`.
    pub price: Money,
    /// `per-second`: messages in a second, at most; 50 when absent.
    pub per_second: u32,
    /// `window`: messages that are being handed over at once, at most; 10 when absent.
    pub window: u32,
    /// `timeout-s`: for how long an answer is waited for, in seconds; 10 when absent.
    pub timeout_s: u32,
    /// `kind`, and what that kind wants.
    pub gateway: GatewaySettings,
}

/// What is at the end of a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GatewaySettings {
    /// `kind = "smpp"`
    Smpp(Box<SmppSettings>),
    /// `kind = "twilio"`
    Twilio(Box<TwilioSettings>),
    /// `kind = "webhook"`
    Webhook(WebhookSettings),
    /// `kind = "sns"`
    Sns(Box<SnsSettings>),
}

impl GatewaySettings {
    const fn max_price(&self) -> Option<Money> {
        match self {
            Self::Twilio(settings) => settings.max_price,
            Self::Sns(settings) => settings.max_price,
            Self::Smpp(_) | Self::Webhook(_) => None,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Smpp,
    Twilio,
    Webhook,
    Sns,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Common {
    name: String,
    kind: Kind,
    #[serde(default)]
    prefixes: Vec<String>,
    price: Option<Money>,
    per_second: Option<u32>,
    window: Option<u32>,
    timeout_s: Option<u32>,
}

/// An SMSC: `address`, `system-id`, `password-file` and `source`; the rest may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmppSettings {
    /// `smpp://host:port`, or `smpps://host:port` over TLS.
    pub address: String,
    /// Our name there.
    pub system_id: String,
    /// The file with the password in its first line.
    pub password_file: PathBuf,
    /// What kind of system we are.
    #[serde(default)]
    pub system_type: String,
    /// Who the messages come from: a name, a short code or a number.
    pub source: String,
    /// `transceiver`, or `separate` for two binds.
    pub bind: Option<String>,
    /// How the SMSC writes ids of messages: `as-is`, `decimal`, `hex`, `hex-in-response` or `hex-in-receipt`.
    pub ids: Option<String>,
    /// The only certificates that are trusted, in PEM.
    pub roots_file: Option<PathBuf>,
    /// How often the link is tried, in seconds.
    pub enquire_every_s: Option<u32>,
}

/// A Twilio account: `account-sid`, `auth-token-file`, and `from` or `service-sid`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TwilioSettings {
    /// The account.
    pub account_sid: String,
    /// The file with the auth token in its first line.
    pub auth_token_file: PathBuf,
    /// Who sends: a number, a short code or a name.
    pub from: Option<String>,
    /// Who sends: a messaging service.
    pub service_sid: Option<String>,
    /// Where the API is, if it is not at Twilio's usual address.
    pub base_url: Option<String>,
    /// The highest price of a message, in US dollars.
    pub max_price: Option<Money>,
    /// The only certificates that are trusted, in PEM.
    pub roots_file: Option<PathBuf>,
}

/// A signed webhook: `url` and `secret-file`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where messages go.
    pub url: String,
    /// The file with the secrets, one in each line: each signs, and a report that is signed by any is believed.
    pub secret_file: PathBuf,
    /// The only certificates that are trusted, in PEM.
    pub roots_file: Option<PathBuf>,
}

/// A use of Amazon SNS: `region`, `access-key-id` and `secret-access-key-file`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SnsSettings {
    /// The region.
    pub region: String,
    /// The id of the access key.
    pub access_key_id: String,
    /// The file with the secret access key in its first line.
    pub secret_access_key_file: PathBuf,
    /// Where SNS is, if it is not at the region's usual address.
    pub endpoint_url: Option<String>,
    /// The name that the phone shows.
    pub sender_id: Option<String>,
    /// The highest price of a message, in US dollars.
    pub max_price: Option<Money>,
    /// The only certificates that are trusted, in PEM.
    pub roots_file: Option<PathBuf>,
}

fn routes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SmsRouteSettings>, D::Error> {
    let tables = Vec::<Table>::deserialize(deserializer)?;
    let route = |(index, table): (usize, Table)| {
        let name = table.get("name").and_then(|name| name.as_str());
        let shown = name.map_or_else(|| format!("number {}", index + 1), |name| format!("`{name}`"));
        read(table).map_err(|error| D::Error::custom(format!("SMS route {shown}: {error}")))
    };
    tables.into_iter().enumerate().map(route).collect()
}

/// One route. The kind is read first, so that an error is about its settings and not about those of others.
fn read(mut table: Table) -> Result<SmsRouteSettings, String> {
    let common = COMMON.iter().filter_map(|name| Some(((*name).to_owned(), table.remove(*name)?))).collect();
    let Common { name, kind, prefixes, price, per_second, window, timeout_s } = typed(common)?;
    let gateway = match kind {
        Kind::Smpp => GatewaySettings::Smpp(typed(table)?),
        Kind::Twilio => GatewaySettings::Twilio(typed(table)?),
        Kind::Webhook => GatewaySettings::Webhook(typed(table)?),
        Kind::Sns => GatewaySettings::Sns(typed(table)?),
    };
    let price = price.unwrap_or(Money { micros: 0 });
    let (per_second, window, timeout_s) = (per_second.unwrap_or(50), window.unwrap_or(10), timeout_s.unwrap_or(10));
    within("price", price, Money { micros: 0 }, PRICE_MAX)?;
    within("per-second", per_second, 1, 10_000)?;
    within("window", window, 1, 1000)?;
    within("timeout-s", timeout_s, 1, 60)?;
    if let Some(max_price) = gateway.max_price() {
        within("max-price", max_price, Money { micros: 1 }, MAX_PRICE_MAX)?;
    }
    Ok(SmsRouteSettings { name, prefixes, price, per_second, window, timeout_s, gateway })
}

fn typed<T: DeserializeOwned>(table: Table) -> Result<T, String> {
    table.try_into().map_err(|error| in_one_line(&error))
}

fn within<T: PartialOrd + fmt::Display>(field: &str, value: T, min: T, max: T) -> Result<(), String> {
    if (&min..=&max).contains(&&value) { Ok(()) } else { Err(format!("`{field}` is {value}, outside {min} to {max}")) }
}

impl SmsSettings {
    /// Looks at what does not depend on other settings.
    pub(super) fn check(&self) -> Result<(), String> {
        self.served()?;
        let currency = self.currency.as_str();
        let iso = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        if !iso && !currency.is_empty() {
            return Err(format!("[sms]: `currency` is `{currency}`, and not three capital letters such as EUR"));
        }
        let mut policy = Policy::classic();
        self.govern(&mut policy)?;
        let named = |field: &str| field.trim_start_matches("sms_").trim_end_matches("_micros").replace('_', "-");
        policy.check().map_err(|error| {
            format!("[sms]: `{}` is {}, outside {} to {}", named(error.field), error.value, error.min, error.max)
        })
    }

    fn served(&self) -> Result<Countries, String> {
        let Some(countries) = &self.countries else { return Ok(Countries::ALL) };
        countries.iter().try_fold(Countries::NONE, |served, text| match (Country::parse(text), text.as_str()) {
            (_, "UK" | "uk") => Err("[sms]: `countries` has `UK`, which is `GB`".to_owned()),
            (Some(country), _) => Ok(served.with(country)),
            (None, _) => Err(format!("[sms]: `countries` has `{text}`, and not a country of two letters such as DE")),
        })
    }

    /// Makes the rules of the deployment what the file says of them.
    ///
    /// # Errors
    /// When a country is none.
    pub fn govern(&self, policy: &mut Policy) -> Result<(), String> {
        fn set<T>(rule: &mut T, said: Option<T>) {
            if let Some(said) = said {
                *rule = said;
            }
        }
        policy.sms_countries = self.served()?;
        set(&mut policy.sms_spend_max_micros, self.spend_max.map(|max| max.micros));
        set(&mut policy.sms_number_max, self.number_max);
        set(&mut policy.sms_prefix_max, self.prefix_max);
        set(&mut policy.sms_country_max, self.country_max);
        set(&mut policy.sms_account_max, self.account_max);
        set(&mut policy.sms_conversion_sample, self.conversion_sample);
        set(&mut policy.sms_conversion_min_percent, self.conversion_min_percent);
        set(&mut policy.sms_block_s, self.block_s);
        Ok(())
    }

    /// What codes say.
    ///
    /// # Errors
    /// When that is not one SMS.
    pub fn text(&self, issuer: Option<&str>, public_origin: Option<&str>) -> Result<SmsText, String> {
        let service = self.service.as_deref().or(issuer).unwrap_or("Countersign").to_owned();
        let host = match self.host.as_deref() {
            Some(host) => (!host.is_empty()).then(|| host.to_owned()),
            None => public_origin.and_then(host_of_codes),
        };
        let text = SmsText { service, host };
        text.check().map_err(|error| format!("[sms]: {error}; see `service` and `host`"))?;
        Ok(text)
    }
}

/// The host of an origin, where browsers fill codes in: of `https` on its default port, and a name.
fn host_of_codes(origin: &str) -> Option<String> {
    let host = origin.strip_prefix("https://")?;
    let host = host.strip_suffix(":443").unwrap_or(host);
    (!host.contains([':', '/', '['])).then(|| host.to_owned())
}

#[cfg(test)]
mod tests;
