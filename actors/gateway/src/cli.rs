//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Layer;
use crate::engine::ForgetReason;
use crate::tokens::{Format, SeedEncoding};

/// Countersign: multi-factor authentication for the users of your accounts, behind the API of AWS IAM
/// and STS.
///
/// Without a command it makes an account on its first start, prints how to point the AWS CLI at it,
/// and serves.
#[derive(Clone, Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 100)]
pub struct Cli {
    /// Configuration file in TOML [env: COUNTERSIGN_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Settings; every command takes them, and uses those that concern it.
    #[command(flatten)]
    pub settings: Layer,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make an account with a root user and an administrator, and print their secrets once
    Init(Init),
    /// Serve the API and the console of a store that `init` has made
    Serve,
    /// Take every device from a user who lost them, or from root; the server has to be stopped
    Release(Whose),
    /// Give a user, or root, a new password and print it once; the server has to be stopped
    ///
    /// It ends the sessions of the old one, and changes no device.
    Password(Whose),
    /// Forget a user who was removed: destroy the keys of all that is about them; the server has to be stopped
    ///
    /// What was sealed under those keys cannot be read again, by anybody. An older copy of the store's file `keys` together
    /// with the key ring could still open it: destroy such copies as well.
    Forget(Forget),
    /// Copy the log into a new directory, while a server runs or without one
    ///
    /// The copy has no key in it. A store is restored from it with the key ring and the wrapped keys as they are then, so
    /// that who was forgotten meanwhile stays forgotten. Keep both apart from the backups, and keep one copy of them.
    Backup(Backup),
    /// Make a data directory from a backup, the wrapped keys and the key ring
    ///
    /// The log is hashed anew, and has to be what its signed checkpoint says. Whatever does not fit is refused, and nothing
    /// is made.
    Restore(Restore),
    /// Manage the key ring
    #[command(subcommand)]
    Keys(Keys),
    /// Manage hardware tokens
    #[command(subcommand)]
    Tokens(Tokens),
    /// Print a completion script for a shell
    Completions {
        /// Shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Whom a command is about.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// Name of the user
    pub user: Option<String>,
    /// The root user of the account
    #[arg(long)]
    pub root: bool,
}

/// Options of `backup`.
#[derive(Clone, Debug, Args)]
pub struct Backup {
    /// New directory for the log
    pub to: PathBuf,
    /// Directory for the wrapped keys, in place of the copy that is there; another one than those of backups
    #[arg(long, value_name = "DIR")]
    pub keys_to: Option<PathBuf>,
}

/// Options of `restore`.
#[derive(Clone, Debug, Args)]
pub struct Restore {
    /// Directory of the backup
    pub backup: PathBuf,
    /// New data directory
    pub to: PathBuf,
    /// Directory with the wrapped keys: what `backup --keys-to` wrote last, or the present store
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// File of the key ring
    #[arg(long, value_name = "FILE")]
    pub keyring: PathBuf,
    /// Key that the log must have been signed with, as it was told at the server's first start
    #[arg(long, value_name = "NAME+ID+KEY")]
    pub key: Option<String>,
    /// File with a checkpoint that was kept elsewhere: the backup must begin with what it is of
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
}

/// Options of `forget`.
#[derive(Clone, Debug, Args)]
pub struct Forget {
    /// Id of the user, such as `AIDA...`: a user who was removed has no name any more
    pub user_id: String,
    /// Why
    #[arg(long, value_enum, default_value = "requested")]
    pub reason: Reason,
}

/// Why somebody is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Reason {
    /// The person asked for it
    Requested,
    /// It was kept for as long as it may be kept
    Retention,
    /// Somebody else has decided so
    Ordered,
}

impl From<Reason> for ForgetReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Requested => Self::Requested,
            Reason::Retention => Self::Retention,
            Reason::Ordered => Self::Ordered,
        }
    }
}

/// Options of `init`.
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// Print JSON for scripts
    #[arg(long)]
    pub json: bool,
    /// Id of the account, twelve digits; random when absent
    #[arg(long, value_name = "DIGITS")]
    pub account_id: Option<String>,
    /// E-mail address of the root user
    #[arg(long, value_name = "ADDRESS", default_value = ROOT_EMAIL_DEFAULT)]
    pub root_email: String,
    /// Phone number of the root user, with country code, for signing in without the device
    #[arg(long, value_name = "NUMBER")]
    pub root_phone: Option<String>,
    /// Name of the administrator
    #[arg(long, value_name = "NAME", default_value = ADMINISTRATOR_DEFAULT)]
    pub administrator: String,
}

const ROOT_EMAIL_DEFAULT: &str = "root@localhost.localdomain";
const ADMINISTRATOR_DEFAULT: &str = "administrator";

impl Default for Init {
    fn default() -> Self {
        Self {
            json: false,
            account_id: None,
            root_email: ROOT_EMAIL_DEFAULT.to_owned(),
            root_phone: None,
            administrator: ADMINISTRATOR_DEFAULT.to_owned(),
        }
    }
}

/// What to do with the key ring.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Keys {
    /// Add a key to the ring, and nothing else
    ///
    /// A running server takes it up when it is sent the signal SIGHUP, and wraps every key of the store with it while it
    /// goes on answering. It tells in its log how far it is; when it is interrupted, it goes on at its next start.
    Add,
    /// Add a key to the ring, and wrap every key of the store with it; the server has to be stopped
    ///
    /// When it is interrupted, run it again: it goes on where it was.
    Rotate,
    /// Take a key out of the ring for good; the server has to be stopped
    ///
    /// It is refused as long as anything is wrapped by the key, and for the newest key. The file that the key was in is
    /// overwritten; copies of it elsewhere are yours to destroy.
    Retire {
        /// Number of the key
        key_id: u32,
    },
}

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum Tokens {
    /// Import the seeds of hardware tokens from a PSKC or CSV file; the server has to be stopped
    Import(Import),
    /// Take a token that nobody has enabled out of the inventory, and destroy its seed; the server has to be stopped
    Remove {
        /// Serial number, as it was imported
        serial: String,
    },
}

/// Options of `tokens import`.
#[derive(Clone, Debug, Args)]
pub struct Import {
    /// File from the vendor
    pub file: PathBuf,
    /// Form of the file; told from its content when absent
    #[arg(long, value_enum)]
    pub format: Option<Form>,
    /// File whose first line is the password of an encrypted PSKC file
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// File with the pre-shared key of an encrypted PSKC file, in hexadecimal
    #[arg(long, value_name = "FILE")]
    pub key_hex_file: Option<PathBuf>,
    /// How a CSV file writes its seeds; told from its content when absent
    #[arg(long, value_enum)]
    pub encoding: Option<SeedEncoding>,
    /// Only say what would be imported
    #[arg(long)]
    pub dry_run: bool,
}

/// Form of a token file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Form {
    /// RFC 6030
    Pskc,
    /// Comma-separated values
    Csv,
}

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Pskc => Self::Pskc,
            Form::Csv => Self::Csv,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_lines_that_scripts_rely_on() {
        let of = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap();
        let cli = of("countersign init --data d --json");
        assert!(matches!(cli.command, Some(Command::Init(Init { json: true, .. }))));
        assert_eq!(cli.settings.data, Some("d".into()));
        let cli = of("countersign serve --data d --listen 127.0.0.1:0");
        assert!(matches!(cli.command, Some(Command::Serve)));
        assert_eq!(cli.settings.listen, Some("127.0.0.1:0".parse().unwrap()));
        assert!(of("countersign").command.is_none());
        assert_eq!(of("countersign --allow-plain-http").settings.allow_plain_http, Some(true));
        assert_eq!(of("countersign serve --allow-plain-http=false").settings.allow_plain_http, Some(false));
        assert!(of("countersign --data d serve").settings.data.is_some());
        let cli = of("countersign release --root --data d");
        assert!(matches!(cli.command, Some(Command::Release(Whose { user: None, root: true }))));
        let cli = of("countersign release lee --data d");
        assert!(matches!(cli.command, Some(Command::Release(Whose { user: Some(_), root: false }))));
        for bad in ["countersign release", "countersign release lee --root"] {
            assert!(Cli::try_parse_from(bad.split(' ')).is_err(), "{bad}");
        }
        let cli = of("countersign forget AIDAX --reason retention --data d");
        assert!(matches!(cli.command, Some(Command::Forget(Forget { reason: Reason::Retention, .. }))));
        let cli = of("countersign backup b --keys-to k --data d");
        assert!(matches!(cli.command, Some(Command::Backup(Backup { keys_to: Some(_), .. }))));
        let cli = of("countersign restore b d --keys k --keyring r --key n+i+k --checkpoint c");
        assert!(matches!(cli.command, Some(Command::Restore(Restore { key: Some(_), checkpoint: Some(_), .. }))));
        assert!(matches!(of("countersign keys rotate --data d").command, Some(Command::Keys(Keys::Rotate))));
        assert!(matches!(of("countersign keys add --data d").command, Some(Command::Keys(Keys::Add))));
        assert!(matches!(
            of("countersign keys retire 3 --data d").command,
            Some(Command::Keys(Keys::Retire { key_id: 3 }))
        ));
        let cli = of("countersign tokens import f --format csv --dry-run --data d");
        assert!(matches!(
            cli.command,
            Some(Command::Tokens(Tokens::Import(Import { dry_run: true, format: Some(Form::Csv), .. })))
        ));
        assert!(Cli::try_parse_from(["countersign", "serve", "--policy", "lax"]).is_err());
    }
}
