//! The TOTP ceremony: tries typed codes against a seed and says which counters matched.

use std::fmt;

use countersign_domain::secret::Seed;
use countersign_domain::totp::{CodeMatches, CodeSearch, PairSearch};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::code::Code;
use crate::error::Error;

/// Computes the codes of one device (R13, R14): SHA-1, six digits, by counter.
pub(crate) struct Generator(Totp);

impl Generator {
    /// A generator for a device's seed.
    pub(crate) fn new(seed: &Seed) -> Result<Self, Error> {
        // A step of one "second" makes the library's time the counter itself.
        let built = base(seed).with_step_duration(1).build();
        built.map(Self).map_err(|_| Error::history("the seed is not one that codes can be made of"))
    }

    fn shows(&self, code: &Code, counter: u64) -> bool {
        self.0.check(code.as_str(), counter).is_some()
    }

    /// Tries a single code at the step that the device should show now. When it is accepted there is
    /// nothing more to learn from the time that this took; otherwise the whole window is tried.
    pub(crate) fn try_now(&self, code: &Code, search: &CodeSearch) -> CodeMatches {
        let now = search.wide.centre;
        CodeMatches { window: Vec::from_iter(self.shows(code, now).then_some(now)), wide: None }
    }

    /// Tries a single code over the authentication window, every counter of it, so that the time
    /// taken does not tell which one matched.
    pub(crate) fn try_window(&self, code: &Code, search: &CodeSearch) -> CodeMatches {
        let mut matches = CodeMatches::default();
        for counter in search.first..=search.last {
            if self.shows(code, counter) {
                matches.window.push(counter);
            }
        }
        matches
    }

    /// Looks for the nearest counter of the wide range that shows the code (A5).
    pub(crate) fn try_wide(&self, code: &Code, search: &PairSearch) -> Option<u64> {
        let found = (search.first..=search.last).filter(|&counter| self.shows(code, counter));
        found.min_by_key(|counter| counter.abs_diff(search.centre))
    }

    /// Tries a pair: the counters of the second code at which both match (R81).
    pub(crate) fn try_pair(&self, first: &Code, second: &Code, search: &PairSearch) -> Vec<u64> {
        let both = |counter: &u64| self.shows(first, counter.saturating_sub(1)) && self.shows(second, *counter);
        (search.first..=search.last).filter(both).collect()
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generator(..)")
    }
}

/// What a person needs to set up an authenticator; shown once (R16).
pub(crate) struct Provisioning(Totp);

impl Provisioning {
    /// `issuer` and `label` must not hold a colon.
    pub(crate) fn new(seed: &Seed, issuer: &str, label: &str) -> Result<Self, Error> {
        let built = base(seed).with_step_duration(30).with_issuer(Some(issuer)).with_account_name(label).build();
        built.map(Self).map_err(|_| Error::unavailable("the issuer or the device's name does not fit an otpauth uri"))
    }

    pub(crate) fn uri(&self) -> Result<Zeroizing<String>, Error> {
        self.0.to_url().map(Zeroizing::new).map_err(|_| Error::unavailable("the otpauth uri cannot be made"))
    }

    pub(crate) fn qr_png(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.0.to_qr_png().map(Zeroizing::new).map_err(|_| Error::unavailable("the qr picture cannot be made"))
    }
}

/// The seed as authenticators take it by hand: base32 without padding (R15).
pub(crate) fn base32(seed: &Seed) -> Zeroizing<String> {
    Zeroizing::new(Secret::new(seed.expose().into()).to_base32())
}

fn base(seed: &Seed) -> Builder {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(0)
        .with_secret(Secret::new(seed.expose().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc_seed() -> Seed {
        Seed::new(b"12345678901234567890".to_vec()).unwrap()
    }

    /// RFC 4226 appendix D.
    #[test]
    fn hotp_vectors() {
        let generator = Generator::new(&rfc_seed()).unwrap();
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, code) in (0..).zip(codes) {
            let code = Code::parse(code).unwrap();
            let hits: Vec<u64> = (0..10).filter(|&other| generator.shows(&code, other)).collect();
            assert_eq!(hits, [counter]);
        }
    }

    /// RFC 6238 appendix B, SHA-1, the last six of the eight digits.
    #[test]
    fn totp_vectors() {
        let generator = Generator::new(&rfc_seed()).unwrap();
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000_u64, "353130"),
        ];
        for (seconds, code) in vectors {
            assert!(generator.shows(&Code::parse(code).unwrap(), seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_pair_is_found_where_it_is_and_only_in_order() {
        let generator = Generator::new(&rfc_seed()).unwrap();
        let (first, second) = (Code::parse("969429").unwrap(), Code::parse("338314").unwrap());
        let search = PairSearch { first: 1, last: 9, centre: 5 };
        assert_eq!(generator.try_pair(&first, &second, &search), [4]);
        assert!(generator.try_pair(&second, &first, &search).is_empty());
        assert!(generator.try_pair(&first, &first, &search).is_empty());
    }

    #[test]
    fn a_code_is_found_where_it_is_looked_for_and_nowhere_else() {
        let generator = Generator::new(&rfc_seed()).unwrap();
        let shown = |counter: usize| {
            let codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583"];
            Code::parse(codes[counter]).unwrap()
        };
        let wide = PairSearch { first: 1, last: 6, centre: 3 };
        let search = CodeSearch { first: 2, last: 4, unused: true, wide };
        let window = |counters: &[u64]| CodeMatches { window: counters.to_vec(), wide: None };
        assert_eq!(generator.try_now(&shown(3), &search), window(&[3]));
        assert_eq!(generator.try_now(&shown(4), &search), window(&[]));
        let found: Vec<CodeMatches> = (0..8).map(|at| generator.try_window(&shown(at), &search)).collect();
        let nothing = || window(&[]);
        let expected =
            [nothing(), nothing(), window(&[2]), window(&[3]), window(&[4]), nothing(), nothing(), nothing()];
        assert_eq!(found, expected);
        let wide: Vec<Option<u64>> = (0..8).map(|at| generator.try_wide(&shown(at), &search.wide)).collect();
        assert_eq!(wide, [None, Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), None]);
        assert_eq!(format!("{generator:?}"), "Generator(..)");
    }

    #[test]
    fn the_secret_is_shown_as_a_picture_and_as_text() {
        let provisioning = Provisioning::new(&rfc_seed(), "Countersign", "lee@123456789012").unwrap();
        assert!(provisioning.qr_png().unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(base32(&rfc_seed()).as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn the_uri_has_the_defaults_only() {
        let provisioning = Provisioning::new(&rfc_seed(), "Countersign", "lee@123456789012").unwrap();
        let uri = provisioning.uri().unwrap();
        assert_eq!(
            uri.as_str(),
            "otpauth://totp/Countersign:lee%40123456789012?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Countersign"
        );
    }
}
