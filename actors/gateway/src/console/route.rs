//! The addresses of the console.

use crate::engine::{KeyForm, UserId};

/// A page, or what a form is posted to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// `/console/`
    Home,
    /// The first page of a sign-in: of root, or of a user.
    SignIn {
        root: bool,
    },
    SignOut,
    /// The second page.
    Factor(FactorPage),
    /// Root's way back in.
    Recovery(RecoveryPage),
    Devices(Whose, DevicePage),
    Password,
    Users,
    CreateUser,
    User(UserId, UserPage),
    Sms(SmsPage),
    Account,
    Setting(Setting),
    Development,
}

/// The parts of the second page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FactorPage {
    Ask,
    Code,
    Key,
    OfferKey,
    Send,
    Methods,
    Help,
    Resync,
    Cancel,
}

/// The steps of root's way back in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RecoveryPage {
    Steps,
    Mail,
    SendMail,
    Call,
    Finish,
}

/// Whose devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Whose {
    /// The signed-in principal's.
    Own,
    /// A user's, managed by an administrator.
    Of(UserId),
}

/// What is done to devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DevicePage {
    List,
    Add,
    Virtual,
    VirtualCodes,
    Hardware,
    Key(KeyForm),
    TapKey,
    Sms,
    SmsCode,
    SmsSend,
    Resync,
    Remove,
}

/// What is done to a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UserPage {
    View,
    Password,
    Delete,
}

/// What administrators see of codes by SMS, and do about them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SmsPage {
    Report,
    /// A prefix is sent to again.
    Open,
    /// A message is sent again.
    Send,
}

/// A setting of the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Setting {
    Alias,
    Sms,
    Policy,
    AlternativeFactors,
    Contact,
    Link,
}

/// How a route is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Methods {
    Get,
    Post,
    Both,
}

impl Methods {
    pub(super) const fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
            Self::Both => "GET, HEAD, POST",
        }
    }
}

impl Route {
    /// The route of a path. A slash at its end does not count.
    pub(super) fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (console, parts) = parts.split_first()?;
        if *console != "console" {
            return None;
        }
        Some(match parts {
            [] => Self::Home,
            ["sign-in"] => Self::SignIn { root: false },
            ["sign-in", "root"] => Self::SignIn { root: true },
            ["sign-out"] => Self::SignOut,
            ["mfa", rest @ ..] => Self::Factor(factor_page(rest)?),
            ["recovery", rest @ ..] => Self::Recovery(recovery_page(rest)?),
            ["devices", rest @ ..] => Self::Devices(Whose::Own, device_page(rest)?),
            ["password"] => Self::Password,
            ["users"] => Self::Users,
            ["create-user"] => Self::CreateUser,
            ["users", user] => Self::User(UserId::new(*user).ok()?, UserPage::View),
            ["users", user, "password"] => Self::User(UserId::new(*user).ok()?, UserPage::Password),
            ["users", user, "delete"] => Self::User(UserId::new(*user).ok()?, UserPage::Delete),
            ["users", user, "devices", rest @ ..] => {
                Self::Devices(Whose::Of(UserId::new(*user).ok()?), device_page(rest)?)
            }
            ["sms"] => Self::Sms(SmsPage::Report),
            ["sms", "open"] => Self::Sms(SmsPage::Open),
            ["sms", "send"] => Self::Sms(SmsPage::Send),
            ["account"] => Self::Account,
            ["account", setting] => Self::Setting(setting_of(setting)?),
            ["development"] => Self::Development,
            _ => return None,
        })
    }

    /// How it may be asked.
    pub(super) const fn methods(&self) -> Methods {
        match self {
            Self::Home | Self::Users | Self::User(_, UserPage::View) | Self::Sms(SmsPage::Report) | Self::Account => {
                Methods::Get
            }
            Self::SignOut | Self::Sms(_) | Self::Setting(_) => Methods::Post,
            Self::SignIn { .. } | Self::Password | Self::CreateUser | Self::User(..) | Self::Development => {
                Methods::Both
            }
            Self::Factor(page) => match page {
                FactorPage::Ask | FactorPage::Help => Methods::Get,
                FactorPage::Methods => Methods::Both,
                _ => Methods::Post,
            },
            Self::Recovery(page) => match page {
                RecoveryPage::Steps => Methods::Get,
                RecoveryPage::Mail => Methods::Both,
                _ => Methods::Post,
            },
            Self::Devices(_, page) => match page {
                DevicePage::List | DevicePage::Add => Methods::Get,
                DevicePage::SmsSend => Methods::Post,
                _ => Methods::Both,
            },
        }
    }

    /// What the log calls it: nothing of what was typed is in it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::SignIn { root: false } => "sign-in",
            Self::SignIn { root: true } => "sign-in-root",
            Self::SignOut => "sign-out",
            Self::Factor(_) => "mfa",
            Self::Recovery(_) => "recovery",
            Self::Devices(Whose::Own, _) => "own-devices",
            Self::Devices(Whose::Of(_), _) => "user-devices",
            Self::Password => "password",
            Self::Users => "users",
            Self::CreateUser => "create-user",
            Self::User(..) => "user",
            Self::Sms(_) => "sms",
            Self::Account => "account",
            Self::Setting(_) => "account-setting",
            Self::Development => "development",
        }
    }
}

fn factor_page(parts: &[&str]) -> Option<FactorPage> {
    Some(match parts {
        [] => FactorPage::Ask,
        ["code"] => FactorPage::Code,
        ["key"] => FactorPage::Key,
        ["offer"] => FactorPage::OfferKey,
        ["send"] => FactorPage::Send,
        ["methods"] => FactorPage::Methods,
        ["help"] => FactorPage::Help,
        ["resync"] => FactorPage::Resync,
        ["cancel"] => FactorPage::Cancel,
        _ => return None,
    })
}

fn recovery_page(parts: &[&str]) -> Option<RecoveryPage> {
    Some(match parts {
        [] => RecoveryPage::Steps,
        ["mail"] => RecoveryPage::Mail,
        ["mail", "send"] => RecoveryPage::SendMail,
        ["call"] => RecoveryPage::Call,
        ["finish"] => RecoveryPage::Finish,
        _ => return None,
    })
}

fn device_page(parts: &[&str]) -> Option<DevicePage> {
    Some(match parts {
        [] => DevicePage::List,
        ["add"] => DevicePage::Add,
        ["add", "virtual"] => DevicePage::Virtual,
        ["add", "virtual", "codes"] => DevicePage::VirtualCodes,
        ["add", "hardware"] => DevicePage::Hardware,
        ["add", "key"] => DevicePage::Key(KeyForm::SecurityKey),
        ["add", "passkey"] => DevicePage::Key(KeyForm::Passkey),
        ["add", "key", "tap"] => DevicePage::TapKey,
        ["add", "sms"] => DevicePage::Sms,
        ["add", "sms", "code"] => DevicePage::SmsCode,
        ["add", "sms", "send"] => DevicePage::SmsSend,
        ["resync"] => DevicePage::Resync,
        ["remove"] => DevicePage::Remove,
        _ => return None,
    })
}

fn setting_of(name: &str) -> Option<Setting> {
    Some(match name {
        "alias" => Setting::Alias,
        "sms" => Setting::Sms,
        "policy" => Setting::Policy,
        "alternative-factors" => Setting::AlternativeFactors,
        "contact" => Setting::Contact,
        "link" => Setting::Link,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_pages() {
        let lee = UserId::new("AIDALEE").unwrap();
        let cases = [
            ("/console", Some(Route::Home)),
            ("/console/", Some(Route::Home)),
            ("/console/sign-in/root/", Some(Route::SignIn { root: true })),
            ("/console/devices/add/key/tap", Some(Route::Devices(Whose::Own, DevicePage::TapKey))),
            ("/console/users/AIDALEE", Some(Route::User(lee.clone(), UserPage::View))),
            ("/console/users/AIDALEE/devices/remove", Some(Route::Devices(Whose::Of(lee), DevicePage::Remove))),
            ("/console/sms/send", Some(Route::Sms(SmsPage::Send))),
            ("/console/sms/elsewhere", None),
            ("/console/users/a%20b", None),
            ("/console/nothing", None),
            ("/consoles", None),
            ("/", None),
            ("", None),
        ];
        for (path, route) in cases {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
