//! The routes of the configuration file as transports, each behind the Cargo feature of its package.

#[cfg(any(feature = "smpp", feature = "sms-http", feature = "sns"))]
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::{SmsRoute, SmsTransport};

use crate::config::{
    GatewaySettings, SmppSettings, SmsRouteSettings, SmsSettings, SnsSettings, TwilioSettings, WebhookSettings,
};
#[cfg(any(feature = "smpp", feature = "sms-http", feature = "sns"))]
use crate::secret_file::first_line;
#[cfg(feature = "sms-http")]
use crate::{secret_file::lines, sms_status::status_url};

/// The routes; `origin` is where gateways can report to.
pub(super) fn routes(sms: &SmsSettings, origin: Option<&str>) -> Result<Vec<SmsRoute>, String> {
    sms.route.iter().map(|route| of(route, origin)).collect()
}

fn of(route: &SmsRouteSettings, origin: Option<&str>) -> Result<SmsRoute, String> {
    let transport = match &route.gateway {
        GatewaySettings::Smpp(settings) => smpp(route, settings),
        GatewaySettings::Twilio(settings) => twilio(route, settings, origin),
        GatewaySettings::Webhook(settings) => webhook(route, settings),
        GatewaySettings::Sns(settings) => sns(route, settings),
    };
    let transport = transport.map_err(|error| format!("SMS route `{}`: {error}", route.name))?;
    Ok(SmsRoute {
        prefixes: route.prefixes.clone(),
        price_micros: route.price.micros,
        per_second_max: route.per_second,
        in_flight_max: route.window,
        submit_time_max: Duration::from_secs(route.timeout_s.into()),
        ..SmsRoute::new(route.name.clone(), transport)
    })
}

/// The longest pause before an SMSC is tried again, in seconds. A code lives for minutes, and its tries for less.
#[cfg(feature = "smpp")]
const SMPP_PAUSE_MAX_S: u64 = 5;

/// What a build without a feature says.
#[cfg(not(all(feature = "smpp", feature = "sms-http", feature = "sns")))]
fn absent(kind: &str, feature: &str) -> Result<Arc<dyn SmsTransport>, String> {
    Err(format!("this build has no `{kind}`; build with `--features {feature}`"))
}

/// A part of the time that an answer may take: the transport is to know how it ended before the engine gives up.
#[cfg(any(feature = "smpp", feature = "sms-http", feature = "sns"))]
fn part_of(route: &SmsRouteSettings, tenths: u32) -> Duration {
    Duration::from_secs(route.timeout_s.into()) * tenths / 10
}

/// An error of a transport with the names that the file has for its settings.
#[cfg(any(feature = "smpp", feature = "sms-http", feature = "sns"))]
fn renamed(error: &impl std::fmt::Display, sender: &str) -> String {
    let names = [
        ("password", "password-file"),
        ("auth_token", "auth-token-file"),
        ("secrets", "secret-file"),
        ("roots_pem", "roots-file"),
        ("credentials", "access-key-id` and `secret-access-key-file"),
        ("enquire_every", "enquire-every-s"),
        ("sender", sender),
    ];
    let text = names
        .into_iter()
        .fold(error.to_string(), |text, (setting, field)| text.replace(&format!("`{setting}`"), &format!("`{field}`")));
    // What is left differs by its hyphens only.
    let inside = |(index, part): (usize, &str)| if index % 2 == 1 { part.replace('_', "-") } else { part.to_owned() };
    text.split('`').enumerate().map(inside).collect::<Vec<_>>().join("`")
}

/// A file whose setting is named when it cannot be used.
#[cfg(any(feature = "smpp", feature = "sms-http", feature = "sns"))]
fn of_file<T>(field: &str, path: &Path, read: fn(&Path) -> Result<T, String>) -> Result<T, String> {
    read(path).map_err(|error| format!("`{field}`: {error}"))
}

#[cfg(any(feature = "smpp", feature = "sms-http", feature = "sns"))]
fn roots_of(path: Option<&Path>) -> Result<Option<String>, String> {
    path.map(|path| of_file("roots-file", path, super::read_roots)).transpose()
}

#[cfg(not(feature = "smpp"))]
fn smpp(_: &SmsRouteSettings, _: &SmppSettings) -> Result<Arc<dyn SmsTransport>, String> {
    absent("smpp", "smpp")
}

#[cfg(feature = "smpp")]
fn smpp(route: &SmsRouteSettings, settings: &SmppSettings) -> Result<Arc<dyn SmsTransport>, String> {
    use countersign_smpp::{BindMode, IdForm, SmppConfig, SmppTransport};

    let bind = match settings.bind.as_deref() {
        None | Some("transceiver") => BindMode::Transceiver,
        Some("separate") => BindMode::Separate,
        Some(other) => return Err(format!("`bind` is `{other}`, and not `transceiver` or `separate`")),
    };
    let ids = match settings.ids.as_deref() {
        None | Some("as-is") => IdForm::AsIs,
        Some("decimal") => IdForm::Decimal,
        Some("hex") => IdForm::Hex,
        Some("hex-in-response") => IdForm::HexInResponse,
        Some("hex-in-receipt") => IdForm::HexInReceipt,
        Some(other) => {
            let known = "`as-is`, `decimal`, `hex`, `hex-in-response` or `hex-in-receipt`";
            return Err(format!("`ids` is `{other}`, and not {known}"));
        }
    };
    let password = of_file("password-file", &settings.password_file, first_line)?;
    let config = SmppConfig {
        system_type: settings.system_type.clone(),
        bind,
        ids,
        roots_pem: roots_of(settings.roots_file.as_deref())?.map(String::into_bytes),
        // A place in the window and an answer are waited for, one after the other.
        response_time_max: part_of(route, 4),
        pause_max: Duration::from_secs(SMPP_PAUSE_MAX_S),
        window: u16::try_from(route.window).unwrap_or(u16::MAX),
        ..SmppConfig::new(&*settings.address, &*settings.system_id, password.expose(), &*settings.source)
    };
    let config = match settings.enquire_every_s {
        Some(seconds) => SmppConfig { enquire_every: Duration::from_secs(seconds.into()), ..config },
        None => config,
    };
    SmppTransport::start(config).map(|transport| transport as _).map_err(|error| renamed(&error, "source"))
}

#[cfg(any(feature = "sms-http", feature = "sns"))]
fn http(route: &SmsRouteSettings, roots: Option<&Path>) -> Result<countersign_sms_http::http::HttpOptions, String> {
    Ok(countersign_sms_http::http::HttpOptions {
        connect_time_max: part_of(route, 3),
        answer_time_max: part_of(route, 8),
        roots_pem: roots_of(roots)?,
        ..Default::default()
    })
}

#[cfg(not(feature = "sms-http"))]
fn twilio(_: &SmsRouteSettings, _: &TwilioSettings, _: Option<&str>) -> Result<Arc<dyn SmsTransport>, String> {
    absent("twilio", "sms-http")
}

#[cfg(feature = "sms-http")]
fn twilio(
    route: &SmsRouteSettings,
    settings: &TwilioSettings,
    origin: Option<&str>,
) -> Result<Arc<dyn SmsTransport>, String> {
    use countersign_sms_http::twilio::{TwilioConfig, TwilioSender, TwilioTransport};

    let (sender, field) = match (&settings.from, &settings.service_sid) {
        (Some(from), None) => (TwilioSender::From(from.clone()), "from"),
        (None, Some(sid)) => (TwilioSender::Service(sid.clone()), "service-sid"),
        _ => return Err("it takes one of `from` and `service-sid`".to_owned()),
    };
    let token = of_file("auth-token-file", &settings.auth_token_file, first_line)?;
    let config = TwilioConfig {
        status_callback: origin.map(|origin| status_url(origin, &route.name)),
        max_price_micros: settings.max_price.map(|price| price.micros),
        http: http(route, settings.roots_file.as_deref())?,
        ..TwilioConfig::new(&*settings.account_sid, token.expose(), sender)
    };
    let config = match &settings.base_url {
        Some(base_url) => TwilioConfig { base_url: base_url.clone(), ..config },
        None => config,
    };
    TwilioTransport::new(config).map(|transport| transport as _).map_err(|error| renamed(&error, field))
}

#[cfg(not(feature = "sms-http"))]
fn webhook(_: &SmsRouteSettings, _: &WebhookSettings) -> Result<Arc<dyn SmsTransport>, String> {
    absent("webhook", "sms-http")
}

#[cfg(feature = "sms-http")]
fn webhook(route: &SmsRouteSettings, settings: &WebhookSettings) -> Result<Arc<dyn SmsTransport>, String> {
    use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};

    let secrets = of_file("secret-file", &settings.secret_file, lines)?;
    let config = WebhookConfig {
        secrets: secrets.iter().map(|secret| secret.expose().to_owned().into()).collect(),
        http: http(route, settings.roots_file.as_deref())?,
        ..WebhookConfig::new(&*settings.url, "")
    };
    WebhookTransport::new(config).map(|transport| transport as _).map_err(|error| renamed(&error, "sender"))
}

#[cfg(not(feature = "sns"))]
fn sns(_: &SmsRouteSettings, _: &SnsSettings) -> Result<Arc<dyn SmsTransport>, String> {
    absent("sns", "sns")
}

#[cfg(feature = "sns")]
fn sns(route: &SmsRouteSettings, settings: &SnsSettings) -> Result<Arc<dyn SmsTransport>, String> {
    use countersign_sns::{SnsConfig, SnsCredentials, SnsTransport};

    let secret = of_file("secret-access-key-file", &settings.secret_access_key_file, first_line)?;
    let config = SnsConfig {
        endpoint_url: settings.endpoint_url.clone(),
        sender_id: settings.sender_id.clone(),
        max_price_micros: settings.max_price.map(|price| price.micros),
        http: http(route, settings.roots_file.as_deref())?,
        ..SnsConfig::new(&*settings.region, SnsCredentials::fixed(&*settings.access_key_id, secret.expose()))
    };
    SnsTransport::new(config).map(|transport| transport as _).map_err(|error| renamed(&error, "sender"))
}

#[cfg(test)]
mod tests;
