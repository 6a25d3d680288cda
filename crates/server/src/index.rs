//! The follower that keeps the search index up with the trail, and what the index reads events through.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::{EntriesError, Store};
use trail::Trail;

use crate::append::Door;
use crate::follow::{Follower, Step};

/// Bytes of one read.
const READ_BYTES_MAX: usize = 8 << 20;
/// How often the store is asked whether a commit is due.
const TICK: Duration = Duration::from_millis(500);

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
        let behind = follower.position() < door.trail().size();
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
        }
    }
}

async fn run<E: std::fmt::Display + Send + 'static>(
    work: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> Result<(), String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
