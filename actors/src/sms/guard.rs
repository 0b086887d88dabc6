//! The alarm for SMS pumping: a prefix whose codes are bought and never come back is not sent to any more.

use countersign_domain::ids::UnixMillis;
use countersign_domain::policy::Policy;
use countersign_domain::rejection::Rejection;

use crate::shared::Shared;
use crate::views::{Group, Views};

/// A prefix of which too few codes came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) group: Group,
    pub(crate) sent: u32,
    pub(crate) used: u32,
}

/// Whether codes are sent to a prefix now.
pub(crate) fn admits(shared: &Shared, group: &Group, now: UnixMillis) -> Result<(), Rejection> {
    let blocked = shared.views(|views| views.sms.blocked.get(group).map(|blocked| blocked.until));
    if let Some(until) = blocked.filter(|until| *until > now) {
        return Err(Rejection::PrefixBlocked { until });
    }
    if shared.views(|views| suspect(views, shared.policies.of(None), group, now)).is_some() {
        let until = now.plus_ms(u64::from(shared.policies.of(None).sms_block_s).saturating_mul(1000));
        return Err(Rejection::PrefixBlocked { until });
    }
    Ok(())
}

/// Every group that gives cause for alarm and is not blocked yet.
pub(crate) fn suspects(shared: &Shared, now: UnixMillis) -> Vec<Suspect> {
    let policy = shared.policies.of(None);
    shared.views(|views| {
        let groups = views.sms.groups_at(now);
        groups.iter().filter_map(|group| suspect(views, policy, group, now)).collect()
    })
}

/// Whether a group gives cause for alarm and is not blocked yet.
fn suspect(views: &Views, policy: &Policy, group: &Group, now: UnixMillis) -> Option<Suspect> {
    if views.sms.blocked.get(group).is_some_and(|blocked| blocked.until > now) {
        return None;
    }
    let (sent, used) = views.sms.conversion_at(group, now);
    let least = u64::from(sent) * u64::from(policy.sms_conversion_min_percent);
    let low = sent >= policy.sms_conversion_sample && u64::from(used) * 100 < least;
    low.then(|| Suspect { group: group.clone(), sent, used })
}
