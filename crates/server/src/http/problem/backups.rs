//! What can go wrong with backups.

use std::time::Duration;

use axum::http::StatusCode;

use super::Problem;
use crate::causes::chain;
use crate::keep::backup::Error;
use crate::keep::restore::RestoreError;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) => Self::not_found(error.to_string()),
            Error::Invalid { pointer, reason } => Self::invalid(pointer, reason),
            Error::NoMasterKey | Error::State { .. } | Error::Needed { .. } => Self::conflict(error.to_string()),
            Error::Busy => Self::conflict(error.to_string()).retry_after(Duration::from_secs(5)),
            Error::Key(refused) => key(&refused),
            Error::Split(refused) => Self::invalid("/threshold", refused.to_string()),
            Error::Database(source) => source.into(),
            Error::Record(source) => source.into(),
            error @ (Error::Folder(_)
            | Error::Snapshot(_)
            | Error::Trail(_)
            | Error::Collect(_)
            | Error::Make(_)
            | Error::Broken) => Self::internal(&error),
        }
    }
}

/// Shares that do not open a backup are the fault of who typed them; a file that was altered, or is gone, is not.
fn key(refused: &RestoreError) -> Problem {
    if refused.is_of_the_key() {
        Problem::invalid("/shares", chain(refused))
    } else if refused.is_refusal() {
        Problem::new(StatusCode::CONFLICT, "backup-damaged", "The backup is not what was written")
            .detail(chain(refused))
    } else {
        Problem::internal(refused)
    }
}
