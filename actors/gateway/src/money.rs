//! Amounts of money: counted in millionths, and written as decimal fractions.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Digits after the point.
const DECIMALS: usize = 6;
const MICROS: u64 = 1_000_000;

/// An amount in a currency that somebody else knows.
///
/// ```
/// use countersign_gateway::money::Money;
///
/// assert_eq!(Money::parse("0.0075"), Some(Money { micros: 7_500 }));
/// assert_eq!(Money { micros: 7_500 }.to_string(), "0.0075");
/// assert_eq!(Money { micros: 500_000_000 }.to_string(), "500.00");
/// assert_eq!(Money::parse("0.00000075"), None, "less than a millionth");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Money {
    /// Millionths of a unit.
    pub micros: u64,
}

impl Money {
    /// Reads digits, with a point and up to six more where there is a fraction. Nothing is rounded.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
            return None;
        }
        let units: u64 = whole.parse().ok()?;
        let fraction: u64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
        let micros = units.checked_mul(MICROS)?.checked_add(fraction)?;
        Some(Self { micros })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.micros % MICROS);
        let (cents, rest) = fraction.split_at(2);
        write!(f, "{}.{cents}{}", self.micros / MICROS, rest.trim_end_matches('0'))
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MoneyVisitor)
    }
}

struct MoneyVisitor;

impl Visitor<'_> for MoneyVisitor {
    type Value = Money;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount such as 0.0075, with six decimals at most")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Money, E> {
        Money::parse(&value.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }

    /// The shortest decimal fraction that stands for a floating-point number is the one that was typed.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Money, E> {
        Money::parse(&value.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Money, E> {
        Money::parse(value).ok_or_else(|| E::invalid_value(Unexpected::Str(value), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Price {
        price: Money,
    }

    #[test]
    fn what_is_typed_is_what_is_counted() {
        let of = |text: &str| toml::from_str::<Price>(&format!("price = {text}")).ok().map(|price| price.price.micros);
        for (text, micros) in [
            ("0.0075", 7_500),
            ("0.1", 100_000),
            ("0.000001", 1),
            ("1.000001", 1_000_001),
            ("3", 3_000_000),
            ("0", 0),
            ("\"0.07\"", 70_000),
            ("999999.999999", 999_999_999_999),
            ("1e-6", 1),
        ] {
            assert_eq!(of(text), Some(micros), "{text}");
        }
        for bad in ["-1", "-0.5", "0.0000001", "nan", "inf", "\"\"", "\"1.\"", "\".5\"", "\"1,5\"", "true", "1e300"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        // Every price that a route may have, by steps that are no round numbers.
        for micros in (0..2_000_000).step_by(997) {
            let float = micros as f64 / 1e6;
            assert_eq!(Money::parse(&float.to_string()), Some(Money { micros }), "{float}");
            assert_eq!(Money::parse(&Money { micros }.to_string()), Some(Money { micros }));
        }
    }
}
