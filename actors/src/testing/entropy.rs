//! Randomness that a number stands for.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Entropy, NoEntropy};

/// Numbers that a seed stands for (SplitMix64): for scripts of what happens, never for secrets.
///
/// ```
/// use countersign::testing::Dice;
///
/// let (mut one, mut same) = (Dice::new(7), Dice::new(7));
/// assert_eq!(one.roll(), same.roll());
/// assert!(one.below(6) < 6);
/// assert!(["tap", "code"].contains(&one.pick(&["tap", "code"])));
/// ```
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of a seed.
    ///
    /// ```
    /// # use countersign::testing::Dice;
    /// assert_ne!(Dice::new(1).roll(), Dice::new(2).roll());
    /// ```
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635_dcf9_a1d1)
    }

    /// The next number.
    ///
    /// ```
    /// # use countersign::testing::Dice;
    /// let mut dice = Dice::new(1);
    /// assert_ne!(dice.roll(), dice.roll());
    /// ```
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 on and below `end`; 0 when `end` is 0.
    ///
    /// ```
    /// # use countersign::testing::Dice;
    /// assert_eq!(Dice::new(1).below(1), 0);
    /// ```
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// One of some things.
    ///
    /// # Panics
    /// When there is none.
    ///
    /// ```
    /// # use countersign::testing::Dice;
    /// assert_eq!(Dice::new(1).pick(&["only"]), "only");
    /// ```
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }

    /// Whether something happens that happens once in so many times.
    ///
    /// ```
    /// # use countersign::testing::Dice;
    /// assert!(Dice::new(1).one_in(1));
    /// ```
    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// Randomness that follows from one number, so that a run can be repeated; and that can run dry.
///
/// Every call gets the next bytes, whoever asks: histories are the same as long as commands are sent one after another.
///
/// ```
/// use countersign::testing::SeededEntropy;
/// use countersign::{Entropy, NoEntropy};
///
/// let drawn = |seed| {
///     let mut bytes = [0; 16];
///     SeededEntropy::new(seed).fill(&mut bytes).unwrap();
///     bytes
/// };
/// assert_eq!(drawn(7), drawn(7));
/// assert_ne!(drawn(7), drawn(8));
///
/// let entropy = SeededEntropy::new(7);
/// entropy.set_dry(true);
/// assert_eq!(entropy.fill(&mut [0; 16]), Err(NoEntropy));
/// ```
pub struct SeededEntropy {
    dice: Mutex<Dice>,
    dry: AtomicBool,
    /// What the next call for as many bytes gets.
    next: Mutex<Option<Vec<u8>>>,
}

impl SeededEntropy {
    /// The randomness of a seed.
    ///
    /// ```
    /// let entropy = countersign::testing::SeededEntropy::new(7);
    /// ```
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { dice: Mutex::new(Dice::new(seed)), dry: AtomicBool::new(false), next: Mutex::new(None) }
    }

    /// Says whether there is none from now on. Without it, commands that need some fail, and record nothing.
    ///
    /// ```
    /// # use countersign::{Entropy, testing::SeededEntropy};
    /// let entropy = SeededEntropy::new(7);
    /// entropy.set_dry(true);
    /// entropy.set_dry(false);
    /// assert!(entropy.fill(&mut [0; 16]).is_ok());
    /// ```
    pub fn set_dry(&self, dry: bool) {
        self.dry.store(dry, Ordering::SeqCst);
    }

    /// Says what the next call for just as many bytes gets: the secret of the next virtual device, with 40 of
    /// them. `None` takes it back.
    ///
    /// ```
    /// # use countersign::{Entropy, testing::SeededEntropy};
    /// let entropy = SeededEntropy::new(7);
    /// entropy.set_next(Some(vec![9; 4]));
    /// let (mut id, mut secret) = ([0; 16], [0; 4]);
    /// entropy.fill(&mut id).unwrap();
    /// entropy.fill(&mut secret).unwrap();
    /// assert_ne!(id[..4], [9; 4]);
    /// assert_eq!(secret, [9; 4]);
    /// ```
    pub fn set_next(&self, bytes: Option<Vec<u8>>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }
}

impl fmt::Debug for SeededEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededEntropy(..)")
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        if self.dry.load(Ordering::SeqCst) {
            return Err(NoEntropy);
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = next.take_if(|bytes| bytes.len() == buffer.len()) {
            buffer.copy_from_slice(&bytes);
            return Ok(());
        }
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        for part in buffer.chunks_mut(8) {
            part.copy_from_slice(&dice.roll().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}
