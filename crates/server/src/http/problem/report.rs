//! What can go wrong with reports.

use std::time::Duration;

use axum::http::StatusCode;

use super::Problem;
use crate::report::Error;
use crate::report::definition::DefinitionError;
use crate::report::gather::GatherError;
use crate::report::pdf::PdfError;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound { .. } => Self::not_found(detail),
            Error::Definition(error) => error.into(),
            Error::Builtin { .. } | Error::TooManyReports | Error::NoFile { .. } => Self::conflict(detail),
            Error::TooManyRuns => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much at once")
                .detail(detail)
                .retry_after(Duration::from_secs(5)),
            Error::Expired { .. } => {
                Self::new(StatusCode::GONE, "expired", "The file is no longer kept").detail(detail)
            }
            Error::Email { pointer, reason } => Self::invalid(pointer, reason),
            Error::Pdf(error) => error.into(),
            Error::Gather(GatherError::TooMany { .. } | GatherError::TooLarge) => Self::invalid("/filter", detail),
            Error::Gather(GatherError::Store(error)) => error.into(),
            Error::Gather(GatherError::Cancelled) => Self::conflict(detail),
            Error::PreviewTooLong => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "The answer took too long").detail(detail)
            }
            Error::Record(error) => error.into(),
            Error::State(error) => error.into(),
            error @ (Error::Gather(GatherError::Disk(_))
            | Error::Channels(_)
            | Error::Trail(_)
            | Error::Disk(_)
            | Error::GivenUp(_)) => Self::internal(&error),
        }
    }
}

impl From<DefinitionError> for Problem {
    fn from(error: DefinitionError) -> Self {
        let detail = error.to_string();
        match error {
            DefinitionError::Filter(error) => Self::filter("/filter", &error),
            DefinitionError::Empty { pointer, .. }
            | DefinitionError::TooLong { pointer, .. }
            | DefinitionError::Character { pointer, .. } => Self::invalid(pointer, detail),
            DefinitionError::TooManyColumns { .. } => Self::invalid("/columns", detail),
            DefinitionError::Range { .. } => Self::invalid("/range", detail),
        }
    }
}

impl From<PdfError> for Problem {
    fn from(error: PdfError) -> Self {
        match error {
            PdfError::TooManyColumns { .. } => Self::invalid("/columns", error.to_string()),
            PdfError::TooManyRows { .. } => Self::invalid("/filter", error.to_string()),
            PdfError::Cancelled => Self::conflict(error.to_string()),
            PdfError::Rows(_) | PdfError::Write(_) => Self::internal(&error),
        }
    }
}
