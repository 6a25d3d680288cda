//! The server reads its own trail from the first to the last byte: daily, and when asked.
//!
//! The checkpoint of the last good check is kept in the state, beside the trail and not in it. A trail that was cut
//! off together with its checkpoint, or exchanged for an older copy, is found against it. That alone is looked at
//! at every start, which takes a moment; the whole check waits until it is due, unless it takes only seconds.

mod pace;

use api::trail::{SelfCheck, SelfCheckState};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use trail::Checkpoint;
use trail::verify::{self, Fault, FaultKind, Verified};

use self::pace::{Reason, pause};
use crate::access::Subject;
use crate::app::App;
use crate::{append, state};

const KEPT: &str = "trail.checkpoint";
const LAST: &str = "trail.self_check";
/// A trail that was read in less than this is read again at every start.
const QUICK: Duration = Duration::from_secs(10);
/// How often it is looked whether a check is due; the clock may be set meanwhile.
const LOOK: Duration = Duration::from_secs(600);

/// How the last check went, and how the running one goes.
#[derive(Debug, Clone, Default)]
pub struct SelfChecks(Arc<Mutex<Checks>>);

#[derive(Debug, Default)]
struct Checks {
    running: Option<Running>,
    last: Option<Last>,
    /// When the next one begins by itself, in milliseconds of Unix time.
    due_ms: Option<i64>,
}

#[derive(Debug)]
struct Running {
    at: String,
    began: Instant,
    done: u64,
    total: u64,
}

/// What is remembered of the last check, over restarts.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Last {
    check: SelfCheck,
    ended_ms: i64,
    took_ms: u64,
}

/// What is kept between two runs of the server.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    note: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a check is running already")]
    Running,
    #[error("the state can't be read or written")]
    State(#[from] sqlx::Error),
    #[error("the outcome can't be recorded")]
    Record(#[from] append::Error),
}

impl SelfChecks {
    /// How the running check goes; else how the last one went.
    pub fn now(&self) -> SelfCheck {
        let checks = self.0.lock();
        let Some(running) = &checks.running else { return checks.last() };
        let share = running.done as f64 / running.total.max(1) as f64;
        let left = (share > 0.0).then(|| running.began.elapsed().mul_f64((1.0 - share).max(0.0) / share).as_secs());
        SelfCheck {
            state: SelfCheckState::Running,
            at: Some(running.at.clone()),
            size: running.done,
            total: Some(running.total),
            left_seconds: left,
            ..never()
        }
    }

    /// How the last check that came to an end went.
    pub fn last(&self) -> SelfCheck {
        self.0.lock().last()
    }

    /// When the last check ended, in seconds of Unix time; 0 when there was none.
    pub fn ended_at_seconds(&self) -> i64 {
        self.0.lock().last.as_ref().map_or(0, |last| last.ended_ms / 1_000)
    }

    fn end(&self, last: Last) {
        let mut checks = self.0.lock();
        checks.running = None;
        checks.last = Some(last);
    }
}

impl Checks {
    fn last(&self) -> SelfCheck {
        let due_at = self.due_ms.map(state::time_text);
        SelfCheck { due_at, ..self.last.as_ref().map_or_else(never, |last| last.check.clone()) }
    }
}

fn never() -> SelfCheck {
    SelfCheck {
        state: SelfCheckState::Never,
        at: None,
        size: 0,
        total: None,
        left_seconds: None,
        took_seconds: None,
        due_at: None,
        position: None,
        what: None,
    }
}

/// Starts a check in the background; its outcome is an event, and is seen in [`SelfChecks::now`].
pub fn start(app: &App, subject: Option<&Subject>) -> Result<(), Error> {
    begin(app)?;
    let (inner, subject) = (app.clone(), subject.cloned());
    app.spawn("trail.verify", async move {
        if let Err(error) = run(&inner, subject.as_ref()).await {
            tracing::error!(error = %error, "the outcome of the self-check of the trail is lost");
        }
    });
    Ok(())
}

/// Keeps the newest checkpoint in the state, so that a trail that is cut off while the server is down is found. Never
/// over one of a longer trail: that one is the evidence.
pub async fn keep(app: &App) -> Result<(), sqlx::Error> {
    if app.self_checks.last().state == SelfCheckState::Failed {
        return Ok(());
    }
    let newest = app.trail().checkpoint();
    let mut connection = app.state.acquire().await?;
    let kept: Option<Kept> = state::settings::get(&mut connection, KEPT).await?;
    let kept =
        kept.and_then(|kept| Checkpoint::open(&kept.note, app.trail().public_key(), SystemTime::UNIX_EPOCH).ok());
    if kept.is_some_and(|kept| kept.size > newest.size) {
        return Ok(());
    }
    state::settings::set(&mut connection, KEPT, &Kept { note: newest.note.clone() }).await
}

/// Checks every `self_check_hours`, counted from the last check and not from the start of the server.
pub async fn keep_checking(app: App) {
    let mut due = match remember(&app).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "when the trail was checked last is not known: it is checked now");
            app.clock.now()
        }
    };
    let hours = app.config.self_check_hours;
    if hours == 0 {
        return;
    }
    let every = jiff::SignedDuration::from_secs(i64::try_from(hours.saturating_mul(3_600)).unwrap_or(i64::MAX));
    loop {
        app.self_checks.0.lock().due_ms = Some(due.as_millisecond());
        let wait = Duration::try_from(due.duration_since(app.clock.now())).unwrap_or(Duration::ZERO);
        if wait.is_zero() {
            if let Err(error) = start_and_wait(&app).await {
                tracing::error!(%error, "the self-check of the trail came to no end");
            }
            due = app.clock.now().checked_add(every).unwrap_or(Timestamp::MAX);
            continue;
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(wait.min(LOOK)) => {}
        }
        // Somebody may have asked for one meanwhile.
        if let Some(last) = &app.self_checks.0.lock().last
            && let Ok(ended) = Timestamp::from_millisecond(last.ended_ms)
        {
            due = due.max(ended.checked_add(every).unwrap_or(Timestamp::MAX));
        }
    }
}

/// Takes up what the last run of the server knew, and says when the next check is due.
async fn remember(app: &App) -> Result<Timestamp, Error> {
    let mut connection = app.state.acquire().await?;
    let last: Option<Last> = state::settings::get(&mut connection, LAST).await?;
    drop(connection);
    let now = app.clock.now();
    let Some(last) = last else { return Ok(now) };
    let every = i64::try_from(app.config.self_check_hours.saturating_mul(3_600_000)).unwrap_or(i64::MAX);
    let due = Timestamp::from_millisecond(last.ended_ms.saturating_add(every)).unwrap_or(now);
    // The trail may have been changed while nobody was here.
    let at_once =
        last.check.state != SelfCheckState::Ok || last.took_ms < QUICK.as_millis() as u64 || !goes_on(app).await?;
    app.self_checks.0.lock().last = Some(last);
    Ok(if at_once { now } else { due })
}

/// Whether the trail still begins with what the kept checkpoint covers, as far as its tiles say.
async fn goes_on(app: &App) -> Result<bool, Error> {
    let Some(known) = known(app).await? else { return Ok(true) };
    let trail = app.trail().clone();
    let there = tokio::task::spawn_blocking(move || trail.root(known.size).map(|root| root == known.root)).await;
    Ok(matches!(there, Ok(Ok(true))))
}

/// The checkpoint that was kept, when it is one of this trail. One that is not signed by this trail's key says nothing
/// about it; without one the check still is one of everything that is there.
async fn known(app: &App) -> Result<Option<Checkpoint>, Error> {
    let mut connection = app.state.acquire().await?;
    let kept: Option<Kept> = state::settings::get(&mut connection, KEPT).await?;
    Ok(kept.and_then(|kept| Checkpoint::open(&kept.note, app.trail().public_key(), SystemTime::UNIX_EPOCH).ok()))
}

async fn start_and_wait(app: &App) -> Result<(), Error> {
    match begin(app) {
        Ok(()) => run(app, None).await,
        Err(Error::Running) => Ok(()),
        Err(error) => Err(error),
    }
}

fn begin(app: &App) -> Result<(), Error> {
    let mut checks = app.self_checks.0.lock();
    if checks.running.is_some() {
        return Err(Error::Running);
    }
    let (at, total) = (app.clock.now().to_string(), app.trail().size());
    checks.running = Some(Running { at, began: Instant::now(), done: 0, total });
    Ok(())
}

async fn run(app: &App, subject: Option<&Subject>) -> Result<(), Error> {
    let began = Instant::now();
    let reason = if subject.is_some() { Reason::Asked } else { Reason::Schedule };
    let outcome = check(app, reason).await;
    let took = began.elapsed();
    let now = app.clock.now();
    let ended = SelfCheck { at: Some(now.to_string()), took_seconds: Some(took.as_secs()), ..never() };
    let check = match &outcome {
        Ok(Ok((verified, _))) => SelfCheck { state: SelfCheckState::Ok, size: verified.size, ..ended },
        Ok(Err(fault)) if fault.kind == FaultKind::Wrong => SelfCheck {
            state: SelfCheckState::Failed,
            size: fault.position,
            position: Some(fault.position),
            what: Some(fault.what.clone()),
            ..ended
        },
        // Nothing is known about the trail then, and nothing must stay "running".
        Ok(Err(fault)) => SelfCheck { state: SelfCheckState::Failed, what: Some(fault.to_string()), ..ended },
        Err(error) => SelfCheck { state: SelfCheckState::Failed, what: Some(error.to_string()), ..ended },
    };
    let last =
        Last { check, ended_ms: now.as_millisecond(), took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) };
    app.self_checks.end(last.clone());
    match &outcome {
        Ok(Ok((verified, _))) => {
            let event = json!({
                "event": {"action": "trail.verified", "outcome": "success"},
                "entity": {"type": "trail", "id": verified.origin, "name": app.organization},
                "trail": {"size": verified.size, "root": verified.root.to_string(), "removed": verified.removed},
            });
            app.record(subject, event).await?;
        }
        Ok(Err(fault)) if fault.kind == FaultKind::Wrong => {
            tracing::error!(
                position = fault.position,
                "the trail is not what it was, first at position {}: {}",
                fault.position,
                fault.what
            );
            let event = json!({
                "event": {"action": "trail.tampered", "outcome": "failure", "reason": fault.what},
                "entity": {"type": "trail", "id": app.trail().origin(), "name": app.organization},
                "trail": {"position": fault.position},
            });
            app.record(subject, event).await?;
        }
        Ok(Err(_)) | Err(_) => app.exception_task("trail.verify", last.check.what.as_deref().unwrap_or("")).await,
    }
    let mut connection = app.state.acquire().await?;
    state::settings::set(&mut connection, LAST, &last).await?;
    if let Ok(Ok((_, note))) = outcome {
        state::settings::set(&mut connection, KEPT, &Kept { note }).await?;
    }
    Ok(())
}

async fn check(app: &App, reason: Reason) -> Result<Result<(Verified, String), Fault>, Error> {
    let known = known(app).await?;
    let inner = app.clone();
    let work = move || {
        let trail = inner.trail();
        let note = trail.checkpoint().note.clone();
        let (mut worked, mut size) = (Instant::now(), trail.size());
        let mut progress = |progress: verify::Progress| {
            if let Some(running) = &mut inner.self_checks.0.lock().running {
                (running.done, running.total) = (progress.done, progress.total);
            }
            let arrived = trail.size() - size;
            if !inner.stop.is_cancelled() {
                std::thread::sleep(pause(reason, worked.elapsed(), arrived));
            }
            (worked, size) = (Instant::now(), trail.size());
        };
        verify::folder(trail.folder(), trail.public_key(), &mut progress, known.as_ref())
            .map(|verified| (verified, note))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Ok(outcome),
        Err(_) => {
            Ok(Err(Fault { position: 0, kind: FaultKind::Unreadable, what: "the check itself failed".to_owned() }))
        }
    }
}

/// Whether the last check found that the trail is not what it was.
pub fn has_failed(app: &App) -> bool {
    app.self_checks.now().state == SelfCheckState::Failed
}
