//! Hashes of passwords: Argon2id with the parameters that its specification recommends.

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use zeroize::Zeroizing;

use super::DirectoryError;
use super::ids::Randomness;
use crate::secret::Secret;

/// Bytes of a salt.
const SALT_BYTES: usize = 16;
/// The shortest password that may be chosen, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The longest password that may be chosen, in characters.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// Why a password may not be chosen. Length is what counts; there are no rules about kinds of characters
/// (NIST SP 800-63B, section 5.1.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordFault {
    /// It has fewer than [`PASSWORD_CHARS_MIN`] characters.
    TooShort,
    /// It has more than [`PASSWORD_CHARS_MAX`] characters.
    TooLong,
}

impl fmt::Display for PasswordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "a password has at least {PASSWORD_CHARS_MIN} characters"),
            Self::TooLong => write!(f, "a password has at most {PASSWORD_CHARS_MAX} characters"),
        }
    }
}

/// Whether a password may be chosen.
///
/// # Errors
/// Why not.
pub fn check(password: &Secret) -> Result<(), PasswordFault> {
    match password.expose().chars().count() {
        ..PASSWORD_CHARS_MIN => Err(PasswordFault::TooShort),
        PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX => Ok(()),
        _ => Err(PasswordFault::TooLong),
    }
}

/// The hash of a password under a fresh salt, in PHC form. Takes tens of milliseconds by design.
pub(super) fn hash(random: &dyn Randomness, password: &Secret) -> Result<Zeroizing<String>, DirectoryError> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt)?;
    let hash = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
    let hash = hash.map_err(|_| DirectoryError::Unavailable("a password could not be hashed".into()))?;
    Ok(Zeroizing::new(hash.to_string()))
}

/// Whether a password is the one of a hash. Takes as long as hashing.
pub(super) fn verify(password: &Secret, hash: &str) -> bool {
    Argon2::default().verify_password(password.expose().as_bytes(), hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Error;

    struct Fixed;

    impl Randomness for Fixed {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
            buffer.fill(7);
            Ok(())
        }
    }

    #[test]
    fn only_the_password_fits_its_hash() {
        let hash = hash(&Fixed, &Secret::new("correct horse")).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{}", *hash);
        assert!(verify(&Secret::new("correct horse"), &hash));
        assert!(!verify(&Secret::new("Correct horse"), &hash));
        assert!(!verify(&Secret::new("correct horse"), "junk"));
    }

    #[test]
    fn length_alone_decides_what_may_be_chosen() {
        let of = |chars: usize| check(&Secret::new("ü".repeat(chars)));
        assert_eq!(of(PASSWORD_CHARS_MIN - 1), Err(PasswordFault::TooShort));
        assert_eq!((of(PASSWORD_CHARS_MIN), of(PASSWORD_CHARS_MAX)), (Ok(()), Ok(())));
        assert_eq!(of(PASSWORD_CHARS_MAX + 1), Err(PasswordFault::TooLong));
    }
}
