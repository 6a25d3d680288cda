//! Removals: asked for, counted, confirmed, carried out, called off, looked up.
//!
//! ```text
//! counting ─▶ ready ─▶ running ─▶ done          the plan is in the state before the first byte goes;
//!     └──────────┴────────┴─────▶ cancelled     one worker carries out one after the other, and after
//!                         └─────▶ failed        a crash goes on with the step it stood at
//! ```

use std::time::Duration;

use api::retention::{
    CategoryCount, HeldCount, PolicyApplied, Removal as Shown, RemovalApply, RemovalKind, RemovalState, Removed,
};
use event::filter::FilterError;
use tokio::sync::{Mutex, Notify};

use super::removal_picks::{Picks, Unreadable, base_of};
use super::{removal_count, removal_run};
use crate::access::Subject;
use crate::app::App;
use crate::append;
use crate::causes::chain;
use crate::state;
use crate::state::holds::Hold;
use crate::state::removals::{End, Removal};
use crate::state::time_text;

/// The longest reason, name or note, in characters.
pub const TEXT_CHARS_MAX: usize = 500;
const LISTED_MAX: u32 = 200;
const HOLDS_MAX: u32 = 10_000;
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);
const TRIES_MAX: u32 = 3;

/// What removals share in memory.
#[derive(Default)]
pub struct Removals {
    /// Held while entries go, and while a hold is placed: a hold that was answered keeps whatever is there then.
    pub(super) gate: Mutex<()>,
    wake: Notify,
    /// Rung when the time of the daily run changes.
    schedule: Notify,
}

impl Removals {
    /// Returns when the schedule was rung.
    pub(super) async fn schedule_rung(&self) {
        self.schedule.notified().await;
    }

    /// There is something to count or to remove.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether the daily run is due is to be looked at now.
    pub fn ring_schedule(&self) {
        self.schedule.notify_one();
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    #[error("{reason}")]
    Invalid { pointer: &'static str, reason: String },
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("{reason}")]
    Conflict { reason: String },
    #[error("who asked for an erasure can't approve it; a second person with trail:erase has to")]
    SamePerson,
    #[error("the change can't be recorded in the trail, so it was not made")]
    Record(#[from] append::Error),
    #[error("the state can't be read or written")]
    State(#[from] sqlx::Error),
    #[error("the trail can't be read or rewritten")]
    Trail(#[from] trail::TrailError),
    #[error("the index can't forget")]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Picks(#[from] Unreadable),
    #[error("a file that tells of a removed event can't be removed")]
    Disk(#[from] std::io::Error),
    #[error("the work was given up: {0}")]
    GivenUp(String),
}

impl Error {
    pub(super) fn conflict(reason: impl Into<String>) -> Self {
        Self::Conflict { reason: reason.into() }
    }
}

/// A text that goes into the trail: there is one, on one line, of a bounded length.
pub(super) fn text(pointer: &'static str, text: &str, what: &str) -> Result<String, Error> {
    let text = text.trim();
    let invalid = |reason| Err(Error::Invalid { pointer, reason });
    if text.is_empty() {
        return invalid(format!("{what} is needed; it goes into the trail"));
    }
    if text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control) {
        return invalid(format!("{what} has at most {TEXT_CHARS_MAX} characters on one line"));
    }
    Ok(text.to_owned())
}

/// The newest removals, without erasures: those are asked for by themselves.
pub async fn list(app: &App) -> Result<Vec<Shown>, Error> {
    let holds = state::holds::all(&app.state, HOLDS_MAX).await?;
    let removals = state::removals::newest(&app.state, RemovalKind::Retention, LISTED_MAX).await?;
    Ok(removals.into_iter().map(|removal| shown(removal, &holds)).collect())
}

pub async fn get(app: &App, id: &str) -> Result<Shown, Error> {
    let holds = state::holds::all(&app.state, HOLDS_MAX).await?;
    Ok(shown(find(app, id).await?, &holds))
}

pub(super) async fn find(app: &App, id: &str) -> Result<Removal, Error> {
    let mut connection = app.state.acquire().await?;
    let found = state::removals::find(&mut connection, id).await?;
    found.ok_or_else(|| Error::NotFound { what: "removal", id: id.to_owned() })
}

/// What kind a removal is, so that it can be said who may touch it.
pub async fn kind(app: &App, id: &str) -> Result<RemovalKind, Error> {
    Ok(find(app, id).await?.kind)
}

/// Confirms a retention that was counted.
pub async fn apply(app: &App, id: &str, confirmed: &RemovalApply) -> Result<Shown, Error> {
    let reason = text("/reason", &confirmed.reason, "a reason")?;
    let mut transaction = state::begin_write(&app.state).await?;
    let found = state::removals::find(&mut transaction, id).await?;
    let removal = found
        .filter(|removal| removal.kind == RemovalKind::Retention)
        .ok_or_else(|| Error::NotFound { what: "removal", id: id.to_owned() })?;
    confirmed_as_counted(&removal, confirmed.events)?;
    state::removals::begin(&mut transaction, id, &reason, 0).await?;
    transaction.commit().await?;
    app.removals.wake();
    get(app, id).await
}

/// Whether what was counted is what somebody says yes to.
pub(super) fn confirmed_as_counted(removal: &Removal, events: u64) -> Result<(), Error> {
    if removal.state != RemovalState::Ready {
        return Err(Error::conflict(format!(
            "it is {}, and only one that is counted can be confirmed",
            removal.state.name()
        )));
    }
    if removal.tally.entries == 0 {
        return Err(Error::conflict("there is nothing to remove"));
    }
    if removal.tally.entries != events {
        let counted = removal.tally.entries;
        return Err(Error::conflict(format!("{events} events were confirmed, but it is about {counted}; look again")));
    }
    Ok(())
}

/// Calls a removal off. One that runs stops after the step it is at; what is removed stays removed.
pub async fn cancel(app: &App, subject: &Subject, id: &str) -> Result<Shown, Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let removal = state::removals::find(&mut transaction, id)
        .await?
        .ok_or_else(|| Error::NotFound { what: "removal", id: id.to_owned() })?;
    match removal.state {
        RemovalState::Running => state::removals::ask_to_stop(&mut transaction, id, subject.user_name()).await?,
        RemovalState::Counting | RemovalState::Ready if removal.kind == RemovalKind::Retention => {
            let at = app.clock.now().as_millisecond();
            let end = End { at, by: Some(subject.user_name()), ..End::default() };
            state::removals::end(&mut transaction, id, RemovalState::Cancelled, &end).await?;
        }
        RemovalState::Counting | RemovalState::Ready => {
            return Err(Error::conflict("refuse the erasure, with a reason"));
        }
        // The worker ends it in good order: the index may have to forget what the trail has lost already.
        RemovalState::Failed => {
            state::removals::begin(&mut transaction, id, &removal.reason, removal.tries + 1).await?;
            state::removals::ask_to_stop(&mut transaction, id, subject.user_name()).await?;
        }
        RemovalState::Done | RemovalState::Cancelled => {
            return Err(Error::conflict(format!("it is {} already", removal.state.name())));
        }
    }
    transaction.commit().await?;
    app.removals.wake();
    get(app, id).await
}

/// Takes up one that failed, where it stood.
pub async fn resume(app: &App, id: &str) -> Result<Shown, Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let removal = state::removals::find(&mut transaction, id)
        .await?
        .ok_or_else(|| Error::NotFound { what: "removal", id: id.to_owned() })?;
    if removal.state != RemovalState::Failed {
        return Err(Error::conflict(format!("it is {}; only one that failed can be resumed", removal.state.name())));
    }
    state::removals::begin(&mut transaction, id, &removal.reason, removal.tries + 1).await?;
    transaction.commit().await?;
    app.removals.wake();
    get(app, id).await
}

/// Why there is nothing at a position; none where nothing was removed.
pub async fn at(app: &App, position: u64) -> Result<Option<Removed>, Error> {
    let steps = state::removals::of_stretch(&app.state, base_of(position).cast_signed()).await?;
    for step in steps {
        if !Picks::of(&step)?.contains(position) {
            continue;
        }
        let removal = find(app, &step.removal_id).await?;
        if matches!(removal.state, RemovalState::Counting | RemovalState::Ready) {
            continue;
        }
        return Ok(Some(Removed {
            position,
            kind: removal.kind,
            at: time_text(removal.ended_at.unwrap_or(removal.asked_at)),
            why: why(&removal),
            reason: removal.reason,
            by: removal.asked_by,
            event_position: removal.position,
            removal: removal.id,
        }));
    }
    Ok(None)
}

/// What stands behind a removal, in words.
pub(super) fn why(removal: &Removal) -> String {
    match removal.kind {
        RemovalKind::Erasure => "the erasure of a person's data".to_owned(),
        RemovalKind::Retention => {
            let lanes = removal.lanes.lanes.iter();
            let policies: Vec<String> = lanes.map(|lane| format!("{} {}", lane.category, lane.keep)).collect();
            format!("retention ({})", policies.join(", "))
        }
    }
}

/// As the API shows it.
pub(super) fn shown(removal: Removal, holds: &[Hold]) -> Shown {
    let tally = removal.tally;
    let name = |id: &str| holds.iter().find(|hold| hold.id == id).map_or_else(String::new, |hold| hold.name.clone());
    let mut categories: Vec<CategoryCount> =
        tally.categories.into_iter().map(|(category, events)| CategoryCount { category, events }).collect();
    categories.sort_by_key(|count| std::cmp::Reverse(count.events));
    Shown {
        kind: removal.kind,
        state: removal.state,
        by: removal.asked_by,
        at: time_text(removal.asked_at),
        reason: removal.reason,
        size: removal.size,
        done: if removal.state == RemovalState::Counting { removal.looked } else { removal.removed },
        events: tally.entries,
        bytes: tally.bytes,
        first_position: tally.first,
        last_position: tally.last,
        categories,
        policies: removal
            .lanes
            .lanes
            .into_iter()
            .map(|lane| PolicyApplied { category: lane.category, keep: lane.keep, before: time_text(lane.before) })
            .collect(),
        held: tally.held.into_iter().map(|(hold, events)| HeldCount { name: name(&hold), hold, events }).collect(),
        protected: tally.protected,
        removed: removal.removed,
        bytes_freed: removal.bytes_freed,
        event_position: removal.position,
        ended_at: removal.ended_at.map(time_text),
        ended_by: removal.ended_by,
        error: removal.error,
        id: removal.id,
    }
}

/// Counts and removes whatever there is to, one after the other, until the server goes down.
pub async fn work(app: App) {
    let mut tries = 0;
    loop {
        match one(&app).await {
            Ok(true) => tries = 0,
            Ok(false) => tokio::select! {
                () = app.stop.cancelled() => return,
                () = app.removals.wake.notified() => {}
            },
            Err((removal, error)) => {
                tries += 1;
                let what = chain(&error);
                tracing::error!(removal.id = removal, tries, "a removal can't go on: {what}");
                if tries >= TRIES_MAX {
                    tries = 0;
                    if let Err(error) = removal_run::fail(&app, &removal, &what).await {
                        tracing::error!(
                            removal.id = removal,
                            "that it failed can't be written down: {}",
                            chain(&error)
                        );
                    }
                }
                tokio::select! {
                    () = app.stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE_AFTER_ERROR) => {}
                }
            }
        }
        if app.stop.is_cancelled() {
            return;
        }
    }
}

/// Carries out the next thing there is. Says whether there was one.
async fn one(app: &App) -> Result<bool, (String, Error)> {
    let unknown = |error: sqlx::Error| (String::new(), Error::from(error));
    // What was begun first: after a crash it is half done.
    if let Some(removal) = state::removals::next(&app.state, RemovalState::Running).await.map_err(unknown)? {
        let id = removal.id.clone();
        return removal_run::run(app, removal).await.map(|()| true).map_err(|error| (id, error));
    }
    if let Some(removal) = state::removals::next(&app.state, RemovalState::Counting).await.map_err(unknown)? {
        let id = removal.id.clone();
        return removal_count::count(app, removal).await.map(|()| true).map_err(|error| (id, error));
    }
    Ok(false)
}
