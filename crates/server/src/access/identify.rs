//! From a cookie or a token to a subject.
//!
//! What was found is remembered, since a sender of events shows its token with every request. The memory is emptied
//! whenever a user, a token or a session changes, so a change holds from the very next request on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::access::{Person, Privilege, Role};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::throttle::Throttle;
use super::{By, Client, Error, Privileges, Subject, devices, fingerprint};
use crate::app::App;
use crate::state;

const REMEMBERED_MAX: usize = 10_000;
/// How often "last used" is written down.
const USED_EVERY: SignedDuration = SignedDuration::from_mins(1);
const REFUSED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What this room keeps in memory.
#[derive(Debug, Default)]
pub struct Memory {
    pub throttle: Throttle,
    known: Mutex<HashMap<[u8; 32], Known>>,
    /// Grows with every change. What was read before a change must not be remembered after it.
    changes: AtomicU64,
    /// When a device was last said to have come from a wrong address.
    refused: Mutex<HashMap<Refused, Timestamp>>,
}

/// A device, and the address that it came from.
type Refused = (Arc<str>, Option<IpAddr>);

#[derive(Debug, Clone)]
struct Known {
    subject: Subject,
    ends: Option<Timestamp>,
    used: Timestamp,
}

impl Memory {
    /// Call after each committed change of users, sessions or tokens.
    pub fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.known.lock().clear();
    }

    /// Whether it is to be told that this device came from there: once an hour.
    pub fn tells_refusal(&self, device: &Arc<str>, address: Option<IpAddr>, now: Timestamp) -> bool {
        let mut refused = self.refused.lock();
        if refused.len() >= REMEMBERED_MAX {
            refused.retain(|_, at| now.duration_since(*at) < REFUSED_EVERY);
            if refused.len() >= REMEMBERED_MAX {
                return false;
            }
        }
        let last = refused.entry((device.clone(), address)).or_insert(Timestamp::UNIX_EPOCH);
        let due = now.duration_since(*last) >= REFUSED_EVERY;
        if due {
            *last = now;
        }
        due
    }

    fn remember(&self, key: [u8; 32], known: Known, changes: u64) {
        let mut map = self.known.lock();
        // Read under the lock: `forget` counts first and empties second.
        if self.changes.load(Ordering::SeqCst) != changes {
            return;
        }
        if map.len() >= REMEMBERED_MAX {
            map.clear();
        }
        map.insert(key, known);
    }
}

/// The subject behind an API token or the credential of a device.
pub async fn by_token(app: &App, token: &str, client: &Client) -> Result<Subject, Error> {
    if token.starts_with(devices::PREFIX) && token.len() <= 200 {
        let subject = by_device(app, token, client).await?;
        if let Some(reach) = subject.device().filter(|reach| !reach.allows(client.address)) {
            devices::refused(app, reach, client).await?;
            return Err(Error::NotAllowed("this device is locked to another address"));
        }
        return Ok(subject);
    }
    if !token.starts_with("blf_") || token.len() > 200 {
        return Err(Error::TokenInvalid);
    }
    let key = fingerprint(token);
    let now = app.clock.now();
    if let Some(subject) = remembered(app, &key, now, Error::TokenInvalid)? {
        return Ok(subject);
    }
    let changes = app.access.changes.load(Ordering::SeqCst);
    let mut connection = app.state.acquire().await?;
    let found = state::tokens::find_by_hash(&mut connection, &key).await?.ok_or(Error::TokenInvalid)?;
    let ends = found.expires_at.and_then(|at| Timestamp::from_millisecond(at).ok());
    if ends.is_some_and(|ends| ends <= now) {
        return Err(Error::TokenInvalid);
    }
    let person = person(&mut connection, &found.user_id).await?.ok_or(Error::TokenInvalid)?;
    let scopes: Vec<Privilege> = found.scopes.split(' ').filter_map(Privilege::from_name).collect();
    let privileges = Privileges::of(&scopes).and(Privileges::of(person.role.privileges()));
    state::tokens::used(&mut connection, &found.id, now.as_millisecond()).await?;
    let by = By::Token { id: found.id.into(), name: found.name.into() };
    let subject = Subject::new(person, by, privileges);
    app.access.remember(key, Known { subject: subject.clone(), ends, used: now }, changes);
    Ok(subject)
}

async fn by_device(app: &App, credential: &str, client: &Client) -> Result<Subject, Error> {
    let key = fingerprint(credential);
    let now = app.clock.now();
    if let Some(subject) = remembered(app, &key, now, Error::TokenInvalid)? {
        return Ok(subject);
    }
    let changes = app.access.changes.load(Ordering::SeqCst);
    let mut connection = app.state.acquire().await?;
    let found = state::devices::find_by_hash(&mut connection, &key, now.as_millisecond()).await?;
    let (device, former) = found.ok_or(Error::TokenInvalid)?;
    let application =
        state::applications::find(&mut connection, &device.application).await?.ok_or(Error::TokenInvalid)?;
    if device.suspended {
        return Err(Error::NotAllowed("this device is suspended"));
    }
    if !application.enabled {
        return Err(Error::NotAllowed("this application is switched off"));
    }
    let grants = state::applications::grants(&mut connection, Some(&device.application)).await?;
    drop(connection);
    let reach = Arc::new(devices::reach(&device, &grants));
    let ends = if former { device.previous_until.and_then(|at| Timestamp::from_millisecond(at).ok()) } else { None };
    let subject = devices::subject(&reach);
    // A device that comes from a wrong place was not here.
    if reach.allows(client.address) {
        devices::used(app, &device, &reach, client, now).await?;
        app.access.remember(key, Known { subject: subject.clone(), ends, used: now }, changes);
    }
    Ok(subject)
}

/// The subject behind a session cookie.
pub async fn by_session(app: &App, cookie: &str) -> Result<Subject, Error> {
    let key = fingerprint(cookie);
    let now = app.clock.now();
    if let Some(subject) = remembered(app, &key, now, Error::SessionEnded)? {
        return Ok(subject);
    }
    let changes = app.access.changes.load(Ordering::SeqCst);
    let mut connection = app.state.acquire().await?;
    let found = state::sessions::find(&mut connection, &key).await?.ok_or(Error::SessionEnded)?;
    let idle = SignedDuration::from_mins(app.config.limits.session_idle_minutes);
    let last = Timestamp::from_millisecond(found.last_used_at).unwrap_or(now);
    let ends = Timestamp::from_millisecond(found.expires_at).unwrap_or(now);
    if ends <= now || now.duration_since(last) > idle {
        return Err(Error::SessionEnded);
    }
    let person = person(&mut connection, &found.user_id).await?.ok_or(Error::SessionEnded)?;
    state::sessions::used(&mut connection, &found.id, now.as_millisecond()).await?;
    let privileges = Privileges::of(person.role.privileges());
    let subject = Subject::new(person, By::Session(Arc::from(found.id)), privileges);
    app.access.remember(key, Known { subject: subject.clone(), ends: Some(ends), used: now }, changes);
    Ok(subject)
}

/// The privileges a role has, as its subject would have them.
pub fn of_role(role: Role) -> Privileges {
    Privileges::of(role.privileges())
}

fn remembered(app: &App, key: &[u8; 32], now: Timestamp, ended: Error) -> Result<Option<Subject>, Error> {
    let mut known = app.access.known.lock();
    let Some(found) = known.get(key) else { return Ok(None) };
    if found.ends.is_some_and(|ends| ends <= now) {
        known.remove(key);
        return Err(ended);
    }
    // Once a minute the state is asked again, which also writes down that it was used.
    if now.duration_since(found.used) > USED_EVERY {
        known.remove(key);
        return Ok(None);
    }
    Ok(Some(found.subject.clone()))
}

/// The enabled user of that id.
async fn person(connection: &mut sqlx::SqliteConnection, id: &str) -> Result<Option<Person>, Error> {
    let user = state::users::find(connection, id).await?.filter(|user| !user.disabled);
    Ok(user.and_then(|user| {
        let role = Role::from_name(&user.role)?;
        Some(Person { id: user.id, name: user.name, full_name: user.full_name, email: user.email, role })
    }))
}
