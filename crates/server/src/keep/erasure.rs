//! Erasing what events say of a person: one asks, it is counted, a second one says yes, then it is carried out.

use api::retention::{
    Erasure as Shown, ErasureApproval, ErasureDraft, ErasureState, RemovalKind, RemovalState, ReportFile,
};
use event::Filter;
use serde_json::json;

use super::hold::{Span, picked};
use super::removal::{self, Error, confirmed_as_counted, text};
use super::removal_choice::Wanted;
use super::retention::new_removal;
use crate::access::Subject;
use crate::app::App;
use crate::state;
use crate::state::erasures::Erasure;
use crate::state::removals::{End, Removal};
use crate::state::time_text;

const LISTED_MAX: u32 = 200;
const OPEN_MAX: usize = 100;
const RUNS_MAX: u32 = 1_000;

/// All requests, the newest first.
pub async fn list(app: &App) -> Result<Vec<Shown>, Error> {
    let mut all = Vec::new();
    for erasure in state::erasures::newest(&app.state, LISTED_MAX).await? {
        let removal = removal::find(app, &erasure.id).await?;
        all.push(shown(app, erasure, removal).await?);
    }
    Ok(all)
}

/// One request, with files of reports that may hold what it erases.
pub async fn get(app: &App, id: &str) -> Result<Shown, Error> {
    let (erasure, removal) = find(app, id).await?;
    let extent = removal.tally.first.zip(removal.tally.last);
    let mut one = shown(app, erasure, removal).await?;
    if let Some(extent) = extent {
        one.report_files = report_files(app, extent).await?;
    }
    Ok(one)
}

/// Some of the positions it is about.
pub async fn samples(app: &App, id: &str) -> Result<Vec<u64>, Error> {
    Ok(find(app, id).await?.1.tally.samples)
}

async fn find(app: &App, id: &str) -> Result<(Erasure, Removal), Error> {
    let mut connection = app.state.acquire().await?;
    let erasure = state::erasures::find(&mut connection, id).await?;
    let removal = state::removals::find(&mut connection, id).await?;
    erasure.zip(removal).ok_or_else(|| Error::NotFound { what: "erasure", id: id.to_owned() })
}

/// What is to be erased, for the counting.
pub(super) async fn wanted(app: &App, id: &str) -> Result<Wanted, Error> {
    let (erasure, _) = find(app, id).await?;
    let filter = erasure.picked.filter.ok_or_else(|| Error::conflict("its filter is forgotten"))?;
    Ok(Wanted::new(&event::filter::parse(&filter)?, erasure.picked.from_at, erasure.picked.to_at))
}

/// Asks for an erasure. It is counted in the background, and then waits for a second person.
pub async fn request(
    app: &App,
    subject: &Subject,
    draft: &ErasureDraft,
    filter: &Filter,
    span: Span,
) -> Result<Shown, Error> {
    let reason = text("/reason", &draft.reason, "a reason")?;
    if *filter == Filter::All {
        let reason = "an erasure needs a condition; for everything of an age there is retention".to_owned();
        return Err(Error::Invalid { pointer: "/filter", reason });
    }
    let removal = new_removal(app, RemovalKind::Erasure, Some(subject), &reason);
    let erasure = Erasure {
        id: removal.id.clone(),
        picked: picked(filter, span, app.clock.now()),
        decision: None,
        decided_by: None,
        decided_at: None,
        decision_reason: None,
    };
    let mut transaction = state::begin_write(&app.state).await?;
    if state::removals::open(&mut transaction, RemovalKind::Erasure).await?.len() >= OPEN_MAX {
        return Err(Error::conflict(format!("{OPEN_MAX} erasures are open already; decide on some first")));
    }
    state::removals::add(&mut transaction, &removal).await?;
    state::erasures::add(&mut transaction, &erasure).await?;
    app.record(Some(subject), told("erasure.requested", &erasure, &removal, &reason)).await?;
    transaction.commit().await?;
    app.removals.wake();
    shown(app, erasure, removal).await
}

/// The second person says yes.
pub async fn approve(app: &App, subject: &Subject, id: &str, approval: &ErasureApproval) -> Result<Shown, Error> {
    let reason =
        if approval.reason.trim().is_empty() { String::new() } else { text("/reason", &approval.reason, "a reason")? };
    let mut transaction = state::begin_write(&app.state).await?;
    let (erasure, removal) = find(app, id).await?;
    if let Some(by) = &erasure.decided_by {
        return Err(Error::conflict(format!("{by} decided on it already")));
    }
    // A token is its owner: the same person does not become a second one by it.
    if removal.asked_by_id.as_deref() == Some(subject.user_id()) {
        return Err(Error::SamePerson);
    }
    confirmed_as_counted(&removal, approval.events)?;
    let at = app.clock.now().as_millisecond();
    state::erasures::decide(&mut transaction, id, "approved", subject.user_name(), at, &reason).await?;
    state::removals::begin(&mut transaction, id, &removal.reason, 0).await?;
    app.record(Some(subject), told("erasure.approved", &erasure, &removal, &reason)).await?;
    transaction.commit().await?;
    app.removals.wake();
    get(app, id).await
}

/// The second person says no, or who asked takes it back. What was to be erased is forgotten.
pub async fn refuse(app: &App, subject: &Subject, id: &str, reason: &str) -> Result<Shown, Error> {
    let reason = text("/reason", reason, "a reason")?;
    let mut transaction = state::begin_write(&app.state).await?;
    let (erasure, removal) = find(app, id).await?;
    if let Some(by) = &erasure.decided_by {
        return Err(Error::conflict(format!("{by} decided on it already")));
    }
    let at = app.clock.now().as_millisecond();
    state::erasures::decide(&mut transaction, id, "refused", subject.user_name(), at, &reason).await?;
    state::erasures::forget_filter(&mut transaction, id).await?;
    let end = End { at, by: Some(subject.user_name()), ..End::default() };
    state::removals::end(&mut transaction, id, RemovalState::Cancelled, &end).await?;
    app.record(Some(subject), told("erasure.refused", &erasure, &removal, &reason)).await?;
    transaction.commit().await?;
    state::begin_log_anew(&app.state).await;
    get(app, id).await
}

/// The filter itself is not told: it names whom nobody is to find here any more.
fn told(action: &str, erasure: &Erasure, removal: &Removal, reason: &str) -> serde_json::Value {
    let tally = &removal.tally;
    let mut event = json!({
        "event": {"action": action, "outcome": "success"},
        "entity": {"type": "erasure", "id": erasure.id, "name": format!("erasure {}", erasure.id)},
        "removal": {
            "filter_hash": erasure.picked.filter_hash, "requested_by": removal.asked_by,
            "from": erasure.picked.from_at.map(time_text), "to": erasure.picked.to_at.map(time_text),
        },
    });
    if !reason.is_empty() {
        event["event"]["reason"] = json!(reason);
    }
    if removal.state != RemovalState::Counting {
        event["removal"]["events"] = json!(tally.entries);
        event["removal"]["first_position"] = json!(tally.first);
        event["removal"]["last_position"] = json!(tally.last);
    }
    event
}

/// Finished reports that may show events between these positions.
async fn report_files(app: &App, (first, last): (u64, u64)) -> Result<Vec<ReportFile>, Error> {
    let runs = state::runs::newest(&app.state, None, RUNS_MAX).await?;
    let meets = |kept: &state::runs::Kept| {
        kept.file.is_some()
            && kept.run.first_position.is_some_and(|from| from <= last)
            && kept.run.last_position.is_some_and(|to| to >= first)
    };
    Ok(runs
        .into_iter()
        .filter(meets)
        .map(|kept| ReportFile { run: kept.run.id, title: kept.run.title, by: kept.run.by, at: kept.run.at })
        .collect())
}

async fn shown(app: &App, erasure: Erasure, removal: Removal) -> Result<Shown, Error> {
    let state = match (removal.state, erasure.decision.as_deref()) {
        (_, Some("refused")) => ErasureState::Refused,
        (RemovalState::Counting, _) => ErasureState::Counting,
        (RemovalState::Ready, _) => ErasureState::Waiting,
        (RemovalState::Running, _) => ErasureState::Running,
        (RemovalState::Done, _) => ErasureState::Completed,
        (RemovalState::Cancelled, _) => ErasureState::Cancelled,
        (RemovalState::Failed, _) => ErasureState::Failed,
    };
    let holds = state::holds::all(&app.state, LISTED_MAX).await?;
    Ok(Shown {
        id: erasure.id,
        state,
        filter: erasure.picked.filter,
        filter_hash: erasure.picked.filter_hash,
        salt: erasure.picked.salt,
        from: erasure.picked.from_at.map(time_text),
        to: erasure.picked.to_at.map(time_text),
        reason: removal.reason.clone(),
        requested_by: removal.asked_by.clone().unwrap_or_default(),
        requested_at: time_text(removal.asked_at),
        decided_by: erasure.decided_by,
        decided_at: erasure.decided_at.map(time_text),
        decision_reason: erasure.decision_reason,
        removal: removal::shown(removal, &holds),
        samples: Vec::new(),
        report_files: Vec::new(),
    })
}
