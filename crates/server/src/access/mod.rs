//! Who may come in, and what they may do: users, sessions, tokens, settings.
//!
//! Each change is recorded in the trail *before* its transaction commits: a change nobody can read about later does
//! not happen. The other way round (recorded, then not committed) takes a crash within the same millisecond, and
//! leaves an event too many rather than one too few.

pub mod applications;
pub mod devices;
pub mod identify;
pub mod password;
pub mod saved_filters;
pub mod settings;
pub mod sign_in;
pub mod subject;
pub mod throttle;
pub mod tokens;
pub mod users;

use std::time::Duration;

use api::access::Privilege;
use sha2::{Digest, Sha256};

pub use identify::Memory;
pub use subject::{By, Client, Privileges, Reach, Subject};

use crate::append;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("sign in, or send a token")]
    Unauthenticated,
    #[error("this session has ended; sign in again")]
    SessionEnded,
    #[error("this token is not known, or has expired")]
    TokenInvalid,
    #[error("name and password don't fit, or the user is disabled")]
    WrongPassword,
    #[error("too many failed tries; the next one is possible in {} s", wait.as_secs().max(1))]
    Throttled { wait: Duration },
    #[error("this needs the privilege {privilege}")]
    Forbidden { privilege: Privilege },
    #[error("this enrolment token is not known, was used, or has expired")]
    NotEnrolled,
    #[error("{0}")]
    NotAllowed(&'static str),
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    #[error("{reason}")]
    Invalid { pointer: &'static str, reason: String },
    #[error("{reason}")]
    Conflict { reason: String },
    #[error("the change can't be recorded in the trail, so it was not made")]
    Record(#[from] append::Error),
    #[error("the state can't be read or written")]
    State(#[from] sqlx::Error),
}

/// What is kept of a cookie or a token. They are 256 random bits, so one round of SHA-256 is enough.
pub fn fingerprint(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// 256 random bits, as text that fits a header, a cookie and a shell.
pub fn random_text() -> String {
    use base64::Engine as _;
    let mut bytes = [0; 32];
    rand::fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
