//! Backups, their settings, the master key and the drill.

use std::io::SeekFrom;

use api::Page;
use api::backup::{
    Backup, BackupOverview, BackupReason, BackupSettings, MasterKeyMade, MasterKeyShown, NewBackup, NewMasterKey,
};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use super::router::{Route, table};
use super::{Json, Path, Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::keep::{backup, backup_settings};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/backups"                 BackupsRead   backups_list;
        POST   "/api/v1/backups"                 BackupsManage backups_start;
        GET    "/api/v1/backups/settings"        BackupsRead   backups_settings;
        PUT    "/api/v1/backups/settings"        BackupsManage backups_configure;
        POST   "/api/v1/backups/master-key"      BackupsManage backups_make_key;
        GET    "/api/v1/backups/{id}"            BackupsRead   backups_get;
        DELETE "/api/v1/backups/{id}"            BackupsManage backups_delete;
        GET    "/api/v1/backups/{id}/download"   BackupsRead   backups_download;
        POST   "/api/v1/backups/{id}/cancel"     BackupsManage backups_cancel;
        POST   "/api/v1/backups/{id}/check"      BackupsManage backups_check;
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BackupsWanted {
    /// What the page before answered as `next`.
    pub cursor: Option<String>,
    /// At most 500; 50 when absent.
    pub limit: Option<u32>,
}

/// The backups, newest first.
#[utoipa::path(get, path = "/api/v1/backups", tag = "backups", params(BackupsWanted), responses((status = 200, body = Page<Backup>)))]
pub async fn backups_list(
    State(app): State<App>,
    Query(wanted): Query<BackupsWanted>,
) -> Result<Json<Page<Backup>>, Problem> {
    let limit = wanted.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let (items, next) = backup::list(&app, wanted.cursor.as_deref(), limit).await?;
    Ok(Json(Page { items, next }))
}

/// Make a backup. It goes on in the background; look at it for its progress.
#[utoipa::path(post, path = "/api/v1/backups", tag = "backups", request_body = NewBackup, responses((status = 202, body = Backup)))]
pub async fn backups_start(
    State(app): State<App>,
    subject: Subject,
    Json(wish): Json<NewBackup>,
) -> Result<Response, Problem> {
    let started = backup::start(&app, Some(&subject), wish.kind, BackupReason::Asked).await?;
    let place = HeaderValue::from_str(&format!("/api/v1/backups/{}", started.backup.id)).ok();
    let mut response = (StatusCode::ACCEPTED, Json(started.backup)).into_response();
    if let Some(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// When backups are made, for which master key, and how many are kept.
#[utoipa::path(get, path = "/api/v1/backups/settings", tag = "backups", responses((status = 200, body = BackupOverview)))]
pub async fn backups_settings(State(app): State<App>) -> Result<Json<BackupOverview>, Problem> {
    Ok(Json(backup_settings::get(&app).await?))
}

/// Change the settings: they become what is given.
#[utoipa::path(put, path = "/api/v1/backups/settings", tag = "backups", request_body = BackupSettings, responses((status = 200, body = BackupOverview)))]
pub async fn backups_configure(
    State(app): State<App>,
    subject: Subject,
    Json(settings): Json<BackupSettings>,
) -> Result<Json<BackupOverview>, Problem> {
    Ok(Json(backup_settings::set(&app, &subject, settings).await?))
}

/// Make a master key and split it. The shares are in this answer and nowhere else: the server forgets them. The key is
/// in use once its recipient stands in the settings.
#[utoipa::path(post, path = "/api/v1/backups/master-key", tag = "backups", request_body = NewMasterKey, responses((status = 200, body = MasterKeyMade)))]
pub async fn backups_make_key(
    State(app): State<App>,
    subject: Subject,
    Json(wish): Json<NewMasterKey>,
) -> Result<Response, Problem> {
    let made = backup::make_key(&app, &subject, wish).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// One backup.
#[utoipa::path(get, path = "/api/v1/backups/{id}", tag = "backups", params(("id" = String, Path)), responses((status = 200, body = Backup)))]
pub async fn backups_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Backup>, Problem> {
    Ok(Json(backup::get(&app, &id).await?))
}

/// Delete a backup and its file. Not while others build on it.
#[utoipa::path(delete, path = "/api/v1/backups/{id}", tag = "backups", params(("id" = String, Path)), responses((status = 204)))]
pub async fn backups_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    backup::remove(&app, &subject, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The encrypted file of a backup. One range of bytes can be asked for.
#[utoipa::path(get, path = "/api/v1/backups/{id}/download", tag = "backups", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 206, body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn backups_download(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (path, name, about) = backup::download(&app, &subject, &id).await?;
    let failed = |error: std::io::Error| Problem::internal(&error);
    let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
    let size = file.metadata().await.map_err(failed)?.len();
    let mut answer = HeaderMap::new();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    // Names are made of letters, digits, dots and dashes.
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        answer.insert(header::CONTENT_DISPOSITION, value);
    }
    if let Some(tag) = about.sha256.and_then(|sha256| HeaderValue::from_str(&format!("\"{sha256}\"")).ok()) {
        answer.insert(header::ETAG, tag);
    }
    let wanted = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|text| range(text, size));
    let (status, first, length) = match wanted {
        Some((first, last)) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        None => (StatusCode::OK, 0, size),
    };
    if status == StatusCode::PARTIAL_CONTENT {
        if let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{}/{size}", first + length - 1)) {
            answer.insert(header::CONTENT_RANGE, value);
        }
        file.seek(SeekFrom::Start(first)).await.map_err(failed)?;
    }
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), 128 * 1024));
    Ok((status, answer, body).into_response())
}

/// Call off a backup or a drill that is running.
#[utoipa::path(post, path = "/api/v1/backups/{id}/cancel", tag = "backups", params(("id" = String, Path)), responses((status = 202, body = Backup)))]
pub async fn backups_cancel(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok((StatusCode::ACCEPTED, Json(backup::cancel(&app, &id).await?)).into_response())
}

/// The drill: prove that these shares still open the backup. That they do is told at once; the whole backup, and all it
/// builds on, is then read in the background. Nothing is restored, and the key is not kept.
#[utoipa::path(post, path = "/api/v1/backups/{id}/check", tag = "backups", params(("id" = String, Path)), request_body = MasterKeyShown, responses((status = 202, body = Backup)))]
pub async fn backups_check(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(key): Json<MasterKeyShown>,
) -> Result<Response, Problem> {
    Ok((StatusCode::ACCEPTED, Json(backup::drill(&app, &subject, &id, key).await?)).into_response())
}

/// The first and last byte of a single range; anything else is answered with the whole file.
fn range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let end = size.checked_sub(1)?;
    let (first, last) = match (first.trim(), last.trim()) {
        ("", count) => (size.saturating_sub(count.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_range_is_cut_out() {
        for (text, wanted) in [
            ("bytes=0-9", Some((0, 9))),
            ("bytes=5-", Some((5, 99))),
            ("bytes=-10", Some((90, 99))),
            ("bytes=-200", Some((0, 99))),
            ("bytes=90-500", Some((90, 99))),
            ("bytes=100-", None),
            ("bytes=9-5", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(range(text, 100), wanted, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), None);
    }
}
