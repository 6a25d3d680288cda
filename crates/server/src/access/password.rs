//! Passwords: Argon2id, kept as PHC strings. Slow on purpose, so never on the threads that answer requests.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

pub const CHARS_MIN: usize = 12;
const BYTES_MAX: usize = 1_024;

/// Each hash takes 19 MiB and a core for a while; more at once would let a flood of logins starve the server.
static AT_ONCE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(2)));

/// What is verified when there is no such user, so that the answer takes as long as with a wrong password.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a password has at least {CHARS_MIN} characters")]
    TooShort,
    #[error("a password has at most {BYTES_MAX} bytes")]
    TooLong,
    #[error("a password that contains the user's name is no password")]
    IsName,
    #[error("the password can't be hashed: {0}")]
    Hash(String),
}

/// Whether a new password may be used by `name`.
pub fn check(password: &str, name: &str) -> Result<(), Error> {
    if password.chars().count() < CHARS_MIN {
        return Err(Error::TooShort);
    }
    if password.len() > BYTES_MAX {
        return Err(Error::TooLong);
    }
    if name.len() >= 4 && password.to_lowercase().contains(&name.to_lowercase()) {
        return Err(Error::IsName);
    }
    Ok(())
}

/// The PHC string of `password`.
pub async fn hash(password: String) -> Result<String, Error> {
    run(move || hash_now(&password)).await.unwrap_or_else(|| Err(Error::Hash("the thread ended".to_owned())))
}

/// Whether `password` is the one behind `phc`; with `None` the answer is no, after the same time.
pub async fn verify(password: String, phc: Option<String>) -> bool {
    if password.len() > BYTES_MAX {
        return false;
    }
    run(move || {
        let known = phc.is_some();
        let phc = phc.unwrap_or_else(|| NOBODY.clone());
        let fits = PasswordHash::new(&phc)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        known && fits
    })
    .await
    .unwrap_or(false)
}

fn hash_now(password: &str) -> Result<String, Error> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|e| Error::Hash(e.to_string()))
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let _permit = AT_ONCE.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_one_fits_and_nobody_has_none() {
        let phc = hash("correct horse battery".to_owned()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$"), "{phc}");
        assert_ne!(phc, hash("correct horse battery".to_owned()).await.unwrap());
        assert!(verify("correct horse battery".to_owned(), Some(phc.clone())).await);
        assert!(!verify("correct horse batterz".to_owned(), Some(phc)).await);
        assert!(!verify("nobody has this password".to_owned(), None).await);
        assert!(!verify("x".to_owned(), Some("nonsense".to_owned())).await);
    }

    #[test]
    fn what_may_be_a_password() {
        assert!(check("correct horse battery", "ada").is_ok());
        assert!(matches!(check("short", "ada"), Err(Error::TooShort)));
        assert!(matches!(check(&"x".repeat(2_000), "ada"), Err(Error::TooLong)));
        assert!(matches!(check("Admin-admin-admin", "admin"), Err(Error::IsName)));
    }
}
