//! Reports, their runs, and the audit summary of one event.

use api::Page;
use api::report::{Certificate, Column, Definition, DefinitionDraft, Format, Preview, PreviewRequest, Run, RunRequest};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use super::events::visible;
use super::range::range;
use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::Subject;
use crate::app::App;
use crate::report::plan::{Plan, Range};
use crate::report::runs::Delivery;
use crate::report::{Wish, definition, file};
use crate::search;

const PREVIEW_ROWS: u32 = 50;
const PREVIEW_ROWS_MAX: u32 = 200;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/reports"                        ReportsRun   reports_list;
        POST   "/api/v1/reports"                        ReportsWrite reports_create;
        GET    "/api/v1/reports/{id}"                   ReportsRun   reports_get;
        PUT    "/api/v1/reports/{id}"                   ReportsWrite reports_update;
        DELETE "/api/v1/reports/{id}"                   ReportsWrite reports_delete;
        POST   "/api/v1/reports/{id}/preview"           ReportsRun   reports_preview;
        POST   "/api/v1/reports/{id}/runs"              ReportsRun   reports_run;
        GET    "/api/v1/report-runs"                    ReportsRun   runs_list;
        GET    "/api/v1/report-runs/{id}"               ReportsRun   runs_get;
        DELETE "/api/v1/report-runs/{id}"               ReportsRun   runs_cancel;
        GET    "/api/v1/report-runs/{id}/download"      ReportsRun   runs_download;
        GET    "/api/v1/report-runs/{id}/certificate"   ReportsRun   runs_certificate;
        GET    "/api/v1/events/{position}/summary.pdf"  EventsRead   event_summary;
    }
}

/// All reports: the built-in ones, then those people made.
#[utoipa::path(get, path = "/api/v1/reports", tag = "reports", responses((status = 200, body = Page<Definition>)))]
pub async fn reports_list(State(app): State<App>) -> Result<Json<Page<Definition>>, Problem> {
    Ok(Json(Page::whole(app.reports.definitions().await?)))
}

/// Make a report of one's own.
#[utoipa::path(post, path = "/api/v1/reports", tag = "reports", request_body = DefinitionDraft, responses((status = 201, body = Definition)))]
pub async fn reports_create(
    State(app): State<App>,
    subject: Subject,
    Json(draft): Json<DefinitionDraft>,
) -> Result<(StatusCode, Json<Definition>), Problem> {
    Ok((StatusCode::CREATED, Json(app.reports.create(&subject, draft).await?)))
}

/// One report.
#[utoipa::path(get, path = "/api/v1/reports/{id}", tag = "reports", params(("id" = String, Path)), responses((status = 200, body = Definition)))]
pub async fn reports_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Definition>, Problem> {
    Ok(Json(app.reports.definition(&id).await?))
}

/// Change a report of one's own: it becomes what is given.
#[utoipa::path(put, path = "/api/v1/reports/{id}", tag = "reports", params(("id" = String, Path)), request_body = DefinitionDraft, responses((status = 200, body = Definition)))]
pub async fn reports_update(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(draft): Json<DefinitionDraft>,
) -> Result<Json<Definition>, Problem> {
    Ok(Json(app.reports.update(&subject, &id, draft).await?))
}

/// Remove a report of one's own. Its runs stay.
#[utoipa::path(delete, path = "/api/v1/reports/{id}", tag = "reports", params(("id" = String, Path)), responses((status = 204)))]
pub async fn reports_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.reports.remove(&subject, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The first rows of a report, and how many there are.
#[utoipa::path(post, path = "/api/v1/reports/{id}/preview", tag = "reports", params(("id" = String, Path)), request_body = PreviewRequest, responses((status = 200, body = Preview)))]
pub async fn reports_preview(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(request): Json<PreviewRequest>,
) -> Result<Json<Preview>, Problem> {
    let limit = request.limit.unwrap_or(PREVIEW_ROWS).clamp(1, PREVIEW_ROWS_MAX) as usize;
    let asked = Asked { from: request.from, to: request.to, filter: request.filter, columns: request.columns };
    let plan = plan(&app, &subject, &id, asked, Format::Json).await?;
    let _turn = search::turn(&app).await?;
    Ok(Json(app.reports.preview(plan, limit).await?))
}

/// Run a report. It goes on in the background; look at the run for its progress and its file.
#[utoipa::path(post, path = "/api/v1/reports/{id}/runs", tag = "reports", params(("id" = String, Path)), request_body = RunRequest, responses((status = 202, body = Run)))]
pub async fn reports_run(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(request): Json<RunRequest>,
) -> Result<Response, Problem> {
    let asked = Asked { from: request.from, to: request.to, filter: request.filter, columns: request.columns };
    let plan = plan(&app, &subject, &id, asked, request.format).await?;
    let email = match &request.email {
        Some(wish) => Some(app.reports.envelope(wish).await?),
        None => None,
    };
    let delivery = Delivery { bom: request.bom.unwrap_or(true), email };
    let run = app.reports.start(plan, delivery, &subject).await?;
    let place = HeaderValue::from_str(&format!("/api/v1/report-runs/{}", run.id)).ok();
    let mut response = (StatusCode::ACCEPTED, Json(run)).into_response();
    if let Some(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// The newest runs: one's own, and all for whoever may read all events.
#[utoipa::path(get, path = "/api/v1/report-runs", tag = "reports", responses((status = 200, body = Page<Run>)))]
pub async fn runs_list(State(app): State<App>, subject: Subject) -> Result<Json<Page<Run>>, Problem> {
    Ok(Json(Page::whole(app.reports.runs(&subject).await?)))
}

/// One run.
#[utoipa::path(get, path = "/api/v1/report-runs/{id}", tag = "reports", params(("id" = String, Path)), responses((status = 200, body = Run)))]
pub async fn runs_get(State(app): State<App>, subject: Subject, Path(id): Path<String>) -> Result<Json<Run>, Problem> {
    Ok(Json(app.reports.run(&subject, &id).await?))
}

/// Call a run off; of a finished one, throw the file away.
#[utoipa::path(delete, path = "/api/v1/report-runs/{id}", tag = "reports", params(("id" = String, Path)), responses((status = 200, body = Run)))]
pub async fn runs_cancel(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Json<Run>, Problem> {
    Ok(Json(app.reports.cancel(&subject, &id).await?))
}

/// The file of a run.
#[utoipa::path(get, path = "/api/v1/report-runs/{id}/download", tag = "reports", params(("id" = String, Path)), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn runs_download(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (path, certificate) = app.reports.download(&subject, &id).await?;
    let opened = tokio::fs::File::open(&path).await.map_err(|error| Problem::internal(&error))?;
    let mut headers = attachment(file::media_type(certificate.format), &file::download_name(&certificate));
    if let Some(about) = &certificate.file {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(about.size_bytes));
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", about.sha256)) {
            headers.insert(header::ETAG, tag);
        }
    }
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(opened, 128 * 1024))).into_response())
}

/// The certificate that goes with the file of a run.
#[utoipa::path(get, path = "/api/v1/report-runs/{id}/certificate", tag = "reports", params(("id" = String, Path)), responses((status = 200, body = Certificate)))]
pub async fn runs_certificate(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (_, certificate) = app.reports.download(&subject, &id).await?;
    let name = format!("{}.certificate.json", file::download_name(&certificate));
    let text = serde_json::to_vec_pretty(&certificate).map_err(|error| Problem::internal(&error))?;
    Ok((attachment("application/json", &name), text).into_response())
}

/// The audit summary of an event, as PDF.
#[utoipa::path(get, path = "/api/v1/events/{position}/summary.pdf", tag = "events", params(("position" = u64, Path)), responses((status = 200, body = Vec<u8>, content_type = "application/pdf")))]
pub async fn event_summary(
    State(app): State<App>,
    subject: Subject,
    Path(position): Path<u64>,
) -> Result<Response, Problem> {
    let entry = visible(&app, &subject, position).await?;
    let pdf = app.reports.summary(&subject, position, entry).await?;
    Ok((attachment("application/pdf", &format!("event-{position}.pdf")), pdf).into_response())
}

/// What a request asks of a report.
struct Asked {
    from: Option<String>,
    to: Option<String>,
    filter: Option<String>,
    columns: Option<Vec<Column>>,
}

async fn plan(app: &App, subject: &Subject, id: &str, asked: Asked, format: Format) -> Result<Plan, Problem> {
    let definition = app.reports.definition(id).await?;
    // Nothing said about the time: as the definition says. An empty text: from the beginning.
    let usual = if asked.from.is_none() && asked.to.is_none() { definition::span(&definition.range)? } else { None };
    let from = asked.from.or(usual);
    let wanted = range(from.as_deref(), asked.to.as_deref(), app.clock.now())?;
    let wish = Wish {
        filter: asked.filter.unwrap_or_default(),
        range: Range { from: wanted.from, to: wanted.to },
        columns: asked.columns,
    };
    Ok(app.reports.plan(definition, wish, format, subject)?)
}

fn attachment(media_type: &'static str, name: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Names are made of letters, digits and dashes, see `file::download_name`.
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers
}
