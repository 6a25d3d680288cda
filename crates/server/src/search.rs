//! Asking the store: off the threads that answer requests, and never more at a time than the machine bears.

use std::sync::Arc;
use std::time::Duration;

use store::{Store, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;

/// Searches at a time; more wait for their turn.
pub const SEARCHES_MAX: usize = 8;
const WAIT_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("too many searches are running")]
    Busy { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the search broke off")]
    Broken,
}

/// The turns that searches take.
pub fn turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(SEARCHES_MAX))
}

/// Waits for a turn, for whoever reads the store by itself.
pub async fn turn(app: &App) -> Result<OwnedSemaphorePermit, SearchError> {
    match tokio::time::timeout(WAIT_MAX, app.searches.clone().acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(SearchError::Busy { retry_after: Duration::from_secs(2) }),
    }
}

/// Runs `ask` on the store when it is its turn.
pub async fn look<T: Send + 'static>(
    app: &App,
    ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, SearchError> {
    let turn = turn(app).await?;
    let store = app.store.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let answer = ask(&store);
        drop(turn);
        answer
    });
    Ok(asked.await.map_err(|_| SearchError::Broken)??)
}
