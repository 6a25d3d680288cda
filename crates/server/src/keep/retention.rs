//! How long events are kept: policies by category, and the run that applies them, daily and when asked.

use std::time::Duration;

use api::retention::{
    Policy as Shown, PolicyDraft, Removal as ShownRemoval, RemovalKind, RemovalState, Retention, Schedule,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::SqliteConnection;

use super::removal::{self, Error, text};
use super::removal_choice::{PROTECTED, REST};
use super::retention_period::{minutes_of_day, seconds};
use crate::access::Subject;
use crate::app::App;
use crate::changes::{Entity, diff};
use crate::state;
use crate::state::removals::{End, Lane, Lanes, Reached, Removal};
use crate::state::retention::Policy;
use crate::state::time_text;

const SETTINGS: &str = "retention";
const REACHED: &str = "retention.reached";
const POLICIES_MAX: usize = 500;
const CATEGORY_CHARS_MAX: usize = 100;
/// What was counted and never confirmed is thrown away after so long.
const READY_MAX: SignedDuration = SignedDuration::from_hours(24);
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// When policies are applied by themselves.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Settings {
    daily_at: Option<String>,
    /// When the last daily run began, in milliseconds since 1970.
    last: Option<i64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { daily_at: Some("03:30".to_owned()), last: None }
    }
}

/// Policies, and when they are applied.
pub async fn get(app: &App) -> Result<Retention, Error> {
    let mut connection = app.state.acquire().await?;
    let settings = settings(&mut connection).await?;
    drop(connection);
    let policies: Vec<Shown> = state::retention::all(&app.state).await?.into_iter().map(shown).collect();
    let next = (!policies.is_empty()).then(|| due(&settings, app.clock.now())).flatten();
    Ok(Retention {
        next_at: next.map(|at| at.to_string()),
        policies,
        floor: app.config.retention.floor.clone(),
        daily_at: settings.daily_at,
        protected: PROTECTED.iter().map(|start| format!("{start}*")).collect(),
    })
}

/// Sets when policies are applied by themselves.
pub async fn set_schedule(app: &App, subject: &Subject, schedule: Schedule) -> Result<Retention, Error> {
    if let Some(at) = &schedule.daily_at
        && minutes_of_day(at).is_none()
    {
        let reason = format!("{at:?} is no time of day; write HH:MM, in UTC");
        return Err(Error::Invalid { pointer: "/daily_at", reason });
    }
    let mut transaction = state::begin_write(&app.state).await?;
    let old = settings(&mut transaction).await?;
    if old.daily_at != schedule.daily_at {
        // A time of day that is over today is meant for tomorrow.
        let last = Some(app.clock.now().as_millisecond());
        let new = Settings { daily_at: schedule.daily_at.clone(), last };
        state::settings::set(&mut transaction, SETTINGS, &new).await?;
        let changes = diff(&json!({"daily_at": old.daily_at}), &json!({"daily_at": new.daily_at}), &[]);
        let entity = Entity { kind: "retention_schedule", id: "daily", name: "every category" };
        app.record(Some(subject), entity.event("retention.policy.changed", changes)).await?;
    }
    transaction.commit().await?;
    app.removals.ring_schedule();
    get(app).await
}

/// Sets the policy of a category.
pub async fn set_policy(app: &App, subject: &Subject, category: &str, draft: &PolicyDraft) -> Result<Shown, Error> {
    let category = category_name(category)?;
    let invalid = |reason| Error::Invalid { pointer: "/keep", reason };
    let keep_seconds = seconds(&draft.keep).map_err(invalid)?;
    let floor = seconds(&app.config.retention.floor).unwrap_or(i64::MAX);
    if keep_seconds < floor.max(1) {
        return Err(invalid(format!(
            "nothing younger than {} is removed ([retention] floor)",
            app.config.retention.floor
        )));
    }
    let note = if draft.note.trim().is_empty() { String::new() } else { text("/note", &draft.note, "a note")? };
    let policy = Policy {
        category: category.clone(),
        keep: draft.keep.trim().to_owned(),
        keep_seconds,
        note,
        updated_at: app.clock.now().as_millisecond(),
        updated_by: subject.user_name().to_owned(),
    };
    let mut transaction = state::begin_write(&app.state).await?;
    let old = state::retention::find(&mut transaction, &category).await?;
    if old.is_none() && state::retention::all(&app.state).await?.len() >= POLICIES_MAX {
        return Err(Error::conflict(format!("there are {POLICIES_MAX} policies already")));
    }
    let changes = diff(&facts(old.as_ref()), &facts(Some(&policy)), &[]);
    if changes.is_empty() {
        return Ok(shown(policy));
    }
    call_off_counted(app, &mut transaction, subject.user_name()).await?;
    state::retention::put(&mut transaction, &policy).await?;
    look_at_all_anew(&mut transaction).await?;
    let entity = entity(&category);
    app.record(Some(subject), entity.event("retention.policy.changed", changes)).await?;
    transaction.commit().await?;
    Ok(shown(policy))
}

/// Takes the policy of a category away: it is kept as the rest is, or for ever.
pub async fn remove_policy(app: &App, subject: &Subject, category: &str) -> Result<(), Error> {
    let category = category_name(category)?;
    let mut transaction = state::begin_write(&app.state).await?;
    let old = state::retention::find(&mut transaction, &category).await?;
    let old = old.ok_or_else(|| Error::NotFound { what: "policy of category", id: category.clone() })?;
    call_off_counted(app, &mut transaction, subject.user_name()).await?;
    state::retention::remove(&mut transaction, &category).await?;
    look_at_all_anew(&mut transaction).await?;
    let changes = diff(&facts(Some(&old)), &facts(None), &[]);
    app.record(Some(subject), entity(&category).event("retention.policy.changed", changes)).await?;
    transaction.commit().await?;
    Ok(())
}

/// Begins to count what the policies would remove now. `subject` is who asks; none is the daily run.
pub async fn begin(app: &App, subject: Option<&Subject>) -> Result<ShownRemoval, Error> {
    let policies = state::retention::all(&app.state).await?;
    if policies.is_empty() {
        return Err(Error::conflict("there is no policy, so everything is kept for ever"));
    }
    let now = app.clock.now();
    let mut transaction = state::begin_write(&app.state).await?;
    call_off_counted(app, &mut transaction, subject.map_or("the daily run", Subject::user_name)).await?;
    let reached: Reached = state::settings::get(&mut transaction, REACHED).await?.unwrap_or_default();
    let lane = |policy: Policy| Lane {
        before: now.as_millisecond().saturating_sub(policy.keep_seconds.saturating_mul(1_000)),
        // A person wants to see all there is, with what holds keep; the daily run goes on where it was.
        from: reached.positions.get(&policy.category).copied().filter(|_| subject.is_none()).unwrap_or(0),
        category: policy.category,
        keep: policy.keep,
        keep_seconds: policy.keep_seconds,
        young: None,
        done: false,
    };
    let reason = if subject.is_some() { "" } else { "the daily run of the policies" };
    let lanes = Lanes { epoch: reached.epoch, lanes: policies.into_iter().map(lane).collect() };
    let removal = Removal { lanes, ..new_removal(app, RemovalKind::Retention, subject, reason) };
    state::removals::add(&mut transaction, &removal).await?;
    transaction.commit().await?;
    app.removals.wake();
    removal::get(app, &removal.id).await
}

/// A removal that is to be counted.
pub(super) fn new_removal(app: &App, kind: RemovalKind, subject: Option<&Subject>, reason: &str) -> Removal {
    let now = app.clock.now();
    Removal {
        asked_by: subject.map(|subject| subject.user_name().to_owned()),
        asked_by_id: subject.map(|subject| subject.user_id().to_owned()),
        reason: reason.to_owned(),
        ..Removal::to_count(state::new_id(now), kind, now.as_millisecond(), app.trail().size())
    }
}

/// Calls off what was counted and not confirmed: it speaks of policies that are no more. What runs must end first.
async fn call_off_counted(app: &App, transaction: &mut SqliteConnection, by: &str) -> Result<(), Error> {
    for open in state::removals::open(transaction, RemovalKind::Retention).await? {
        match open.state {
            RemovalState::Counting | RemovalState::Ready => {
                let end = End { at: app.clock.now().as_millisecond(), by: Some(by), ..End::default() };
                state::removals::end(transaction, &open.id, RemovalState::Cancelled, &end).await?;
            }
            RemovalState::Running | RemovalState::Failed => {
                return Err(Error::conflict(format!(
                    "removal {} is {}; wait for its end, or cancel it first",
                    open.id,
                    open.state.name()
                )));
            }
            RemovalState::Done | RemovalState::Cancelled => {}
        }
    }
    Ok(())
}

/// Has the next run look at the whole trail: what earlier ones left may be due now.
pub(super) async fn look_at_all_anew(transaction: &mut SqliteConnection) -> Result<(), Error> {
    let reached: Reached = state::settings::get(transaction, REACHED).await?.unwrap_or_default();
    let anew = Reached { epoch: reached.epoch + 1, positions: std::collections::BTreeMap::new() };
    Ok(state::settings::set(transaction, REACHED, &anew).await?)
}

/// Writes down how far a run that is over has come, unless policies or holds changed meanwhile.
pub(super) async fn reached(transaction: &mut SqliteConnection, lanes: &Lanes) -> Result<(), Error> {
    let mut reached: Reached = state::settings::get(transaction, REACHED).await?.unwrap_or_default();
    if reached.epoch != lanes.epoch {
        return Ok(());
    }
    for lane in &lanes.lanes {
        if let Some(young) = lane.young {
            reached.positions.insert(lane.category.clone(), young);
        }
    }
    Ok(state::settings::set(transaction, REACHED, &reached).await?)
}

/// Applies the policies every day, until the server goes down.
pub async fn daily(app: App) {
    loop {
        if let Err(error) = look(&app).await {
            app.exception_task("retention", &error.to_string()).await;
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = app.removals.schedule_rung() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Begins the daily run when it is due, and throws away what nobody confirmed.
async fn look(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut transaction = state::begin_write(&app.state).await?;
    for open in state::removals::open(&mut transaction, RemovalKind::Retention).await? {
        let age = now.as_millisecond() - open.asked_at;
        if open.state == RemovalState::Ready && open.asked_by.is_some() && i128::from(age) > READY_MAX.as_millis() {
            let end = End { at: now.as_millisecond(), error: Some("nobody confirmed it"), ..End::default() };
            state::removals::end(&mut transaction, &open.id, RemovalState::Cancelled, &end).await?;
        }
    }
    let mut settings = settings(&mut transaction).await?;
    if settings.last.is_none() {
        // The first run is the next time of day, not the moment the server is started for the first time.
        settings.last = Some(now.as_millisecond());
        state::settings::set(&mut transaction, SETTINGS, &settings).await?;
    }
    let is_due = due(&settings, now).is_some_and(|at| at <= now);
    if is_due {
        settings.last = Some(now.as_millisecond());
        state::settings::set(&mut transaction, SETTINGS, &settings).await?;
    }
    transaction.commit().await?;
    if is_due && !state::retention::all(&app.state).await?.is_empty() {
        match begin(app, None).await {
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The first time of day after the last run; none when there is no daily run.
fn due(settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    let minutes = minutes_of_day(settings.daily_at.as_deref()?)?;
    let last = settings.last.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(now);
    let day = 86_400;
    let midnight = last.as_second() - last.as_second().rem_euclid(day);
    let today = midnight + minutes * 60;
    Timestamp::from_second(if today > last.as_second() { today } else { today + day }).ok()
}

async fn settings(connection: &mut SqliteConnection) -> sqlx::Result<Settings> {
    Ok(state::settings::get(connection, SETTINGS).await?.unwrap_or_default())
}

fn category_name(text: &str) -> Result<String, Error> {
    let name = text.trim().to_lowercase();
    let fits = !name.is_empty() && name.chars().count() <= CATEGORY_CHARS_MAX && !name.chars().any(char::is_control);
    if fits && (name == REST || !name.contains('*')) {
        return Ok(name);
    }
    let reason = format!("{text:?} is no category: at most {CATEGORY_CHARS_MAX} characters, or * for all the rest");
    Err(Error::Invalid { pointer: "/category", reason })
}

fn entity(category: &str) -> Entity<'_> {
    let name = if category == REST { "every other category" } else { category };
    Entity { kind: "retention_policy", id: category, name }
}

fn facts(policy: Option<&Policy>) -> serde_json::Value {
    policy.map_or(serde_json::Value::Null, |policy| json!({"keep": policy.keep, "note": policy.note}))
}

fn shown(policy: Policy) -> Shown {
    Shown {
        category: policy.category,
        keep: policy.keep,
        keep_seconds: policy.keep_seconds.cast_unsigned(),
        note: policy.note,
        updated_at: time_text(policy.updated_at),
        updated_by: policy.updated_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daily_run_is_due_at_the_first_such_time_after_the_last_one() {
        let check = |daily_at: Option<&str>, last: &str, expected: Option<&str>| {
            let last: Timestamp = last.parse().unwrap();
            let settings = Settings { daily_at: daily_at.map(str::to_owned), last: Some(last.as_millisecond()) };
            assert_eq!(due(&settings, last), expected.map(|at| at.parse().unwrap()), "{daily_at:?} {last}");
        };
        check(Some("03:30"), "2026-11-22T01:00:00Z", Some("2026-11-22T03:30:00Z"));
        check(Some("03:30"), "2026-11-22T03:30:00Z", Some("2026-11-23T03:30:00Z"));
        check(Some("03:30"), "2026-11-22T03:30:29Z", Some("2026-11-23T03:30:00Z"));
        check(Some("00:00"), "2026-12-31T23:59:59Z", Some("2027-01-01T00:00:00Z"));
        check(None, "2026-11-22T01:00:00Z", None);
    }

    #[test]
    fn categories_are_names_or_the_rest() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(category_name(text).ok().as_deref(), expected);
        check(" Session ", Some("session"));
        check("*", Some("*"));
        check("user management", Some("user management"));
        for wrong in ["", "  ", "a*", "a\nb", &"x".repeat(101)] {
            check(wrong, None);
        }
    }
}
