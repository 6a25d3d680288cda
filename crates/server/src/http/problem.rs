//! How an answer says what went wrong. HTTP statuses live here and in `problem/` alone.

mod access;
mod backups;
mod hooks;
mod ingest;
mod keep;
mod notify;
mod report;
mod search;
mod trail;

use std::error::Error;
use std::time::Duration;

use api::ProblemBody;
use api::problem::ProblemPart;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::causes::chain;

/// A problem on its way to the client. Boxed, since it travels through every handler's `Result`.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: Vec<ProblemPart>,
    retry_after: Option<Duration>,
    fault: Option<String>,
}

/// In the extensions of an answer: a fault of ours, in words for the log and the trail, never for the client.
#[derive(Debug, Clone)]
pub struct Fault(pub String);

tokio::task_local! {
    /// The id of the request that is being answered.
    pub static REQUEST_ID: String;
}

impl Problem {
    /// `kind` becomes `/problems/<kind>`; it and the title say what sort it is, never what it was this time.
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self(Box::new(Parts { status, kind, title, detail: None, errors: Vec::new(), retry_after: None, fault: None }))
    }

    /// What it is this time.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// A part of the request that is meant, as a JSON pointer.
    pub fn part(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.0.errors.push(ProblemPart { pointer: pointer.into(), detail: detail.into(), offset: None, length: None });
        self
    }

    /// A part of a text in the request, from `offset` on.
    pub fn part_at(
        mut self,
        pointer: impl Into<String>,
        detail: impl Into<String>,
        offset: usize,
        length: usize,
    ) -> Self {
        self.0.errors.push(ProblemPart {
            pointer: pointer.into(),
            detail: detail.into(),
            offset: Some(offset),
            length: Some(length),
        });
        self
    }

    /// When it makes sense to ask again.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing").detail(what)
    }

    /// The request as a whole can't be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request can't be understood").detail(detail)
    }

    /// One field of the request can't be accepted.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A value can't be accepted")
            .detail(detail.clone())
            .part(pointer, detail)
    }

    /// There was something, and it was taken away on purpose.
    pub fn removed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "removed", "The event was removed").detail(detail)
    }

    /// The thing is not in a state for it: a name is taken, it was changed meanwhile.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "That does not go together with what is there").detail(detail)
    }

    /// A fault of ours. The client learns the request id; the log and the trail learn the rest.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here");
        problem.0.fault = Some(chain(error));
        problem
    }

    /// A filter that can't be read, with where and what to do.
    pub fn filter(pointer: &str, error: &event::filter::FilterError) -> Self {
        let help =
            error.suggestion.as_ref().map_or_else(|| error.message.clone(), |better| format!("did you mean {better}?"));
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "filter-invalid", "The filter can't be read")
            .detail(error.message.clone())
            .part_at(pointer, help, error.offset, error.length)
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Answers in the words of another protocol: `answer` is given the status and what went wrong. When to come back,
    /// and a fault of ours for the log, go along.
    pub fn say(self, answer: impl FnOnce(StatusCode, &str) -> Response) -> Response {
        let status = self.status();
        let text = self.0.detail.clone().unwrap_or_else(|| self.0.title.to_owned());
        let mut own = self.into_response();
        let mut response = answer(status, &text);
        if let Some(wait) = own.headers_mut().remove(header::RETRY_AFTER) {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        if let Some(fault) = own.extensions_mut().remove::<Fault>() {
            response.extensions_mut().insert(fault);
        }
        response
    }

    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { status, kind, title, detail, errors, retry_after, fault } = *self.0;
        let request_id = REQUEST_ID.try_with(Clone::clone).ok();
        let detail = match (&fault, &request_id) {
            (Some(_), Some(id)) => Some(format!("it is in the server's log under the request id {id}")),
            _ => detail,
        };
        let body = ProblemBody {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            errors,
            request_id,
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(fault) = fault {
            response.extensions_mut().insert(Fault(fault));
        }
        response
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(&error)
    }
}
