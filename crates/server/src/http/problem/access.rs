use axum::http::StatusCode;

use super::Problem;
use crate::{access, append};

impl From<access::Error> for Problem {
    fn from(error: access::Error) -> Self {
        use access::Error as E;
        let detail = error.to_string();
        match error {
            E::Unauthenticated | E::SessionEnded | E::TokenInvalid => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Who are you?").detail(detail)
            }
            E::WrongPassword => {
                Self::new(StatusCode::UNAUTHORIZED, "wrong-password", "Signing in failed").detail(detail)
            }
            E::NotEnrolled => {
                Self::new(StatusCode::FORBIDDEN, "enrolment-refused", "The device was not enrolled").detail(detail)
            }
            E::Throttled { wait } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", "Too many failed tries")
                    .detail(detail)
                    .retry_after(wait)
            }
            E::Forbidden { .. } | E::NotAllowed(_) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "You may not do that").detail(detail)
            }
            E::NotFound { .. } => Self::not_found(detail),
            E::Invalid { pointer, reason } => Self::invalid(pointer, reason),
            E::Conflict { reason } => Self::conflict(reason),
            E::Record(source) => source.into(),
            E::State(source) => source.into(),
        }
    }
}

impl From<append::Error> for Problem {
    fn from(error: append::Error) -> Self {
        match error {
            append::Error::Busy { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "The trail has more to write than it may hold")
                    .detail("nothing was kept; send it again later")
                    .retry_after(retry_after)
            }
            append::Error::Stopped { ref reason } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "trail-stopped", "The trail takes nothing any more")
                    .detail(format!("nothing was kept; {reason}"))
            }
            append::Error::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The batch is too large")
                    .detail(error.to_string())
            }
            append::Error::KeyReused { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "The idempotency key stands on another batch")
                    .detail(error.to_string())
            }
            append::Error::Own(_) => Self::internal(&error),
        }
    }
}
