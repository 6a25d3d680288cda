//! Runs: started, followed, called off, kept for a while, forgotten.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::report::{Certificate, Format, Run, RunState};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::gather::{GatherError, Progress};
use super::plan::{Extent, Plan, Seal};
use super::{Error, RUNS_MAX, Reports, blocking, bundle, file, gather, mail, pdf};
use crate::access::Subject;
use crate::causes::chain;
use crate::state::runs::{self, Kept};
use crate::state::{self, time_text};

/// Rows of CSV and JSON.
const ROWS_MAX: u64 = 2_000_000;
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(400 * 24);
const FILES_MAX: i64 = 500;
const BYTES_MAX: i64 = 10 << 30;
const TIDY_EVERY: Duration = Duration::from_secs(3_600);

/// How the file is to be made, and where it goes.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Begin CSV with a byte order mark.
    pub bom: bool,
    pub email: Option<mail::Envelope>,
}

impl Reports {
    /// Starts a run. It goes on in the background.
    pub async fn start(&self, plan: Plan, delivery: Delivery, subject: &Subject) -> Result<Run, Error> {
        let needs = &self.0.needs;
        if self.0.running.lock().len() >= RUNS_MAX {
            return Err(Error::TooManyRuns);
        }
        let trail = needs.door.trail().clone();
        // What was acknowledged before the run was asked for is in it, and the checkpoint vouches for it.
        let seal = blocking(move || {
            let checkpoint = trail.seal()?;
            Ok(Seal { checkpoint, vkey: trail.public_key().to_string() })
        })
        .await?;
        let now = needs.clock.now();
        let id = state::new_id(now);
        let run = Run {
            id: id.clone(),
            report_id: plan.definition.id.clone(),
            title: plan.definition.title.clone(),
            format: plan.format,
            state: RunState::Running,
            rows: 0,
            rows_total: None,
            by: plan.by.clone(),
            at: plan.at.to_string(),
            ended_at: None,
            filter: plan.filter.to_string(),
            from: plan.range.from.map(|at| at.to_string()),
            to: plan.range.to.map(|at| at.to_string()),
            first_position: None,
            last_position: None,
            checkpoint: Some(seal.shown()),
            size_bytes: None,
            sha256: None,
            download: None,
            certificate: None,
            expires_at: None,
            error: None,
            emailed_to: delivery.email.as_ref().map(|email| email.to.clone()).unwrap_or_default(),
            email_error: None,
        };
        let kept = Kept {
            run: run.clone(),
            user_id: subject.user_id().to_owned(),
            certificate: None,
            file: None,
            expires_at: None,
        };
        runs::put(&needs.state, &kept, now.as_millisecond()).await?;
        let progress = Progress::default();
        self.0.running.lock().insert(id, progress.clone());
        let (room, subject) = (self.clone(), subject.clone());
        tokio::spawn(async move { room.carry_out(kept, plan, seal, &delivery, &subject, &progress).await });
        Ok(run)
    }

    async fn carry_out(
        &self,
        mut kept: Kept,
        plan: Plan,
        seal: Seal,
        delivery: &Delivery,
        subject: &Subject,
        progress: &Progress,
    ) {
        let needs = &self.0.needs;
        let outcome = self.make(&mut kept, plan, seal, delivery, subject, progress).await;
        let now = needs.clock.now();
        let run = &mut kept.run;
        run.ended_at = Some(now.to_string());
        match outcome {
            Ok(()) => run.state = RunState::Done,
            Err(_) if progress.is_cancelled() => run.state = RunState::Cancelled,
            Err(error) => {
                tracing::warn!(run.id = %run.id, error = %chain(&error), "run {} of {} failed", run.id, run.title);
                run.state = RunState::Failed;
                run.error = Some(chain(&error));
            }
        }
        if kept.run.state == RunState::Done
            && let Some(email) = &delivery.email
            && let Err(error) = self.mail_run(&kept, email).await
        {
            kept.run.email_error = Some(chain(&error));
        }
        if let Err(error) = runs::put(&needs.state, &kept, now.as_millisecond()).await {
            tracing::error!(run.id = %kept.run.id, %error, "can't write down how run {} ended", kept.run.id);
        }
        self.0.running.lock().remove(&kept.run.id);
    }

    /// Gathers, writes, and tells the trail. Only then there is a file for anybody.
    async fn make(
        &self,
        kept: &mut Kept,
        plan: Plan,
        seal: Seal,
        delivery: &Delivery,
        subject: &Subject,
        progress: &Progress,
    ) -> Result<(), Error> {
        let _slot = self.0.slots.acquire().await.map_err(|error| Error::GivenUp(error.to_string()))?;
        let (needs, progress, bom, id) = (self.0.needs.clone(), progress.clone(), delivery.bom, kept.run.id.clone());
        let certificate = blocking(move || {
            if progress.is_cancelled() {
                return Err(GatherError::Cancelled.into());
            }
            std::fs::create_dir_all(&needs.folder)?;
            let rows_max = match plan.format {
                Format::Csv | Format::Json => ROWS_MAX,
                Format::Pdf => pdf::ROWS_MAX,
                Format::Bundle => bundle::ROWS_MAX,
            };
            if let Ok(total) = gather::count(
                &needs.store,
                &plan,
                seal.checkpoint.size,
                std::time::Instant::now() + Duration::from_secs(10),
            ) {
                progress.rows_total.store(total, Ordering::Relaxed);
            }
            let size = seal.checkpoint.size;
            let mut spool =
                gather::gather(&needs.store, &needs.catalogue, &plan, size, rows_max, &needs.folder, &progress)?;
            progress.rows_total.store(spool.rows, Ordering::Relaxed);
            let extent =
                Extent { rows: spool.rows, first_position: spool.first_position, last_position: spool.last_position };
            let mut certificate = plan.certificate(&id, &needs.organization, &seal, extent);
            let path = needs.folder.join(format!("{id}.{}", file::extension(plan.format)));
            certificate.file = Some(file::write(&path, &certificate, &mut spool, needs.door.trail(), bom, &progress)?);
            write_certificate(&needs.folder, &certificate)?;
            Ok(certificate)
        })
        .await?;
        self.record(subject, exported(&certificate, delivery)).await?;
        let (run, id) = (&mut kept.run, &certificate.run);
        run.rows = certificate.rows;
        run.rows_total = Some(certificate.rows);
        run.first_position = certificate.first_position;
        run.last_position = certificate.last_position;
        run.size_bytes = certificate.file.as_ref().map(|file| file.size_bytes);
        run.sha256 = certificate.file.as_ref().map(|file| file.sha256.clone());
        run.download = Some(format!("/api/v1/report-runs/{id}/download"));
        run.certificate = Some(format!("/api/v1/report-runs/{id}/certificate"));
        let expires_at = self.0.needs.clock.now().saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX).as_millisecond();
        run.expires_at = Some(time_text(expires_at));
        kept.expires_at = Some(expires_at);
        kept.file = Some(format!("{id}.{}", file::extension(certificate.format)));
        kept.certificate = Some(certificate);
        Ok(())
    }

    /// The newest runs the subject may know of: its own; all, for whoever may read all events.
    pub async fn runs(&self, subject: &Subject) -> Result<Vec<Run>, Error> {
        let own = (!reads_all(subject)).then(|| subject.user_id());
        let kept = runs::newest(&self.0.needs.state, own, 200).await?;
        Ok(kept.into_iter().map(|kept| self.with_progress(kept.run)).collect())
    }

    pub async fn run(&self, subject: &Subject, id: &str) -> Result<Run, Error> {
        Ok(self.with_progress(self.kept(subject, id).await?.run))
    }

    /// The finished file: where it is, and what it is.
    pub async fn download(&self, subject: &Subject, id: &str) -> Result<(PathBuf, Certificate), Error> {
        let kept = self.kept(subject, id).await?;
        let certificate = kept.certificate.ok_or(Error::NoFile { state: kept.run.state.name() })?;
        let name = kept.file.ok_or_else(|| Error::Expired { until: kept.run.expires_at.unwrap_or_default() })?;
        Ok((self.0.needs.folder.join(name), certificate))
    }

    /// Calls a run off, or throws its file away.
    pub async fn cancel(&self, subject: &Subject, id: &str) -> Result<Run, Error> {
        let mut kept = self.kept(subject, id).await?;
        let running = self.0.running.lock().get(id).cloned();
        if let Some(progress) = running {
            progress.cancel.store(true, Ordering::Relaxed);
            kept.run.state = RunState::Cancelled;
            return Ok(kept.run);
        }
        self.drop_file(kept.clone()).await?;
        kept.run.download = None;
        Ok(kept.run)
    }

    async fn kept(&self, subject: &Subject, id: &str) -> Result<Kept, Error> {
        let found = runs::find(&self.0.needs.state, id).await?;
        let seen = found.filter(|kept| kept.user_id == subject.user_id() || reads_all(subject));
        seen.ok_or_else(|| Error::NotFound { what: "run", id: id.to_owned() })
    }

    fn with_progress(&self, mut run: Run) -> Run {
        if let Some(progress) = self.0.running.lock().get(&run.id) {
            run.rows = progress.rows.load(Ordering::Relaxed);
            run.rows_total = Some(progress.rows_total.load(Ordering::Relaxed)).filter(|total| *total > 0);
        }
        run
    }

    async fn drop_file(&self, mut kept: Kept) -> Result<(), Error> {
        if let Some(name) = kept.file.take() {
            for name in [name, format!("{}.certificate.json", kept.run.id)] {
                match tokio::fs::remove_file(self.0.needs.folder.join(name)).await {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
            kept.run.download = None;
            runs::put(&self.0.needs.state, &kept, self.0.needs.clock.now().as_millisecond()).await?;
        }
        Ok(())
    }

    /// Puts right what a crash left behind. Runs that this server began itself are left alone.
    pub async fn recover(&self) -> Result<(), Error> {
        let needs = &self.0.needs;
        for mut kept in runs::interrupted(&needs.state).await? {
            if self.0.running.lock().contains_key(&kept.run.id) {
                continue;
            }
            kept.run.state = RunState::Failed;
            kept.run.error = Some("the server stopped while it ran; run it again".to_owned());
            kept.run.ended_at = Some(needs.clock.now().to_string());
            runs::put(&needs.state, &kept, needs.clock.now().as_millisecond()).await?;
        }
        let folder = needs.folder.clone();
        blocking(move || {
            std::fs::create_dir_all(&folder)?;
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if path.extension().is_some_and(|extension| extension == "part") || name.starts_with(".spool-") {
                    std::fs::remove_file(&path)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Throws away what was kept long enough, every hour, until `stop`.
    pub async fn keep_tidy(self, stop: CancellationToken) {
        if let Err(error) = self.recover().await {
            tracing::error!(error = %chain(&error), "what the last run left among the exports can't be put right");
        }
        loop {
            if let Err(error) = self.tidy().await {
                tracing::error!(error = %chain(&error), "the exports can't be tidied");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TIDY_EVERY) => {}
            }
        }
    }

    /// Throws away what was kept long enough.
    pub async fn tidy(&self) -> Result<(), Error> {
        let needs = &self.0.needs;
        let now = needs.clock.now();
        for kept in runs::overdue(&needs.state, now.as_millisecond(), FILES_MAX, BYTES_MAX).await? {
            self.drop_file(kept).await?;
        }
        let before = now.saturating_sub(REMEMBERED_FOR).unwrap_or(Timestamp::MIN);
        runs::forget(&needs.state, before.as_millisecond()).await?;
        let folder = needs.folder.clone();
        blocking(move || drop_summaries(&folder)).await
    }
}

/// Summaries that were mailed stand in no table; their age is all there is.
fn drop_summaries(folder: &Path) -> Result<(), Error> {
    let kept_for = Duration::from_secs(KEPT_FOR.as_secs().unsigned_abs());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let old = entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > kept_for);
        if old && entry.file_name().to_string_lossy().starts_with(mail::SUMMARY_PREFIX) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn reads_all(subject: &Subject) -> bool {
    subject.visibility() == event::Filter::All
}

fn write_certificate(folder: &Path, certificate: &Certificate) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(certificate).map_err(std::io::Error::from)?;
    std::fs::write(folder.join(format!("{}.certificate.json", certificate.run)), text)?;
    Ok(())
}

/// What the trail keeps of an export.
fn exported(certificate: &Certificate, delivery: &Delivery) -> serde_json::Value {
    let destination = delivery.email.as_ref().map_or_else(|| vec!["download".to_owned()], |email| email.to.clone());
    let file = certificate.file.as_ref();
    json!({
        "event": {"action": "audit.exported", "outcome": "success"},
        "entity": {"type": "report", "id": certificate.report_id, "name": certificate.title},
        "report": {
            "run": certificate.run, "format": certificate.format, "filter": certificate.filter, "from": certificate.from,
            "to": certificate.to, "rows": certificate.rows, "first_position": certificate.first_position,
            "last_position": certificate.last_position, "tree_size": certificate.checkpoint.size,
            "root": certificate.checkpoint.root, "destination": destination,
        },
        "file": {
            "name": file.map(|file| &file.name), "size": file.map(|file| file.size_bytes),
            "hash": {"sha256": file.map(|file| &file.sha256)},
        },
    })
}

impl From<file::FileError> for Error {
    fn from(error: file::FileError) -> Self {
        match error {
            file::FileError::Pdf(error) => Self::Pdf(error),
            file::FileError::Cancelled => Self::Gather(GatherError::Cancelled),
            file::FileError::Disk(error) => Self::Disk(error),
            file::FileError::Bundle(bundle::BundleError::Trail(error)) => Self::Trail(error),
            file::FileError::Bundle(bundle::BundleError::Io(error)) => Self::Disk(error),
            file::FileError::Bundle(error) => Self::GivenUp(error.to_string()),
        }
    }
}
