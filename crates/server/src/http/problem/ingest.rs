//! What can go wrong when events come in.

use std::time::Duration;

use axum::http::StatusCode;

use super::Problem;
use crate::causes::chain;
use crate::http::body::BodyFault;
use crate::ingest::body::BodyError;
use crate::ingest::inputs::Error as InputsError;
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

impl From<InputsError> for Problem {
    fn from(error: InputsError) -> Self {
        match error {
            InputsError::NotFound(_) => Self::not_found(error.to_string()),
            InputsError::Invalid(parts) => {
                let detail = parts.first().map(|part| part.detail.clone()).unwrap_or_default();
                parts.into_iter().fold(
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The input can't be used").detail(detail),
                    |problem, part| problem.part(part.pointer, part.detail),
                )
            }
            InputsError::Conflict(reason) => Self::conflict(reason),
            InputsError::State(source) => source.into(),
            InputsError::Record(source) => source.into(),
            error @ InputsError::Inputs(_) => Self::internal(&error),
        }
    }
}

impl From<BodyFault> for Problem {
    fn from(error: BodyFault) -> Self {
        let text = error.to_string();
        match error {
            BodyFault::Encoding => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "encoding",
                "The body is packed in a way not understood here",
            )
            .detail(text),
            BodyFault::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large").detail(text)
            }
            BodyFault::Silent => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "The body did not come").detail(text)
            }
            BodyFault::BrokenOff(_) => Self::bad_request(text),
            BodyFault::Busy { retry_after } => busy(retry_after, &text),
            BodyFault::Damaged(error) => error.into(),
            error @ BodyFault::Unpacking(_) => Self::internal(&error),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Damaged { .. } => Self::bad_request(format!("{}; nothing of it was kept", chain(&error))),
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
