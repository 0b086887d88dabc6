//! The alarm for SMS pumping: a prefix whose codes are bought and never come back is not sent to any more.

use countersign_domain::ids::UnixMillis;
use countersign_domain::rejection::Rejection;
use countersign_domain::sms::Prefix;

use crate::shared::Shared;

/// A prefix of which too few codes came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) prefix: Prefix,
    pub(crate) sent: u32,
    pub(crate) used: u32,
}

/// Whether codes are sent to a prefix now.
pub(crate) fn admits(shared: &Shared, prefix: &Prefix, now: UnixMillis) -> Result<(), Rejection> {
    let blocked = shared.views(|views| views.sms.blocked.get(prefix).map(|blocked| blocked.until));
    if let Some(until) = blocked.filter(|until| *until > now) {
        return Err(Rejection::PrefixBlocked { until });
    }
    if suspect(shared, prefix, now).is_some() {
        let until = now.plus_ms(u64::from(shared.policies.of(None).sms_block_s).saturating_mul(1000));
        return Err(Rejection::PrefixBlocked { until });
    }
    Ok(())
}

/// Every prefix that gives cause for alarm and is not blocked yet.
pub(crate) fn suspects(shared: &Shared, now: UnixMillis) -> Vec<Suspect> {
    let prefixes = shared.views(|views| views.sms.prefixes_at(now));
    prefixes.iter().filter_map(|prefix| suspect(shared, prefix, now)).collect()
}

/// Whether a prefix gives cause for alarm and is not blocked yet.
fn suspect(shared: &Shared, prefix: &Prefix, now: UnixMillis) -> Option<Suspect> {
    let policy = shared.policies.of(None);
    let (sent, used) = shared.views(|views| {
        let blocked = views.sms.blocked.get(prefix).is_some_and(|blocked| blocked.until > now);
        (!blocked).then(|| views.sms.conversion_at(prefix, now))
    })?;
    let least = u64::from(sent) * u64::from(policy.sms_conversion_min_percent);
    let low = sent >= policy.sms_conversion_sample && u64::from(used) * 100 < least;
    low.then(|| Suspect { prefix: prefix.clone(), sent, used })
}
