//! What can go wrong with rules, channels, deliveries and the inbox.

use axum::http::StatusCode;

use super::Problem;
use crate::notify;

impl From<notify::Error> for Problem {
    fn from(error: notify::Error) -> Self {
        use notify::Error as E;
        let detail = error.to_string();
        match error {
            E::NotFound { .. } => Self::not_found(detail),
            E::Invalid { parts } => {
                let filter = parts.iter().any(|part| part.offset.is_some());
                let problem = if filter {
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, "filter-invalid", "The filter can't be read")
                } else {
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A value can't be accepted")
                };
                parts.into_iter().fold(problem.detail(detail), |problem, part| match (part.offset, part.length) {
                    (Some(offset), Some(length)) => problem.part_at(part.pointer, part.detail, offset, length),
                    _ => problem.part(part.pointer, part.detail),
                })
            }
            E::Conflict { reason } => Self::conflict(reason),
            E::InUse { .. } => Self::new(StatusCode::CONFLICT, "in-use", "Rules use this channel").detail(detail),
            E::Record(source) => source.into(),
            E::State(source) => source.into(),
            error @ (E::Channel(_) | E::Store(_) | E::GivenUp(_)) => Self::internal(&error),
        }
    }
}
