//! Applications, their devices, and what is shared with them.

use api::Page;
use api::applications::{
    Application, ApplicationInput, Device, DeviceChange, DeviceCredential, DeviceSelf, Enroll, Enrolment,
    EnrolmentMade, Grant, GrantKind, NewEnrolment, Right, Rotate,
};
use api::mappings::{Mapping, MappingInput};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use super::mappings::{check_program, check_samples, mapping, shorten};
use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::{Client, Subject, applications, devices};
use crate::app::App;
use crate::changes;
use crate::ingest::RegistryError;
use crate::ingest::health::NO_SOURCE;
use crate::ingest::registry::NewVersion;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/applications"                              SourcesRead        applications_list;
        POST   "/api/v1/applications"                              ApplicationsManage applications_create;
        GET    "/api/v1/applications/{name}"                       SourcesRead        applications_get;
        PUT    "/api/v1/applications/{name}"                       ApplicationsManage applications_update;
        DELETE "/api/v1/applications/{name}"                       ApplicationsManage applications_delete;
        PUT    "/api/v1/applications/{name}/grants"                ApplicationsManage grants_put;
        DELETE "/api/v1/applications/{name}/grants/{kind}/{of}"    ApplicationsManage grants_delete;
        GET    "/api/v1/applications/{name}/enrolments"            SourcesRead        enrolments_list;
        POST   "/api/v1/applications/{name}/enrolments"            ApplicationsManage enrolments_create;
        DELETE "/api/v1/applications/{name}/enrolments/{id}"       ApplicationsManage enrolments_delete;
        GET    "/api/v1/applications/{name}/devices"               SourcesRead        devices_list;
        PUT    "/api/v1/applications/{name}/devices/{id}"          ApplicationsManage devices_update;
        DELETE "/api/v1/applications/{name}/devices/{id}"          ApplicationsManage devices_delete;
        POST   "/api/v1/devices/enroll"                            Public             devices_enroll;
        POST   "/api/v1/devices/rotate"                            SignedIn           devices_rotate;
        GET    "/api/v1/devices/self"                              SignedIn           devices_self;
        GET    "/api/v1/devices/mappings/{name}"                   SignedIn           devices_mapping_get;
        PUT    "/api/v1/devices/mappings/{name}"                   SignedIn           devices_mapping_save;
    }
}

/// All applications.
#[utoipa::path(get, path = "/api/v1/applications", tag = "applications", responses((status = 200, body = Page<Application>)))]
pub async fn applications_list(State(app): State<App>) -> Result<Json<Page<Application>>, Problem> {
    Ok(Json(Page::whole(applications::list(&app).await?)))
}

/// Register an application.
#[utoipa::path(post, path = "/api/v1/applications", tag = "applications", responses((status = 201, body = Application)))]
pub async fn applications_create(
    State(app): State<App>,
    subject: Subject,
    Json(input): Json<ApplicationInput>,
) -> Result<(StatusCode, Json<Application>), Problem> {
    for grant in &input.grants {
        check(&app, &subject, grant)?;
    }
    Ok((StatusCode::CREATED, Json(applications::create(&app, &subject, input).await?)))
}

/// One application.
#[utoipa::path(get, path = "/api/v1/applications/{name}", tag = "applications", params(("name" = String, Path)), responses((status = 200, body = Application)))]
pub async fn applications_get(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Application>, Problem> {
    Ok(Json(applications::get(&app, &name).await?))
}

/// Change what an application is called and whether it is on. Its grants have routes of their own.
#[utoipa::path(put, path = "/api/v1/applications/{name}", tag = "applications", params(("name" = String, Path)), responses((status = 200, body = Application)))]
pub async fn applications_update(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(input): Json<ApplicationInput>,
) -> Result<Json<Application>, Problem> {
    Ok(Json(applications::update(&app, &subject, &name, input).await?))
}

/// Remove an application with its devices. What it sent stays.
#[utoipa::path(delete, path = "/api/v1/applications/{name}", tag = "applications", params(("name" = String, Path)), responses((status = 204)))]
pub async fn applications_delete(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    applications::remove(&app, &subject, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Share a source or mapping with an application, or change what it may do with it.
#[utoipa::path(put, path = "/api/v1/applications/{name}/grants", tag = "applications", params(("name" = String, Path)), responses((status = 200, body = Application)))]
pub async fn grants_put(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(grant): Json<Grant>,
) -> Result<Json<Application>, Problem> {
    check(&app, &subject, &grant)?;
    Ok(Json(applications::share(&app, &subject, &name, &grant).await?))
}

/// Take a source or mapping from an application.
#[utoipa::path(delete, path = "/api/v1/applications/{name}/grants/{kind}/{of}", tag = "applications",
    params(("name" = String, Path), ("kind" = GrantKind, Path), ("of" = String, Path)), responses((status = 204)))]
pub async fn grants_delete(
    State(app): State<App>,
    subject: Subject,
    Path((name, kind, of)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let kind = match kind.as_str() {
        "source" => GrantKind::Source,
        "mapping" => GrantKind::Mapping,
        other => return Err(Problem::not_found(format!("{other} is neither source nor mapping"))),
    };
    applications::unshare(&app, &subject, &name, kind, &of).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Places for devices that nobody has taken yet.
#[utoipa::path(get, path = "/api/v1/applications/{name}/enrolments", tag = "applications", params(("name" = String, Path)), responses((status = 200, body = Page<Enrolment>)))]
pub async fn enrolments_list(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Page<Enrolment>>, Problem> {
    Ok(Json(Page::whole(applications::enrolments(&app, &name).await?)))
}

/// Make a one-time token for a device. It is shown this once.
#[utoipa::path(post, path = "/api/v1/applications/{name}/enrolments", tag = "applications", params(("name" = String, Path)), responses((status = 201, body = EnrolmentMade)))]
pub async fn enrolments_create(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(new): Json<NewEnrolment>,
) -> Result<(StatusCode, Json<EnrolmentMade>), Problem> {
    Ok((StatusCode::CREATED, Json(applications::enrol(&app, &subject, &name, new).await?)))
}

/// Take a one-time token back.
#[utoipa::path(delete, path = "/api/v1/applications/{name}/enrolments/{id}", tag = "applications", params(("name" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn enrolments_delete(
    State(app): State<App>,
    subject: Subject,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    applications::cancel(&app, &subject, &name, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The devices of an application.
#[utoipa::path(get, path = "/api/v1/applications/{name}/devices", tag = "applications", params(("name" = String, Path)), responses((status = 200, body = Page<Device>)))]
pub async fn devices_list(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Page<Device>>, Problem> {
    Ok(Json(Page::whole(applications::list_devices(&app, &name).await?)))
}

/// Rename, suspend, resume a device, or say where it may come from.
#[utoipa::path(put, path = "/api/v1/applications/{name}/devices/{id}", tag = "applications", params(("name" = String, Path), ("id" = String, Path)), responses((status = 200, body = Device)))]
pub async fn devices_update(
    State(app): State<App>,
    subject: Subject,
    Path((name, id)): Path<(String, String)>,
    Json(change): Json<DeviceChange>,
) -> Result<Json<Device>, Problem> {
    Ok(Json(applications::change_device(&app, &subject, (&name, &id), change).await?))
}

/// Remove a device. Its credential is worth nothing from then on.
#[utoipa::path(delete, path = "/api/v1/applications/{name}/devices/{id}", tag = "applications", params(("name" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn devices_delete(
    State(app): State<App>,
    subject: Subject,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    applications::remove_device(&app, &subject, &name, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enrol: exchange a one-time token for a credential of one's own.
#[utoipa::path(post, path = "/api/v1/devices/enroll", tag = "devices", responses((status = 201, body = DeviceCredential)))]
pub async fn devices_enroll(
    State(app): State<App>,
    client: Client,
    Json(request): Json<Enroll>,
) -> Result<(StatusCode, Json<DeviceCredential>), Problem> {
    Ok((StatusCode::CREATED, Json(devices::enroll(&app, request, &client).await?)))
}

/// Take a new credential; the one that is shown stays good for the overlap.
#[utoipa::path(post, path = "/api/v1/devices/rotate", tag = "devices", responses((status = 200, body = DeviceCredential)))]
pub async fn devices_rotate(
    State(app): State<App>,
    subject: Subject,
    Json(request): Json<Rotate>,
) -> Result<Json<DeviceCredential>, Problem> {
    Ok(Json(devices::rotate(&app, &subject, &request).await?))
}

/// What the device that asks is, and what is shared with it.
#[utoipa::path(get, path = "/api/v1/devices/self", tag = "devices", responses((status = 200, body = DeviceSelf)))]
pub async fn devices_self(State(app): State<App>, subject: Subject) -> Result<Json<DeviceSelf>, Problem> {
    Ok(Json(devices::me(&app, &subject).await?))
}

/// A mapping that is shared with the application of the device that asks.
#[utoipa::path(get, path = "/api/v1/devices/mappings/{name}", tag = "devices", params(("name" = String, Path)), responses((status = 200, body = Mapping)))]
pub async fn devices_mapping_get(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
) -> Result<Json<Mapping>, Problem> {
    devices::with_mapping(&subject, &name, Right::Read)?;
    let found = app.intake.registry().mapping(&name);
    let found = found.ok_or_else(|| Problem::from(RegistryError::UnknownMapping { name }))?;
    Ok(Json(mapping(app.intake.registry(), &found)))
}

/// Save a new version of a mapping that is shared with the application of the device that asks.
#[utoipa::path(put, path = "/api/v1/devices/mappings/{name}", tag = "devices", params(("name" = String, Path)), responses((status = 200, body = Mapping)))]
pub async fn devices_mapping_save(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(input): Json<MappingInput>,
) -> Result<Json<Mapping>, Problem> {
    let reach = devices::with_mapping(&subject, &name, Right::Change)?;
    check_program(&input.program)?;
    check_samples(input.samples.as_deref().unwrap_or_default())?;
    let registry = app.intake.registry();
    let old = registry.mapping(&name).map(|compiled| json!({"version": compiled.version, "program": compiled.program}));
    let wanted = NewVersion {
        program: &input.program,
        samples: input.samples.as_deref(),
        force: input.force,
        by: subject.user_name(),
        now_ms: app.clock.now().as_millisecond(),
    };
    let version = registry.save(&name, &wanted, &app.door).await?;
    let new = json!({"version": version, "program": input.program});
    let mut event =
        devices::device_event("app_client_record_update", "success", (&reach.application, &reach.device, &reach.name));
    event["entity"] = json!({"type": "mapping", "id": name, "name": name});
    event["changes"] = json!(changes::diff(&old.unwrap_or_default(), &new, &[]));
    event["message"] = json!(format!("The device {} saved version {version} of the mapping {name}", reach.name));
    app.record(Some(&subject), shorten(event)).await?;
    let found = registry.mapping(&name).ok_or_else(|| Problem::from(RegistryError::UnknownMapping { name }))?;
    Ok(Json(mapping(registry, &found)))
}

/// Whether there is such a thing to share, and whether this subject may share it.
fn check(app: &App, subject: &Subject, grant: &Grant) -> Result<(), Problem> {
    applications::may_share(subject, grant)?;
    let registry = app.intake.registry();
    match grant.kind {
        GrantKind::Source if grant.name == NO_SOURCE || registry.source(&grant.name).is_some() => Ok(()),
        GrantKind::Source => Err(RegistryError::UnknownSource { name: grant.name.clone() }.into()),
        GrantKind::Mapping if registry.mapping(&grant.name).is_some() => Ok(()),
        GrantKind::Mapping => Err(RegistryError::UnknownMapping { name: grant.name.clone() }.into()),
    }
}
