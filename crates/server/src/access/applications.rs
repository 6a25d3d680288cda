//! Applications: what they are, what is shared with them, which devices they have.

use api::access::Privilege;
use api::applications::{
    Application, ApplicationInput, Device, DeviceChange, Enrolment, EnrolmentMade, Grant, GrantKind, NewEnrolment,
    Right,
};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::{Error, Subject, devices, fingerprint, random_text};
use crate::app::App;
use crate::changes::{self, Entity};
use crate::state;
use crate::state::applications::{Application as Row, Enrolment as EnrolmentRow, Grant as GrantRow};
use crate::state::devices::Device as DeviceRow;

const APPLICATIONS_MAX: usize = 1_000;
const GRANTS_MAX: usize = 200;
const ENROLMENTS_MAX: usize = 1_000;
const VALID_SECONDS: u64 = 86_400;
const VALID_SECONDS_MAX: u64 = 30 * 86_400;

/// All applications, with their grants and how many devices they have.
pub async fn list(app: &App) -> Result<Vec<Application>, Error> {
    let devices = state::devices::all(&app.state, None).await?;
    let mut connection = app.state.acquire().await?;
    let grants = state::applications::grants(&mut connection, None).await?;
    drop(connection);
    let rows = state::applications::all(&app.state).await?;
    Ok(rows.into_iter().map(|row| shown(row, &grants, &devices)).collect())
}

pub async fn get(app: &App, name: &str) -> Result<Application, Error> {
    let devices = state::devices::all(&app.state, Some(name)).await?;
    let mut connection = app.state.acquire().await?;
    let row = find(&mut connection, name).await?;
    let grants = state::applications::grants(&mut connection, Some(name)).await?;
    Ok(shown(row, &grants, &devices))
}

pub async fn create(app: &App, subject: &Subject, input: ApplicationInput) -> Result<Application, Error> {
    let name = checked_name(&input.name)?;
    let grants = input.grants.iter().map(|grant| grant_row(&name, grant)).collect::<Result<Vec<_>, _>>()?;
    if grants.len() > GRANTS_MAX {
        return Err(Error::Invalid { pointer: "/grants", reason: format!("at most {GRANTS_MAX}") });
    }
    let row = Row {
        title: checked_text(&input.title, "/title", 120)?,
        description: checked_text(&input.description, "/description", 2_000)?,
        owner: checked_text(&input.owner, "/owner", 200)?,
        enabled: input.enabled,
        created_at: app.clock.now().as_millisecond(),
        created_by: subject.user_name().to_owned(),
        name,
    };
    if state::applications::all(&app.state).await?.len() >= APPLICATIONS_MAX {
        return Err(Error::Conflict { reason: format!("there are {APPLICATIONS_MAX} applications already") });
    }
    let mut transaction = state::begin_write(&app.state).await?;
    if state::applications::find(&mut transaction, &row.name).await?.is_some() {
        return Err(Error::Conflict { reason: format!("there is an application {} already", row.name) });
    }
    state::applications::put(&mut transaction, &row).await?;
    let changes = changes::diff(&Value::Null, &facts(&row), &[]);
    let mut event = entity(&row.name).event("sdk.application.registered", changes);
    event["event"]["provider"] = json!(row.name);
    app.record(Some(subject), event).await?;
    for grant in &grants {
        state::applications::put_grant(&mut transaction, grant).await?;
        app.record(Some(subject), shared_event(grant, "shared", "", &grant.rights)).await?;
    }
    transaction.commit().await?;
    get(app, &row.name).await
}

/// Changes what it is called and whether it is on. Off, none of its devices gets in.
pub async fn update(app: &App, subject: &Subject, name: &str, input: ApplicationInput) -> Result<Application, Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let old = find(&mut transaction, name).await?;
    let row = Row {
        title: checked_text(&input.title, "/title", 120)?,
        description: checked_text(&input.description, "/description", 2_000)?,
        owner: checked_text(&input.owner, "/owner", 200)?,
        enabled: input.enabled,
        ..old.clone()
    };
    if let Some(mut event) = entity(name).updated(&facts(&old), &facts(&row), &[]) {
        state::applications::put(&mut transaction, &row).await?;
        event["event"]["provider"] = json!(name);
        app.record(Some(subject), event).await?;
        transaction.commit().await?;
        app.access.forget();
    } else {
        drop(transaction);
    }
    get(app, name).await
}

/// Removes it with its devices. What it sent stays.
pub async fn remove(app: &App, subject: &Subject, name: &str) -> Result<(), Error> {
    let devices = state::devices::all(&app.state, Some(name)).await?;
    let mut transaction = state::begin_write(&app.state).await?;
    let row = find(&mut transaction, name).await?;
    let grants = state::applications::grants(&mut transaction, Some(name)).await?;
    state::applications::remove(&mut transaction, name).await?;
    for device in &devices {
        app.record(Some(subject), removed_event(device)).await?;
    }
    for grant in &grants {
        app.record(Some(subject), shared_event(grant, "removed", &grant.rights, "")).await?;
    }
    let mut event = entity(name).removed(&facts(&row), &[]);
    event["event"]["provider"] = json!(name);
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(())
}

/// Shares a source or mapping with it, or changes what it may do with it.
pub async fn share(app: &App, subject: &Subject, name: &str, wanted: &Grant) -> Result<Application, Error> {
    let grant = grant_row(name, wanted)?;
    let mut transaction = state::begin_write(&app.state).await?;
    find(&mut transaction, name).await?;
    let all = state::applications::grants(&mut transaction, Some(name)).await?;
    let old = all.iter().find(|old| old.kind == grant.kind && old.name == grant.name);
    if old.is_none() && all.len() >= GRANTS_MAX {
        return Err(Error::Conflict { reason: format!("{GRANTS_MAX} things are shared with {name} already") });
    }
    if old.is_none_or(|old| old.rights != grant.rights) {
        let (what, before) = match old {
            None => ("shared", ""),
            Some(old) => ("share_changed", old.rights.as_str()),
        };
        state::applications::put_grant(&mut transaction, &grant).await?;
        app.record(Some(subject), shared_event(&grant, what, before, &grant.rights)).await?;
        transaction.commit().await?;
        app.access.forget();
    } else {
        drop(transaction);
    }
    get(app, name).await
}

/// Takes a source or mapping from it.
pub async fn unshare(app: &App, subject: &Subject, name: &str, kind: GrantKind, what: &str) -> Result<(), Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    find(&mut transaction, name).await?;
    let all = state::applications::grants(&mut transaction, Some(name)).await?;
    let old = all.into_iter().find(|old| old.kind == kind_name(kind) && old.name == what);
    let old = old.ok_or_else(|| Error::NotFound { what: "grant of", id: what.to_owned() })?;
    state::applications::remove_grant(&mut transaction, &old).await?;
    app.record(Some(subject), shared_event(&old, "removed", &old.rights, "")).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(())
}

/// Makes a one-time token for a device.
pub async fn enrol(app: &App, subject: &Subject, name: &str, new: NewEnrolment) -> Result<EnrolmentMade, Error> {
    let now = app.clock.now();
    let valid = new.valid_seconds.unwrap_or(VALID_SECONDS);
    if !(60..=VALID_SECONDS_MAX).contains(&valid) {
        return Err(Error::Invalid { pointer: "/valid_seconds", reason: "from 60 seconds to 30 days".to_owned() });
    }
    let networks = devices::checked_networks(&new.networks)?;
    let id = state::new_id(now);
    let device = match new.device.as_deref() {
        None => None,
        Some(device) => Some(devices::name_of(Some(device), &id)?),
    };
    let existing = state::devices::all(&app.state, Some(name)).await?;
    if existing.len() >= devices::DEVICES_MAX {
        return Err(Error::Conflict { reason: format!("{name} has {} devices already", devices::DEVICES_MAX) });
    }
    if let Some(taken) = device.as_ref().filter(|device| existing.iter().any(|other| other.name == **device)) {
        return Err(Error::Conflict { reason: format!("{name} has a device {taken} already") });
    }
    let row = EnrolmentRow {
        application: name.to_owned(),
        device,
        lock_first: new.lock_to_first_address,
        networks: devices::write_networks(&networks),
        created_at: now.as_millisecond(),
        created_by: subject.user_name().to_owned(),
        expires_at: now.as_millisecond() + i64::try_from(valid).unwrap_or(0) * 1_000,
        id,
    };
    let token = format!("{}{}", devices::ENROLMENT_PREFIX, random_text());
    let mut transaction = state::begin_write(&app.state).await?;
    find(&mut transaction, name).await?;
    state::applications::remove_expired_enrolments(&mut transaction, row.created_at).await?;
    if state::applications::enrolments(&mut transaction, name).await?.len() >= ENROLMENTS_MAX {
        return Err(Error::Conflict { reason: format!("{ENROLMENTS_MAX} enrolments of {name} wait already") });
    }
    state::applications::add_enrolment(&mut transaction, &row, &fingerprint(&token)).await?;
    let called = row.device.as_deref().unwrap_or("not named yet");
    let mut event = devices::device_event("app_client_added", "success", (name, &row.id, called));
    event["labels"] = json!({
        "expires_at": state::time_text(row.expires_at),
        "lock_to_first_address": row.lock_first.to_string(),
        "networks": row.networks,
    });
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    Ok(EnrolmentMade { token, about: enrolment(row) })
}

/// Enrolments that wait to be redeemed.
pub async fn enrolments(app: &App, name: &str) -> Result<Vec<Enrolment>, Error> {
    let now = app.clock.now().as_millisecond();
    let mut connection = app.state.acquire().await?;
    find(&mut connection, name).await?;
    let rows = state::applications::enrolments(&mut connection, name).await?;
    Ok(rows.into_iter().filter(|row| row.expires_at > now).map(enrolment).collect())
}

/// Takes a one-time token back.
pub async fn cancel(app: &App, subject: &Subject, name: &str, id: &str) -> Result<(), Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let rows = state::applications::enrolments(&mut transaction, name).await?;
    let row = rows.into_iter().find(|row| row.id == id);
    let row = row.ok_or_else(|| Error::NotFound { what: "enrolment", id: id.to_owned() })?;
    state::applications::remove_enrolment(&mut transaction, id).await?;
    let called = row.device.as_deref().unwrap_or("not named yet");
    let mut event = devices::device_event("app_client_removed", "success", (name, id, called));
    event["event"]["reason"] = json!("its enrolment was taken back before it was redeemed");
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    Ok(())
}

pub async fn list_devices(app: &App, name: &str) -> Result<Vec<Device>, Error> {
    let mut connection = app.state.acquire().await?;
    find(&mut connection, name).await?;
    drop(connection);
    let rows = state::devices::all(&app.state, Some(name)).await?;
    Ok(rows.into_iter().map(|row| devices::shown(app, row)).collect())
}

/// Changes a device: what it is called, whether it is suspended, where it may come from.
pub async fn change_device(
    app: &App,
    subject: &Subject,
    (name, id): (&str, &str),
    change: DeviceChange,
) -> Result<Device, Error> {
    let networks = change.networks.as_deref().map(devices::checked_networks).transpose()?;
    let others = state::devices::all(&app.state, Some(name)).await?;
    let mut transaction = state::begin_write(&app.state).await?;
    let old = find_device(&mut transaction, name, id).await?;
    let row = DeviceRow {
        name: match change.name.as_deref() {
            None => old.name.clone(),
            Some(wanted) => devices::name_of(Some(wanted), id)?,
        },
        suspended: change.suspended.unwrap_or(old.suspended),
        networks: networks.map_or_else(|| old.networks.clone(), |networks| devices::write_networks(&networks)),
        ..old.clone()
    };
    if others.iter().any(|other| other.id != row.id && other.name == row.name) {
        return Err(Error::Conflict { reason: format!("{name} has a device {} already", row.name) });
    }
    let entity = Entity { kind: "device", id: &row.id, name: &row.name };
    if let Some(mut event) = entity.updated(&device_facts(&old), &device_facts(&row), &[]) {
        event["event"]["provider"] = json!(name);
        event["host"] = json!({"name": row.name});
        state::devices::update(&mut transaction, &row).await?;
        app.record(Some(subject), event).await?;
        transaction.commit().await?;
        app.access.forget();
    }
    Ok(devices::shown(app, row))
}

/// Removes a device: its credential is worth nothing from the next request on.
pub async fn remove_device(app: &App, subject: &Subject, name: &str, id: &str) -> Result<(), Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let row = find_device(&mut transaction, name, id).await?;
    state::devices::remove(&mut transaction, id).await?;
    app.record(Some(subject), removed_event(&row)).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(())
}

/// Whether somebody may share what gives more than they have: who shares, must be able to do it.
pub fn may_share(subject: &Subject, grant: &Grant) -> Result<(), Error> {
    for right in &grant.rights {
        subject.need(match (grant.kind, right) {
            (GrantKind::Source, Right::Read) => Privilege::EventsRead,
            (GrantKind::Source, _) => Privilege::EventsWrite,
            (GrantKind::Mapping, Right::Read) => Privilege::SourcesRead,
            (GrantKind::Mapping, _) => Privilege::MappingsWrite,
        })?;
    }
    Ok(())
}

async fn find(connection: &mut SqliteConnection, name: &str) -> Result<Row, Error> {
    let found = state::applications::find(connection, name).await?;
    found.ok_or_else(|| Error::NotFound { what: "application", id: name.to_owned() })
}

async fn find_device(connection: &mut SqliteConnection, name: &str, id: &str) -> Result<DeviceRow, Error> {
    let found = state::devices::find(connection, id).await?.filter(|row| row.application == name);
    found.ok_or_else(|| Error::NotFound { what: "device", id: id.to_owned() })
}

fn kind_name(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Source => "source",
        GrantKind::Mapping => "mapping",
    }
}

fn grant_row(application: &str, grant: &Grant) -> Result<GrantRow, Error> {
    let invalid = |reason: &str| Error::Invalid { pointer: "/rights", reason: reason.to_owned() };
    let mut rights = grant.rights.clone();
    rights.sort_unstable();
    rights.dedup();
    let fits = |right: &Right| match grant.kind {
        GrantKind::Source => matches!(right, Right::Send | Right::Read),
        GrantKind::Mapping => matches!(right, Right::Read | Right::Change),
    };
    if rights.is_empty() {
        return Err(invalid("name at least one right; to take all, remove the grant"));
    }
    if !rights.iter().all(fits) {
        return Err(invalid("rights to a source are send and read, rights to a mapping read and change"));
    }
    let names: Vec<&str> = rights
        .iter()
        .map(|right| match right {
            Right::Send => "send",
            Right::Read => "read",
            Right::Change => "change",
        })
        .collect();
    Ok(GrantRow {
        application: application.to_owned(),
        kind: kind_name(grant.kind).to_owned(),
        name: grant.name.clone(),
        rights: names.join(" "),
    })
}

/// A source is to an application what a folder is to one of the secrets manager, a mapping what a single record is.
fn shared_event(grant: &GrantRow, what: &str, before: &str, after: &str) -> Value {
    let thing = if grant.kind == "source" { "folder" } else { "record" };
    let shown = |rights: &str| if rights.is_empty() { Value::Null } else { json!(rights) };
    json!({
        "event": {"action": format!("app_{thing}_{what}"), "outcome": "success", "provider": grant.application},
        "entity": {"type": grant.kind, "id": grant.name, "name": grant.name},
        "changes": [{"field": "rights", "old": shown(before), "new": shown(after)}],
        "message": match what {
            "shared" => format!("The {} {} is shared with the application {} ({after})", grant.kind, grant.name, grant.application),
            "removed" => format!("The {} {} is no longer shared with the application {}", grant.kind, grant.name, grant.application),
            _ => format!("The application {} may now {after} the {} {}", grant.application, grant.kind, grant.name),
        },
    })
}

fn removed_event(device: &DeviceRow) -> Value {
    devices::device_event("app_client_removed", "success", (&device.application, &device.id, &device.name))
}

fn entity(name: &str) -> Entity<'_> {
    Entity { kind: "application", id: name, name }
}

fn facts(row: &Row) -> Value {
    json!({
        "name": row.name, "title": row.title, "description": row.description, "owner": row.owner, "enabled": row.enabled,
    })
}

fn device_facts(row: &DeviceRow) -> Value {
    json!({"name": row.name, "suspended": row.suspended, "networks": row.networks})
}

fn shown(row: Row, grants: &[GrantRow], devices: &[DeviceRow]) -> Application {
    let own = || devices.iter().filter(|device| device.application == row.name);
    Application {
        grants: grants.iter().filter(|grant| grant.application == row.name).filter_map(devices::grant).collect(),
        devices: own().count() as u64,
        last_seen_at: own().filter_map(|device| device.last_seen_at).max().map(state::time_text),
        created_at: state::time_text(row.created_at),
        created_by: row.created_by,
        name: row.name,
        title: row.title,
        description: row.description,
        owner: row.owner,
        enabled: row.enabled,
    }
}

fn enrolment(row: EnrolmentRow) -> Enrolment {
    Enrolment {
        id: row.id,
        application: row.application,
        device: row.device,
        lock_to_first_address: row.lock_first,
        networks: row.networks.split_whitespace().map(str::to_owned).collect(),
        created_at: state::time_text(row.created_at),
        created_by: row.created_by,
        expires_at: state::time_text(row.expires_at),
    }
}

fn checked_name(name: &str) -> Result<String, Error> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) || name == crate::append::OWN_SOURCE {
        let reason = format!("{name:?} can't be a name: use 1 to 64 of a-z, 0-9, dot, dash and underscore");
        return Err(Error::Invalid { pointer: "/name", reason });
    }
    Ok(name.to_owned())
}

fn checked_text(text: &str, pointer: &'static str, max: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.chars().count() > max || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Error::Invalid { pointer, reason: format!("at most {max} characters") });
    }
    Ok(text.to_owned())
}
