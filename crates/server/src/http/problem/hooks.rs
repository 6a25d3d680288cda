//! What can go wrong with the endpoints that others post to.

use axum::http::StatusCode;

use super::Problem;
use crate::ingest::HookError;
use crate::ingest::hook_signature::Refusal;

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        let text = error.to_string();
        match error {
            HookError::Unknown { .. } => Self::not_found(text),
            HookError::Taken { .. } | HookError::TooMany => Self::conflict(text),
            HookError::Invalid { field, reason } => Self::invalid(format!("/{field}"), reason),
            HookError::State(error) => error.into(),
            HookError::Record(error) => error.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signature", "The request does not show that it knows the secret")
            .detail(refusal.to_string())
    }
}
