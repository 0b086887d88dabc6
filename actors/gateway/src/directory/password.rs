//! Hashes of passwords: Argon2id with the parameters that its specification recommends.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use zeroize::Zeroizing;

use super::DirectoryError;
use super::ids::Randomness;
use crate::secret::Secret;

/// Bytes of a salt.
const SALT_BYTES: usize = 16;

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
}
