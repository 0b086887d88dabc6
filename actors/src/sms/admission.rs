//! Whether a code may be sent to a number now: the numbering plan, the countries, blocked prefixes, and the budgets.
//!
//! The budgets are counted by the views, from the log, before a decision is acknowledged. What is decided on at the same
//! time is held here meanwhile, so that a budget of N is never N and one.

use std::sync::{Arc, PoisonError};

use countersign_domain::device::PhoneNumber;
use countersign_domain::ids::{AccountId, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_domain::rejection::Rejection;
use countersign_domain::sms::{Country, Destination, Prefix, RouteName, SmsBudget, SmsErrand};

use super::{guard, numbers};
use crate::error::Error;
use crate::shared::Shared;
use crate::views::BudgetKey;

/// What is known of a number before a code is sent to it.
pub(crate) struct Admission {
    pub(crate) destination: Destination,
    pub(crate) route: RouteName,
    pub(crate) admitted: Result<(), Rejection>,
    /// Keep it until the decision is in the log.
    pub(crate) hold: Option<Hold>,
}

/// Counts that are spoken for, until they are in the log or given up.
pub(crate) struct Hold {
    shared: Arc<Shared>,
    keys: Vec<(BudgetKey, u64)>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.shared.sms.held.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, amount) in &self.keys {
            if let Some(count) = held.get_mut(key) {
                *count = count.saturating_sub(*amount);
                if *count == 0 {
                    held.remove(key);
                }
            }
        }
    }
}

impl Admission {
    /// Looks a number up, and takes its place in the budgets if there is one.
    pub(crate) fn of(
        shared: &Arc<Shared>,
        phone: &PhoneNumber,
        (account, errand): (AccountId, SmsErrand),
        now: UnixMillis,
    ) -> Result<Self, Error> {
        let desk = &shared.sms;
        let found = numbers::look_up(phone);
        let country = found.unwrap_or(Country::NONE);
        let destination = Destination { number: desk.mark(phone), prefix: Prefix::of(phone), country };
        let route = desk.first_route(&destination.prefix).ok_or_else(|| Error::unavailable("there is no lane"))?;
        let policy = shared.policies.of(None);
        let admitted = match found {
            Err(fault) => Err(Rejection::PhoneNotUsable { fault }),
            Ok(country) if !policy.sms_countries.contains(country) => Err(Rejection::CountryNotServed),
            Ok(_) => guard::admits(shared, &(destination.prefix.clone(), errand), now),
        };
        let price = desk.courier(&route).map_or(0, |courier| courier.route.price_micros);
        let held = admitted.and_then(|()| budgets(shared, &destination, (account, errand), price, now));
        let (admitted, hold) = match held {
            Ok(hold) => (Ok(()), Some(hold)),
            Err(rejection) => (Err(rejection), None),
        };
        Ok(Self { destination, route, admitted, hold })
    }
}

impl Hold {
    /// Speaks for the price of a try; `None` when the money is spent.
    pub(crate) fn money(shared: &Arc<Shared>, price: u64, now: UnixMillis) -> Option<Self> {
        let max = shared.policies.of(None).sms_spend_max_micros;
        take(shared, &[(BudgetKey::Money, SmsBudget::Money, price, max)], now).ok()
    }
}

fn budgets(
    shared: &Arc<Shared>,
    destination: &Destination,
    (account, errand): (AccountId, SmsErrand),
    price: u64,
    now: UnixMillis,
) -> Result<Hold, Rejection> {
    let policy = shared.policies.of(None);
    let [number, prefix, country, of_account] = BudgetKey::all(destination, account, errand);
    let most = |key: (BudgetKey, SmsBudget)| (key.0, key.1, 1, max_of(policy, key.1));
    // The price is spoken for again when the try is made: here it only has to be left.
    // Numbers that nobody has proven leave a fifth of the money to those who sign in.
    let money_max = match errand {
        SmsErrand::SignIn => policy.sms_spend_max_micros,
        SmsErrand::Enrolment => policy.sms_spend_max_micros / 5 * 4,
    };
    let money = (BudgetKey::Money, SmsBudget::Money, price, money_max);
    let mut hold = take(shared, &[most(number), most(prefix), most(country), most(of_account), money], now)?;
    hold.release_money();
    Ok(hold)
}

impl Hold {
    fn release_money(&mut self) {
        let (money, rest) = self.keys.drain(..).partition(|(key, _)| *key == BudgetKey::Money);
        self.keys = rest;
        drop(Self { shared: Arc::clone(&self.shared), keys: money });
    }
}

fn max_of(policy: &Policy, budget: SmsBudget) -> u64 {
    match budget {
        SmsBudget::Number => policy.sms_number_max.into(),
        SmsBudget::Prefix => policy.sms_prefix_max.into(),
        SmsBudget::Country => policy.sms_country_max.into(),
        SmsBudget::Account => policy.sms_account_max.into(),
        SmsBudget::Money => policy.sms_spend_max_micros,
    }
}

/// Takes all of the amounts, or none.
fn take(shared: &Arc<Shared>, wanted: &[(BudgetKey, SmsBudget, u64, u64)], now: UnixMillis) -> Result<Hold, Rejection> {
    // Held first, views second: whoever is counted meanwhile is counted twice, and never not at all.
    let mut held = shared.sms.held.lock().unwrap_or_else(PoisonError::into_inner);
    let spent = shared.views(|views| {
        let over = |(key, budget, amount, max): &(BudgetKey, SmsBudget, u64, u64)| {
            let counted = views.sms.count(key, now).saturating_add(held.get(key).copied().unwrap_or(0));
            (counted.saturating_add(*amount) > *max).then(|| (*budget, views.sms.window_end(now)))
        };
        wanted.iter().find_map(over)
    });
    if let Some((budget, again_at)) = spent {
        return Err(Rejection::SmsBudgetSpent { budget, again_at });
    }
    let keys: Vec<(BudgetKey, u64)> = wanted.iter().map(|(key, _, amount, _)| (key.clone(), *amount)).collect();
    for (key, amount) in &keys {
        *held.entry(key.clone()).or_default() += amount;
    }
    Ok(Hold { shared: Arc::clone(shared), keys })
}
