//! What can go wrong with a search.

use axum::http::StatusCode;
use store::StoreError;

use super::Problem;
use crate::search::SearchError;

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Busy { retry_after } => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much at once")
                .detail("too many searches are running")
                .retry_after(retry_after),
            SearchError::Store(error) => error.into(),
            SearchError::Broken => Self::internal(&error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotCountable { .. } => Self::invalid("/by", error.to_string()),
            StoreError::TooManySpans { .. } => Self::invalid("/span", error.to_string()),
            StoreError::Disk { .. }
            | StoreError::Index { .. }
            | StoreError::Entries(_)
            | StoreError::OutOfOrder { .. } => Self::internal(&error),
        }
    }
}
