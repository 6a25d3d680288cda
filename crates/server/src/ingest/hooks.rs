//! The endpoints that others post to: who they are, what came by them, what was refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::hooks::{HookRotation, HookScheme, HookSettings};
use axum::http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};
use serde_json::json;
use sqlx::SqlitePool;

use super::hook_signature::{self, Refusal, RequestId};
use crate::append::{self, Door};
use crate::clock::Clock;
use crate::state::hooks::{self, StoredHook};
use crate::state::secrets::{self, Secrets};
use crate::state::{begin_write, new_id};

/// How often refusals of a hook are raised as an event.
const REFUSED_EVENT_EVERY: SignedDuration = SignedDuration::from_secs(60);
const HOOKS_MAX: usize = 1_000;
const KEEP_HEADERS_MAX: usize = 10;
const TOLERANCE_SECONDS_MAX: u32 = 3_600;
const KEEP_PREVIOUS_SECONDS: u32 = 24 * 3_600;
const KEEP_PREVIOUS_SECONDS_MAX: u32 = 30 * 24 * 3_600;

#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("there is no hook {name}")]
    Unknown { name: String },
    #[error("hook {name} exists already")]
    Taken { name: String },
    #[error("there are {HOOKS_MAX} hooks already")]
    TooMany,
    #[error("{reason}")]
    Invalid { field: &'static str, reason: String },
    #[error("the state database failed")]
    State(#[from] sqlx::Error),
    #[error("the change could not be recorded")]
    Record(#[from] append::Error),
}

/// A hook in force.
pub struct Hook {
    pub stored: StoredHook,
    pub settings: HookSettings,
    secret: Vec<u8>,
    previous: Option<Vec<u8>>,
    pub counts: Arc<Counts>,
}

/// What came by a hook since the server started.
#[derive(Debug, Default)]
pub struct Counts {
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub accepted_at: Option<Timestamp>,
    pub refused_at: Option<Timestamp>,
    pub refusal: Option<String>,
    peer: Option<IpAddr>,
    /// Refusals that no event speaks of yet.
    unsaid: u64,
    said_at: Option<Timestamp>,
}

impl Counts {
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    pub fn accept(&self, now: Timestamp) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.seen.lock().accepted_at = Some(now);
    }

    fn refuse(&self, now: Timestamp, reason: String, peer: Option<IpAddr>) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut seen = self.seen.lock();
        seen.refused_at = Some(now);
        seen.refusal = Some(reason);
        seen.peer = peer;
        seen.unsaid += 1;
    }
}

impl Hook {
    /// Checks a request; a refusal is counted.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
        peer: Option<IpAddr>,
    ) -> Result<RequestId, Refusal> {
        let still = self.stored.previous_until.is_some_and(|until| now.as_millisecond() < until);
        let mut secrets: Vec<&[u8]> = vec![&self.secret];
        secrets.extend(self.previous.as_deref().filter(|_| still));
        let verified = hook_signature::verify(&self.settings, &secrets, headers, body, now);
        if let Err(refusal) = &verified {
            self.counts.refuse(now, refusal.to_string(), peer);
        }
        verified
    }

    /// The headers that belong to the record.
    pub fn kept_headers(&self) -> Vec<&str> {
        let mut kept: Vec<&str> = self.settings.keep_headers.iter().map(String::as_str).collect();
        if self.settings.scheme == HookScheme::Github {
            kept.extend(["x-github-event", "x-github-delivery", "x-github-hook-id"]);
        }
        kept
    }
}

/// All hooks.
pub struct Hooks {
    pool: SqlitePool,
    secrets: Arc<Secrets>,
    clock: Clock,
    door: Door,
    loaded: RwLock<HashMap<String, Arc<Hook>>>,
}

impl Hooks {
    pub async fn open(
        pool: SqlitePool,
        secrets: Arc<Secrets>,
        clock: Clock,
        door: Door,
    ) -> Result<Arc<Self>, HookError> {
        let hooks = Arc::new(Self { pool, secrets, clock, door, loaded: RwLock::default() });
        hooks.reload().await?;
        Ok(hooks)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Hook>> {
        self.loaded.read().get(name).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Hook>> {
        let mut all: Vec<Arc<Hook>> = self.loaded.read().values().cloned().collect();
        all.sort_by(|a, b| a.stored.name.cmp(&b.stored.name));
        all
    }

    /// Makes a hook. `record` makes the event of it, which is on disk before the hook is there. Answers the secret when
    /// it was made here.
    pub async fn add(
        &self,
        mut stored: StoredHook,
        settings: &HookSettings,
        secret: Option<String>,
        event: serde_json::Value,
    ) -> Result<Option<String>, HookError> {
        check(&stored.name, settings)?;
        if self.loaded.read().len() >= HOOKS_MAX {
            return Err(HookError::TooMany);
        }
        let made = self.seal(&mut stored, settings, secret.as_deref())?;
        let mut transaction = begin_write(&self.pool).await?;
        if !hooks::add(&mut transaction, &stored).await? {
            return Err(HookError::Taken { name: stored.name });
        }
        self.door.record(event).await?;
        transaction.commit().await?;
        self.reload().await?;
        Ok(made)
    }

    pub async fn update(&self, stored: StoredHook, event: Option<serde_json::Value>) -> Result<(), HookError> {
        let settings: HookSettings = settings_of(&stored)?;
        check(&stored.name, &settings)?;
        let mut transaction = begin_write(&self.pool).await?;
        hooks::update(&mut transaction, &stored).await?;
        if let Some(event) = event {
            self.door.record(event).await?;
        }
        transaction.commit().await?;
        self.reload().await
    }

    /// Gives a hook a new secret; the one before is good for a while. Answers the new one when it was made here.
    pub async fn rotate(
        &self,
        name: &str,
        rotation: HookRotation,
        event: serde_json::Value,
    ) -> Result<Option<String>, HookError> {
        let hook = self.get(name).ok_or_else(|| HookError::Unknown { name: name.to_owned() })?;
        let seconds = rotation.keep_previous_seconds.unwrap_or(KEEP_PREVIOUS_SECONDS);
        if seconds > KEEP_PREVIOUS_SECONDS_MAX {
            let reason = format!("the previous secret may be kept for at most {KEEP_PREVIOUS_SECONDS_MAX} s");
            return Err(HookError::Invalid { field: "keep_previous_seconds", reason });
        }
        let mut stored = hook.stored.clone();
        let previous = self.secrets.seal(&context(name, "previous"), &hook.secret);
        stored.previous = (seconds > 0).then_some(previous);
        stored.previous_until = (seconds > 0).then(|| self.clock.now().as_millisecond() + i64::from(seconds) * 1_000);
        let made = self.seal(&mut stored, &hook.settings, rotation.secret.as_deref())?;
        self.update(stored, Some(event)).await?;
        Ok(made)
    }

    pub async fn remove(&self, name: &str, event: serde_json::Value) -> Result<(), HookError> {
        if self.get(name).is_none() {
            return Err(HookError::Unknown { name: name.to_owned() });
        }
        let mut transaction = begin_write(&self.pool).await?;
        hooks::remove(&mut transaction, name).await?;
        self.door.record(event).await?;
        transaction.commit().await?;
        self.reload().await
    }

    fn seal(
        &self,
        stored: &mut StoredHook,
        settings: &HookSettings,
        given: Option<&str>,
    ) -> Result<Option<String>, HookError> {
        if given.is_none() && settings.scheme == HookScheme::Slack {
            let reason = "Slack makes the signing secret: give it, from the page Basic Information of your app";
            return Err(HookError::Invalid { field: "secret", reason: reason.to_owned() });
        }
        let made = given.is_none().then(|| hook_signature::new_secret(settings.scheme));
        let secret = given.or(made.as_deref()).map(str::trim).unwrap_or_default();
        let key = hook_signature::key_of(settings.scheme, secret)
            .map_err(|reason| HookError::Invalid { field: "secret", reason })?;
        stored.secret = self.secrets.seal(&context(&stored.name, "secret"), &key);
        Ok(made)
    }

    async fn reload(&self) -> Result<(), HookError> {
        let mut loaded = HashMap::new();
        let before = self.loaded.read().clone();
        for stored in hooks::all(&self.pool).await? {
            match self.load(stored, &before) {
                Ok(hook) => drop(loaded.insert(hook.stored.name.clone(), Arc::new(hook))),
                // It takes nothing until somebody looks at it; the others must not suffer.
                Err((name, error)) => tracing::error!(%error, "hook {name} can't be used"),
            }
        }
        *self.loaded.write() = loaded;
        Ok(())
    }

    fn load(&self, stored: StoredHook, before: &HashMap<String, Arc<Hook>>) -> Result<Hook, (String, LoadError)> {
        let name = stored.name.clone();
        let failed = |error: LoadError| (name.clone(), error);
        let settings = serde_json::from_str(&stored.settings).map_err(|error| failed(error.into()))?;
        let open = |part: &str, sealed: &[u8]| self.secrets.open_sealed(&context(&stored.name, part), sealed);
        let secret = open("secret", &stored.secret).map_err(|error| failed(error.into()))?;
        let previous = stored.previous.as_deref().map(|sealed| open("previous", sealed)).transpose();
        let previous = previous.map_err(|error| failed(error.into()))?;
        let counts = before.get(&stored.name).map(|known| known.counts.clone()).unwrap_or_default();
        Ok(Hook { stored, settings, secret, previous, counts })
    }

    /// Raises `hook.refused` for hooks that refused something, each at most once a minute. Runs for ever.
    pub async fn raise_refusals(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            let now = self.clock.now();
            for hook in self.all() {
                let due = {
                    let mut seen = hook.counts.seen.lock();
                    let waited = seen.said_at.is_none_or(|at| now.duration_since(at) >= REFUSED_EVENT_EVERY);
                    if seen.unsaid == 0 || !waited {
                        continue;
                    }
                    seen.said_at = Some(now);
                    (std::mem::take(&mut seen.unsaid), seen.refusal.clone().unwrap_or_default(), seen.peer)
                };
                let (requests, reason, peer) = due;
                let name = &hook.stored.name;
                let mut event = json!({
                    "event": { "action": "hook.refused", "category": "audit", "outcome": "failure",
                        "reason": reason, "severity": 50, "id": new_id(now) },
                    "message": format!("{requests} request{} to hook {name} {} refused, the last because {reason}",
                        if requests == 1 { "" } else { "s" }, if requests == 1 { "was" } else { "were" }),
                    "entity": { "type": "hook", "id": name, "name": name },
                    "labels": { "requests": requests.to_string() },
                });
                if let Some(peer) = peer {
                    event["source"] = json!({ "ip": peer.to_canonical().to_string() });
                }
                if let Err(error) = self.door.record(event).await {
                    tracing::error!(%error, "could not record refusals of hook {name}");
                }
            }
        }
    }
}

/// Why a stored hook can't be used.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("its settings can't be read")]
    Settings(#[from] serde_json::Error),
    #[error("its secret can't be opened")]
    Secret(#[from] secrets::Error),
}

fn context(name: &str, part: &str) -> String {
    format!("hook/{name}/{part}")
}

fn settings_of(stored: &StoredHook) -> Result<HookSettings, HookError> {
    serde_json::from_str(&stored.settings)
        .map_err(|error| HookError::Invalid { field: "settings", reason: error.to_string() })
}

fn check(name: &str, settings: &HookSettings) -> Result<(), HookError> {
    let invalid = |field, reason: String| Err(HookError::Invalid { field, reason });
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return invalid("name", format!("{name:?} can't be a name: use 1 to 64 of a-z, 0-9, dot, dash and underscore"));
    }
    if settings.tolerance_seconds == 0 || settings.tolerance_seconds > TOLERANCE_SECONDS_MAX {
        return invalid("settings/tolerance_seconds", format!("must be 1 to {TOLERANCE_SECONDS_MAX}"));
    }
    if settings.keep_headers.len() > KEEP_HEADERS_MAX {
        return invalid("settings/keep_headers", format!("at most {KEEP_HEADERS_MAX} headers can be kept"));
    }
    const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "x-gitlab-token", "proxy-authorization"];
    for header in settings.keep_headers.iter().chain(&settings.header) {
        if HeaderName::from_bytes(header.as_bytes()).is_err() {
            return invalid("settings", format!("{header:?} is no name of a header"));
        }
    }
    let secret = |header: &&String| SECRET_HEADERS.iter().any(|known| header.eq_ignore_ascii_case(known));
    if let Some(header) = settings.keep_headers.iter().find(secret) {
        return invalid("settings/keep_headers", format!("{header} holds a secret, which no event may show"));
    }
    if settings.prefix.as_ref().is_some_and(|prefix| prefix.len() > 64) {
        return invalid("settings/prefix", "a prefix may have at most 64 bytes".to_owned());
    }
    Ok(())
}
