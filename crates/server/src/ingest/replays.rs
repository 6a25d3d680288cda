//! Replays that run by themselves: started, looked at, stopped. One at a time; the last twenty are remembered.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::set_aside as answer;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::replay::{Became, Outcome, Replayer};
use crate::state::set_aside::Pick;
use crate::state::{self, set_aside_groups};

const REMEMBERED_MAX: usize = 20;
const REASONS_MAX: usize = 50;
const RECORDS_MAX: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum ReplaysError {
    #[error("another replay runs: wait for it, or stop it")]
    Running,
    #[error("there is no replay {id}; the server remembers the last {REMEMBERED_MAX} since it was started")]
    Unknown { id: String },
    #[error("nothing of it is open any more")]
    Nothing,
    #[error("the state database failed")]
    State(#[from] sqlx::Error),
}

/// All replays since the server was started.
#[derive(Default)]
pub struct Replays {
    jobs: Mutex<VecDeque<Arc<Job>>>,
}

/// One replay.
pub struct Job {
    pick: Pick,
    through: i64,
    by: String,
    stop: AtomicBool,
    state: Mutex<answer::ReplayJob>,
    /// How often each kind of reason was met, and one of them.
    reasons: Mutex<HashMap<String, (String, u64)>>,
}

impl Replays {
    /// Makes a job, if none runs. The caller runs it.
    pub async fn start(
        &self,
        replayer: &Replayer,
        pick: Pick,
        what: String,
        by: &str,
        now: Timestamp,
    ) -> Result<Arc<Job>, ReplaysError> {
        let (total, through) = state::set_aside::size(&replayer.pool, &pick).await?;
        if total == 0 {
            return Err(ReplaysError::Nothing);
        }
        let job = Arc::new(Job {
            pick,
            through,
            by: by.to_owned(),
            stop: AtomicBool::new(false),
            reasons: Mutex::default(),
            state: Mutex::new(answer::ReplayJob {
                id: state::new_id(now),
                state: answer::ReplayState::Running,
                what,
                by: by.to_owned(),
                started_at: now.to_string(),
                ended_at: None,
                total,
                done: 0,
                replayed: 0,
                left_out: 0,
                still_set_aside: 0,
                reasons: Vec::new(),
                records: Vec::new(),
                error: None,
            }),
        });
        let mut jobs = self.jobs.lock();
        if jobs.iter().any(|job| job.runs()) {
            return Err(ReplaysError::Running);
        }
        jobs.push_front(job.clone());
        jobs.truncate(REMEMBERED_MAX);
        Ok(job)
    }

    /// The newest first.
    pub fn list(&self) -> Vec<answer::ReplayJob> {
        let jobs: Vec<Arc<Job>> = self.jobs.lock().iter().cloned().collect();
        jobs.iter().map(|job| answer::ReplayJob { records: Vec::new(), ..job.shown() }).collect()
    }

    pub fn one(&self, id: &str) -> Result<Arc<Job>, ReplaysError> {
        let job = self.jobs.lock().iter().find(|job| job.state.lock().id == id).cloned();
        job.ok_or_else(|| ReplaysError::Unknown { id: id.to_owned() })
    }
}

impl Job {
    pub fn runs(&self) -> bool {
        self.state.lock().state == answer::ReplayState::Running
    }

    /// Stops it after the step that it is in.
    pub fn cancel(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// As the API shows it.
    pub fn shown(&self) -> answer::ReplayJob {
        let mut shown = self.state.lock().clone();
        let mut reasons: Vec<answer::ReplayReason> = self
            .reasons
            .lock()
            .iter()
            .map(|(kind, (reason, records))| answer::ReplayReason {
                kind: kind.clone(),
                reason: reason.clone(),
                records: *records,
            })
            .collect();
        reasons.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.kind.cmp(&b.kind)));
        shown.reasons = reasons;
        shown
    }

    /// Does it, to its end or until it is stopped. `clock` gives the moment of settling and of the end.
    pub async fn run(self: &Arc<Self>, replayer: &Replayer, clock: &crate::clock::Clock) -> answer::ReplayJob {
        let _end = End(self);
        let job = self.clone();
        let ran = replayer
            .run(&self.pick, self.through, &self.by, clock.now().as_millisecond(), &mut |outcomes| {
                job.count(outcomes);
                if job.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .await;
        {
            let mut state = self.state.lock();
            state.ended_at = Some(clock.now().to_string());
            state.state = match ran {
                Ok(true) => answer::ReplayState::Done,
                Ok(false) => answer::ReplayState::Cancelled,
                Err(error) => {
                    tracing::warn!(%error, "replay {} could not go on", state.id);
                    state.error = Some(error.to_string());
                    answer::ReplayState::Failed
                }
            };
        }
        self.shown()
    }

    /// Also when it breaks off: a job that seems to run for ever would let no other one begin.
    fn break_off(&self) {
        let mut state = self.state.lock();
        if state.state == answer::ReplayState::Running {
            state.state = answer::ReplayState::Failed;
            state.error = Some("the replay broke off".to_owned());
        }
    }

    fn count(&self, outcomes: Vec<Outcome>) {
        let mut state = self.state.lock();
        let mut reasons = self.reasons.lock();
        for Outcome { id, became } in outcomes {
            state.done += 1;
            let mut record = answer::ReplayRecord {
                id: id.to_string(),
                became: answer::Became::Events,
                position: None,
                reason: None,
            };
            match became {
                Became::Events { position } => {
                    state.replayed += 1;
                    record.position = Some(position);
                }
                Became::LeftOut => {
                    state.left_out += 1;
                    record.became = answer::Became::LeftOut;
                }
                Became::Refused((_, reason, _)) => {
                    state.still_set_aside += 1;
                    record.became = answer::Became::SetAside;
                    let mut kind = set_aside_groups::kind_of(&reason);
                    if reasons.len() >= REASONS_MAX && !reasons.contains_key(&kind) {
                        kind = set_aside_groups::OTHER.to_owned();
                    }
                    reasons.entry(kind).or_insert_with(|| (reason.clone(), 0)).1 += 1;
                    record.reason = Some(reason);
                }
            }
            if state.records.len() < RECORDS_MAX {
                state.records.push(record);
            }
        }
    }
}

struct End<'a>(&'a Job);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.break_off();
    }
}
