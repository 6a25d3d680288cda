//! The door for events: Belfry's own API.

use api::events::{EventInput, Receipt, SendParams};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::router::{Route, table};
use super::{Json, Problem, Query, body, cloud_events};
use crate::access::Subject;
use crate::app::App;
use crate::ingest::{Identity, Records, Sender};

const KEY_BYTES_MAX: usize = 255;

pub fn routes() -> Vec<Route> {
    table! {
        POST "/api/v1/events"                EventsWrite events_send;
    }
}

/// Send events: an object, an array, or one object a line; also packed with gzip or zstd.
///
/// The answer says which positions in the trail the events have, and which records were set aside and why. What is
/// accepted is on disk when the answer comes. `Idempotency-Key` makes a retry harmless. With `?source=NAME` the records
/// are read by the mapping of that source. CloudEvents, known by their headers, are taken as at `/api/v1/cloudevents`.
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
    let content = body::read(&app, &headers, body).await?;
    if let Some(mode) = cloud_events::mode(&headers) {
        return cloud_events::take(&app, &subject, params.source.as_deref(), mode, &headers, content, key).await;
    }
    let sender = sender_of(&subject, params.source);
    let receipt = app.intake.take(sender, Records::Body(content.bytes), key.as_deref()).await?;
    Ok(receipted(receipt))
}

/// A receipt as an answer: refused only when nothing was accepted.
pub fn receipted(receipt: Receipt) -> Response {
    let none = receipt.accepted == 0 && !receipt.rejected.is_empty();
    let status = if none { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, Json(receipt)).into_response()
}

pub fn sender_of(subject: &Subject, source: Option<String>) -> Sender {
    let device = subject.device();
    let identity = Identity {
        id: subject.sender_id().to_owned(),
        device: device.map(|reach| reach.device.clone()),
        sources: device.map(|reach| reach.send.clone()),
    };
    Sender { source, provider: subject.sender_name().to_owned(), peer: subject.address, identity }
}

/// The name under which somebody sends: that of the token, or of the user.
pub fn provider_of(subject: &Subject) -> &str {
    subject.sender_name()
}

pub fn batch_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => Ok(Some(key.to_owned())),
        _ => Err(Problem::bad_request(format!(
            "Idempotency-Key must be 1 to {KEY_BYTES_MAX} printable ASCII characters"
        ))),
    }
}
