//! Sends what is due: one lane per channel, so that a slow one never holds up another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::notify::{AttemptOutcome, ChannelKind};
use event::Event;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::channels::{Parcel, SendError, Try};
use super::follower::UNDELIVERABLE;
use super::pace::{self, Turnstile};
use super::plan::{After, after};
use super::{Error, Room, text};
use crate::changes::Entity;
use crate::state;
use crate::state::channels::Channel;
use crate::state::deliveries::{Attempt, Delivery, Next};

/// How long nobody asks the table when nothing is known to be due: a safety net, not the way it works.
const IDLE_MAX: Duration = Duration::from_secs(60);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(2);
const ANSWER_CHARS_MAX: usize = 500;
/// What is done under way at the end: finished, if it takes no longer than this.
const FINISH_MAX: Duration = Duration::from_secs(15);
/// Deliveries that ended are kept this long, decisions and lines of the inbox as well.
const KEPT_DAYS: i64 = 90;
/// Messages that were taken from the table wait so long for the other side; beyond it they are given back.
const PATIENCE_MAX: Duration = Duration::from_secs(5);
/// How many deliveries one lane takes from the table at a time.
const LEASED_MAX: u32 = 64;
const DECISIONS_MAX: u32 = 1_000_000;
const PRUNE_EVERY: Duration = Duration::from_secs(600);
const PRUNE_AT_ONCE: u32 = 2_000;

/// Runs until `stop` and what is under way has ended.
pub(super) async fn run(room: Arc<Room>, stop: CancellationToken) {
    loop {
        match state::deliveries::recover(&room.needs.state, room.now_ms()).await {
            Ok(0) => break,
            Ok(count) => {
                tracing::info!(count, "{count} deliveries were under way when the server ended and are tried again");
                break;
            }
            Err(error) => tracing::error!(%error, "the outbox can't be read"),
        }
        tokio::time::sleep(PAUSE_AFTER_ERROR).await;
    }
    let mut lanes = Lanes { room: room.clone(), wakes: HashMap::new(), running: JoinSet::new(), stop: stop.clone() };
    let mut pruned = Instant::now();
    // Failures of a server that is no more may not have been told.
    let (mut look, mut next) = (true, Instant::now());
    loop {
        if look {
            next = Instant::now()
                + match lanes.dispatch().await {
                    Ok(wait) => wait,
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "the outbox can't be read");
                        PAUSE_AFTER_ERROR
                    }
                };
        }
        if pruned.elapsed() >= PRUNE_EVERY {
            pruned = Instant::now();
            prune(&room).await;
        }
        tokio::select! {
            ring = room.needs.bell.rung() => {
                look = ring.all;
                ring.channels.into_iter().for_each(|channel| lanes.wake(channel));
            }
            () = tokio::time::sleep_until(next.into()) => look = true,
            () = stop.cancelled() => break,
        }
    }
    let finished = async { while lanes.running.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH_MAX, finished).await.is_err() {
        tracing::warn!("some deliveries were still under way; they are tried again after the next start");
    }
}

struct Lanes {
    room: Arc<Room>,
    wakes: HashMap<String, Arc<Notify>>,
    running: JoinSet<()>,
    stop: CancellationToken,
}

impl Lanes {
    /// Wakes the lanes that have something to do; answers how long to wait for the next moment.
    async fn dispatch(&mut self) -> Result<Duration, Error> {
        tell_failures(&self.room).await?;
        let now = self.room.now_ms();
        let mut wait = IDLE_MAX;
        for (channel, at) in state::deliveries::due(&self.room.needs.state).await? {
            if at > now {
                wait = wait.min(Duration::from_millis((at - now).unsigned_abs()));
                continue;
            }
            self.wake(channel);
        }
        Ok(wait)
    }

    fn wake(&mut self, channel: String) {
        if let Some(wake) = self.wakes.get(&channel) {
            wake.notify_one();
            return;
        }
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        self.wakes.insert(channel.clone(), wake.clone());
        let lane = Lane {
            room: self.room.clone(),
            channel,
            turnstile: Arc::new(Mutex::new(Turnstile::new(Duration::ZERO))),
            pace: pace::Pace { interval: Duration::ZERO, at_once: 0 },
            places: Arc::new(Semaphore::new(0)),
        };
        self.running.spawn(lane.run(wake, self.stop.clone()));
    }
}

/// Everything that goes to one channel, one after the other or a few at a time.
struct Lane {
    room: Arc<Room>,
    channel: String,
    turnstile: Arc<Mutex<Turnstile>>,
    pace: pace::Pace,
    places: Arc<Semaphore>,
}

impl Lane {
    async fn run(mut self, wake: Arc<Notify>, stop: CancellationToken) {
        let mut sending = JoinSet::new();
        loop {
            tokio::select! {
                () = wake.notified() => {}
                () = stop.cancelled() => break,
            }
            if let Err(error) = self.drain(&mut sending, &stop).await {
                tracing::error!(channel.id = %self.channel, error = &error as &dyn std::error::Error, "a channel can't be served");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                wake.notify_one();
            }
            while sending.try_join_next().is_some() {}
        }
        while sending.join_next().await.is_some() {}
    }

    /// Sends until nothing is due.
    async fn drain(&mut self, sending: &mut JoinSet<()>, stop: &CancellationToken) -> Result<(), Error> {
        let room = self.room.clone();
        let pool = &room.needs.state;
        loop {
            // Read anew each time: it may have been changed, switched off or removed meanwhile.
            let changes = *room.changes.borrow();
            let channel = match state::channels::get(pool, &room.needs.secrets, &self.channel).await? {
                Some(channel) if channel.enabled => Arc::new(channel),
                Some(_) => return Ok(()),
                None => {
                    let mut transaction = state::begin_write(pool).await?;
                    state::channels::remove(&mut transaction, &self.channel, room.now_ms()).await?;
                    transaction.commit().await?;
                    return Ok(());
                }
            };
            self.keep_pace(channel.kind());
            let Some(place) = self.place(stop).await else { return Ok(()) };
            if *room.changes.borrow() != changes {
                continue;
            }
            // Some in advance, or each message would cost a write of its own before it is sent; not where they would
            // wait for their turn, as sending, for long. After a crash they are waiting again, and were not sent.
            let count = if self.pace.interval.is_zero() { LEASED_MAX } else { 1 };
            let leased = state::deliveries::lease(pool, &self.channel, room.now_ms(), count).await?;
            if leased.is_empty() {
                return Ok(());
            }
            let mut place = Some(place);
            for delivery in leased {
                let patience = self.turnstile.lock().peek(Instant::now());
                let outdated = *room.changes.borrow() != changes || stop.is_cancelled();
                if outdated || patience > PATIENCE_MAX {
                    let at = room.now_ms() + i64::try_from(patience.as_millis()).unwrap_or(i64::MAX / 2);
                    state::deliveries::give_back(pool, &delivery.id, at).await?;
                    continue;
                }
                let held = match place.take() {
                    Some(place) => Some(place),
                    None => self.place(stop).await,
                };
                let Some(held) = held else {
                    state::deliveries::give_back(pool, &delivery.id, room.now_ms()).await?;
                    continue;
                };
                self.turnstile.lock().take(Instant::now());
                sending.spawn(deliver(room.clone(), self.turnstile.clone(), channel.clone(), delivery, held));
                while sending.try_join_next().is_some() {}
            }
            if self.turnstile.lock().peek(Instant::now()) > PATIENCE_MAX {
                // What was given back is due when the other side's patience is over; then the dispatcher comes again.
                room.needs.bell.ring();
                return Ok(());
            }
        }
    }

    /// Waits for a free place and for one's turn; `None` when the server stops.
    async fn place(&self, stop: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        let turn = async {
            let place = self.places.clone().acquire_owned().await.ok()?;
            loop {
                // Only looked at: its turn is taken by the message itself, when there is one.
                let wait = self.turnstile.lock().peek(Instant::now());
                if wait.is_zero() {
                    return Some(place);
                }
                tokio::time::sleep(wait).await;
            }
        };
        tokio::select! {
            place = turn => place,
            () = stop.cancelled() => None,
        }
    }

    fn keep_pace(&mut self, kind: ChannelKind) {
        let pace = pace::of(kind);
        if pace != self.pace {
            self.pace = pace;
            self.places = Arc::new(Semaphore::new(pace.at_once));
            *self.turnstile.lock() = Turnstile::new(pace.interval);
        }
    }
}

async fn deliver(
    room: Arc<Room>,
    turnstile: Arc<Mutex<Turnstile>>,
    channel: Arc<Channel>,
    delivery: Delivery,
    place: OwnedSemaphorePermit,
) {
    let at = room.needs.clock.now();
    let started = Instant::now();
    let event = event_of(&room, &delivery).await;
    let parcel =
        Parcel { id: &delivery.id, recipient: &delivery.recipient, message: &delivery.message, event, now: at };
    let tried = room.sender.send(&channel, &parcel).await;
    let concluded =
        conclude(&delivery, &tried, &room.pauses, rand::random::<f64>(), started.elapsed(), at.as_millisecond());
    if let Some(patience) = concluded.patience {
        turnstile.lock().close(Instant::now() + patience);
    }
    // Sent, and yet not written down: it would be sent again after the next start. So this tries hard.
    for pause_ms in [50, 200, 1_000, 5_000, 0] {
        match state::deliveries::conclude(&room.needs.state, &delivery, &concluded.attempt, concluded.next).await {
            Ok(()) => break,
            Err(error) => tracing::error!(delivery.id = %delivery.id, %error, "an attempt can't be written down"),
        }
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    drop(place);
    log(&channel, &delivery, &concluded);
    if let Err(SendError::Gone { .. }) = &tried.result
        && let Err(error) = switch_off(&room, &channel).await
    {
        tracing::error!(channel.id = %channel.id, error = &error as &dyn std::error::Error, "a channel that is gone can't be switched off");
    }
    if concluded.next != Next::Delivered {
        // The next moment, or a failure to be told.
        room.needs.bell.ring();
    }
}

struct Concluded {
    attempt: Attempt,
    next: Next,
    /// For the whole channel.
    patience: Option<Duration>,
}

/// What an answer means for the delivery.
fn conclude(delivery: &Delivery, tried: &Try, pauses: &[Duration], jitter: f64, took: Duration, at: i64) -> Concluded {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let attempt = |outcome, status, answer: String| Attempt {
        at,
        duration_ms,
        outcome,
        status,
        answer: text::cut(&answer, ANSWER_CHARS_MAX),
        request: tried.request.clone(),
    };
    match &tried.result {
        Ok(answer) => Concluded {
            attempt: attempt(AttemptOutcome::Ok, answer.status, answer.text.clone()),
            next: Next::Delivered,
            patience: None,
        },
        Err(error @ SendError::Temporary { retry_after, .. }) => {
            let cause = error.cause();
            let ended = at.saturating_add(duration_ms.cast_signed());
            let next = match after(pauses, delivery.tries_used, delivery.tries, *retry_after, jitter) {
                After::Pause { pause, counts } => Next::TryAgain {
                    at: ended.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)),
                    counts,
                },
                After::GiveUp => Next::Failed,
            };
            Concluded {
                attempt: attempt(AttemptOutcome::Temporary, cause.status(), cause.to_string()),
                next,
                patience: *retry_after,
            }
        }
        Err(error @ (SendError::Permanent { .. } | SendError::Gone { .. })) => {
            let cause = error.cause();
            Concluded {
                attempt: attempt(AttemptOutcome::Permanent, cause.status(), cause.to_string()),
                next: Next::Failed,
                patience: None,
            }
        }
    }
}

fn log(channel: &Channel, delivery: &Delivery, concluded: &Concluded) {
    let (id, name, answer) = (&delivery.id, &channel.name, &concluded.attempt.answer);
    let duration_ms = concluded.attempt.duration_ms;
    match concluded.next {
        Next::Delivered => {
            tracing::info!(delivery.id = %id, channel.name = %name, duration_ms, "delivery {id} through {name}: {answer}")
        }
        Next::TryAgain { .. } => {
            tracing::warn!(delivery.id = %id, channel.name = %name, duration_ms, "delivery {id} through {name} is tried again: {answer}");
        }
        Next::Failed => {
            tracing::error!(delivery.id = %id, channel.name = %name, duration_ms, "delivery {id} through {name} failed: {answer}")
        }
    }
}

/// The event itself, for programs; read from the trail, not kept with the delivery.
async fn event_of(room: &Room, delivery: &Delivery) -> Option<serde_json::Value> {
    let position = delivery.position.filter(|_| delivery.kind == ChannelKind::Webhook)?;
    let trail = room.needs.door.trail().clone();
    let entry = tokio::task::spawn_blocking(move || trail.get(position)).await.ok()?.ok()??;
    Event::read(&entry).ok().map(|event| event.to_json())
}

/// The receiver said that it is gone for good.
async fn switch_off(room: &Room, channel: &Channel) -> Result<(), Error> {
    let mut transaction = state::begin_write(&room.needs.state).await?;
    if state::channels::disable(&mut transaction, &channel.id, room.now_ms()).await? {
        let entity = Entity { kind: "channel", id: &channel.id, name: &channel.name };
        let mut event =
            entity.event("entity.updated", vec![json!({"field": "enabled", "old": "true", "new": "false"})]);
        event["event"]["reason"] = json!("the receiver answered 410: it is gone and wants no more messages");
        room.needs.door.record(event).await?;
        transaction.commit().await?;
        room.changes.send_modify(|count| *count += 1);
    }
    Ok(())
}

/// Raises an event for each delivery that failed for good. A crash between failing and telling leads here
/// again; so does one between telling and noting that it was told, and then it is told twice.
async fn tell_failures(room: &Room) -> Result<(), Error> {
    for delivery in state::deliveries::unsaid(&room.needs.state).await? {
        // A failure to tell of a failure is not told: it would go round in circles.
        if delivery.message.action != UNDELIVERABLE {
            room.needs.door.record(undeliverable(&delivery)).await?;
        }
        state::deliveries::said(&room.needs.state, &delivery.id).await?;
    }
    Ok(())
}

fn undeliverable(delivery: &Delivery) -> serde_json::Value {
    let answer = delivery.last_answer.as_deref().unwrap_or("no answer");
    let mut event = Entity { kind: "channel", id: &delivery.channel_id, name: &delivery.channel_name }
        .event(UNDELIVERABLE, Vec::new());
    event["event"]["outcome"] = json!("failure");
    event["event"]["reason"] = json!(answer);
    event["message"] = json!(format!(
        "\"{}\" could not be delivered to {} through channel {} ({} tries): {answer}",
        delivery.subject, delivery.recipient, delivery.channel_name, delivery.tries
    ));
    event["labels"] =
        json!({"delivery_id": delivery.id, "recipient": delivery.recipient, "attempts": delivery.tries.to_string()});
    if let Some(position) = delivery.position {
        event["labels"]["position"] = json!(position.to_string());
    }
    if let (Some(id), Some(name)) = (&delivery.rule_id, &delivery.rule_name) {
        event["rule"] = json!({"id": id, "name": name});
    }
    event
}

async fn prune(room: &Room) {
    let before = room.now_ms() - KEPT_DAYS * 86_400_000;
    let pruned = async {
        while state::deliveries::prune(&room.needs.state, before, PRUNE_AT_ONCE).await? == u64::from(PRUNE_AT_ONCE) {}
        while state::memory::prune(&room.needs.state, before, PRUNE_AT_ONCE).await? == u64::from(PRUNE_AT_ONCE) {}
        state::memory::prune_to(&room.needs.state, DECISIONS_MAX).await?;
        let mut connection = room.needs.state.acquire().await?;
        state::inbox::prune(&mut connection, before).await
    };
    if let Err(error) = pruned.await {
        tracing::warn!(%error, "what is older than {KEPT_DAYS} days can't be cleared away");
    }
}
