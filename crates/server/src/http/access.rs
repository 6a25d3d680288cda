//! Sessions, users, tokens, settings, saved filters.

use api::Page;
use api::access::{
    Me, NewSavedFilter, NewToken, NewUser, PasswordChange, SavedFilter, Settings, SignIn, Token, TokenMade, User,
    UserChange,
};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::router::{Route, table};
use super::subject::{COOKIE, refuse_other_sites};
use super::{Json, Path, Problem};
use crate::access::{Client, Subject, saved_filters, settings, sign_in, tokens, users};
use crate::app::App;

pub fn routes() -> Vec<Route> {
    table! {
        POST   "/api/v1/session"            Public         session_create;
        GET    "/api/v1/session"            SignedIn       session_get;
        DELETE "/api/v1/session"            SignedIn       session_delete;
        PUT    "/api/v1/session/password"   SignedIn       session_password;
        GET    "/api/v1/users"              UsersManage    users_list;
        POST   "/api/v1/users"              UsersManage    users_create;
        GET    "/api/v1/users/{id}"         UsersManage    users_get;
        PUT    "/api/v1/users/{id}"         UsersManage    users_update;
        DELETE "/api/v1/users/{id}"         UsersManage    users_delete;
        GET    "/api/v1/tokens"             TokensOwn      tokens_list;
        POST   "/api/v1/tokens"             TokensOwn      tokens_create;
        DELETE "/api/v1/tokens/{id}"        TokensOwn      tokens_delete;
        GET    "/api/v1/settings"           SettingsWrite  settings_get;
        PUT    "/api/v1/settings"           SettingsWrite  settings_set;
        GET    "/api/v1/saved-filters"      EventsRead     saved_filters_list;
        POST   "/api/v1/saved-filters"      EventsRead     saved_filters_create;
        DELETE "/api/v1/saved-filters/{id}" EventsRead     saved_filters_delete;
    }
}

/// Sign in. The answer sets the session cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "access", responses((status = 200, body = Me)))]
pub async fn session_create(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(request): Json<SignIn>,
) -> Result<Response, Problem> {
    // Another site must not sign a browser in either: its owner would work under a stranger's name.
    refuse_other_sites(&app, &Method::POST, &headers)?;
    let signed_in = sign_in::sign_in(&app, request, &client).await?;
    let me = sign_in::me(&app, &signed_in.subject);
    let age = app.config.limits.session_hours * 3_600;
    Ok(([(header::SET_COOKIE, cookie(&app, &signed_in.cookie, age)?)], Json(me)).into_response())
}

/// Who I am and what I may do.
#[utoipa::path(get, path = "/api/v1/session", tag = "access", responses((status = 200, body = Me)))]
pub async fn session_get(State(app): State<App>, subject: Subject) -> Json<Me> {
    Json(sign_in::me(&app, &subject))
}

/// Sign out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access", responses((status = 204)))]
pub async fn session_delete(State(app): State<App>, subject: Subject) -> Result<Response, Problem> {
    sign_in::sign_out(&app, &subject).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie(&app, "", 0)?)]).into_response())
}

/// Change my password. All my other sessions end.
#[utoipa::path(put, path = "/api/v1/session/password", tag = "access", responses((status = 204)))]
pub async fn session_password(
    State(app): State<App>,
    subject: Subject,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    sign_in::change_password(&app, &subject, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All users.
#[utoipa::path(get, path = "/api/v1/users", tag = "access", responses((status = 200, body = Page<User>)))]
pub async fn users_list(State(app): State<App>) -> Result<Json<Page<User>>, Problem> {
    Ok(Json(Page::whole(users::list(&app).await?)))
}

/// Make a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "access", responses((status = 201, body = User)))]
pub async fn users_create(
    State(app): State<App>,
    subject: Subject,
    Json(new): Json<NewUser>,
) -> Result<Response, Problem> {
    Ok((StatusCode::CREATED, Json(users::create(&app, Some(&subject), new).await?)).into_response())
}

/// One user, by id or name.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "access", params(("id" = String, Path)), responses((status = 200, body = User)))]
pub async fn users_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<User>, Problem> {
    let id = users::id_of(&app, &id).await?;
    Ok(Json(users::get(&app, &id).await?))
}

/// Change a user; what is absent stays. A new password, another role or disabling ends their sessions.
#[utoipa::path(put, path = "/api/v1/users/{id}", tag = "access", params(("id" = String, Path)), responses((status = 200, body = User)))]
pub async fn users_update(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(change): Json<UserChange>,
) -> Result<Json<User>, Problem> {
    let id = users::id_of(&app, &id).await?;
    Ok(Json(users::update(&app, &subject, &id, change).await?))
}

/// Delete a user with their sessions, tokens and saved filters.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "access", params(("id" = String, Path)), responses((status = 204)))]
pub async fn users_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = users::id_of(&app, &id).await?;
    users::remove(&app, &subject, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// My tokens; for whoever may manage tokens: all.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", responses((status = 200, body = Page<Token>)))]
pub async fn tokens_list(State(app): State<App>, subject: Subject) -> Result<Json<Page<Token>>, Problem> {
    Ok(Json(Page::whole(tokens::list(&app, &subject).await?)))
}

/// Make a token. Its value is in this answer and never again.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", responses((status = 201, body = TokenMade)))]
pub async fn tokens_create(
    State(app): State<App>,
    subject: Subject,
    Json(new): Json<NewToken>,
) -> Result<Response, Problem> {
    let made = tokens::create(&app, &subject, new).await?;
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// Delete a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "access", params(("id" = String, Path)), responses((status = 204)))]
pub async fn tokens_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    tokens::remove(&app, &subject, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The settings of the organization.
#[utoipa::path(get, path = "/api/v1/settings", tag = "access", responses((status = 200, body = Settings)))]
pub async fn settings_get(State(app): State<App>) -> Result<Json<Settings>, Problem> {
    Ok(Json(settings::get(&app).await?))
}

/// Change the settings of the organization.
#[utoipa::path(put, path = "/api/v1/settings", tag = "access", responses((status = 200, body = Settings)))]
pub async fn settings_set(
    State(app): State<App>,
    subject: Subject,
    Json(new): Json<Settings>,
) -> Result<Json<Settings>, Problem> {
    Ok(Json(settings::set(&app, &subject, new).await?))
}

/// My saved filters and the shared ones.
#[utoipa::path(get, path = "/api/v1/saved-filters", tag = "access", responses((status = 200, body = Page<SavedFilter>)))]
pub async fn saved_filters_list(State(app): State<App>, subject: Subject) -> Result<Json<Page<SavedFilter>>, Problem> {
    Ok(Json(Page::whole(saved_filters::list(&app, &subject).await?)))
}

/// Save a filter.
#[utoipa::path(post, path = "/api/v1/saved-filters", tag = "access", responses((status = 201, body = SavedFilter)))]
pub async fn saved_filters_create(
    State(app): State<App>,
    subject: Subject,
    Json(new): Json<NewSavedFilter>,
) -> Result<Response, Problem> {
    Ok((StatusCode::CREATED, Json(saved_filters::create(&app, &subject, new).await?)).into_response())
}

/// Delete a saved filter.
#[utoipa::path(delete, path = "/api/v1/saved-filters/{id}", tag = "access", params(("id" = String, Path)), responses((status = 204)))]
pub async fn saved_filters_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    saved_filters::remove(&app, &subject, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn cookie(app: &App, value: &str, age_seconds: i64) -> Result<HeaderValue, Problem> {
    let secure = if app.config.is_https() { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_seconds}{secure}");
    HeaderValue::try_from(text).map_err(|error| Problem::internal(&error))
}
