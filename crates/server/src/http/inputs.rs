//! Inputs: what Belfry reads by itself.

use api::Page;
use api::inputs::{Input, InputDraft, InputTested};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::Subject;
use crate::app::App;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/inputs"           SourcesRead  inputs_list;
        POST   "/api/v1/inputs"           SourcesWrite inputs_create;
        GET    "/api/v1/inputs/{id}"      SourcesRead  inputs_get;
        PUT    "/api/v1/inputs/{id}"      SourcesWrite inputs_update;
        DELETE "/api/v1/inputs/{id}"      SourcesWrite inputs_delete;
        POST   "/api/v1/inputs/{id}/test" SourcesWrite inputs_test;
    }
}

/// All inputs, with what they do now and how far they have read, without their secrets.
#[utoipa::path(get, path = "/api/v1/inputs", tag = "sources", responses((status = 200, body = Page<Input>)))]
pub async fn inputs_list(State(app): State<App>) -> Result<Json<Page<Input>>, Problem> {
    Ok(Json(Page::whole(app.inputs.list(&app).await?)))
}

/// Make an input. It begins to read at once, unless it is switched off.
#[utoipa::path(post, path = "/api/v1/inputs", tag = "sources", request_body = InputDraft, responses((status = 201, body = Input)))]
pub async fn inputs_create(
    State(app): State<App>,
    subject: Subject,
    Json(draft): Json<InputDraft>,
) -> Result<Response, Problem> {
    let input = app.inputs.create(&app, &subject, draft).await?;
    Ok((StatusCode::CREATED, Json(input)).into_response())
}

/// One input.
#[utoipa::path(get, path = "/api/v1/inputs/{id}", tag = "sources", params(("id" = String, Path)), responses((status = 200, body = Input)))]
pub async fn inputs_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Input>, Problem> {
    Ok(Json(app.inputs.one(&app, &id).await?))
}

/// Change an input: it becomes what is given. How far it has read stays; secrets given as `••••` stay.
#[utoipa::path(put, path = "/api/v1/inputs/{id}", tag = "sources", params(("id" = String, Path)), request_body = InputDraft, responses((status = 200, body = Input)))]
pub async fn inputs_update(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(draft): Json<InputDraft>,
) -> Result<Json<Input>, Problem> {
    Ok(Json(app.inputs.update(&app, &subject, &id, draft).await?))
}

/// Remove an input, and what it knew of how far it had read. Its events stay.
#[utoipa::path(delete, path = "/api/v1/inputs/{id}", tag = "sources", params(("id" = String, Path)), responses((status = 204)))]
pub async fn inputs_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.inputs.remove(&app, &subject, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the input could read, tried now: files that match, the server that answers. Nothing is taken.
#[utoipa::path(post, path = "/api/v1/inputs/{id}/test", tag = "sources", params(("id" = String, Path)), responses((status = 200, body = InputTested)))]
pub async fn inputs_test(State(app): State<App>, Path(id): Path<String>) -> Result<Json<InputTested>, Problem> {
    Ok(Json(app.inputs.test(&app, &id).await?))
}
