//! Splunk's HTTP Event Collector, as its clients know it.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wire::hec::{self, Metadata};

use super::body::{self, Content};
use super::ingest::{provider_of, sender_of};
use super::router::Route;
use super::{Json, Needs, Problem, Query};
use crate::access::{self, Subject};
use crate::app::App;
use crate::ingest::body::split_lines;
use crate::ingest::intake::RECORDS_MAX;
use crate::ingest::routed::{GENERIC, RoutedPiece};
use crate::ingest::{Records, Routed, Routing};

pub const PREFIX: &str = "/services/collector";
/// Acknowledgements asked for at once.
const ACKS_MAX: usize = 10_000;

pub fn routes() -> Vec<Route> {
    const SEND: Needs = Needs::Of(api::access::Privilege::EventsWrite);
    let event = |path| Route::foreign(Method::POST, path, SEND, events);
    let raw = |path| Route::foreign(Method::POST, path, SEND, raw);
    let health = |path| Route::foreign(Method::GET, path, Needs::Public, health);
    vec![
        event("/services/collector"),
        event("/services/collector/event"),
        event("/services/collector/event/1.0"),
        raw("/services/collector/raw"),
        raw("/services/collector/raw/1.0"),
        health("/services/collector/health"),
        health("/services/collector/health/1.0"),
        Route::foreign(Method::POST, "/services/collector/ack", SEND, acks),
    ]
}

/// What a query may say. For `/event` the source is one of ours, for `/raw` all of it is about the lines.
#[derive(Debug, Default, Deserialize)]
struct Params {
    source: Option<String>,
    host: Option<String>,
    sourcetype: Option<String>,
    index: Option<String>,
    time: Option<String>,
    channel: Option<String>,
}

async fn events(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<Params>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let channel = match channel_of(&params, &headers) {
        Ok(channel) => channel,
        Err(refused) => return refused.into_response(),
    };
    match body::read(&app, &headers, body).await {
        Ok(content) => take_events(&app, &subject, &params, channel.is_some(), content).await,
        Err(fault) => Problem::from(fault).say(problem),
    }
}

/// A good event goes in although its neighbour is bad: the answer names the first bad one, as Splunk's does, and all of
/// them are set aside.
async fn take_events(app: &App, subject: &Subject, params: &Params, wants_ack: bool, content: Content) -> Response {
    let mut routing = match Routing::new(app.intake.registry(), params.source.as_deref(), provider_of(subject)) {
        Ok(routing) => routing,
        Err(error) => return said(StatusCode::BAD_REQUEST, 7, &format!("Incorrect index: {error}")),
    };
    let mut pieces = Vec::with_capacity(content.bytes.len() / 512);
    let mut first_error = None;
    for read in hec::parse_events(&content.bytes) {
        match read {
            Ok(event) => {
                let names = [event.source.as_deref().unwrap_or(""), event.sourcetype.as_deref().unwrap_or("")];
                let source = routing.choose(&names).unwrap_or_else(|| routing.by_shape(event.raw, GENERIC));
                let range = event.start..event.start + event.raw.len();
                pieces.push(RoutedPiece { range, source, broken: None });
            }
            Err(error) => {
                if !error.raw.is_empty() {
                    let source = routing.choose(&[]).unwrap_or_else(|| routing.place_of(GENERIC));
                    let range = error.start..error.start + error.raw.len();
                    pieces.push(RoutedPiece { range, source, broken: Some(error.code.reason()) });
                }
                first_error.get_or_insert((error.code.number(), error.code.to_string(), error.index));
            }
        }
    }
    let routed = Routed { sources: routing.into_sources(), buffer: content.bytes, pieces };
    if !routed.pieces.is_empty()
        && let Err(error) = app.intake.take(sender_of(subject, None), Records::Routed(routed), None).await
    {
        return Problem::from(error).say(problem);
    }
    match first_error {
        None => accepted(wants_ack),
        Some((code, text, index)) => {
            let body = json!({ "text": text, "code": code, "invalid-event-number": index });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}

async fn raw(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<Params>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let channel = match channel_of(&params, &headers) {
        Ok(channel) => channel,
        Err(refused) => return refused.into_response(),
    };
    if params.time.as_deref().is_some_and(|time| !hec::is_seconds(time)) {
        return said(StatusCode::BAD_REQUEST, 6, "Invalid data format");
    }
    let content = match body::read(&app, &headers, body).await {
        Ok(content) => content,
        Err(fault) => return Problem::from(fault).say(problem),
    };
    match take_lines(&app, &subject, &params, &content.bytes).await {
        Ok(0) => said(StatusCode::BAD_REQUEST, 5, "No data"),
        Ok(_) => accepted(channel.is_some()),
        Err(error) => error.say(problem),
    }
}

/// Takes each line for a record; answers how many there were.
async fn take_lines(app: &App, subject: &Subject, params: &Params, content: &[u8]) -> Result<usize, Problem> {
    let lines = split_lines(content, RECORDS_MAX).map_err(Problem::from)?;
    let metadata = Metadata {
        host: params.host.as_deref(),
        source: params.source.as_deref(),
        sourcetype: params.sourcetype.as_deref(),
        index: params.index.as_deref(),
        time: params.time.as_deref(),
    };
    let mut routing = Routing::new(app.intake.registry(), None, provider_of(subject))?;
    let named = routing.choose(&[metadata.source.unwrap_or(""), metadata.sourcetype.unwrap_or("")]);
    let mut routed = Routed::default();
    for line in lines {
        let start = routed.buffer.len();
        if metadata.is_empty() {
            routed.buffer.extend_from_slice(line.bytes);
        } else {
            metadata.envelope(line.bytes, &mut routed.buffer);
        }
        if routed.buffer.len() > app.config.limits.body_bytes_max.saturating_mul(2) {
            return Err(super::body::BodyFault::TooLarge { limit: app.config.limits.body_bytes_max }.into());
        }
        let range = start..routed.buffer.len();
        let source = named.unwrap_or_else(|| routing.by_shape(line.bytes, GENERIC));
        routed.pieces.push(RoutedPiece { range, source, broken: None });
    }
    routed.sources = routing.into_sources();
    let lines = routed.pieces.len();
    if lines > 0 {
        app.intake.take(sender_of(subject, None), Records::Routed(routed), None).await?;
    }
    Ok(lines)
}

/// Whether the collector takes events.
async fn health(State(app): State<App>) -> Response {
    if app.door.trail().stopped().is_some() {
        return said(StatusCode::SERVICE_UNAVAILABLE, 18, "HEC is unhealthy, the trail has stopped");
    }
    said(StatusCode::OK, 17, "HEC is healthy")
}

#[derive(Deserialize)]
struct Acks {
    acks: Vec<u64>,
}

/// Which batches are safe. An id is given out after the batch is on disk, so every id that was ever given out is.
async fn acks(Query(params): Query<Params>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    match channel_of(&params, &headers) {
        Ok(Some(_)) => {}
        Ok(None) => return said(StatusCode::BAD_REQUEST, 10, "Data channel is missing"),
        Err(refused) => return refused.into_response(),
    }
    let Ok(Acks { acks }) = serde_json::from_slice(&body) else {
        return said(StatusCode::BAD_REQUEST, 6, "Invalid data format");
    };
    if acks.len() > ACKS_MAX {
        return said(StatusCode::BAD_REQUEST, 6, "Invalid data format");
    }
    let last = LAST_ACK.load(Ordering::Relaxed).max(micros());
    let answers: Map<String, Value> = acks.into_iter().map(|id| (id.to_string(), json!(id <= last))).collect();
    Json(json!({ "acks": answers })).into_response()
}

/// The last id given out. Ids are microseconds of the clock, made to grow: they outlive a restart without being stored.
static LAST_ACK: AtomicU64 = AtomicU64::new(0);

fn next_ack() -> u64 {
    let now = micros();
    let next = |last: u64| Some(now.max(last + 1));
    let last = LAST_ACK.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(now);
    now.max(last + 1)
}

fn micros() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}

/// The channel of a request that asks for acknowledgement: a GUID.
fn channel_of(params: &Params, headers: &HeaderMap) -> Result<Option<String>, NoChannel> {
    let header = headers.get("x-splunk-request-channel").map(|value| value.to_str().unwrap_or("?").to_owned());
    let Some(channel) = header.or_else(|| params.channel.clone()) else { return Ok(None) };
    let groups: Vec<usize> = channel.split('-').map(str::len).collect();
    let hex = channel.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if hex && (groups == [8, 4, 4, 4, 12] || groups == [32]) { Ok(Some(channel)) } else { Err(NoChannel) }
}

/// What a client named as its channel is none.
#[derive(Debug)]
struct NoChannel;

impl IntoResponse for NoChannel {
    fn into_response(self) -> Response {
        said(StatusCode::BAD_REQUEST, 11, "Invalid data channel")
    }
}

fn accepted(wants_ack: bool) -> Response {
    if wants_ack {
        Json(json!({ "text": "Success", "code": 0, "ackId": next_ack() })).into_response()
    } else {
        said(StatusCode::OK, 0, "Success")
    }
}

/// How the collector says that it is not known who asks, or that they may not: clients look for these codes.
pub fn refused(error: &access::Error, parts: &Parts) -> Response {
    let shown = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or(""));
    let in_query = parts.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("token=")));
    match (error, shown) {
        (access::Error::Unauthenticated, None) if in_query => {
            said(StatusCode::BAD_REQUEST, 16, "Query string authorization is not enabled")
        }
        (access::Error::Unauthenticated, _) => said(StatusCode::UNAUTHORIZED, 2, "Token is required"),
        (_, Some(value)) if !value.trim().contains(' ') => said(StatusCode::UNAUTHORIZED, 3, "Invalid authorization"),
        _ => said(StatusCode::FORBIDDEN, 4, "Invalid token"),
    }
}

/// A problem in the collector's words.
pub fn problem(status: StatusCode, text: &str) -> Response {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            said(StatusCode::SERVICE_UNAVAILABLE, 9, "Server is busy")
        }
        StatusCode::INTERNAL_SERVER_ERROR => said(status, 8, "Internal server error"),
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => {
            said(StatusCode::BAD_REQUEST, 7, &format!("Incorrect index: {text}"))
        }
        status => said(status, 6, &format!("Invalid data format: {text}")),
    }
}

fn said(status: StatusCode, code: u8, text: &str) -> Response {
    (status, Json(json!({ "text": text, "code": code }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_acknowledgements_grow_and_fit_into_a_double() {
        let (first, second) = (next_ack(), next_ack());
        assert!(first < second && second < 1 << 53);
    }

    #[test]
    fn a_channel_is_a_guid() {
        let ask = |channel: &str| {
            channel_of(&Params { channel: Some(channel.to_owned()), ..Params::default() }, &HeaderMap::new())
        };
        assert!(ask("0b6cbd52-3a20-4b53-9c0f-6cbbd9a4b9d3").is_ok());
        assert!(ask("not-a-guid").is_err() && ask("").is_err());
    }
}
