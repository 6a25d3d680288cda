//! The follower of the trail that keeps the health of every source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::SqlitePool;
use tokio_util::sync::CancellationToken;

use super::health::{FOLLOWER, Health};
use super::registry::Registry;
use crate::append::Door;
use crate::clock::Clock;
use crate::follow::{Follower, Step};
use crate::state::{followers, health as state};

const STEP: Step = Step { entries_max: 8_192, bytes_max: 8 << 20 };
/// Reading in larger steps costs less than being up to the millisecond.
const PAUSE: Duration = Duration::from_millis(200);
const NOTICES_MAX: i64 = 100;

/// What it works with.
#[derive(Clone)]
pub struct Needs {
    pub door: Door,
    pub pool: SqlitePool,
    pub clock: Clock,
    pub registry: Arc<Registry>,
    pub health: Arc<Health>,
    pub stop: CancellationToken,
}

/// Follows the trail and keeps the health of every source, until it is told to stop; then it stores what it knows.
pub async fn follow(needs: Needs) {
    let position = loop {
        match followers::position(&needs.pool, FOLLOWER).await {
            Ok(position) => break position,
            Err(error) => {
                tracing::error!(%error, "can't read how far the sources were followed");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    };
    let mut follower = Follower::new(needs.door.trail().clone(), needs.door.growth(), position, STEP);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // What was decided before a crash is told now.
    let mut notices_wait = true;
    loop {
        let began = Instant::now();
        let mut full = false;
        let read = tokio::select! {
            read = follower.next() => match read {
                Some(read) => Some(read),
                None => return,
            },
            _ = tick.tick() => None,
            () = needs.stop.cancelled() => {
                // What the selection left out last is in memory alone.
                let now = needs.clock.now();
                needs.health.tick(now, false, |_| false);
                if let Err(error) = needs.health.save(&needs.pool, follower.position(), now).await {
                    tracing::warn!(%error, "the health of the sources is not stored; it is read from the trail again");
                }
                return;
            }
        };
        match read {
            None => {}
            Some(Ok(entries)) => {
                full = entries.len() >= STEP.entries_max;
                let (health, now) = (needs.health.clone(), needs.clock.now());
                let taken = tokio::task::spawn_blocking(move || {
                    health.take(entries.iter().map(|(_, entry)| entry.as_ref()), now);
                });
                if taken.await.is_err() {
                    return;
                }
            }
            Some(Err(error)) => {
                tracing::error!(%error, "can't follow the sources");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
        let now = needs.clock.now();
        let caught_up = follower.position() >= needs.door.trail().size();
        needs.health.tick(now, caught_up, |name| needs.registry.source(name).is_some_and(|source| !source.enabled));
        if needs.health.wants_saving(now) {
            match needs.health.save(&needs.pool, follower.position(), now).await {
                Ok(notices) => notices_wait |= notices,
                Err(error) => {
                    tracing::error!(%error, "can't store the health of the sources");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }
        notices_wait |= needs.health.was_rung();
        if notices_wait {
            notices_wait = tell(&needs, now).await;
        }
        // A long way to go is gone with half a processor, so that what comes in is not held up.
        tokio::time::sleep(if full { began.elapsed().min(PAUSE) } else { PAUSE }).await;
    }
}

/// Records what was decided, each once; whether some wait still.
async fn tell(needs: &Needs, now: Timestamp) -> bool {
    let waiting = match state::notices(&needs.pool, NOTICES_MAX).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!(%error, "can't read what is to be told of the sources");
            return true;
        }
    };
    let more = waiting.len() as i64 == NOTICES_MAX;
    for (id, text) in waiting {
        let Ok(event) = serde_json::from_str(&text) else {
            tracing::error!("the notice {id} at {now} can't be read; it is left where it is");
            continue;
        };
        // Said again after a crash, it is not appended again.
        if let Err(error) = needs.door.record_once(event, &format!("source notice {id}")).await {
            tracing::error!(%error, "can't record the notice {id}");
            return true;
        }
        if let Err(error) = state::remove_notice(&needs.pool, &id).await {
            tracing::error!(%error, "can't settle the notice {id}");
            return true;
        }
    }
    more
}
