//! The state of the trail, and the trail itself as C2SP tlog-tiles serves it.

use api::access::Privilege;
use api::trail::{Checkpoint, TrailState};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use trail::TrailError;
use trail::tile::{TileRef, parse_path};

use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::{Subject, settings};
use crate::app::App;
use crate::selfcheck;

pub fn routes() -> Vec<Route> {
    table! {
        GET  "/api/v1/trail"                            TrailRead    trail_get;
        POST "/api/v1/trail/verify"                     TrailVerify  trail_verify;
        GET  "/trail/{organization}/checkpoint"         TrailRead    checkpoint_get;
        GET  "/trail/{organization}/cosigned"           TrailRead    cosigned_get;
        GET  "/trail/{organization}/tile/{level}/{*tile}" TrailRead  tile_get;
    }
}

/// How the trail is.
#[utoipa::path(get, path = "/api/v1/trail", tag = "trail", responses((status = 200, body = TrailState)))]
pub async fn trail_get(State(app): State<App>) -> Result<Json<TrailState>, Problem> {
    Ok(Json(state(&app).await?))
}

/// Check the whole trail now, in the background. The progress is in `GET /api/v1/trail`, the outcome is an event.
#[utoipa::path(post, path = "/api/v1/trail/verify", tag = "trail", responses((status = 202, body = TrailState)))]
pub async fn trail_verify(State(app): State<App>, subject: Subject) -> Result<Response, Problem> {
    selfcheck::start(&app, Some(&subject))?;
    Ok((StatusCode::ACCEPTED, Json(state(&app).await?)).into_response())
}

/// The signed checkpoint (C2SP tlog-tiles).
#[utoipa::path(get, path = "/trail/{organization}/checkpoint", tag = "trail", params(("organization" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn checkpoint_get(State(app): State<App>, Path(organization): Path<String>) -> Result<Response, Problem> {
    known(&app, &organization)?;
    let newest = app.trail().checkpoint();
    // The very same checkpoint with more signatures on it, where there are any.
    let cosigned = app.trail().cosigned().filter(|cosigned| cosigned.size == newest.size);
    Ok(note(&cosigned.unwrap_or(newest)))
}

/// The newest checkpoint that witnesses have cosigned, with their cosignatures (C2SP tlog-cosignature). While events
/// come in, the newest of all is ahead of it.
#[utoipa::path(get, path = "/trail/{organization}/cosigned", tag = "trail", params(("organization" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn cosigned_get(State(app): State<App>, Path(organization): Path<String>) -> Result<Response, Problem> {
    known(&app, &organization)?;
    let cosigned =
        app.trail().cosigned().ok_or_else(|| Problem::not_found("no witness has cosigned a checkpoint yet"))?;
    Ok(note(&cosigned))
}

fn note(checkpoint: &trail::Checkpoint) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, checkpoint.note.clone()).into_response()
}

/// A tile of hashes, or, with the level `entries`, a bundle of entries (C2SP tlog-tiles). Entries also need `events:read`.
#[utoipa::path(get, path = "/trail/{organization}/tile/{level}/{*tile}", tag = "trail",
    params(("organization" = String, Path), ("level" = String, Path, description = "0 to 63, or `entries`"), ("tile" = String, Path, description = "`x001/x234/067`, partial ones with `.p/<width>`")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn tile_get(
    State(app): State<App>,
    subject: Subject,
    Path((organization, level, tile)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    known(&app, &organization)?;
    let TileRef { index, width } =
        parse_path(&tile).ok_or_else(|| Problem::not_found(format!("there is no tile {tile}")))?;
    let trail = app.trail().clone();
    let read: Result<_, TrailError> = if level == "entries" {
        subject.need(Privilege::EventsRead)?;
        blocking(move || trail.entries_bundle(index, width)).await?
    } else {
        let known = level.parse::<u8>().ok().filter(|number| *number < 64 && number.to_string() == level);
        let number = known.ok_or_else(|| Problem::not_found(format!("there is no level {level}")))?;
        blocking(move || trail.tile(number, index, width)).await?
    };
    let bytes = read.map_err(|error| match error {
        TrailError::OutOfRange { .. } => Problem::not_found("the checkpoint does not cover this tile"),
        TrailError::Removed { position } => Problem::removed(format!(
            "the event at position {position} was removed, so this bundle is no more; its hash is in the tiles of level 0"
        )),
        error => Problem::internal(&error),
    })?;
    // A full tile never changes again; a partial one doesn't either, but is of no use once the full one is there.
    // Entries may be removed.
    let cache = if width == 256 && level != "entries" {
        "private, max-age=31536000, immutable"
    } else {
        "private, max-age=300"
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    Ok(response)
}

/// The checkpoint as the API writes it.
pub fn checkpoint(checkpoint: &trail::Checkpoint) -> Checkpoint {
    Checkpoint {
        size: checkpoint.size,
        root: STANDARD.encode(checkpoint.root.0),
        note: checkpoint.note.clone(),
        at: Timestamp::try_from(checkpoint.at).map_or_else(|_| String::new(), |at| at.to_string()),
    }
}

async fn state(app: &App) -> Result<TrailState, Problem> {
    let trail = app.trail();
    let folder = trail.folder().clone();
    let bytes = tokio::task::spawn_blocking(move || folder_bytes(&folder)).await.unwrap_or(0);
    let witnesses = settings::get(app).await?.witnesses;
    Ok(TrailState {
        organization: app.organization.clone(),
        origin: trail.origin().to_owned(),
        size: trail.size(),
        checkpoint: checkpoint(&trail.checkpoint()),
        vkey: trail.public_key().to_string(),
        self_check: app.self_checks.now(),
        witnesses: app.witnesses.states(&witnesses, trail.checkpoint().size),
        cosigned: trail.cosigned().map(|cosigned| checkpoint(&cosigned)),
        indexed_to: app.indexed_to(),
        bytes,
    })
}

fn known(app: &App, organization: &str) -> Result<(), Problem> {
    if organization == app.organization {
        return Ok(());
    }
    Err(Problem::not_found(format!("there is no organization {organization}")))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
}

fn folder_bytes(folder: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
