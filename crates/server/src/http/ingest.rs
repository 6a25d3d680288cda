//! The door for events: Belfry's own API, and Splunk's HTTP Event Collector.

use std::collections::BTreeMap;

use api::events::{EventInput, Receipt, SendParams};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use wire::hec;

use super::router::{Route, table};
use super::{Json, Problem, Query};
use crate::access::{self, By, Subject};
use crate::app::App;
use crate::ingest::IntakeError;
use crate::ingest::body::{Encoding, unpack};
use crate::ingest::{Identity, Records, Sender};

/// Bytes of a body as it comes over the wire.
const BODY_BYTES_MAX: usize = 32 << 20;
const KEY_BYTES_MAX: usize = 255;

pub fn routes() -> Vec<Route> {
    table! {
        POST "/api/v1/events"                EventsWrite events_send;
        POST "/services/collector"           EventsWrite collector;
        POST "/services/collector/event"     EventsWrite collector_event;
        GET  "/services/collector/health"    Public      collector_health;
    }
}

/// Send events: an object, an array, or one object a line; also packed with gzip or zstd.
///
/// The answer says which positions in the trail the events have, and which records were set aside and why. What is
/// accepted is on disk when the answer comes. `Idempotency-Key` makes a retry harmless. With `?source=NAME` the records
/// are read by the mapping of that source.
#[utoipa::path(post, path = "/api/v1/events", tag = "events", params(SendParams), request_body(content = EventInput, content_type = "application/json"),
    responses((status = 200, body = Receipt), (status = 422, description = "no record was accepted", body = Receipt),
        (status = 429, description = "too much at once; `Retry-After` says when")))]
pub async fn events_send(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<SendParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = batch_key(&headers)?;
    let (content, _room) = content_of(&app, &headers, body).await?;
    let sender = sender_of(&subject, params.source);
    let receipt = app.intake.take(sender, Records::Body(content), key.as_deref()).await?;
    let none = receipt.accepted == 0 && !receipt.rejected.is_empty();
    let status = if none { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Json(receipt)).into_response())
}

/// Splunk HTTP Event Collector.
#[utoipa::path(post, path = "/services/collector", tag = "collector", request_body(content = String, content_type = "application/json"), responses((status = 200)))]
pub async fn collector(
    app: State<App>,
    subject: Subject,
    params: Query<SendParams>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    collect(app.0, subject, params.0.source, &headers, body).await
}

/// Splunk HTTP Event Collector.
#[utoipa::path(post, path = "/services/collector/event", tag = "collector", request_body(content = String, content_type = "application/json"), responses((status = 200)))]
pub async fn collector_event(
    app: State<App>,
    subject: Subject,
    params: Query<SendParams>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    collect(app.0, subject, params.0.source, &headers, body).await
}

/// Whether the collector takes events.
#[utoipa::path(get, path = "/services/collector/health", tag = "collector", responses((status = 200)))]
pub async fn collector_health(State(app): State<App>) -> Response {
    if app.door.trail().stopped().is_some() {
        return said(StatusCode::SERVICE_UNAVAILABLE, 9, "HEC is unhealthy, the trail has stopped", None);
    }
    said(StatusCode::OK, 17, "HEC is healthy", None)
}

async fn collect(app: App, subject: Subject, source: Option<String>, headers: &HeaderMap, body: Body) -> Response {
    let (content, _room) = match content_of(&app, headers, body).await {
        Ok(content) => content,
        Err(problem) if problem.status() == StatusCode::TOO_MANY_REQUESTS => {
            return said(StatusCode::SERVICE_UNAVAILABLE, 9, "Server is busy", None);
        }
        Err(problem) => return problem.into_response(),
    };
    // A good event goes in although its neighbour is bad: the answer names the first bad one, as Splunk's does, and all
    // of them are set aside.
    let mut by_source: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut first_error = None;
    for read in hec::parse_events(&content) {
        match read {
            Ok(event) => {
                let name = source.clone().unwrap_or_else(|| source_of(&app, &subject, &event));
                by_source.entry(name).or_default().push(event.raw.to_vec());
            }
            Err(error) => {
                if !error.raw.is_empty() {
                    let name = source.clone().unwrap_or_else(|| "generic".to_owned());
                    by_source.entry(name).or_default().push(error.raw.to_vec());
                }
                first_error.get_or_insert((error.code.number(), error.code.to_string(), error.index));
            }
        }
    }
    for (name, records) in by_source {
        let taken = app.intake.take(sender_of(&subject, Some(name)), Records::Cut(records), None).await;
        match taken {
            Ok(_) => {}
            Err(IntakeError::Registry(error)) => {
                return said(StatusCode::BAD_REQUEST, 7, &format!("Incorrect index: {error}"), None);
            }
            Err(IntakeError::Busy { .. } | IntakeError::Append(crate::append::Error::Busy { .. })) => {
                return said(StatusCode::SERVICE_UNAVAILABLE, 9, "Server is busy", None);
            }
            Err(error) => {
                tracing::error!(%error, "the collector could not take a batch");
                return said(StatusCode::INTERNAL_SERVER_ERROR, 8, "Internal server error", None);
            }
        }
    }
    match first_error {
        None => said(StatusCode::OK, 0, "Success", None),
        Some((code, text, index)) => said(StatusCode::BAD_REQUEST, code, &text, Some(index)),
    }
}

/// How the collector says that it is not known who asks, or that they may not: clients look for these codes.
pub fn refused(error: &access::Error) -> Response {
    match error {
        access::Error::Unauthenticated => said(StatusCode::UNAUTHORIZED, 2, "Token is required", None),
        _ => said(StatusCode::FORBIDDEN, 4, "Invalid token", None),
    }
}

fn said(status: StatusCode, code: u8, text: &str, invalid: Option<usize>) -> Response {
    let mut body = json!({ "text": text, "code": code });
    if let Some(index) = invalid {
        body["invalid-event-number"] = json!(index);
    }
    (status, Json(body)).into_response()
}

/// Which source reads a collector event that names none by `?source=`: the one called as its `source` or `sourcetype`,
/// or as the token; Keeper's feed is known by its shape.
fn source_of(app: &App, subject: &Subject, event: &hec::HecEvent<'_>) -> String {
    let registry = app.intake.registry();
    let token = match &subject.by {
        By::Token { .. } | By::Device(_) => Some(subject.sender_name().to_owned()),
        By::Session(_) => None,
    };
    let names = [event.source.clone(), event.sourcetype.clone(), token];
    let known =
        names.into_iter().flatten().map(|name| name.to_ascii_lowercase()).find(|name| registry.source(name).is_some());
    let keeper = || memchr_find(event.raw, b"\"audit_event").then(|| "keeper".to_owned());
    known.or_else(keeper).unwrap_or_else(|| "generic".to_owned())
}

fn memchr_find(text: &[u8], mark: &[u8]) -> bool {
    text.windows(mark.len()).any(|window| window == mark)
}

fn sender_of(subject: &Subject, source: Option<String>) -> Sender {
    let device = subject.device();
    let identity = Identity {
        id: subject.sender_id().to_owned(),
        device: device.map(|reach| reach.device.clone()),
        sources: device.map(|reach| reach.send.clone()),
    };
    Sender { source, provider: subject.sender_name().to_owned(), peer: subject.address, identity }
}

fn batch_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => Ok(Some(key.to_owned())),
        _ => Err(Problem::bad_request(format!(
            "Idempotency-Key must be 1 to {KEY_BYTES_MAX} printable ASCII characters"
        ))),
    }
}

/// The unpacked body, and the room in memory that it takes.
async fn content_of(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Vec<u8>, tokio::sync::OwnedSemaphorePermit), Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let Some(encoding) = Encoding::named(encoding.unwrap_or("")) else {
        let problem = Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoding",
            "The body is packed in a way not understood here",
        );
        return Err(problem.detail("use gzip, zstd, or no Content-Encoding"));
    };
    let content_max = app.config.limits.body_bytes_max;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(too_large(BODY_BYTES_MAX));
    }
    // What is not announced, or packed, may become as large as the limit says.
    let likely = match (encoding, announced) {
        (Encoding::Identity, Some(bytes)) => bytes * 2,
        (_, Some(bytes)) => (bytes * 12).min(content_max),
        (_, None) => BODY_BYTES_MAX,
    };
    let room = app.intake.room_for(likely.max(1024))?;
    let packed = read_body(body).await?;
    if encoding == Encoding::Identity {
        return Ok((packed, room));
    }
    let content = tokio::task::spawn_blocking(move || unpack(encoding, packed, content_max))
        .await
        .map_err(|error| Problem::internal(&error))?
        .map_err(|error| Problem::from(IntakeError::from(error)))?;
    Ok((content, room))
}

async fn read_body(body: Body) -> Result<Vec<u8>, Problem> {
    match axum::body::to_bytes(body, BODY_BYTES_MAX).await {
        Ok(bytes) => Ok(Bytes::into(bytes)),
        Err(error) => {
            let error = error.into_inner();
            if error.to_string().contains("length limit") {
                return Err(too_large(BODY_BYTES_MAX));
            }
            Err(Problem::bad_request(format!("the body broke off: {error}")))
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large")
        .detail(format!("send at most {limit} bytes at once"))
}
