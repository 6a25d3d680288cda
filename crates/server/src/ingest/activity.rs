//! When each source was last heard of and how much it sends: a follower of the trail.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use event::{Event, Value};
use jiff::Timestamp;
use parking_lot::Mutex;
use sqlx::SqlitePool;

use crate::append::Door;
use crate::clock::Clock;
use crate::follow::{Follower, Step};
use crate::state::{followers, sources};

const NAME: &str = "sources";
const SOURCES_MAX: usize = 1_000;
const MINUTES: usize = 5;

/// Events per source over the last minutes, in memory alone.
#[derive(Default)]
pub struct Rates {
    minutes: Mutex<VecDeque<(i64, HashMap<String, u64>)>>,
}

impl Rates {
    fn add(&self, minute: i64, source: &str, events: u64) {
        let mut minutes = self.minutes.lock();
        if minutes.back().is_none_or(|(last, _)| *last != minute) {
            minutes.push_back((minute, HashMap::new()));
            while minutes.len() > MINUTES + 1 {
                minutes.pop_front();
            }
        }
        if let Some((_, counts)) = minutes.back_mut()
            && (counts.len() < SOURCES_MAX || counts.contains_key(source))
        {
            *counts.entry(source.to_owned()).or_default() += events;
        }
    }

    /// Events per minute over the last five minutes.
    pub fn per_minute(&self, source: &str, now: Timestamp) -> f64 {
        let oldest = now.as_second() / 60 - MINUTES as i64;
        let minutes = self.minutes.lock();
        let events: u64 =
            minutes.iter().filter(|(minute, _)| *minute > oldest).filter_map(|(_, counts)| counts.get(source)).sum();
        events as f64 / MINUTES as f64
    }
}

/// Follows the trail and keeps the activity of every source. Runs for ever.
pub async fn follow(door: Door, pool: SqlitePool, clock: Clock, rates: std::sync::Arc<Rates>) {
    let mut position = loop {
        match followers::position(&pool, NAME).await {
            Ok(position) => break position,
            Err(error) => {
                tracing::error!(%error, "can't read how far the sources were followed");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    };
    let mut follower = Follower::new(door.trail().clone(), door.growth(), position, Step::default());
    while let Some(read) = follower.next().await {
        let stored = match read {
            Ok(entries) => {
                let mut seen: HashMap<String, (u64, Timestamp)> = HashMap::new();
                let minute = clock.now().as_second() / 60;
                for (_, entry) in &entries {
                    let Some((source, at)) = origin(entry) else { continue };
                    let source = source.as_deref().unwrap_or("events");
                    if seen.len() < SOURCES_MAX || seen.contains_key(source) {
                        let known = seen.entry(source.to_owned()).or_insert((0, at));
                        known.0 += 1;
                        known.1 = known.1.max(at);
                    }
                }
                let stored = store(&pool, &seen, follower.position()).await;
                if stored.is_ok() {
                    position = follower.position();
                    for (source, (events, _)) in &seen {
                        rates.add(minute, source, *events);
                    }
                }
                stored.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match stored {
            // Reading in larger steps costs less than being up to the millisecond.
            Ok(()) => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(error) => {
                tracing::error!(%error, "can't follow the sources");
                follower.seek(position);
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}

/// The source of an entry and when it came in; none for what is no event.
fn origin(entry: &[u8]) -> Option<(Option<Cow<'_, str>>, Timestamp)> {
    let (mut source, mut happened, mut ingested) = (None, None, None);
    let leaves = Event::leaves(entry, &mut |path, value| {
        match (path, value) {
            ("@timestamp", Value::String(text)) => happened = text.parse().ok(),
            ("event.ingested", Value::String(text)) => ingested = text.parse().ok(),
            ("event.module", Value::String(text)) => source = Some(text.clone()),
            _ => {}
        }
        if source.is_some() && ingested.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    leaves.ok()?;
    Some((source, ingested.or(happened).unwrap_or_default()))
}

async fn store(pool: &SqlitePool, seen: &HashMap<String, (u64, Timestamp)>, position: u64) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    for (source, (events, at)) in seen {
        sources::seen(&mut transaction, source, *events, *at).await?;
    }
    followers::advance(&mut transaction, NAME, position).await?;
    transaction.commit().await
}
