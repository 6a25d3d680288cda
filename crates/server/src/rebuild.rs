//! Makes the search index again from the trail, while no server runs.

use std::ops::ControlFlow;

use crate::clock::Clock;
use crate::config::Config;
use crate::data::Data;
use crate::setup::{self, Error};

/// Throws the index away and makes it again; `progress` is told how many events of how many are in it. Answers how
/// many events there are.
pub async fn rebuild(config: Config, mut progress: impl FnMut(u64, u64) + Send + 'static) -> Result<u64, Error> {
    let data = Data::open(&config.data)?;
    let app = setup::open(config, data, Clock::System).await?;
    let size = app.trail().size();
    let store = app.store.clone();
    let done = tokio::task::spawn_blocking(move || {
        store.rebuild(size, &mut |step| {
            progress(step.done, step.total);
            ControlFlow::Continue(())
        })
    })
    .await;
    let indexed = app.indexed_to();
    setup::close(&app).await;
    match done {
        Ok(outcome) => outcome?,
        Err(_) => return Err(Error::Interrupted),
    }
    Ok(indexed)
}
