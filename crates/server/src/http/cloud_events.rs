//! CloudEvents 1.0 over HTTP: one as JSON, a batch of them, or one whose attributes are headers.

use api::events::{Receipt, SendParams};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use wire::cloud_events::{self, Identity};

use super::body::{self, Content};
use super::ingest::{batch_key, provider_of, receipted, sender_of};
use super::router::{Route, table};
use super::{Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::append;
use crate::hash::hex;
use crate::ingest::body::split_json;
use crate::ingest::intake::RECORDS_MAX;
use crate::ingest::routed::RoutedPiece;
use crate::ingest::{IntakeError, Records, Routed, Routing};

/// The source of CloudEvents for which no other is named.
const SOURCE: &str = "cloudevents";

pub fn routes() -> Vec<Route> {
    table! {
        POST "/api/v1/cloudevents"           EventsWrite cloud_events_send;
    }
}

/// How an event is laid into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Structured,
    Batch,
    Binary,
}

/// The mode of a request that says it is one of CloudEvents.
pub fn mode(headers: &HeaderMap) -> Option<Mode> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.trim_start().to_ascii_lowercase();
    if kind.starts_with("application/cloudevents-batch") {
        Some(Mode::Batch)
    } else if kind.starts_with("application/cloudevents") {
        Some(Mode::Structured)
    } else {
        headers.contains_key("ce-specversion").then_some(Mode::Binary)
    }
}

/// Send CloudEvents 1.0: structured, batch, or binary with `ce-` headers.
///
/// The same event sent again, with the same `source` and `id`, is answered with its first position and adds nothing.
#[utoipa::path(post, path = "/api/v1/cloudevents", tag = "events", params(SendParams),
    request_body(content = Object, content_type = "application/cloudevents+json"),
    responses((status = 200, body = Receipt), (status = 422, description = "no event was accepted", body = Receipt)))]
pub async fn cloud_events_send(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<SendParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = batch_key(&headers)?;
    let content = body::read(&app, &headers, body).await?;
    // Without a word about it, a JSON array is a batch and an object one event.
    let array = content.bytes.trim_ascii_start().first() == Some(&b'[');
    let mode = mode(&headers).unwrap_or(if array { Mode::Batch } else { Mode::Structured });
    take(&app, &subject, params.source.as_deref(), mode, &headers, content, key).await
}

pub async fn take(
    app: &App,
    subject: &Subject,
    source: Option<&str>,
    mode: Mode,
    headers: &HeaderMap,
    content: Content,
    key: Option<String>,
) -> Result<Response, Problem> {
    let mut routing = Routing::new(app.intake.registry(), source, provider_of(subject))?;
    let place = routing.choose(&[]).unwrap_or_else(|| routing.place_of(SOURCE));
    let sources = routing.into_sources();
    let whole = |buffer: Vec<u8>, broken| {
        let pieces = vec![RoutedPiece { range: 0..buffer.len(), source: place, broken }];
        Routed { buffer, sources: sources.clone(), pieces }
    };
    let (routed, identities) = match mode {
        Mode::Structured => {
            let identity =
                cloud_events::identity(&content.bytes).map_err(|fault| Problem::bad_request(fault.to_string()))?;
            (whole(content.bytes, None), vec![identity])
        }
        Mode::Binary => {
            let attributes = headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().strip_prefix("ce-")?, value.to_str().ok()?)));
            let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let (identity, event) = cloud_events::from_headers(attributes, kind, &content.bytes)
                .map_err(|fault| Problem::bad_request(fault.to_string()))?;
            (whole(event, None), vec![identity])
        }
        Mode::Batch => batch(content.bytes, place, sources.clone())?,
    };
    if routed.pieces.is_empty() {
        return Ok(receipted(Receipt::default()));
    }
    let again =
        Routed { buffer: routed.buffer.clone(), sources: routed.sources.clone(), pieces: routed.pieces.clone() };
    let key = key.or_else(|| key_of(&identities));
    let taken = app.intake.take(sender_of(subject, None), Records::Routed(routed), key.as_deref()).await;
    match taken {
        // Another event under a name that was used before: no repetition, so it is kept.
        Err(IntakeError::Append(append::Error::KeyReused { .. })) if !headers.contains_key("idempotency-key") => {
            Ok(receipted(app.intake.take(sender_of(subject, None), Records::Routed(again), None).await?))
        }
        taken => Ok(receipted(taken?)),
    }
}

/// The events of a batch, each checked by itself.
fn batch(buffer: Vec<u8>, source: u16, sources: Vec<String>) -> Result<(Routed, Vec<Identity>), Problem> {
    let mut identities = Vec::new();
    let mut pieces = Vec::new();
    for piece in split_json(&buffer, RECORDS_MAX)? {
        // A piece is a slice of the buffer.
        let start = piece.bytes.as_ptr() as usize - buffer.as_ptr() as usize;
        let identity = cloud_events::identity(piece.bytes);
        let broken = piece
            .broken
            .or(identity.is_err().then_some("this is no CloudEvent: it needs specversion 1.0, id, source and type"));
        identities.extend(identity.ok());
        pieces.push(RoutedPiece { range: start..start + piece.bytes.len(), source, broken });
    }
    Ok((Routed { buffer, sources, pieces }, identities))
}

/// The name of a batch, made of the identities in it: a sender that retries sends the same ones.
fn key_of(identities: &[Identity]) -> Option<String> {
    use sha2::{Digest, Sha256};
    if identities.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for Identity { source, id } in identities {
        for text in [source, id] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
    Some(format!("cloudevents {}", hex(&hash.finalize())))
}
