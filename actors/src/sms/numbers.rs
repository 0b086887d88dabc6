//! What the numbering plans of the world say of a number.

use countersign_domain::device::PhoneNumber;
use countersign_domain::sms::{Country, PhoneFault};
use phonenumber::{Type, metadata};

/// The country of a number that codes can be sent to.
///
/// # Errors
/// When no plan has it, or it is no person's mobile phone.
pub(crate) fn look_up(number: &PhoneNumber) -> Result<Country, PhoneFault> {
    let parsed = phonenumber::parse(None, number.e164()).map_err(|_| PhoneFault::NotAllocated)?;
    if !parsed.is_valid() {
        return Err(PhoneFault::NotAllocated);
    }
    match parsed.number_type(&metadata::DATABASE) {
        Type::Mobile | Type::FixedLineOrMobile => {}
        // Personal numbers forward to wherever, at what price their owner likes.
        Type::PremiumRate | Type::SharedCost | Type::PersonalNumber => return Err(PhoneFault::Premium),
        Type::Voip => return Err(PhoneFault::VoiceOverIp),
        Type::TollFree | Type::Uan | Type::Emergency | Type::ShortCode | Type::StandardRate => {
            return Err(PhoneFault::Company);
        }
        Type::FixedLine | Type::Pager | Type::Voicemail | Type::Carrier | Type::NoInternational => {
            return Err(PhoneFault::NotMobile);
        }
        Type::Unknown => return Err(PhoneFault::NotAllocated),
    }
    Ok(parsed.country().id().and_then(|id| Country::parse(id.as_ref())).unwrap_or(Country::NONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_reached_and_nobody_else() {
        let of = |text: &str| look_up(&PhoneNumber::parse(text).unwrap()).map(|country| country.to_string());
        for (number, country) in [
            ("+14155550123", "US"),
            ("+447911123456", "GG"),
            ("+4915112345678", "DE"),
            ("+18763456789", "JM"),
            ("+919876543210", "IN"),
        ] {
            assert_eq!(of(number).as_deref(), Ok(country), "{number}");
        }
        for (number, fault) in [
            ("+15550101234", PhoneFault::NotAllocated),
            ("+19002345678", PhoneFault::Premium),
            ("+4930901820", PhoneFault::NotMobile),
            ("+18002345678", PhoneFault::Company),
            ("+445612345678", PhoneFault::VoiceOverIp),
            ("+1234567", PhoneFault::NotAllocated),
            ("+999999999999999", PhoneFault::NotAllocated),
        ] {
            assert_eq!(of(number), Err(fault), "{number}");
        }
    }
}
