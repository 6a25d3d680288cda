//! Enrolled devices: from a one-time token to a credential of their own, and what becomes of it.

use std::net::IpAddr;
use std::sync::Arc;

use api::access::{Person, Privilege, Role};
use api::applications::{Device, DeviceCredential, DeviceSelf, Enroll, Grant, GrantKind, Right, Rotate};
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{By, Client, Error, Privileges, Reach, Subject, fingerprint, random_text};
use crate::app::App;
use crate::state;
use crate::state::applications::Grant as GrantRow;
use crate::state::devices::Device as Row;

/// What the credential of a device begins with, and the one-time token for it.
pub const PREFIX: &str = "bld_";
pub const ENROLMENT_PREFIX: &str = "ble_";
const OVERLAP_SECONDS: u64 = 3_600;
const OVERLAP_SECONDS_MAX: u64 = 7 * 86_400;
pub const DEVICES_MAX: usize = 10_000;
pub const NETWORKS_MAX: usize = 50;

/// Gives a device its credential for a one-time token. The token is used up by it.
pub async fn enroll(app: &App, request: Enroll, client: &Client) -> Result<DeviceCredential, Error> {
    let now = app.clock.now();
    // Told apart by their beginning, so that one who guesses locks out nobody but the own address.
    let beginning: String = request.token.chars().take(12).collect();
    if let Some(wait) = app.access.throttle.wait(&beginning, client.address, now) {
        return Err(Error::Throttled { wait });
    }
    let hash = fingerprint(&request.token);
    let mut transaction = state::begin_write(&app.state).await?;
    let found = if request.token.starts_with(ENROLMENT_PREFIX) && request.token.len() <= 200 {
        state::applications::enrolment_by_hash(&mut transaction, &hash).await?
    } else {
        None
    };
    let found = found.filter(|enrolment| enrolment.expires_at > now.as_millisecond());
    let application = match &found {
        Some(enrolment) => state::applications::find(&mut transaction, &enrolment.application).await?,
        None => None,
    };
    let (Some(enrolment), Some(_)) = (found, application.filter(|application| application.enabled)) else {
        drop(transaction);
        app.access.throttle.failed(&beginning, client.address, now);
        let event = json!({
            "event": {"action": "authentication.failed", "outcome": "failure", "reason": Error::NotEnrolled.to_string()},
            "entity": {"type": "enrolment"},
        });
        app.record_client(client, event).await?;
        return Err(Error::NotEnrolled);
    };
    let mut networks = read_networks(&enrolment.networks);
    let id = state::new_id(now);
    let name = name_of(enrolment.device.as_deref().or(request.device.as_deref()), &id)?;
    if !networks.is_empty() && !within(&networks, client.address) {
        drop(transaction);
        let event = device_event("app_client_blocked_ip", "failure", (&enrolment.application, &enrolment.id, &name));
        app.record_client(client, event).await?;
        return Err(Error::NotAllowed("this device is locked to another address"));
    }
    if enrolment.lock_first {
        let address = client.address.ok_or(Error::NotAllowed("this device has no address to be locked to"))?;
        networks = vec![IpNet::from(address.to_canonical())];
    }
    let others = state::devices::all(&app.state, Some(&enrolment.application)).await?;
    if others.iter().any(|other| other.name == name) {
        return Err(Error::Conflict { reason: format!("{} has a device {name} already", enrolment.application) });
    }
    let version = request.version.as_deref().or(client.user_agent.as_deref()).map(short);
    let row = Row {
        id,
        application: enrolment.application.clone(),
        name,
        previous_until: None,
        networks: write_networks(&networks),
        suspended: false,
        enrolled_at: now.as_millisecond(),
        enrolled_from: client.address.map(|address| address.to_canonical().to_string()),
        rotated_at: None,
        last_seen_at: None,
        last_address: None,
        version,
        told_day: 0,
        told_events: 0,
    };
    let credential = format!("{PREFIX}{}", random_text());
    state::devices::add(&mut transaction, &row, &fingerprint(&credential)).await?;
    state::applications::remove_enrolment(&mut transaction, &enrolment.id).await?;
    let mut event = device_event("app_client_connected", "success", (&row.application, &row.id, &row.name));
    event["labels"] = json!({"enrolment": enrolment.id, "networks": row.networks});
    app.record_client(client, event).await?;
    transaction.commit().await?;
    Ok(credential_of(&row, credential, None))
}

/// Gives the device that asks a new credential. The one it shows stays good for the overlap.
pub async fn rotate(app: &App, subject: &Subject, request: &Rotate) -> Result<DeviceCredential, Error> {
    let reach = own(subject)?;
    let overlap = request.overlap_seconds.unwrap_or(OVERLAP_SECONDS);
    if overlap > OVERLAP_SECONDS_MAX {
        return Err(Error::Invalid { pointer: "/overlap_seconds", reason: "at most 7 days".to_owned() });
    }
    let now = app.clock.now().as_millisecond();
    let until = now + i64::try_from(overlap).unwrap_or(0) * 1_000;
    let credential = format!("{PREFIX}{}", random_text());
    let mut transaction = state::begin_write(&app.state).await?;
    let row = state::devices::find(&mut transaction, &reach.device).await?;
    let row = row.ok_or_else(|| Error::NotFound { what: "device", id: reach.device.to_string() })?;
    state::devices::rotate(&mut transaction, &row.id, &fingerprint(&credential), until, now).await?;
    let mut event = device_event("entity.updated", "success", (&row.application, &row.id, &row.name));
    event["changes"] = json!([{"field": "credential", "old": "••••", "new": "••••"}]);
    event["message"] = json!(format!("The device {} took a new credential", row.name));
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(credential_of(&row, credential, Some(until)))
}

/// What the device that asks is, and what is shared with it.
pub async fn me(app: &App, subject: &Subject) -> Result<DeviceSelf, Error> {
    let reach = own(subject)?;
    let mut connection = app.state.acquire().await?;
    let row = state::devices::find(&mut connection, &reach.device).await?;
    let row = row.ok_or_else(|| Error::NotFound { what: "device", id: reach.device.to_string() })?;
    let grants = state::applications::grants(&mut connection, Some(&reach.application)).await?;
    Ok(DeviceSelf { device: shown(app, row), grants: grants.iter().filter_map(grant).collect() })
}

/// The device that asks, if it may do that with a mapping.
pub fn with_mapping<'a>(subject: &'a Subject, name: &str, right: Right) -> Result<&'a Arc<Reach>, Error> {
    let reach = own(subject)?;
    let granted = match right {
        Right::Change => &reach.mappings_change,
        Right::Read | Right::Send => &reach.mappings_read,
    };
    if granted.iter().any(|granted| granted == name) {
        return Ok(reach);
    }
    Err(Error::NotAllowed("this mapping is not shared with the application"))
}

fn own(subject: &Subject) -> Result<&Arc<Reach>, Error> {
    subject.device().ok_or(Error::NotAllowed("only an enrolled device does that, with its credential"))
}

/// The event about something a device did or met: `who` is its application, id and name.
pub fn device_event(action: &str, outcome: &str, (application, id, name): (&str, &str, &str)) -> Value {
    json!({
        "event": {"action": action, "outcome": outcome, "provider": application},
        "entity": {"type": "device", "id": id, "name": name},
        "host": {"name": name},
    })
}

/// What the device may do, from what is shared with its application.
pub fn reach(device: &Row, grants: &[GrantRow]) -> Reach {
    let of = |kind: &str, right: &str| -> Vec<String> {
        let granted = grants.iter().filter(|grant| grant.kind == kind);
        granted.filter(|grant| grant.rights.split(' ').any(|r| r == right)).map(|grant| grant.name.clone()).collect()
    };
    Reach {
        device: device.id.as_str().into(),
        name: device.name.clone(),
        application: device.application.clone(),
        networks: read_networks(&device.networks),
        send: of("source", "send").into(),
        read: of("source", "read"),
        mappings_read: of("mapping", "read"),
        mappings_change: of("mapping", "change"),
    }
}

/// The subject of a device: it sends and searches what is shared with its application, and nothing else.
pub fn subject(reach: &Arc<Reach>) -> Subject {
    let mut privileges = Vec::new();
    if !reach.send.is_empty() {
        privileges.push(Privilege::EventsWrite);
    }
    if !reach.read.is_empty() {
        privileges.push(Privilege::EventsRead);
    }
    let person = Person {
        id: reach.device.to_string(),
        name: format!("{}/{}", reach.application, reach.name),
        full_name: String::new(),
        email: String::new(),
        role: Role::Member,
    };
    Subject::new(person, By::Device(reach.clone()), Privileges::of(&privileges))
}

/// Writes down that a device was here; the first time each day that is an event, with what it sent since the last one.
pub async fn used(app: &App, row: &Row, reach: &Reach, client: &Client, now: Timestamp) -> Result<(), Error> {
    let at = now.as_millisecond();
    let address = client.address.map(|address| address.to_canonical().to_string());
    let version = client.user_agent.as_deref().map(short);
    let day = at.div_euclid(86_400_000);
    let mut transaction = state::begin_write(&app.state).await?;
    state::devices::used(&mut transaction, &row.id, at, address.as_deref(), version.as_deref()).await?;
    let events = app.health.device_events(&row.id);
    if row.told_day < day && state::devices::told(&mut transaction, &row.id, day, events).await? {
        let sent = events.saturating_sub(row.told_events.cast_unsigned());
        let mut event = device_event("app_client_access", "success", (&reach.application, &row.id, &row.name));
        event["message"] = json!(format!(
            "The device {} uses its access to the application {}; it has sent {sent} events since the last day it did",
            row.name, reach.application
        ));
        event["labels"] = json!({"events_sent": sent.to_string(), "events_total": events.to_string()});
        app.record_client(client, event).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A device came from where it may not come from: an event once an hour for each address.
pub async fn refused(app: &App, reach: &Reach, client: &Client) -> Result<(), Error> {
    if app.access.tells_refusal(&reach.device, client.address, app.clock.now()) {
        let mut event =
            device_event("app_client_blocked_ip", "failure", (&reach.application, &reach.device, &reach.name));
        event["labels"] =
            json!({"networks": reach.networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")});
        app.record_client(client, event).await?;
    }
    Ok(())
}

/// A device as the API shows it.
pub fn shown(app: &App, row: Row) -> Device {
    let now = app.clock.now().as_millisecond();
    Device {
        events_total: app.health.device_events(&row.id),
        id: row.id,
        application: row.application,
        name: row.name,
        suspended: row.suspended,
        networks: row.networks.split_whitespace().map(str::to_owned).collect(),
        enrolled_at: state::time_text(row.enrolled_at),
        enrolled_from: row.enrolled_from,
        last_seen_at: row.last_seen_at.map(state::time_text),
        last_address: row.last_address,
        version: row.version,
        rotated_at: row.rotated_at.map(state::time_text),
        previous_until: row.previous_until.filter(|until| *until > now).map(state::time_text),
    }
}

/// A grant as the API shows it.
pub fn grant(row: &GrantRow) -> Option<Grant> {
    let kind = if row.kind == "source" { GrantKind::Source } else { GrantKind::Mapping };
    let rights = row.rights.split(' ').filter_map(|right| match right {
        "send" => Some(Right::Send),
        "read" => Some(Right::Read),
        "change" => Some(Right::Change),
        _ => None,
    });
    Some(Grant { kind, name: row.name.clone(), rights: rights.collect() })
}

/// Networks as somebody wrote them: addresses and networks.
pub fn checked_networks(networks: &[String]) -> Result<Vec<IpNet>, Error> {
    let invalid = |reason: String| Error::Invalid { pointer: "/networks", reason };
    if networks.len() > NETWORKS_MAX {
        return Err(invalid(format!("at most {NETWORKS_MAX}")));
    }
    networks
        .iter()
        .map(|text| {
            let text = text.trim();
            text.parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical())))
                .map_err(|_| invalid(format!("{text:?} is neither an address nor a network such as 192.0.2.0/24")))
        })
        .collect()
}

/// A device's name as it may be; without one, a name made of its id.
pub fn name_of(wanted: Option<&str>, id: &str) -> Result<String, Error> {
    let name = match wanted.map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => format!("device-{}", id.get(id.len().saturating_sub(6)..).unwrap_or(id)),
    };
    if name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Error::Invalid {
            pointer: "/device",
            reason: "a device has a name of 1 to 100 characters".to_owned(),
        });
    }
    Ok(name)
}

pub fn write_networks(networks: &[IpNet]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn read_networks(text: &str) -> Vec<IpNet> {
    text.split_whitespace().filter_map(|text| text.parse().ok()).collect()
}

fn within(networks: &[IpNet], address: Option<IpAddr>) -> bool {
    address.is_some_and(|address| networks.iter().any(|network| network.contains(&address.to_canonical())))
}

fn credential_of(row: &Row, token: String, until: Option<i64>) -> DeviceCredential {
    DeviceCredential {
        token,
        device_id: row.id.clone(),
        device: row.name.clone(),
        application: row.application.clone(),
        previous_until: until.map(state::time_text),
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
