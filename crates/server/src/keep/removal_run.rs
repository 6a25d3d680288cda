//! Carries a removal out, step by step: trail, index, what quotes the events; then says so in the trail.
//!
//! Each step is harmless to repeat: what is removed is removed, what is forgotten is forgotten. A crash between any
//! two lines leads back to the first step that is not marked done.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

use api::retention::{RemovalKind, RemovalState};
use event::Event;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use trail::Trail;

use super::removal::{Error, why};
use super::removal_choice::{Standing, category};
use super::removal_picks::{Picks, STRETCH};
use crate::app::App;
use crate::state;
use crate::state::removals::{End, Removal, Step};

/// Steps at a time. A hold that is placed waits for them; a pack that lies across their end is written twice.
const STEPS: u32 = 4;
/// The index writes whole segments anew to forget anything in them, so it is asked for as much as possible at once.
const FORGET_STEPS: u32 = 32;
const READ_ENTRIES_MAX: usize = 4_096;
const READ_BYTES_MAX: usize = 4 << 20;

/// Runs until nothing is left, somebody called it off, or the server goes down.
pub async fn run(app: &App, removal: Removal) -> Result<(), Error> {
    let id = removal.id;
    let mut unforgotten = 0;
    while !app.stop.is_cancelled() {
        if let Some(by) = state::removals::stop_by(&app.state, &id).await? {
            forget(app, &id).await?;
            return finish(app, &id, RemovalState::Cancelled, Some(&by), None).await;
        }
        let gate = app.removals.gate.lock().await;
        let steps = state::removals::steps_to_do(&app.state, &id, STEPS).await?;
        if steps.is_empty() {
            drop(gate);
            forget(app, &id).await?;
            return finish(app, &id, RemovalState::Done, None, None).await;
        }
        let steps = without_held(app, &id, steps).await?;
        let picks = steps.iter().map(Picks::of).collect::<Result<Vec<_>, _>>()?;
        let Some(bytes_freed) = remove(app, &picks).await? else { return Ok(()) };
        let mut transaction = state::begin_write(&app.state).await?;
        forget_quotes(app, &mut transaction, &picks).await?;
        state::removals::carried_out(&mut transaction, &id, &steps, bytes_freed).await?;
        transaction.commit().await?;
        drop(gate);
        unforgotten += STEPS;
        if unforgotten >= FORGET_STEPS {
            unforgotten = 0;
            forget(app, &id).await?;
        }
    }
    Ok(())
}

/// Has the index forget what is gone from the trail. After the trail: the index would else take it in again.
async fn forget(app: &App, id: &str) -> Result<(), Error> {
    loop {
        let steps = state::removals::steps_to_forget(&app.state, id, FORGET_STEPS).await?;
        if steps.is_empty() {
            return Ok(());
        }
        let picks = steps.iter().map(Picks::of).collect::<Result<Vec<_>, _>>()?;
        let ranges: Vec<Range<u64>> = picks.iter().flat_map(Picks::ranges).collect();
        let store = app.store.clone();
        let forgotten = tokio::task::spawn_blocking(move || store.forget(&ranges)).await;
        forgotten.map_err(|error| Error::GivenUp(error.to_string()))??;
        let mut transaction = state::begin_write(&app.state).await?;
        state::removals::forgotten(&mut transaction, id, &steps).await?;
        transaction.commit().await?;
    }
}

/// Takes out what a hold that was placed since the counting keeps.
async fn without_held(app: &App, id: &str, steps: Vec<Step>) -> Result<Vec<Step>, Error> {
    let holds = state::holds::standing(&app.state).await?;
    if holds.is_empty() {
        return Ok(steps);
    }
    let holds = Standing::of(&holds)?;
    let trail = app.trail().clone();
    let id_of = id.to_owned();
    let sifted = tokio::task::spawn_blocking(move || {
        let mut out = Out::default();
        let mut sifted = Vec::with_capacity(steps.len());
        for step in steps {
            let mut picks = Picks::of(&step)?;
            sift(&trail, &holds, &mut picks, &mut out)?;
            sifted.push(picks.step(&id_of)?);
        }
        Ok::<_, Error>((sifted, out))
    });
    let (steps, out) = sifted.await.map_err(|error| Error::GivenUp(error.to_string()))??;
    if out.entries > 0 {
        let mut transaction = state::begin_write(&app.state).await?;
        let mut removal = state::removals::find(&mut transaction, id)
            .await?
            .ok_or_else(|| Error::NotFound { what: "removal", id: id.to_owned() })?;
        for step in &steps {
            state::removals::repick(&mut transaction, step).await?;
        }
        let tally = &mut removal.tally;
        tally.entries = tally.entries.saturating_sub(out.entries);
        tally.bytes = tally.bytes.saturating_sub(out.bytes);
        for (category, events) in out.categories {
            let count = tally.categories.entry(category).or_default();
            *count = count.saturating_sub(events);
        }
        tally.categories.retain(|_, events| *events > 0);
        for (hold, events) in out.held {
            *tally.held.entry(hold).or_default() += events;
        }
        state::removals::retally(&mut transaction, id, tally).await?;
        transaction.commit().await?;
    }
    Ok(steps)
}

/// What holds took out of a plan.
#[derive(Default)]
struct Out {
    entries: u64,
    bytes: u64,
    categories: BTreeMap<String, u64>,
    held: BTreeMap<String, u64>,
}

fn sift(trail: &Trail, holds: &Standing, picks: &mut Picks, out: &mut Out) -> Result<(), Error> {
    let (mut next, end) = (picks.base(), picks.base() + STRETCH);
    while next < end {
        let entries = usize::try_from(end - next).unwrap_or(READ_ENTRIES_MAX).min(READ_ENTRIES_MAX);
        let read = trail.read(next, entries, READ_BYTES_MAX)?;
        let Some((last, _)) = read.last() else { break };
        next = last + 1;
        for (position, entry) in read {
            if !picks.contains(position) {
                continue;
            }
            // What is gone already stays picked: the index may not have forgotten it yet.
            let Ok(event) = Event::read(&entry) else { continue };
            if let Some(hold) = holds.keeps(&event) {
                picks.remove(position);
                out.entries += 1;
                out.bytes += entry.len() as u64;
                *out.categories.entry(category(&event)).or_default() += 1;
                *out.held.entry(hold.to_owned()).or_default() += 1;
            }
        }
    }
    Ok(())
}

/// Removes the entries from the trail. Answers the bytes that became free; none when the server goes down meanwhile,
/// and it has to be done again.
async fn remove(app: &App, picks: &[Picks]) -> Result<Option<u64>, Error> {
    let positions: trail::Removal = picks.iter().flat_map(Picks::ranges).collect();
    if positions.is_empty() {
        return Ok(Some(0));
    }
    let (trail, stop) = (app.trail().clone(), app.stop.clone());
    let removed = tokio::task::spawn_blocking(move || {
        let mut progress = |_| if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let removed = trail.remove(&positions, &mut progress);
        if stop.is_cancelled() { Ok(None) } else { removed.map(|removed| Some(removed.bytes_freed)) }
    });
    Ok(removed.await.map_err(|error| Error::GivenUp(error.to_string()))??)
}

/// Empties what the state quotes of removed events: messages, attempts, lines of the inbox, files that were mailed.
async fn forget_quotes(app: &App, transaction: &mut SqliteConnection, picks: &[Picks]) -> Result<(), Error> {
    let now = app.clock.now().as_millisecond();
    let folder = app.data.reports();
    for picks in picks {
        let (from, to) = (picks.base(), picks.base() + STRETCH);
        let mut positions = Vec::new();
        for (position, files) in state::deliveries::quoted(transaction, from, to).await? {
            if picks.contains(position) {
                positions.push(position);
                remove_files(&folder, files)?;
            }
        }
        let lines = state::inbox::quoted(transaction, from, to).await?;
        positions.extend(lines.into_iter().filter(|position| picks.contains(*position)));
        if !positions.is_empty() {
            state::deliveries::forget(transaction, &positions, now).await?;
            state::inbox::forget(transaction, &positions).await?;
        }
    }
    Ok(())
}

fn remove_files(folder: &std::path::Path, files: Vec<PathBuf>) -> Result<(), Error> {
    for file in files.into_iter().filter(|file| file.starts_with(folder)) {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Ends a removal that can't go on; it can be resumed.
pub async fn fail(app: &App, id: &str, what: &str) -> Result<(), Error> {
    let mut connection = app.state.acquire().await?;
    let Some(removal) = state::removals::find(&mut connection, id).await? else { return Ok(()) };
    drop(connection);
    if removal.state == RemovalState::Running {
        return finish(app, id, RemovalState::Failed, None, Some(what)).await;
    }
    // Nothing is removed before all is counted.
    let mut transaction = state::begin_write(&app.state).await?;
    let end = End { at: app.clock.now().as_millisecond(), error: Some(what), ..End::default() };
    state::removals::end(&mut transaction, id, RemovalState::Cancelled, &end).await?;
    state::erasures::forget_filter(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(())
}

/// Says in the trail what was removed, and ends the removal.
async fn finish(app: &App, id: &str, state: RemovalState, by: Option<&str>, error: Option<&str>) -> Result<(), Error> {
    // A message that was on its way while its event went has written down what it sent.
    let mut after = -1;
    loop {
        let steps = state::removals::steps_done(&app.state, id, after, 64).await?;
        let Some(last) = steps.last() else { break };
        after = last.base;
        let picks = steps.iter().map(Picks::of).collect::<Result<Vec<_>, _>>()?;
        let mut transaction = state::begin_write(&app.state).await?;
        forget_quotes(app, &mut transaction, &picks).await?;
        transaction.commit().await?;
    }
    let mut transaction = state::begin_write(&app.state).await?;
    let removal = state::removals::find(&mut transaction, id)
        .await?
        .ok_or_else(|| Error::NotFound { what: "removal", id: id.to_owned() })?;
    let erasure = state::erasures::find(&mut transaction, id).await?;
    let told = told(app, &removal, erasure.as_ref(), state, by, error);
    // Under the name of the removal: a crash before the commit leads here again, and tells it once.
    let told = app.door.record_once(told, &format!("removal {id} {} {}", state.name(), removal.tries)).await?;
    let end = End { position: Some(told.first), at: app.clock.now().as_millisecond(), by, error };
    state::removals::end(&mut transaction, id, state, &end).await?;
    if state == RemovalState::Done && removal.kind == RemovalKind::Retention {
        super::retention::reached(&mut transaction, &removal.lanes).await?;
    }
    if state != RemovalState::Failed {
        state::erasures::forget_filter(&mut transaction, id).await?;
    }
    transaction.commit().await?;
    tracing::info!(
        removal.id = id,
        removal.removed,
        "removal {id} is {}: {} events removed",
        state.name(),
        removal.removed
    );
    // What was overwritten in the database still stands in its log, until that begins anew.
    state::begin_log_anew(&app.state).await;
    Ok(())
}

/// The event of it: counts, positions, policies, the tree it was done in; nothing of what was removed.
fn told(
    app: &App,
    removal: &Removal,
    erasure: Option<&state::erasures::Erasure>,
    state: RemovalState,
    by: Option<&str>,
    error: Option<&str>,
) -> Value {
    let action = match removal.kind {
        RemovalKind::Retention => "retention.applied",
        RemovalKind::Erasure => "erasure.completed",
    };
    let tally = &removal.tally;
    let events = |count: u64| if count == 1 { "1 event".to_owned() } else { format!("{count} events") };
    let what = match (state, by, error) {
        (RemovalState::Done, ..) => format!("{} by {}", events(removal.removed), why(removal)),
        (_, Some(by), _) => format!("{} of {}, then called off by {by}", events(removal.removed), tally.entries),
        (_, None, error) => {
            format!("{} of {}, then it failed: {}", events(removal.removed), tally.entries, error.unwrap_or_default())
        }
    };
    let checkpoint = app.trail().checkpoint();
    let categories: Vec<Value> =
        tally.categories.iter().map(|(category, events)| json!({"category": category, "events": events})).collect();
    let policies: Vec<Value> = removal
        .lanes
        .lanes
        .iter()
        .map(|lane| json!({"category": lane.category, "keep": lane.keep, "before": state::time_text(lane.before)}))
        .collect();
    let held: Vec<Value> = tally.held.iter().map(|(hold, events)| json!({"hold": hold, "events": events})).collect();
    let mut event = json!({
        "event": {"action": action, "outcome": if state == RemovalState::Done { "success" } else { "failure" }, "reason": what},
        "entity": {"type": removal.kind.name(), "id": removal.id, "name": format!("{} {}", removal.kind.name(), removal.id)},
        "removal": {
            "events": removal.removed, "planned": tally.entries, "bytes": tally.bytes,
            "first_position": tally.first, "last_position": tally.last,
            "categories": categories, "policies": policies, "held": held,
        },
        "trail": {"size": checkpoint.size, "root": checkpoint.root.to_string(), "asked_at_size": removal.size},
        "justification": {"type": removal.kind.name(), "text": removal.reason},
        "user": {"name": crate::append::OWN_SOURCE},
    });
    if let (Some(name), Some(id)) = (&removal.asked_by, &removal.asked_by_id) {
        event["user"] = json!({"name": name, "id": id});
    }
    if let Some(erasure) = erasure {
        event["removal"]["filter_hash"] = json!(erasure.picked.filter_hash);
        event["removal"]["approved_by"] = json!(erasure.decided_by);
    }
    event
}
