//! What an account chooses (A16, R5, R130).

use alloc::vec;

use super::{Context, Decision, Outcome, Record, Verdict};
use crate::account::{Account, Claim};
use crate::caller::{Caller, Channel, Credential};
use crate::event::{
    AliasChanged, AlternativeFactorsSwitched, Event, NameClaimed, NameReleased, PolicyChosen, RootLinked,
    SmsEligibilityChanged,
};
use crate::ids::{AccountId, PrincipalId};
use crate::rejection::Rejection;
use crate::settings::{AccountAlias, Preset, Settings, SmsEligibility};

/// One setting of an account, as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The alias.
    Alias(Option<AccountAlias>),
    /// Who may enable SMS devices (A16).
    Sms(SmsEligibility),
    /// Whether root may use alternative factors (R130 b).
    AlternativeFactors(bool),
    /// The rules.
    Policy(Option<Preset>),
    /// The account whose root has the same e-mail address (R5).
    Associate(Option<AccountId>),
}

/// Changes a setting of an account. `claim` is who holds a new alias; `has_device` says whether the caller has an MFA
/// device, and so has to have proven one to change anything in the console (R182).
///
/// Who of the account may do so is the platform's to say; the alternative factors and the link are root's own, in its
/// console (R7).
///
/// # Errors
/// [`Rejection::SelfManagementNeedsMfa`], [`Rejection::AccountUnknown`], [`Rejection::ChannelNotAllowed`] to who is of another account, or not root where it
/// has to be; [`Rejection::AliasTaken`].
pub fn change_setting(
    account: Option<&Account>,
    setting: &Setting,
    (claim, has_device): (Option<Claim>, bool),
    context: &Context<'_>,
) -> Decision {
    let Caller { credential, channel, .. } = context.caller;
    let proven = credential.has_mfa() || *credential == Credential::Recovered;
    if *channel == Channel::Console && has_device && !proven {
        return Err(Rejection::SelfManagementNeedsMfa);
    }
    let account = account.ok_or(Rejection::AccountUnknown)?;
    let roots_own = matches!(setting, Setting::AlternativeFactors(_) | Setting::Associate(_));
    let in_console = *channel == Channel::Console && *credential != Credential::LongTermKey;
    let allowed = match &context.caller.principal {
        None => true,
        Some(PrincipalId::Root(of)) if roots_own => *of == account.id && in_console,
        Some(PrincipalId::Root(of)) => *of == account.id,
        Some(PrincipalId::User(of, _)) => *of == account.id && !roots_own,
    };
    if !allowed || matches!(setting, Setting::Associate(Some(other)) if *other == account.id) {
        return Err(Rejection::ChannelNotAllowed);
    }
    if with(&account.settings, setting) == account.settings {
        return Ok(Outcome::AlreadySo(Verdict::Done));
    }
    let by = context.caller.by();
    let stream = Account::stream(account.id);
    let mut writes = vec![];
    if let Setting::Alias(alias) = setting {
        if claim.and_then(Claim::holder).is_some() {
            return Err(Rejection::AliasTaken);
        }
        if let Some(old) = &account.settings.alias {
            writes.push((Claim::alias_stream(old), NameReleased { holder: stream }.into()));
        }
        if let Some(new) = alias {
            writes.push((Claim::alias_stream(new), NameClaimed { holder: stream }.into()));
        }
    }
    let event: Event = match setting {
        Setting::Alias(alias) => AliasChanged { alias: alias.clone(), by }.into(),
        Setting::Sms(eligibility) => SmsEligibilityChanged { eligibility: *eligibility, by }.into(),
        Setting::AlternativeFactors(allowed) => AlternativeFactorsSwitched { allowed: *allowed, by }.into(),
        Setting::Policy(preset) => PolicyChosen { preset: *preset, by }.into(),
        Setting::Associate(associate) => RootLinked { associate: *associate, by }.into(),
    };
    writes.push((stream, event));
    Ok(Outcome::Record(Record { writes, verdict: Verdict::Done }))
}

fn with(settings: &Settings, setting: &Setting) -> Settings {
    let mut changed = settings.clone();
    match setting {
        Setting::Alias(alias) => changed.alias.clone_from(alias),
        Setting::Sms(eligibility) => changed.sms = *eligibility,
        Setting::AlternativeFactors(allowed) => changed.alternative_factors = *allowed,
        Setting::Policy(preset) => changed.preset = *preset,
        Setting::Associate(associate) => changed.associate = *associate,
    }
    changed
}
