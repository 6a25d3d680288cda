//! The server reads its own trail from the first to the last byte: at the start, daily, and when asked.
//!
//! The checkpoint of the last good check is kept in the state, beside the trail and not in it. A trail that was cut
//! off together with its checkpoint, or exchanged for an older copy, is found against it.

use api::trail::{SelfCheck, SelfCheckState};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trail::Checkpoint;
use trail::verify::{self, Fault, FaultKind, Verified};

use crate::access::Subject;
use crate::app::App;
use crate::{append, state};

const KEPT: &str = "trail.checkpoint";

/// How the last check went, or how the running one goes.
#[derive(Debug, Clone)]
pub struct SelfChecks(Arc<Mutex<SelfCheck>>);

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

impl Default for SelfChecks {
    fn default() -> Self {
        let never = SelfCheck { state: SelfCheckState::Never, at: None, size: 0, position: None, what: None };
        Self(Arc::new(Mutex::new(never)))
    }
}

impl SelfChecks {
    pub fn now(&self) -> SelfCheck {
        self.0.lock().clone()
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
    if app.self_checks.now().state == SelfCheckState::Failed {
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

/// Checks at the start and then every `self_check_hours`.
pub async fn keep_checking(app: App) {
    let hours = app.config.self_check_hours;
    if hours == 0 {
        return;
    }
    loop {
        if let Err(error) = start(&app, None) {
            tracing::debug!(%error, "no self-check now");
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(hours.saturating_mul(3_600))) => {}
        }
    }
}

fn begin(app: &App) -> Result<(), Error> {
    let mut check = app.self_checks.0.lock();
    if check.state == SelfCheckState::Running {
        return Err(Error::Running);
    }
    let at = Some(app.clock.now().to_string());
    *check = SelfCheck { state: SelfCheckState::Running, at, size: 0, position: None, what: None };
    Ok(())
}

async fn run(app: &App, subject: Option<&Subject>) -> Result<(), Error> {
    let outcome = check(app).await;
    let at = Some(app.clock.now().to_string());
    let (event, done) = match &outcome {
        Ok(Ok((verified, _))) => (
            json!({
                "event": {"action": "trail.verified", "outcome": "success"},
                "entity": {"type": "trail", "id": verified.origin, "name": app.organization},
                "trail": {"size": verified.size, "root": verified.root.to_string()},
            }),
            SelfCheck { state: SelfCheckState::Ok, at, size: verified.size, position: None, what: None },
        ),
        Ok(Err(fault)) if fault.kind == FaultKind::Unreadable => {
            // Nothing is known about the trail then, and nothing must stay "running".
            let what = Some(fault.to_string());
            let failed = SelfCheck { state: SelfCheckState::Failed, at, size: 0, position: None, what };
            *app.self_checks.0.lock() = failed;
            app.exception_task("trail.verify", &fault.to_string()).await;
            return Ok(());
        }
        Ok(Err(fault)) => {
            tracing::error!(
                position = fault.position,
                "the trail is not what it was, first at position {}: {}",
                fault.position,
                fault.what
            );
            (
                json!({
                    "event": {"action": "trail.tampered", "outcome": "failure", "reason": fault.what},
                    "entity": {"type": "trail", "id": app.trail().origin(), "name": app.organization},
                    "trail": {"position": fault.position},
                }),
                SelfCheck {
                    state: SelfCheckState::Failed,
                    at,
                    size: fault.position,
                    position: Some(fault.position),
                    what: Some(fault.what.clone()),
                },
            )
        }
        Err(error) => {
            let failed =
                SelfCheck { state: SelfCheckState::Failed, at, size: 0, position: None, what: Some(error.to_string()) };
            *app.self_checks.0.lock() = failed;
            app.exception_task("trail.verify", &error.to_string()).await;
            return Ok(());
        }
    };
    *app.self_checks.0.lock() = done;
    app.record(subject, event).await?;
    if let Ok(Ok((_, note))) = outcome {
        let mut connection = app.state.acquire().await?;
        state::settings::set(&mut connection, KEPT, &Kept { note }).await?;
    }
    Ok(())
}

async fn check(app: &App) -> Result<Result<(Verified, String), Fault>, Error> {
    let trail = app.trail().clone();
    let key = trail.public_key().clone();
    let mut connection = app.state.acquire().await?;
    let kept: Option<Kept> = state::settings::get(&mut connection, KEPT).await?;
    drop(connection);
    // A kept checkpoint that is not signed by this trail's key says nothing about it; without one the check still is
    // one of everything that is there.
    let known = kept.and_then(|kept| Checkpoint::open(&kept.note, &key, SystemTime::UNIX_EPOCH).ok());
    let checks = app.self_checks.clone();
    let work = move || {
        let note = trail.checkpoint().note.clone();
        let mut progress = |progress: verify::Progress| checks.0.lock().size = progress.done;
        verify::folder(trail.folder(), &key, &mut progress, known.as_ref()).map(|verified| (verified, note))
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
