//! The follower that keeps the search index up with the trail, and what the index reads events through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::{EntriesError, Store};
use trail::Trail;

use crate::append::Door;
use crate::follow::{Follower, Step};

/// Bytes of one read.
const READ_BYTES_MAX: usize = 8 << 20;
/// How often the store is asked whether a commit is due.
const TICK: Duration = Duration::from_millis(500);
/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(500);
/// So far behind the index may come for the sake of those who send; some seconds at full speed.
const BEHIND_MAX: u64 = 500_000;

/// The trail as the store reads it.
pub struct TrailEntries(pub Trail);

impl store::Entries for TrailEntries {
    fn get_many(&self, positions: &[u64]) -> Result<Vec<Option<Bytes>>, EntriesError> {
        // Where an event was removed the trail has an empty entry.
        let get = |position: &u64| Ok(self.0.get(*position)?.filter(|entry| !entry.is_empty()));
        positions.iter().map(get).collect()
    }

    fn read_from(&self, position: u64, max: usize) -> Result<Vec<Bytes>, EntriesError> {
        let read = self.0.read(position, max, READ_BYTES_MAX)?;
        Ok(read.into_iter().map(|(_, entry)| entry).collect())
    }
}

/// Applies the trail to the store. Runs until the server goes down.
pub async fn follow(door: Door, store: Arc<Store>) {
    let mut follower = Follower::new(door.trail().clone(), door.growth(), store.indexed_to(), Step::default());
    let mut tick = tokio::time::interval(TICK);
    loop {
        let applying = store.clone();
        let (began, size) = (Instant::now(), door.trail().size());
        let behind = follower.position() < size;
        let outcome = tokio::select! {
            read = follower.next() => match read {
                None => return,
                Some(Err(error)) => Err(error.to_string()),
                Some(Ok(entries)) => {
                    run(move || {
                        let first = entries.first().map_or(0, |(position, _)| *position);
                        let bytes: Vec<&[u8]> = entries.iter().map(|(_, bytes)| bytes.as_ref()).collect();
                        applying.apply(first, &bytes)
                    })
                    .await
                }
            },
            _ = tick.tick(), if !behind => run(move || applying.tick()).await,
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "the index can't be kept up; searches read the trail meanwhile");
            tokio::time::sleep(Duration::from_secs(5)).await;
            follower.seek(store.indexed_to());
        } else if behind {
            let now = door.trail().size();
            let rest = rest(began.elapsed(), now.saturating_sub(size), now.saturating_sub(follower.position()));
            tokio::time::sleep(rest).await;
        }
    }
}

/// How long to rest after a step, when `arrived` events came in meanwhile and the index is `behind` by so many: while
/// senders wait for their answers the index takes half a processor, unless it would fall too far behind.
fn rest(worked: Duration, arrived: u64, behind: u64) -> Duration {
    let in_the_way = behind >= Step::default().entries_max as u64 && behind < BEHIND_MAX;
    if arrived > 0 && in_the_way { worked.min(REST_MAX) } else { Duration::ZERO }
}

async fn run<E: std::fmt::Display + Send + 'static>(
    work: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> Result<(), String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_go_first_until_the_index_is_far_behind() {
        let worked = Duration::from_millis(80);
        assert_eq!(rest(worked, 1, 10_000), worked);
        assert_eq!(rest(worked * 100, 1, 10_000), REST_MAX);
        assert_eq!(rest(worked, 0, 10_000), Duration::ZERO);
        assert_eq!(rest(worked, 1, 100), Duration::ZERO);
        assert_eq!(rest(worked, 1, BEHIND_MAX), Duration::ZERO);
    }
}
