//! Events taken out as they are, as many as there are: a stream that holds one piece at a time in memory.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::access::Privilege;
use api::events::ExportParams;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::range::{Range, filter, order, range};
use super::router::{Route, table};
use super::{Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::search;

/// Bytes of a piece; the first is smaller, so that it comes soon.
const PIECE_BYTES: usize = 64 << 10;
const FIRST_PIECE_BYTES: usize = 4 << 10;
/// Pieces on their way. A reader that does not read stops the export here.
const PIECES_MAX: usize = 4;

pub fn routes() -> Vec<Route> {
    table! {
        GET  "/api/v1/export/events" ReportsRun events_export;
    }
}

/// All events that a filter picks, one JSON object a line. That they were taken is an event itself. A stream that ends
/// without its last chunk was broken off; there are more events then.
#[utoipa::path(get, path = "/api/v1/export/events", tag = "events", params(ExportParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
pub async fn events_export(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<ExportParams>,
) -> Result<Response, Problem> {
    subject.need(Privilege::EventsRead)?;
    let now = app.clock.now();
    let wanted = filter(params.filter.as_deref(), now)?;
    let Range { from, to } = range(params.from.as_deref(), params.to.as_deref(), now)?;
    let order = order(params.order.as_deref())?;
    let limit = params.limit.unwrap_or(u64::MAX);
    let visibility = subject.visibility();
    let turn = search::turn(&app).await?;
    let size = app.trail().size();
    // On record before the first byte goes out.
    let event = json!({
        "event": {"action": "audit.exported", "outcome": "success", "reason": format!("events matching {wanted:?}, as JSON", wanted = params.filter.as_deref().unwrap_or(""))},
        "entity": {"type": "events", "name": "events"},
        "export": {"filter": params.filter.as_deref().unwrap_or(""), "from": params.from, "to": params.to, "trail_size": size},
    });
    app.record(Some(&subject), event).await?;
    let (pieces, received) = mpsc::channel::<io::Result<Bytes>>(PIECES_MAX);
    let store = app.store.clone();
    let cancel = Arc::new(AtomicBool::new(false));
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let budget = store::Budget { cancel: Some(cancel.clone()), ..store::Budget::default() };
        let query = store::Query::new(&wanted, now).between(from, to).visible(Some(&visibility)).within(budget);
        let (mut piece, mut wait, mut left) = (Vec::with_capacity(PIECE_BYTES), FIRST_PIECE_BYTES, limit);
        let scanned = store.scan(&query, order, size, &mut |hit| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            piece.extend_from_slice(b"{\"position\":");
            piece.extend_from_slice(hit.position.to_string().as_bytes());
            piece.extend_from_slice(b",\"event\":");
            piece.extend_from_slice(&hit.entry);
            piece.extend_from_slice(b"}\n");
            if piece.len() < wait {
                return ControlFlow::Continue(());
            }
            wait = PIECE_BYTES;
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES + 4_096));
            if pieces.blocking_send(Ok(full.into())).is_err() {
                // Whoever asked hung up.
                cancel.store(true, Ordering::Relaxed);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let last = match scanned {
            Ok(None) => Ok(piece.into()),
            // The connection breaks off, so that nobody takes a part for the whole.
            Ok(Some(_)) => Err(io::Error::other("the export was broken off")),
            Err(error) => {
                tracing::error!(%error, "an export of events failed");
                Err(io::Error::other("the export failed"))
            }
        };
        // It does not matter that nobody listens any more.
        let _ = pieces.blocking_send(last);
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"events.ndjson\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(received))).into_response())
}
