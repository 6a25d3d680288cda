//! What everything in the server shares. Rooms take from it what they need.

use std::collections::HashMap;
use std::future::Future;
use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use event::Catalogue;
use futures::FutureExt as _;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use store::Store;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trail::Trail;

use crate::access::{self, Client, Subject};
use crate::append::{self, Door, Positions};
use crate::clock::Clock;
use crate::config::Config;
use crate::data::Data;
use crate::ingest::health::Health;
use crate::ingest::inputs::Inputs;
use crate::ingest::replays::Replays;
use crate::ingest::{Hooks, Intake};
use crate::keep::backup::Backups;
use crate::keep::removal::Removals;
use crate::metrics::Metrics;
use crate::notify::Notify;
use crate::outgoing::Outgoing;
use crate::report::Reports;
use crate::selfcheck::SelfChecks;
use crate::state::deliveries::Bell;
use crate::state::secrets::Secrets;
use crate::witness::Witnesses;

/// The server, cheap to clone; the state of all handlers.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] holds.
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    /// The state database.
    pub state: SqlitePool,
    /// Seals the secrets that are kept in the state.
    pub secrets: Arc<Secrets>,
    /// Name of the organization, as in `trails/<organization>`.
    pub organization: String,
    pub catalogue: Arc<Catalogue>,
    /// The one way into the trail.
    pub door: Door,
    /// The search index.
    pub store: Arc<Store>,
    /// The turns that searches take.
    pub searches: Arc<Semaphore>,
    /// Rings the outbox: whoever puts a delivery into the state rings it after the commit.
    pub bell: Bell,
    pub notify: Notify,
    pub reports: Reports,
    /// What removals of events share.
    pub removals: Removals,
    pub backups: Backups,
    /// Takes in what senders send.
    pub intake: Arc<Intake>,
    /// Replays of what was set aside.
    pub replays: Replays,
    /// The endpoints that others post to.
    pub hooks: Arc<Hooks>,
    /// How every source is.
    pub health: Arc<Health>,
    /// What Belfry reads by itself.
    pub inputs: Inputs,
    /// The guard of all connections we open.
    pub outgoing: Outgoing,
    pub access: access::Memory,
    pub self_checks: SelfChecks,
    pub witnesses: Witnesses,
    pub metrics: Metrics,
    pub proxies: Vec<IpNet>,
    /// Told when the server goes down; every loop listens to it.
    pub stop: CancellationToken,
    pub(crate) tasks: Mutex<JoinSet<()>>,
    pub(crate) exceptions: Exceptions,
    /// The folder all of it lies in, ours as long as this lives.
    pub data: Data,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub fn trail(&self) -> &Trail {
        self.door.trail()
    }

    /// Events below this position are in the search index.
    pub fn indexed_to(&self) -> u64 {
        self.store.indexed_to()
    }

    /// Records an event of our own; with a subject, who did it is written into it. Returns when it is on disk.
    ///
    /// May be awaited inside a write transaction of the state: the way into the trail writes no state.
    pub async fn record(&self, subject: Option<&Subject>, mut event: Value) -> Result<Positions, append::Error> {
        match subject {
            Some(subject) => subject.stamp(&mut event),
            None => {
                if let Some(root) = event.as_object_mut() {
                    root.entry("user").or_insert_with(|| json!({"name": append::OWN_SOURCE}));
                }
            }
        }
        self.door.record(event).await
    }

    /// Records an event of our own about somebody we don't know yet.
    pub async fn record_client(&self, client: &Client, mut event: Value) -> Result<Positions, append::Error> {
        client.stamp(&mut event);
        self.door.record(event).await
    }

    /// Runs `work` until it ends by itself, or is dropped when the server goes down. One that panics is an event,
    /// `exception.task`, and is not started again.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn_with(name, Duration::ZERO, work);
    }

    /// The same for work that listens to `stop` by itself and has something to finish, such as a message on its way:
    /// it is dropped only when it does not end within a few seconds.
    pub fn spawn_gently(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn_with(name, STOP_GRACE, work);
    }

    fn spawn_with(&self, name: &'static str, grace: Duration, work: impl Future<Output = ()> + Send + 'static) {
        let app = self.clone();
        let task = async move {
            let stop = app.stop.clone();
            let dropped = async {
                stop.cancelled().await;
                tokio::time::sleep(grace).await;
            };
            let outcome = tokio::select! {
                biased;
                outcome = AssertUnwindSafe(work).catch_unwind() => outcome,
                () = dropped => return,
            };
            if let Err(panic) = outcome {
                app.exception_task(name, &panic_text(panic.as_ref())).await;
            }
        };
        self.tasks.lock().spawn(task);
    }

    /// Records that a background task failed; the same text once per interval, with the count of what was held back.
    pub async fn exception_task(&self, task: &str, what: &str) {
        tracing::error!(task, "task {task} failed: {what}");
        let Some(held) = self.exceptions.due(&format!("{task}\0{what}"), self.clock.now()) else { return };
        let event = json!({
            "event": {"action": "exception.task", "outcome": "failure", "reason": clip(what)},
            "entity": {"type": "task", "name": task},
            "error": {"message": clip(what)},
            "labels": {"held_back": held.to_string()},
        });
        if let Err(error) = self.record(None, event).await {
            tracing::error!(%error, "can't record that task {task} failed");
        }
    }

    /// Records that a request ended in a fault of ours, before the client learns of it.
    pub async fn exception_request(&self, method: &str, path: &str, request_id: &str, what: &str, client: &Client) {
        tracing::error!(
            request.id = request_id,
            http.method = method,
            url.path = path,
            "request {request_id} failed: {what}"
        );
        let Some(held) = self.exceptions.due(&format!("{method} {path}\0{what}"), self.clock.now()) else { return };
        let event = json!({
            "event": {"action": "exception.request", "outcome": "failure", "reason": clip(what)},
            "entity": {"type": "request", "id": request_id, "name": format!("{method} {path}")},
            "error": {"message": clip(what)},
            "http": {"request": {"id": request_id, "method": method}},
            "url": {"path": path},
            "labels": {"held_back": held.to_string()},
        });
        if let Err(error) = self.record_client(client, event).await {
            tracing::error!(%error, "can't record that request {request_id} failed");
        }
    }

    /// Ends all tasks: those that listen to `stop` by themselves, the others by force.
    pub async fn join_tasks(&self, wait: Duration) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(wait, all).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }
}

const STOP_GRACE: Duration = Duration::from_secs(5);
const TEXT_CHARS_MAX: usize = 2_000;

/// Holds back equal exceptions, so that a fault in a loop does not fill the trail.
#[derive(Debug, Default)]
pub struct Exceptions(Mutex<HashMap<String, (Timestamp, u64)>>);

impl Exceptions {
    const INTERVAL: SignedDuration = SignedDuration::from_secs(60);
    const KEYS_MAX: usize = 1_000;

    /// How many were held back since the last one, when this one is due.
    fn due(&self, key: &str, now: Timestamp) -> Option<u64> {
        let mut seen = self.0.lock();
        if let Some((last, held)) = seen.get_mut(key) {
            if now.duration_since(*last) < Self::INTERVAL {
                *held += 1;
                return None;
            }
            *last = now;
            return Some(std::mem::take(held));
        }
        if seen.len() >= Self::KEYS_MAX {
            seen.retain(|_, (last, _)| now.duration_since(*last) < Self::INTERVAL);
            if seen.len() >= Self::KEYS_MAX {
                return None;
            }
        }
        seen.insert(key.to_owned(), (now, 0));
        Some(0)
    }
}

/// What a panic says.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

fn clip(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_exceptions_are_held_back_and_counted() {
        let exceptions = Exceptions::default();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(exceptions.due("a", at(0)), Some(0));
        assert_eq!(exceptions.due("a", at(10)), None);
        assert_eq!(exceptions.due("a", at(20)), None);
        assert_eq!(exceptions.due("b", at(20)), Some(0));
        assert_eq!(exceptions.due("a", at(61)), Some(2));
    }
}
