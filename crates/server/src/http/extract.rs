//! What handlers take apart requests with. As axum's, but what doesn't fit is answered as a problem.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Problem;

/// A JSON body, in a request or in an answer.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

/// The query of a URL.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// The variable parts of a path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let status = rejection.status();
        let detail = rejection.body_text();
        match status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::new(status, "media-type", "The body is of a kind not understood here")
                    .detail("send Content-Type: application/json")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(status, "too-large", "The body is too large").detail(detail),
            StatusCode::UNPROCESSABLE_ENTITY => {
                // axum's text begins with a sentence that says nothing about the body.
                let detail = detail
                    .strip_prefix("Failed to deserialize the JSON body into the target type: ")
                    .unwrap_or(&detail);
                Self::new(status, "body-invalid", "The body does not fit").detail(detail)
            }
            _ => {
                let detail = detail.strip_prefix("Failed to parse the request body as JSON: ").unwrap_or(&detail);
                Self::new(StatusCode::BAD_REQUEST, "not-json", "The body is not JSON").detail(detail)
            }
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let detail = rejection.body_text();
        let detail = detail.strip_prefix("Failed to deserialize query string: ").unwrap_or(&detail);
        Self::new(StatusCode::BAD_REQUEST, "query-invalid", "The query of the address can't be read").detail(detail)
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing").detail(rejection.body_text())
    }
}
