//! How a protocol that others made says no: its clients look for its own words, not for ours.

use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Problem, collector, elastic, grpc, otlp};
use crate::access::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `application/problem+json`.
    Own,
    /// Splunk's HTTP Event Collector.
    Collector,
    /// OTLP over HTTP: `google.rpc.Status`, in the format of the request.
    Otlp,
    /// gRPC: a status behind the answer.
    Grpc,
    Elastic,
}

impl Dialect {
    pub fn of(path: &str) -> Self {
        if path.starts_with(collector::PREFIX) {
            Self::Collector
        } else if path == otlp::PATH {
            Self::Otlp
        } else if path == grpc::PATH {
            Self::Grpc
        } else if elastic::is_path(path) {
            Self::Elastic
        } else {
            Self::Own
        }
    }

    /// Whether the password of basic authentication may be a token: what log shippers can be configured with, and the
    /// console never speaks.
    pub fn takes_basic(self) -> bool {
        self != Self::Own
    }

    /// Answers that it is not known who asks, or that they may not.
    pub fn refuse(self, error: Error, parts: &Parts) -> Response {
        let problem = match error {
            Error::State(source) => Problem::internal(&source),
            error if self == Self::Collector => return collector::refused(&error, parts),
            error => Problem::from(error),
        };
        self.say(problem, parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()))
    }

    /// Answers a problem. `content_type` is that of the request.
    pub fn say(self, problem: Problem, content_type: Option<&str>) -> Response {
        match self {
            Self::Own => problem.into_response(),
            Self::Collector => problem.say(collector::problem),
            Self::Otlp => problem.say(|status, text| otlp::problem(otlp::Format::of(content_type), status, text)),
            Self::Grpc => problem.say(grpc::problem),
            Self::Elastic => problem.say(elastic::problem),
        }
    }
}

/// The code of `google.rpc.Code` for a status. What is worth trying again is `UNAVAILABLE`: OTLP's clients take
/// `RESOURCE_EXHAUSTED` for final.
pub fn rpc_code(status: StatusCode) -> u8 {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => 3,
        StatusCode::NOT_FOUND => 5,
        StatusCode::FORBIDDEN => 7,
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::CONFLICT => 9,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => 14,
        StatusCode::UNAUTHORIZED => 16,
        _ => 13,
    }
}
