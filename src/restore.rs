//! `belfry restore`: from backups back to a data folder, with no server.
//!
//! 0: restored, or accepted. 1: the key does not open it, or it is not what was written. 2: that could not be told.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use server::keep::backup_make::Progress;
use server::keep::restore::{self, Point, Restored, Wish};
use server::keep::restore_mark;
use trail::VerifyingKey;

use crate::masterkey::{self, Opener};
use crate::{Answer, duration, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A backup file, or a folder of backups; those that an incremental one builds on lie in the same folder
    #[arg(long, value_name = "FILE|FOLDER", required_unless_present = "accept_fork")]
    from: Option<PathBuf>,
    /// This backup, by its id
    #[arg(long, value_name = "ID", group = "point")]
    to_backup: Option<String>,
    /// The newest backup made until then: an RFC 3339 time
    #[arg(long, value_name = "TIME", group = "point")]
    to_time: Option<Timestamp>,
    /// The oldest backup that holds the event at this position
    #[arg(long, value_name = "POSITION", group = "point")]
    to_position: Option<u64>,
    #[command(flatten)]
    opener: Opener,
    /// The new data folder; it must not exist, or be empty
    #[arg(long, value_name = "NEWDIR")]
    data: PathBuf,
    /// The public key the trail must be signed by. Without it the key in the backup is believed
    #[arg(long, alias = "key")]
    vkey: Option<String>,
    /// A checkpoint kept elsewhere: what the backup holds must fit it, and what it lacks is counted
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The server this comes from is gone: its trail goes on from here, though events signed after the backup are not in
    /// it. Also alone, for a folder that was restored before
    #[arg(long)]
    accept_fork: bool,
}

pub fn run(args: &Args) -> Result<Answer> {
    let by = whoami();
    let Some(from) = &args.from else {
        let mark = restore_mark::accept(&args.data, &by)?;
        output::line(format!("{} goes on at position {}", args.data.display(), mark.size))?;
        output::note(format!("next: belfry serve --data {}", args.data.display()));
        return Ok(Answer::Yes);
    };
    let vkey: Option<VerifyingKey> =
        args.vkey.as_deref().map(|text| text.parse().context("--vkey is no verifier key")).transpose()?;
    let known = args
        .checkpoint
        .as_ref()
        .map(|file| std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display())))
        .transpose()?;
    let point = match (&args.to_backup, args.to_time, args.to_position) {
        (Some(id), ..) => Point::Backup(id.clone()),
        (_, Some(at), _) => Point::At(at),
        (.., Some(position)) => Point::Position(position),
        _ => Point::Newest,
    };
    let file = restore::choose(from, &point)?;
    let identity = match masterkey::identity(&args.opener.text()?) {
        Ok(identity) => identity,
        Err(error) => {
            restore_mark::note_failure(&args.data, &by, None, &error.to_string());
            return no(&error);
        }
    };
    let wish = Wish {
        file: &file,
        identity: &identity,
        data: &args.data,
        vkey: vkey.as_ref(),
        known: known.as_deref(),
        by,
        accept_fork: args.accept_fork,
    };
    let started = Instant::now();
    let progress = Progress::default();
    let watch = watch(progress.clone());
    let mut verifying = None;
    let outcome = restore::restore(&wish, &progress, &mut |step| {
        watch.pause();
        let verifying = verifying.get_or_insert_with(Instant::now);
        let share = step.done as f64 / step.total.max(1) as f64;
        let left = if share > 0.0 { verifying.elapsed().mul_f64((1.0 - share) / share) } else { Duration::ZERO };
        let (done, total) = (step.done, step.total);
        output::progress(format!("verifying the trail: {done} of {total} events, {} left", duration::show(left)));
    });
    drop(watch);
    output::progress_end();
    match outcome {
        Ok(restored) => told(args, &restored, started.elapsed()),
        Err(error) if error.is_refusal() => no(&error),
        Err(error) => Err(error.into()),
    }
}

fn told(args: &Args, restored: &Restored, took: Duration) -> Result<Answer> {
    let Restored { head, verified, backups, files, missing } = restored;
    let folder = args.data.display();
    output::line(format!(
        "OK  {folder}  backup {} of {}  {} events  root {}",
        head.id, head.made_at, verified.size, verified.root
    ))?;
    output::note(format!(
        "{files} files from {} backups, all as they were written, and the trail verified, in {}",
        backups.len(),
        duration::show(took)
    ));
    if args.vkey.is_none() {
        output::note(format!("no --vkey: the key in the backup was believed: {}", head.vkey));
    }
    if *missing > 0 {
        output::note(format!("{missing} later events, for which there is a checkpoint, are not in it"));
    }
    if args.accept_fork {
        output::note(format!("next: belfry serve --data {folder}"));
    } else {
        output::note(format!(
            "nothing is signed in it yet. If the server it comes from is gone: belfry restore --accept-fork --data {folder}"
        ));
    }
    Ok(Answer::Yes)
}

/// Says no, in words, with its causes.
pub fn no(error: &dyn std::error::Error) -> Result<Answer> {
    output::line(format!("NOT OK  {}", server::causes::chain(error)))?;
    Ok(Answer::No)
}

/// Shows how far a backup is read, on a thread of its own, until it is dropped.
pub fn watch(progress: Progress) -> Watch {
    let (stop, stopped) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(300)) {
            let shown = progress.shown();
            if shown.total_bytes == 0 {
                continue;
            }
            let left =
                shown.seconds_left.map(|seconds| format!(", {} left", duration::show(Duration::from_secs(seconds))));
            let share = shown.done_bytes as f64 / shown.total_bytes as f64 * 100.0;
            output::progress(format!(
                "{share:.0} % of {} MB read{}",
                shown.total_bytes / 1_000_000,
                left.unwrap_or_default()
            ));
        }
    });
    Watch { stop: Some(stop), thread: std::sync::Mutex::new(Some(thread)) }
}

pub struct Watch {
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: std::sync::Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Watch {
    /// Says nothing more.
    pub fn pause(&self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let (Some(stop), Some(thread)) = (&self.stop, thread) {
            // It may have ended by itself.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.pause();
        self.stop = None;
    }
}

/// The account that runs this, as the system calls it.
fn whoami() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty() && name.len() <= 100)
        .unwrap_or_else(|| "somebody at the command line".to_owned())
}
