//! What the commands of the binary do.

mod backup;
mod custody;
mod release;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};
use serde::Serialize;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use zeroize::Zeroizing;

use crate::cli::{Cli, Command, Import, Init, Keys, Tokens};
use crate::config::{Layer, Settings};
use crate::console::Console;
use crate::directory::{Founded, Founding, Standalone, is_email};
use crate::engine::{AccountId, Caller, Config, Countersign, DeviceName, PhoneNumber, Rejection, Request};
use crate::gateway::Gateway;
use crate::secret_file::{KEY_FILE_BYTES_MAX, first_line, read_file};
use crate::server;
use crate::site::{Site, console_url, hides_clients};
use crate::tokens::{self, Format, ImportedToken, Inventory, Place, Unlock};

/// Why a command failed, in words for the person who gave it.
type Failure = Box<dyn std::error::Error>;

/// Runs the binary with the arguments and the environment of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            // Nothing is left to do if even this cannot be written.
            drop(writeln!(io::stderr(), "countersign: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    if let Some(Command::Completions { shell }) = cli.command {
        clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut io::stdout());
        return Ok(ExitCode::SUCCESS);
    }
    let settings = settle(&cli)?;
    start_logging(&settings);
    match cli.command {
        None => start(&settings)?,
        Some(Command::Serve) => serve(&settings)?,
        Some(Command::Init(init)) => initialise(&settings, &init)?,
        Some(Command::Tokens(Tokens::Import(import))) => return import_tokens(&settings, &import),
        Some(Command::Release(whose)) => release::release(&settings, &whose)?,
        Some(Command::Password(whose)) => release::password(&settings, &whose)?,
        Some(Command::Tokens(Tokens::Remove { serial })) => custody::remove_token(&settings, &serial)?,
        Some(Command::Keys(Keys::Add)) => custody::add_key(&settings)?,
        Some(Command::Keys(Keys::Rotate)) => custody::rotate_keys(&settings)?,
        Some(Command::Keys(Keys::Retire { key_id })) => custody::retire_key(&settings, key_id)?,
        Some(Command::Backup(ask)) => backup::back_up(&settings, &ask)?,
        Some(Command::Restore(ask)) => backup::restore(&settings, &ask)?,
        Some(Command::Forget(ask)) => custody::forget(&settings, &ask)?,
        Some(Command::Completions { .. }) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Flags, then environment, then file, then defaults.
fn settle(cli: &Cli) -> Result<Settings, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let file = cli.config.clone().or_else(|| variable("COUNTERSIGN_CONFIG").map(Into::into));
    let file = file.as_deref().map(Layer::from_file).transpose()?.unwrap_or_default();
    Ok(cli.settings.clone().or(Layer::from_environment(variable)?).or(file).settle()?)
}

/// Logs go to standard error: our own at the wanted level, those of libraries only as warnings, so
/// that no level shows what a library thinks is worth showing of a request.
fn start_logging(settings: &Settings) {
    let level = settings.log.level();
    let libraries = tracing::Level::WARN.min(level);
    let targets = Targets::new().with_default(libraries).with_target("countersign", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    // A second subscriber in one process keeps the first.
    drop(tracing_subscriber::registry().with(lines).with(targets).try_init());
}

fn open(settings: &Settings, site: &Site) -> Result<Countersign, Failure> {
    let mut config = Config {
        policy: settings.policy.policy(),
        relying_party: site.relying_party.clone(),
        transports: site.transports.clone(),
        ..Config::default()
    };
    if let Some(sms) = &settings.sms {
        sms.govern(&mut config.policy)?;
        config.sms_text = sms.text(settings.issuer.as_deref(), settings.public_origin.as_deref())?;
    }
    if let Some(anchor) = &settings.anchor {
        anchor.govern(&mut config)?;
    }
    if let Some(issuer) = &settings.issuer {
        config.issuer.clone_from(issuer);
    }
    Ok(Countersign::open(&settings.data, config)?)
}

// ---- serve ----

fn serve(settings: &Settings) -> Result<(), Failure> {
    settings.check_listen()?;
    if !settings.data.is_dir() {
        return Err(no_account(settings));
    }
    let site = Site::of(settings)?;
    let engine = open(settings, &site)?;
    let directory = Standalone::open(engine.clone())?;
    if directory.account().is_none() {
        return Err(no_account(settings));
    }
    serve_with(settings, site, engine, directory, |_| Ok(()))
}

/// `countersign` without a command: makes the account if there is none, and serves.
fn start(settings: &Settings) -> Result<(), Failure> {
    settings.check_listen()?;
    let site = Site::of(settings)?;
    let engine = open(settings, &site)?;
    let directory = Standalone::open(engine.clone())?;
    let founded = match directory.account() {
        Some(_) => None,
        None => {
            let founding = founding(&Init::default())?;
            let founded = actix_rt::System::new().block_on(directory.found(founding))?;
            // Shown at once: whatever stops the server from listening must not take the secrets along.
            write_made(&mut io::stdout().lock(), &founded, settings)?;
            Some(founded)
        }
    };
    serve_with(settings, site, engine, directory, |url| match founded {
        Some(founded) => write_pointers(&mut io::stdout().lock(), &founded, url),
        None => Ok(()),
    })
}

fn serve_with(
    settings: &Settings,
    site: Site,
    engine: Countersign,
    directory: Standalone,
    welcome: impl FnOnce(&str) -> io::Result<()>,
) -> Result<(), Failure> {
    let directory = Arc::new(directory);
    if hides_clients(settings) {
        tracing::warn!(
            "TLS ends at a proxy that `trusted-proxy` does not name: all clients are counted and recorded as one, so that \
             one who guesses passwords keeps everybody out"
        );
    }
    // The first one, to which every later one can be traced.
    if let Some(key) = engine.verifier_keys().first() {
        tracing::info!(%key, "the log is signed; who is to check receipts needs this key");
    }
    let console = Console::new(engine.clone(), directory.clone(), site.console)?;
    let gateway = Gateway::new(engine, directory)?;
    let announce = |url: &str| {
        welcome(url)?;
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(settings.listen.port());
        let mut out = io::stdout().lock();
        writeln!(out, "console at {}", console_url(settings, port))?;
        writeln!(out, "listening on {url}")?;
        out.flush()
    };
    Ok(actix_rt::System::new().block_on(server::serve(gateway, Some(console), settings, announce))?)
}

fn no_account(settings: &Settings) -> Failure {
    let data = settings.data.display();
    format!("`{data}` has no account yet; make one with `countersign init --data {data}`").into()
}

// ---- init ----

fn initialise(settings: &Settings, init: &Init) -> Result<(), Failure> {
    let founding = founding(init)?;
    let engine = open(settings, &Site::of(settings)?)?;
    let directory = Standalone::open(engine.clone())?;
    let data = settings.data.display();
    if let Some(account) = directory.account() {
        return Err(format!(
            "`{data}` was initialised before, with account {account}; its secrets were shown then and are not shown again"
        )
        .into());
    }
    let founded = actix_rt::System::new().block_on(async {
        let founded = directory.found(founding).await?;
        engine.close().await?;
        Ok::<_, Failure>(founded)
    })?;
    let mut out = io::stdout().lock();
    if init.json {
        writeln!(out, "{}", json(&founded)?.as_str())?;
    } else {
        write_secrets(&mut out, &founded)?;
        writeln!(out, "Start the server with: countersign serve --data {data}")?;
        writeln!(out, "Then open the console: {}", console_url(settings, settings.listen.port()))?;
    }
    Ok(out.flush()?)
}

fn founding(init: &Init) -> Result<Founding, Failure> {
    let account: Option<AccountId> = init.account_id.as_deref().map(str::parse).transpose()?;
    let administrator = DeviceName::new(init.administrator.as_str())?;
    let email = init.root_email.trim();
    if !is_email(email) {
        return Err(format!("`{email}` is not an e-mail address").into());
    }
    let root_phone = init.root_phone.as_deref().map(PhoneNumber::parse).transpose()?;
    Ok(Founding { account, root_email: email.to_owned(), root_phone, administrator })
}

/// The JSON that scripts rely on.
fn json(founded: &Founded) -> Result<Zeroizing<String>, Failure> {
    #[derive(Serialize)]
    struct Report<'a> {
        account_id: String,
        root: Root<'a>,
        administrator: Administrator<'a>,
    }
    #[derive(Serialize)]
    struct Root<'a> {
        email: &'a str,
        password: &'a str,
    }
    #[derive(Serialize)]
    struct Administrator<'a> {
        user_name: &'a str,
        password: &'a str,
        access_key_id: &'a str,
        secret_access_key: &'a str,
    }
    let report = Report {
        account_id: founded.account.to_string(),
        root: Root { email: &founded.root_email, password: founded.root_password.expose() },
        administrator: Administrator {
            user_name: founded.administrator.as_str(),
            password: founded.administrator_password.expose(),
            access_key_id: &founded.access_key_id,
            secret_access_key: founded.secret_access_key.expose(),
        },
    };
    Ok(Zeroizing::new(serde_json::to_string(&report)?))
}

fn write_secrets(out: &mut impl io::Write, founded: &Founded) -> io::Result<()> {
    writeln!(out, "Account {}", founded.account)?;
    writeln!(out, "These secrets are shown this once:")?;
    writeln!(out, "  root           {}", founded.root_email)?;
    writeln!(out, "    password     {}", founded.root_password.expose())?;
    writeln!(out, "  administrator  {}", founded.administrator)?;
    writeln!(out, "    password     {}", founded.administrator_password.expose())?;
    writeln!(out, "    access key   {}", founded.access_key_id)?;
    writeln!(out, "    secret key   {}", founded.secret_access_key.expose())
}

fn write_made(out: &mut impl io::Write, founded: &Founded, settings: &Settings) -> io::Result<()> {
    writeln!(out, "Made a store in `{}`.", settings.data.display())?;
    write_secrets(out, founded)?;
    writeln!(out)?;
    out.flush()
}

fn write_pointers(out: &mut impl io::Write, founded: &Founded, url: &str) -> io::Result<()> {
    writeln!(out, "Point the AWS CLI at it:")?;
    writeln!(out, "  aws configure set aws_access_key_id {} --profile countersign", founded.access_key_id)?;
    let secret = founded.secret_access_key.expose();
    writeln!(out, "  aws configure set aws_secret_access_key '{secret}' --profile countersign")?;
    writeln!(out, "  aws configure set region us-east-1 --profile countersign")?;
    writeln!(out, "  aws configure set endpoint_url {url} --profile countersign")?;
    writeln!(out, "  aws sts get-caller-identity --profile countersign")?;
    writeln!(out)
}

// ---- tokens import ----

fn import_tokens(settings: &Settings, import: &Import) -> Result<ExitCode, Failure> {
    let file = read_file(&import.file, tokens::FILE_BYTES_MAX as u64)?;
    let format = import.format.map_or_else(|| Format::guess(&file), Into::into);
    let unlock = Unlock {
        key: import.key_hex_file.as_deref().map(read_key).transpose()?,
        password: import.password_file.as_deref().map(first_line).transpose()?,
        encoding: import.encoding,
    };
    let inventory = tokens::read(&file, format, &unlock)?;
    let report = if import.dry_run {
        Report::of(inventory, |_| Ok(()))?
    } else {
        if !settings.data.is_dir() {
            return Err(no_account(settings));
        }
        let engine = open(settings, &Site::of(settings)?)?;
        let system = actix_rt::System::new();
        let report = Report::of(inventory, |token| system.block_on(import_token(&engine, token)))?;
        system.block_on(engine.close())?;
        report
    };
    let mut out = io::stdout().lock();
    report.write(&mut out, import.dry_run)?;
    Ok(if report.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts one token into the inventory; the error is why it is not there.
async fn import_token(engine: &Countersign, token: ImportedToken) -> Result<(), String> {
    let manufacturer = [token.manufacturer, token.model].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let request = Request::by(Caller::operator());
    match engine.import_hardware_token(request, &token.serial, token.seed, &manufacturer).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.rejection() {
            Some(Rejection::DeviceExists) => "a token of this serial number was imported before".to_owned(),
            Some(Rejection::DeviceUnknown { .. }) => {
                "its serial number is the ARN of another kind of device".to_owned()
            }
            _ => error.to_string(),
        }),
    }
}

/// What became of each token of a file.
struct Report {
    imported: Vec<String>,
    refused: Vec<(Place, String)>,
}

impl Report {
    fn of(inventory: Inventory, mut import: impl FnMut(ImportedToken) -> Result<(), String>) -> Result<Self, Failure> {
        let refused = inventory.refused.into_iter().map(|refused| (refused.place, refused.reason.to_string()));
        let mut report = Self { imported: Vec::new(), refused: refused.collect() };
        for token in inventory.tokens {
            let serial = token.serial.to_string();
            match import(token) {
                Ok(()) => report.imported.push(serial),
                Err(reason) => report.refused.push((Place::Serial(serial), reason)),
            }
        }
        Ok(report)
    }

    fn write(&self, out: &mut impl io::Write, dry_run: bool) -> io::Result<()> {
        let done = if dry_run { "would import" } else { "imported" };
        for serial in &self.imported {
            writeln!(out, "{done} {serial}")?;
        }
        for (place, reason) in &self.refused {
            writeln!(out, "refused {place}: {reason}")?;
        }
        writeln!(out, "{} {done}, {} refused", self.imported.len(), self.refused.len())?;
        out.flush()
    }
}

fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let file = read_file(path, KEY_FILE_BYTES_MAX)?;
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(file.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect());
    let key = data_encoding::HEXLOWER_PERMISSIVE.decode(&digits);
    let key = key.map_err(|_| format!("{} does not hold hexadecimal digits", path.display()))?;
    Ok(Zeroizing::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn founded() -> Founded {
        Founded {
            account: "123456789012".parse().unwrap(),
            root_email: "root@example.com".into(),
            root_password: Secret::new("p1"),
            administrator: DeviceName::new("administrator").unwrap(),
            administrator_password: Secret::new("p2"),
            access_key_id: "AKIA".into(),
            secret_access_key: Secret::new("s/+="),
        }
    }

    #[test]
    fn the_json_has_exactly_what_scripts_rely_on() {
        assert_eq!(
            json(&founded()).unwrap().as_str(),
            r#"{"account_id":"123456789012","root":{"email":"root@example.com","password":"p1"},"administrator":{"user_name":"administrator","password":"p2","access_key_id":"AKIA","secret_access_key":"s/+="}}"#
        );
    }

    #[test]
    fn the_welcome_says_how_to_point_the_cli_at_it() {
        let mut out = Vec::new();
        let settings = Layer::default().settle().unwrap();
        write_made(&mut out, &founded(), &settings).unwrap();
        write_pointers(&mut out, &founded(), "http://127.0.0.1:7617").unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in ["aws_access_key_id AKIA", "'s/+='", "endpoint_url http://127.0.0.1:7617", "123456789012"] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn what_init_cannot_use_is_refused() {
        let with = |change: fn(&mut Init)| {
            let mut init = Init::default();
            change(&mut init);
            founding(&init).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| {}), Ok(()));
        assert!(with(|init| init.account_id = Some("12".into())).is_err());
        assert!(with(|init| init.administrator = "a b".into()).is_err());
        assert!(with(|init| init.root_phone = Some("555".into())).is_err());
        assert_eq!(with(|init| init.root_phone = Some("+1 415 555 1234".into())), Ok(()));
        for bad in ["", "root", "@x", "a@", "a b@c"] {
            let init = Init { root_email: bad.into(), ..Init::default() };
            assert!(founding(&init).is_err(), "{bad}");
        }
    }
}
