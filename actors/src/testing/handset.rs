//! A telephone that gets codes by SMS.

use std::fmt;
use std::sync::Arc;

use crate::{ChallengeId, Code, DevelopmentTransports, PhoneNumber};

/// A telephone: a number, and the messages that came to it.
///
/// ```
/// # use countersign::*;
/// use countersign::testing::Handset;
///
/// let outbox = DevelopmentTransports::new(true);
/// let config = Config { transports: Transports::development(&outbox), ..Config::default() };
/// let handset = Handset::new(PhoneNumber::parse("+14155550123")?, &outbox);
/// // Once the engine with this configuration has sent it a code, that is here.
/// assert!(handset.newest_code().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Handset {
    number: PhoneNumber,
    outbox: Arc<DevelopmentTransports>,
}

impl Handset {
    /// The telephone of a number; what is sent to it goes through these transports.
    ///
    /// ```
    /// # use countersign::{DevelopmentTransports, testing::Handset};
    /// let handset = Handset::new(countersign::PhoneNumber::parse("+14155550123").unwrap(), &DevelopmentTransports::new(true));
    /// ```
    #[must_use]
    pub fn new(number: PhoneNumber, outbox: &Arc<DevelopmentTransports>) -> Self {
        Self { number, outbox: Arc::clone(outbox) }
    }

    /// Its number.
    ///
    /// ```
    /// # use countersign::{DevelopmentTransports, testing::Handset};
    /// let handset = Handset::new(countersign::PhoneNumber::parse("+14155550123").unwrap(), &DevelopmentTransports::new(true));
    /// assert_eq!(handset.number().e164(), "+14155550123");
    /// ```
    #[must_use]
    pub const fn number(&self) -> &PhoneNumber {
        &self.number
    }

    /// The code of the newest message to it.
    ///
    /// ```
    /// # use countersign::{DevelopmentTransports, testing::Handset};
    /// # let handset = Handset::new(countersign::PhoneNumber::parse("+14155550123").unwrap(), &DevelopmentTransports::new(true));
    /// assert!(handset.newest_code().is_none());
    /// ```
    #[must_use]
    pub fn newest_code(&self) -> Option<Code> {
        self.codes(|_| true).pop()
    }

    /// The code that was sent to it for a challenge.
    ///
    /// ```
    /// # use countersign::{ChallengeId, DevelopmentTransports, testing::Handset};
    /// # let handset = Handset::new(countersign::PhoneNumber::parse("+14155550123").unwrap(), &DevelopmentTransports::new(true));
    /// assert!(handset.code_for(ChallengeId::from_bytes([1; 16])).is_none());
    /// ```
    #[must_use]
    pub fn code_for(&self, challenge: ChallengeId) -> Option<Code> {
        self.codes(|of| of == Some(challenge)).pop()
    }

    fn codes(&self, wanted: impl Fn(Option<ChallengeId>) -> bool) -> Vec<Code> {
        let messages = self.outbox.messages();
        let to_it = messages.iter().filter(|message| message.via == "sms" && *message.to == self.number.e164());
        to_it
            .filter(|message| wanted(message.challenge))
            .filter_map(|message| Code::parse(&message.code).ok())
            .collect()
    }
}

impl fmt::Debug for Handset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handset").field(&self.number).finish()
    }
}
