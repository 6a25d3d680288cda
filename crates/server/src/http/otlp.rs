//! OTLP logs over HTTP, in protobuf and in JSON; what gRPC brings is taken here too.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use serde::Deserialize;
use serde_json::json;
use wire::otlp::{self, Form, Limits, OtlpError};

use super::body::{self, BodyFault, Content};
use super::dialect::{Dialect, rpc_code};
use super::ingest::{provider_of, sender_of};
use super::router::Route;
use super::{Needs, Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::ingest::intake::RECORDS_MAX;
use crate::ingest::routed::{GENERIC, RoutedPiece};
use crate::ingest::{Records, Routed, Routing};

pub const PATH: &str = "/v1/logs";
/// Names the source where a query can't: in the headers of an exporter, in the metadata of gRPC.
pub const SOURCE_HEADER: &str = "belfry-source";
/// The source of log records that are no product's record.
const LOGS: &str = "otlp";

pub fn routes() -> Vec<Route> {
    vec![Route::foreign(Method::POST, PATH, Needs::Of(api::access::Privilege::EventsWrite), logs)]
}

/// The two formats of a request; the answer has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Protobuf,
    Json,
}

impl Format {
    pub fn of(content_type: Option<&str>) -> Self {
        let kind = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") { Self::Json } else { Self::Protobuf }
    }

    fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }
}

/// How many records were set aside, and why the first was.
#[derive(Debug, Default)]
pub struct Partial {
    rejected: i64,
    reason: String,
}

impl Partial {
    /// `ExportLogsServiceResponse`. It is empty when all were accepted, as the specification wants it.
    pub fn protobuf(&self) -> Vec<u8> {
        let partial = (self.rejected > 0).then(|| ExportLogsPartialSuccess {
            rejected_log_records: self.rejected,
            error_message: self.reason.clone(),
        });
        ExportLogsServiceResponse { partial_success: partial }.encode_to_vec()
    }

    fn json(&self) -> Vec<u8> {
        let body = if self.rejected > 0 {
            json!({ "partialSuccess": { "rejectedLogRecords": self.rejected.to_string(), "errorMessage": self.reason } })
        } else {
            json!({})
        };
        body.to_string().into_bytes()
    }
}

#[derive(Debug, Default, Deserialize)]
struct Params {
    source: Option<String>,
}

async fn logs(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<Params>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let format = Format::of(content_type);
    let source = params.source.as_deref().or_else(|| headers.get(SOURCE_HEADER).and_then(|value| value.to_str().ok()));
    let taken = async {
        let mut content = body::read(&app, &headers, body).await?;
        if format == Format::Json {
            content.bytes = protobuf_of(&content.bytes)?;
        }
        take(&app, &subject, source, content).await
    };
    match taken.await {
        Ok(partial) => {
            let body = if format == Format::Json { partial.json() } else { partial.protobuf() };
            ([(header::CONTENT_TYPE, format.name())], body).into_response()
        }
        Err(problem) => Dialect::Otlp.say(problem, content_type),
    }
}

/// The same request in protobuf: JSON is for browsers and for people, and may take the longer way.
fn protobuf_of(body: &[u8]) -> Result<Vec<u8>, Problem> {
    let request: ExportLogsServiceRequest = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body is no ExportLogsServiceRequest: {error}")))?;
    Ok(request.encode_to_vec())
}

/// Takes the records of an `ExportLogsServiceRequest`.
///
/// A record is read by the source that the sender names, else by the one called as its service or as the token. Where
/// there is none, a body that is itself a record is read as any unknown record is, and what is left by the mapping for
/// OpenTelemetry's own log records.
pub async fn take(app: &App, subject: &Subject, source: Option<&str>, content: Content) -> Result<Partial, Problem> {
    let mut routing = Routing::new(app.intake.registry(), source, provider_of(subject))?;
    let limits = Limits { records: RECORDS_MAX, bytes: app.config.limits.body_bytes_max.saturating_mul(2) };
    let (buffer, records) = otlp::records(&content.bytes, limits, &mut |seen| match routing.choose(&[seen.service]) {
        Some(place) if seen.has_body && routing.name_of(place) != LOGS => (Form::Enveloped, place),
        Some(place) => (Form::Log, place),
        None if seen.body_is_record => (Form::Enveloped, routing.place_of(GENERIC)),
        None => (Form::Log, routing.place_of(LOGS)),
    })?;
    if records.is_empty() {
        return Ok(Partial::default());
    }
    let pieces = records
        .into_iter()
        .map(|record| RoutedPiece { range: record.range, source: record.of, broken: None })
        .collect();
    let routed = Routed { buffer, sources: routing.into_sources(), pieces };
    let receipt = app.intake.take(sender_of(subject, None), Records::Routed(routed), None).await?;
    let rejected = receipt.rejected.len() as u64 + receipt.rejected_more;
    let reason = receipt.rejected.first().map(|first| format!("set aside: {}", first.error)).unwrap_or_default();
    Ok(Partial { rejected: i64::try_from(rejected).unwrap_or(i64::MAX), reason })
}

impl From<OtlpError> for Problem {
    fn from(error: OtlpError) -> Self {
        match error {
            OtlpError::Malformed(_) => Self::bad_request(error.to_string()),
            OtlpError::TooMany { limit } | OtlpError::TooLarge { limit } => BodyFault::TooLarge { limit }.into(),
        }
    }
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// A problem as OTLP's clients read it.
pub fn problem(format: Format, status: StatusCode, text: &str) -> Response {
    let code = i32::from(rpc_code(status));
    let body = match format {
        Format::Protobuf => Status { code, message: text.to_owned() }.encode_to_vec(),
        Format::Json => json!({ "code": code, "message": text }).to_string().into_bytes(),
    };
    (status, [(header::CONTENT_TYPE, format.name())], body).into_response()
}
