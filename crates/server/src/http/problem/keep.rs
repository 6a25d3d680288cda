//! What can go wrong with policies, holds, erasures and removals.

use axum::http::StatusCode;

use super::Problem;
use crate::keep::removal::Error;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound { .. } => Self::not_found(detail),
            Error::Invalid { pointer, reason } => Self::invalid(pointer, reason),
            Error::Filter(error) => Self::filter("/filter", &error),
            Error::Conflict { reason } => Self::conflict(reason),
            Error::SamePerson => {
                Self::new(StatusCode::FORBIDDEN, "second-person", "A second person has to approve it").detail(detail)
            }
            Error::Record(source) => source.into(),
            Error::State(source) => source.into(),
            Error::Store(source) => source.into(),
            error @ (Error::Trail(_) | Error::Picks(_) | Error::Disk(_) | Error::GivenUp(_)) => Self::internal(&error),
        }
    }
}
