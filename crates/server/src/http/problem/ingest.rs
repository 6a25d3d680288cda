//! What can go wrong when events come in.

use std::time::Duration;

use axum::http::StatusCode;

use super::Problem;
use crate::ingest::body::BodyError;
use crate::ingest::replays::ReplaysError;
use crate::ingest::selection::SelectionError;
use crate::ingest::{IntakeError, RegistryError};

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Body(error) => error.into(),
            IntakeError::Registry(error) => error.into(),
            IntakeError::Append(error) => error.into(),
            IntakeError::Busy { retry_after } => {
                busy(retry_after, "the server works on as many bodies as it has room for")
            }
            IntakeError::InFlight => Self::conflict("a batch with this Idempotency-Key is being taken at this moment")
                .retry_after(Duration::from_secs(1)),
            error @ (IntakeError::State(_) | IntakeError::Broken) => Self::internal(&error),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Damaged { .. } => Self::bad_request(format!("{}; nothing of it was kept", super::chain(&error))),
            BodyError::TooLarge { .. } | BodyError::TooMany { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large").detail(error.to_string())
            }
        }
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::UnknownSource { .. } => {
                Self::not_found(format!("{text}; make it under Sources, or leave ?source= away for events as they are"))
            }
            RegistryError::UnknownMapping { .. } => Self::not_found(text),
            RegistryError::NotGranted { .. } => {
                Self::new(StatusCode::FORBIDDEN, "not-granted", "This is not shared with the application").detail(text)
            }
            RegistryError::Disabled { .. } | RegistryError::Taken { .. } | RegistryError::Builtin { .. } => {
                Self::conflict(text)
            }
            RegistryError::Compile { errors, .. } => errors.into_iter().fold(
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "mapping-invalid", "The mapping does not compile")
                    .detail(text),
                |problem, error| {
                    problem.part("/program", format!("line {}, column {}: {}", error.line, error.column, error.message))
                },
            ),
            RegistryError::Samples { errors, .. } => errors.into_iter().fold(
                Self::new(StatusCode::CONFLICT, "samples-broken", "Samples could not be read any more").detail(text),
                |problem, (nth, reason)| problem.part(format!("/samples/{nth}"), reason),
            ),
            RegistryError::Invalid { field, reason } => Self::invalid(format!("/{field}"), reason),
            RegistryError::State(error) => error.into(),
        }
    }
}

impl From<ReplaysError> for Problem {
    fn from(error: ReplaysError) -> Self {
        match error {
            ReplaysError::Running | ReplaysError::Nothing => Self::conflict(error.to_string()),
            ReplaysError::Unknown { .. } => Self::not_found(error.to_string()),
            ReplaysError::State(error) => error.into(),
        }
    }
}

impl From<SelectionError> for Problem {
    fn from(error: SelectionError) -> Self {
        let text = error.to_string();
        match error {
            SelectionError::NotFound { .. } => Self::not_found(text),
            SelectionError::Invalid { pointer, reason } => Self::invalid(pointer, reason),
            SelectionError::Filter(error) => Self::filter("/filter", &error),
            SelectionError::TooMany => Self::conflict(text),
            SelectionError::State(error) => error.into(),
        }
    }
}

fn busy(retry_after: Duration, detail: &str) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much at once").detail(detail).retry_after(retry_after)
}
