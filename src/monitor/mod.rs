//! `belfry monitor`: follows a trail from outside, by checkpoint and tiles alone, and raises its voice when it forks,
//! shrinks or stalls.
//!
//! It trusts a public key and what it saw itself. Each checkpoint must be signed by that key, and its tree must begin
//! with the tree of the checkpoint before; the hash tiles prove that. What contradicts is kept, both notes: signed as
//! they are, they convict whoever signed them.

mod check;
mod facts;
mod folder;
mod voice;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use trail::VerifyingKey;

use self::check::Outcome;
use self::facts::{Fault, State};
use self::folder::{Folder, Kept};
use self::voice::Voice;
use crate::served::{Found, Served, Where};
use crate::{Answer, duration, output};

/// A server that can't be reached is one after so many checks; once is a restart.
const FAILED_CHECKS: u32 = 3;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// The public key, name+hash+base64, from another place than the server. Without it the one that the server names
    /// is taken at the first check and held to from then on
    #[arg(long)]
    vkey: Option<String>,
    /// Folder for the last verified checkpoint and for the evidence
    #[arg(long, value_name = "DIR", default_value = "belfry-monitor")]
    state: PathBuf,
    /// Fetch the new entries as well and hash each of them
    #[arg(long)]
    entries: bool,
    /// Time between two checks
    #[arg(long, value_parser = duration::parse, default_value = "60s")]
    interval: Duration,
    /// The trail stalls when it did not grow for so long; 0s: it may
    #[arg(long, value_parser = duration::parse, default_value = "1h")]
    stall: Duration,
    /// Check once and say how it is by the exit code: 0 fine, 1 wrong, 2 could not tell
    #[arg(long)]
    once: bool,
    /// What was found wrong was looked into: begin again from what is served now. The evidence stays
    #[arg(long)]
    acknowledge: bool,
    #[command(flatten)]
    voice: voice::Settings,
    /// Write gauges to this file, for the textfile collector of Prometheus' node exporter
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

pub async fn run(args: Args) -> Result<Answer> {
    let voice = Voice::new(&args.voice)?;
    let mut folder = Folder::open(&args.state)?;
    let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut follower: Option<Follower> = None;
    let mut failed: u32 = 0;
    if args.acknowledge
        && let Some(kept) = &mut folder.kept
    {
        kept.acknowledge(Timestamp::now());
        folder.save()?;
        output::note("the monitor begins again from what is served now; the evidence is kept");
    }
    loop {
        // A server that is away when we begin is waited for like one that goes away later.
        let outcome = match &follower {
            Some(follower) => follower.check(&folder, args.entries).await,
            None => match Follower::begin(&args, &mut folder).await {
                Ok(begun) => {
                    let outcome = begun.check(&folder, args.entries).await;
                    follower = Some(begun);
                    outcome
                }
                Err(error) if folder.kept.is_none() || args.once => return Err(error),
                Err(error) => Outcome::Unreachable { what: format!("{error:#}") },
            },
        };
        failed = if matches!(outcome, Outcome::Unreachable { .. }) { failed + 1 } else { 0 };
        let patient = !args.once && failed > 0 && failed < FAILED_CHECKS;
        let now = Timestamp::now();
        if !patient {
            take(&mut folder, outcome, args.stall, now)?;
        }
        speak(&mut folder, &voice, args.once, now).await?;
        if let (Some(path), Some(kept)) = (&args.metrics, &folder.kept) {
            folder::replace(path, facts::metrics(kept, now).as_bytes())?;
        }
        if args.once {
            return answer(&folder);
        }
        tokio::select! {
            () = tokio::time::sleep(args.interval.max(Duration::from_secs(1))) => {}
            _ = signals.0.recv() => return answer(&folder),
            _ = signals.1.recv() => return answer(&folder),
        }
    }
}

fn answer(folder: &Folder) -> Result<Answer> {
    match &folder.kept {
        Some(kept) => match kept.state {
            State::Fine => Ok(Answer::Yes),
            State::Stalled | State::Wrong => Ok(Answer::No),
            State::Unreachable => bail!("{}", kept.what),
        },
        None => bail!("nothing was checked"),
    }
}

/// The trail that is followed, and the key it must be signed with.
struct Follower {
    served: Served,
    key: VerifyingKey,
}

impl Follower {
    async fn begin(args: &Args, folder: &mut Folder) -> Result<Self> {
        let given = args.vkey.as_deref().map(str::parse::<VerifyingKey>).transpose().context("--vkey")?;
        let Found { served, claimed_key } = args.place.find().await?;
        let kept = folder.kept.as_ref().map(|kept| kept.vkey.parse::<VerifyingKey>());
        let kept = kept.transpose().context("the key in the state of the monitor can't be read")?;
        let key = match (given, kept) {
            (Some(given), Some(kept)) if given != kept => bail!(
                "{} follows {kept}, not {given}; another trail needs another --state folder",
                args.state.display()
            ),
            (_, Some(kept)) => kept,
            (Some(given), None) => given,
            (None, None) => {
                let claimed = claimed_key.context("there is no key to check with: pass --vkey")?;
                let key = claimed.parse().context("the key that the server names can't be read")?;
                output::note(format!(
                    "NO --vkey: the key that the server itself names is PINNED from now on:\n  {key}\n\
                     Whoever controls the server chose it. Compare it with one that came another way, and pass it as --vkey."
                ));
                key
            }
        };
        if folder.kept.is_none() {
            folder.kept = Some(Kept::begin(&key, args.vkey.is_none(), Timestamp::now()));
        }
        if let Some(kept) = &mut folder.kept {
            kept.prefix = served.shown();
        }
        Ok(Self { served, key })
    }

    async fn check(&self, folder: &Folder, entries: bool) -> Outcome {
        let kept = folder.kept.as_ref();
        let known = kept.and_then(|kept| kept.checkpoint(&self.key));
        let entries_from = entries.then(|| kept.and_then(|kept| kept.entries_to));
        check::check(&self.served, &self.key, known.as_ref(), entries_from).await
    }
}

/// Draws the conclusions from a check and puts them on disk.
fn take(folder: &mut Folder, outcome: Outcome, stall: Duration, now: Timestamp) -> Result<()> {
    let evidence = match &outcome {
        Outcome::Wrong { fault, what, served } => folder.keep_evidence(*fault, what, served, now)?,
        Outcome::Fine { .. } | Outcome::Unreachable { .. } => None,
    };
    let Some(kept) = &mut folder.kept else { return Ok(()) };
    kept.take(outcome, stall, now);
    if let Some(path) = evidence {
        kept.contradictions += 1;
        kept.evidence = Some(path);
    }
    folder.save()
}

/// Says how it is, when that is new.
async fn speak(folder: &mut Folder, voice: &Voice, once: bool, now: Timestamp) -> Result<()> {
    let Some(kept) = &mut folder.kept else { return Ok(()) };
    let standing = kept.standing();
    let said = kept.said.as_deref() == Some(&standing);
    if !said || once {
        output::line(facts::line(kept, now))?;
    }
    if !said {
        // That all is well from the beginning is no news.
        let news = kept.said.is_some() || kept.state != State::Fine;
        kept.untold = if news { voice::TRIES_MAX } else { 0 };
        kept.before = kept.said.take().and_then(|said| facts::state_of(&said));
        kept.said = Some(standing);
        folder.save()?;
    }
    let Some(kept) = &mut folder.kept else { return Ok(()) };
    if kept.untold > 0 {
        match voice.tell(kept).await {
            Ok(()) => kept.untold = 0,
            Err(error) => {
                kept.untold -= 1;
                output::note(format!("belfry: nobody was told: {error:#}; {} more tries", kept.untold));
            }
        }
        folder.save()?;
    }
    Ok(())
}

/// Contradictions that are signed stand for ever, until somebody looked into them.
fn is_lasting(fault: Fault) -> bool {
    matches!(fault, Fault::Forked | Fault::Shrunk)
}
