//! How long events are kept, legal holds, erasures, and what was removed.

use api::Page;
use api::access::Privilege;
use api::retention::{
    Erasure, ErasureApproval, ErasureDraft, Hold, HoldDraft, Policy, PolicyDraft, Reason, Removal, RemovalApply,
    RemovalKind, Removed, Retention, Schedule,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::events::found;
use super::range::{filter, range};
use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::Subject;
use crate::app::App;
use crate::keep::{erasure, hold, removal, retention};

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/retention"                       RetentionRead  retention_get;
        PUT    "/api/v1/retention/schedule"              RetentionWrite retention_schedule;
        PUT    "/api/v1/retention/policies/{category}"   RetentionWrite policies_put;
        DELETE "/api/v1/retention/policies/{category}"   RetentionWrite policies_delete;
        POST   "/api/v1/retention/preview"               RetentionWrite retention_preview;
        GET    "/api/v1/removals"                        RetentionRead  removals_list;
        GET    "/api/v1/removals/{id}"                   RetentionRead  removals_get;
        POST   "/api/v1/removals/{id}/apply"             RetentionWrite removals_apply;
        POST   "/api/v1/removals/{id}/cancel"            RetentionWrite removals_cancel;
        POST   "/api/v1/removals/{id}/resume"            RetentionWrite removals_resume;
        GET    "/api/v1/holds"                           RetentionRead  holds_list;
        POST   "/api/v1/holds"                           RetentionWrite holds_place;
        POST   "/api/v1/holds/{id}/release"              RetentionWrite holds_release;
        GET    "/api/v1/erasures"                        RetentionRead  erasures_list;
        POST   "/api/v1/erasures"                        TrailErase     erasures_request;
        GET    "/api/v1/erasures/{id}"                   RetentionRead  erasures_get;
        POST   "/api/v1/erasures/{id}/approve"           TrailErase     erasures_approve;
        POST   "/api/v1/erasures/{id}/refuse"            TrailErase     erasures_refuse;
        GET    "/api/v1/events/{position}/removal"       EventsRead     event_removal;
    }
}

/// How long events of each category are kept, and when that is applied.
#[utoipa::path(get, path = "/api/v1/retention", tag = "retention", responses((status = 200, body = Retention)))]
pub async fn retention_get(State(app): State<App>) -> Result<Json<Retention>, Problem> {
    Ok(Json(retention::get(&app).await?))
}

/// Set the time of day at which the policies are applied, or that they are applied only when asked.
#[utoipa::path(put, path = "/api/v1/retention/schedule", tag = "retention", request_body = Schedule, responses((status = 200, body = Retention)))]
pub async fn retention_schedule(
    State(app): State<App>,
    subject: Subject,
    Json(schedule): Json<Schedule>,
) -> Result<Json<Retention>, Problem> {
    Ok(Json(retention::set_schedule(&app, &subject, schedule).await?))
}

/// Set how long events of a category are kept; `*` is for all categories that have no policy of their own.
#[utoipa::path(put, path = "/api/v1/retention/policies/{category}", tag = "retention", params(("category" = String, Path)), request_body = PolicyDraft, responses((status = 200, body = Policy)))]
pub async fn policies_put(
    State(app): State<App>,
    subject: Subject,
    Path(category): Path<String>,
    Json(draft): Json<PolicyDraft>,
) -> Result<Json<Policy>, Problem> {
    Ok(Json(retention::set_policy(&app, &subject, &category, &draft).await?))
}

/// Take a policy away: events of the category are kept as the rest are, or for ever.
#[utoipa::path(delete, path = "/api/v1/retention/policies/{category}", tag = "retention", params(("category" = String, Path)), responses((status = 204)))]
pub async fn policies_delete(
    State(app): State<App>,
    subject: Subject,
    Path(category): Path<String>,
) -> Result<StatusCode, Problem> {
    retention::remove_policy(&app, &subject, &category).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Count what the policies would remove now. Nothing is removed before it is confirmed; the count goes on in the background.
#[utoipa::path(post, path = "/api/v1/retention/preview", tag = "retention", responses((status = 202, body = Removal)))]
pub async fn retention_preview(State(app): State<App>, subject: Subject) -> Result<Response, Problem> {
    Ok((StatusCode::ACCEPTED, Json(retention::begin(&app, Some(&subject)).await?)).into_response())
}

/// Retentions that were counted or applied, the newest first.
#[utoipa::path(get, path = "/api/v1/removals", tag = "retention", responses((status = 200, body = Page<Removal>)))]
pub async fn removals_list(State(app): State<App>) -> Result<Json<Page<Removal>>, Problem> {
    Ok(Json(Page::whole(removal::list(&app).await?)))
}

/// One removal: what it is about, and how far it is.
#[utoipa::path(get, path = "/api/v1/removals/{id}", tag = "retention", params(("id" = String, Path)), responses((status = 200, body = Removal)))]
pub async fn removals_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Removal>, Problem> {
    Ok(Json(removal::get(&app, &id).await?))
}

/// Confirm a retention that was counted, and begin to remove.
#[utoipa::path(post, path = "/api/v1/removals/{id}/apply", tag = "retention", params(("id" = String, Path)), request_body = RemovalApply, responses((status = 202, body = Removal)))]
pub async fn removals_apply(
    State(app): State<App>,
    Path(id): Path<String>,
    Json(confirmed): Json<RemovalApply>,
) -> Result<Response, Problem> {
    Ok((StatusCode::ACCEPTED, Json(removal::apply(&app, &id, &confirmed).await?)).into_response())
}

/// Call a removal off. What was removed until then stays removed.
#[utoipa::path(post, path = "/api/v1/removals/{id}/cancel", tag = "retention", params(("id" = String, Path)), responses((status = 200, body = Removal)))]
pub async fn removals_cancel(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Json<Removal>, Problem> {
    may_touch(&app, &subject, &id).await?;
    Ok(Json(removal::cancel(&app, &subject, &id).await?))
}

/// Take up a removal that failed, where it stood.
#[utoipa::path(post, path = "/api/v1/removals/{id}/resume", tag = "retention", params(("id" = String, Path)), responses((status = 202, body = Removal)))]
pub async fn removals_resume(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    may_touch(&app, &subject, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(removal::resume(&app, &id).await?)).into_response())
}

/// Legal holds: those that stand, then those that were released.
#[utoipa::path(get, path = "/api/v1/holds", tag = "retention", responses((status = 200, body = Page<Hold>)))]
pub async fn holds_list(State(app): State<App>) -> Result<Json<Page<Hold>>, Problem> {
    Ok(Json(Page::whole(hold::list(&app).await?)))
}

/// Place a legal hold: what it picks is not removed until it is released.
#[utoipa::path(post, path = "/api/v1/holds", tag = "retention", request_body = HoldDraft, responses((status = 201, body = Hold)))]
pub async fn holds_place(
    State(app): State<App>,
    subject: Subject,
    Json(draft): Json<HoldDraft>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let wanted = filter(Some(&draft.filter), now)?;
    let within = range(draft.from.as_deref(), draft.to.as_deref(), now)?;
    let placed = hold::place(&app, &subject, &draft, &wanted, (within.from, within.to)).await?;
    Ok((StatusCode::CREATED, Json(placed)).into_response())
}

/// Release a legal hold. Its filter is forgotten; the hash of it stays in the trail.
#[utoipa::path(post, path = "/api/v1/holds/{id}/release", tag = "retention", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Hold)))]
pub async fn holds_release(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(given): Json<Reason>,
) -> Result<Json<Hold>, Problem> {
    Ok(Json(hold::release(&app, &subject, &id, &given.reason).await?))
}

/// Requests to erase a person's data, the newest first.
#[utoipa::path(get, path = "/api/v1/erasures", tag = "retention", responses((status = 200, body = Page<Erasure>)))]
pub async fn erasures_list(State(app): State<App>) -> Result<Json<Page<Erasure>>, Problem> {
    Ok(Json(Page::whole(erasure::list(&app).await?)))
}

/// Ask for the erasure of what events say of a person. It is counted, and then a second person has to approve it.
#[utoipa::path(post, path = "/api/v1/erasures", tag = "retention", request_body = ErasureDraft, responses((status = 201, body = Erasure)))]
pub async fn erasures_request(
    State(app): State<App>,
    subject: Subject,
    Json(draft): Json<ErasureDraft>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let wanted = filter(Some(&draft.filter), now)?;
    let within = range(draft.from.as_deref(), draft.to.as_deref(), now)?;
    let asked = erasure::request(&app, &subject, &draft, &wanted, (within.from, within.to)).await?;
    Ok((StatusCode::CREATED, Json(asked)).into_response())
}

/// One request, with some of its events (for whoever may read events) and the report files that may hold them.
#[utoipa::path(get, path = "/api/v1/erasures/{id}", tag = "retention", params(("id" = String, Path)), responses((status = 200, body = Erasure)))]
pub async fn erasures_get(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Json<Erasure>, Problem> {
    let mut one = erasure::get(&app, &id).await?;
    if subject.has(Privilege::EventsRead) {
        let (trail, positions) = (app.trail().clone(), erasure::samples(&app, &id).await?);
        let read = tokio::task::spawn_blocking(move || {
            positions.into_iter().map(|at| Ok((at, trail.get(at)?))).collect::<Result<Vec<_>, trail::TrailError>>()
        });
        let read = read.await.map_err(|error| Problem::internal(&error))?.map_err(|error| Problem::internal(&error))?;
        for (position, entry) in read {
            if let Some(entry) = entry.filter(|entry| !entry.is_empty()) {
                one.samples.push(found(position, entry)?);
            }
        }
    }
    Ok(Json(one))
}

/// Approve an erasure that somebody else asked for, and begin to erase.
#[utoipa::path(post, path = "/api/v1/erasures/{id}/approve", tag = "retention", params(("id" = String, Path)), request_body = ErasureApproval, responses((status = 202, body = Erasure)))]
pub async fn erasures_approve(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(approval): Json<ErasureApproval>,
) -> Result<Response, Problem> {
    Ok((StatusCode::ACCEPTED, Json(erasure::approve(&app, &subject, &id, &approval).await?)).into_response())
}

/// Refuse an erasure, or withdraw one's own.
#[utoipa::path(post, path = "/api/v1/erasures/{id}/refuse", tag = "retention", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Erasure)))]
pub async fn erasures_refuse(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(given): Json<Reason>,
) -> Result<Json<Erasure>, Problem> {
    Ok(Json(erasure::refuse(&app, &subject, &id, &given.reason).await?))
}

/// When and why the event at a position was removed.
#[utoipa::path(get, path = "/api/v1/events/{position}/removal", tag = "retention", params(("position" = u64, Path)), responses((status = 200, body = Removed), (status = 404)))]
pub async fn event_removal(State(app): State<App>, Path(position): Path<u64>) -> Result<Json<Removed>, Problem> {
    let found = removal::at(&app, position).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("nothing was removed at position {position}")))
}

/// An erasure in progress is for those who may erase, not for whoever may set policies.
async fn may_touch(app: &App, subject: &Subject, id: &str) -> Result<(), Problem> {
    if removal::kind(app, id).await? == RemovalKind::Erasure {
        subject.need(Privilege::TrailErase)?;
    }
    Ok(())
}
