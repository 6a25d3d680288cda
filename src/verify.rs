//! `belfry verify`: checks with nothing but a public key; files offline, or a trail that is served, from outside.
//!
//! 0: all is as it was signed. 1: it is not, and where first. 2: that could not be told.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use trail::verify::{self, Fault, FaultKind, Progress};
use trail::{Checkpoint, Hash, Proof, SigningKey, VerifyingKey};

use crate::served::{CheckError, Checked, Extension, FetchError, Found, Served, Where};
use crate::{Answer, duration, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A data folder, the folder of a trail, an exported bundle, or a backup. Without it the trail that --url or --prefix name
    path: Option<PathBuf>,
    /// The public key, name+hash+base64, as the trail page and every report show it. Without it the key that lies with
    /// what is checked is believed, which finds damage, but no forger who had the private key
    #[arg(long, alias = "key")]
    vkey: Option<String>,
    /// A checkpoint kept elsewhere: the trail must still contain all that it covers
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// A proof of one event, as /api/v1/events/{position}/proof answers it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "bundle"])]
    proof: Option<PathBuf>,
    /// A report exported as a bundle
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    bundle: Option<PathBuf>,
    // A trail that is served, instead: all its entries are fetched and hashed.
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    opener: crate::masterkey::Opener,
}

pub fn run(args: &Args) -> Result<Answer> {
    let key = args
        .vkey
        .as_deref()
        .map(|text| text.parse::<VerifyingKey>().context("--vkey is no verifier key"))
        .transpose()?;
    if let Some(file) = &args.proof {
        return bundle(file, key.as_ref(), args.checkpoint.as_deref());
    }
    match (&args.path, &args.bundle) {
        (_, Some(file)) => bundle(file, key.as_ref(), args.checkpoint.as_deref()),
        (Some(path), None) if path.is_dir() => folders(path, key.as_ref(), args.checkpoint.as_deref()),
        (Some(path), None) if crate::backup::is_backup(path) => crate::backup::verify(path, &args.opener, key.as_ref()),
        (Some(path), None) if path.is_file() => bundle(path, key.as_ref(), args.checkpoint.as_deref()),
        (Some(path), None) => bail!("there is no {}", path.display()),
        (None, None) if args.place.is_given() => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(served(&args.place, key, args.checkpoint.as_deref()))
        }
        (None, None) => bail!("say what to verify: a data folder, --url URL, --bundle FILE or --proof FILE"),
    }
}

/// A trail as a server serves it, from the first entry to the last.
async fn served(place: &Where, key: Option<VerifyingKey>, checkpoint: Option<&Path>) -> Result<Answer> {
    let started = Instant::now();
    let Found { served, claimed_key } = place.find().await?;
    let key = match key {
        Some(key) => key,
        None => {
            let claimed = claimed_key.context("there is no key to check with: pass --vkey")?;
            output::note("no --vkey: the key that the server itself names is believed");
            claimed.parse().context("the key that the server names can't be read")?
        }
    };
    let shown = served.shown();
    let not_ok = |what: &str| {
        output::line(format!("NOT OK  {shown}: {what}"))?;
        Ok(Answer::No)
    };
    let note = served.checkpoint().await?;
    let note = String::from_utf8(note).context("the checkpoint is not text")?;
    let signed = match verify::checkpoint(&note, &key) {
        Ok(signed) => signed,
        Err(error) => return not_ok(&format!("the checkpoint is refused: {error}")),
    };
    if let Some(file) = checkpoint
        && let Err(what) = goes_on(&served, &read_checkpoint(file, &key)?, &signed).await?
    {
        return not_ok(&what);
    }
    let mut ticker = Ticker::begin();
    let checked =
        served.check_entries(0..signed.size, &signed, |progress| ticker.tick(progress.done, progress.total)).await;
    output::progress_end();
    let Checked { entries, by_hash } = match checked {
        Ok(checked) => checked,
        Err(CheckError::Fetch(error)) => return Err(error.into()),
        Err(error @ CheckError::Wrong { .. }) => return not_ok(&error.to_string()),
    };
    output::line(format!("OK  {}  {} events  root {}", signed.origin, signed.size, signed.root))?;
    if by_hash > 0 {
        output::note(format!(
            "{entries} events were read and hashed; {by_hash} stand in bundles of which events were removed, and were checked by their hashes alone"
        ));
    }
    output::note(format!("checked in {} with {key}", duration::show(started.elapsed())));
    Ok(Answer::Yes)
}

/// Whether the served trail still holds all that `known` covers.
async fn goes_on(served: &Served, known: &Checkpoint, signed: &Checkpoint) -> Result<Result<(), String>, FetchError> {
    if signed.size < known.size {
        let (size, known) = (signed.size, known.size);
        return Ok(Err(format!(
            "the checkpoint kept elsewhere covers {known} events, this one only {size}: the tail is missing"
        )));
    }
    Ok(match served.extension(known, signed).await? {
        Extension::Proven => Ok(()),
        Extension::Forked { .. } => {
            Err(format!("it contradicts the checkpoint kept elsewhere, of {} events: both are signed", known.size))
        }
        Extension::TilesWrong => Err("the hash tiles do not lead to the signed root".to_owned()),
    })
}

/// Shows how far a check is, and how long it will take.
struct Ticker {
    started: Instant,
    shown: Instant,
}

impl Ticker {
    fn begin() -> Self {
        let now = Instant::now();
        Self { started: now, shown: now }
    }

    fn tick(&mut self, done: u64, total: u64) {
        if self.shown.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.shown = Instant::now();
        let share = done as f64 / total.max(1) as f64;
        let left = if share > 0.0 { self.started.elapsed().mul_f64((1.0 - share) / share) } else { Duration::ZERO };
        output::progress(format!("{done} of {total} events ({:.0} %), {} left", share * 100.0, duration::show(left)));
    }
}

/// All trails of a data folder, or one trail.
fn folders(path: &Path, key: Option<&VerifyingKey>, checkpoint: Option<&Path>) -> Result<Answer> {
    let trails = path.join("trails");
    let folders = if trails.is_dir() {
        let read = std::fs::read_dir(&trails).with_context(|| format!("can't read {}", trails.display()))?;
        let mut folders: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    } else {
        vec![path.to_path_buf()]
    };
    if folders.is_empty() {
        bail!("there is no trail in {}", path.display());
    }
    let mut answer = Answer::Yes;
    for folder in &folders {
        let key = match key {
            Some(key) => key.clone(),
            None => own_key(path, folder)?,
        };
        let known = checkpoint.map(|file| read_checkpoint(file, &key)).transpose()?;
        match one_folder(folder, &key, known.as_ref()) {
            Ok(()) => {}
            Err(fault) if fault.kind == FaultKind::Wrong => {
                output::line(format!("NOT OK  {}: {fault}", folder.display()))?;
                answer = Answer::No;
            }
            Err(fault) => bail!("{}: {fault}", folder.display()),
        }
    }
    Ok(answer)
}

fn one_folder(folder: &Path, key: &VerifyingKey, known: Option<&Checkpoint>) -> Result<(), Fault> {
    let started = Instant::now();
    let mut ticker = Ticker::begin();
    let mut progress = |progress: Progress| ticker.tick(progress.done, progress.total);
    let verified = verify::folder(folder, key, &mut progress, known);
    output::progress_end();
    let verified = verified?;
    let said = format!("OK  {}  {} events  root {}", verified.origin, verified.size, verified.root);
    if output::line(said).is_err() {
        return Ok(());
    }
    if verified.removed > 0 {
        output::note(format!("{} events were removed: their hashes are there, and lead to the root", verified.removed));
    }
    if verified.beyond > 0 {
        output::note(format!("{} more events are whole, but no checkpoint covers them yet", verified.beyond));
    }
    if verified.torn_bytes > 0 {
        output::note(format!(
            "{} bytes at the end are a write that was cut short; opening the trail removes them",
            verified.torn_bytes
        ));
    }
    output::note(format!("checked in {} with {key}", duration::show(started.elapsed())));
    Ok(())
}

/// The key that lies beside the trail; it says who signed, but only as far as the folder itself is believed.
fn own_key(data: &Path, folder: &Path) -> Result<VerifyingKey> {
    let nearest = [data.join("keys/trail.key"), folder.join("../../keys/trail.key")];
    let path = nearest.iter().find(|path| path.is_file());
    let path =
        path.with_context(|| format!("there is no key with {}; pass the public one with --vkey", folder.display()))?;
    let note = std::fs::read(folder.join("checkpoint"));
    let note = note.with_context(|| format!("there is no checkpoint in {}", folder.display()))?;
    // A checkpoint that was meddled with may not even be text: the check itself says so, under whatever name.
    let note = String::from_utf8_lossy(&note);
    let origin = Checkpoint::claimed_origin(&note).unwrap_or("unnamed").to_owned();
    let key = SigningKey::read(path).with_context(|| format!("can't use {}", path.display()))?;
    let key = key.verifier(&origin)?;
    output::note("no --vkey: the key that lies in the folder is believed");
    Ok(key)
}

fn read_checkpoint(file: &Path, key: &VerifyingKey) -> Result<Checkpoint> {
    let note = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    verify::checkpoint(&note, key).with_context(|| format!("{} is no checkpoint of {}", file.display(), key.name()))
}

/// An exported file: one event with its proof, a report with the proofs of its events, or a bundle of the trail.
fn bundle(file: &Path, key: Option<&VerifyingKey>, checkpoint: Option<&Path>) -> Result<Answer> {
    let bytes = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let json: Value = serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", file.display()))?;
    if json["format"] == "belfry-bundle" {
        return match verify::bundle(&bytes, key) {
            Ok(found) => {
                output::line(format!(
                    "OK  {}  {} events, all in the trail of {} events",
                    found.origin, found.entries, found.size
                ))?;
                Ok(Answer::Yes)
            }
            Err(fault) if fault.kind == FaultKind::Wrong => no(file, &fault.to_string()),
            Err(fault) => bail!("{}: {fault}", file.display()),
        };
    }
    let text = |name: &str| {
        json[name].as_str().with_context(|| format!("{} has no {name}; is it a bundle or a proof?", file.display()))
    };
    let key = match key {
        Some(key) => key.clone(),
        None => {
            output::note("no --vkey: the key that the file itself names is believed");
            text("vkey")?.parse().context("the key in the file can't be read")?
        }
    };
    let sealed = match verify::checkpoint(text("checkpoint")?, &key) {
        Ok(sealed) => sealed,
        Err(error) => return no(file, &format!("the checkpoint is refused: {error}")),
    };
    if let Some(other) = checkpoint {
        let other = read_checkpoint(other, &key)?;
        if other.size == sealed.size && other.root != sealed.root {
            return no(file, "its checkpoint contradicts the one kept elsewhere");
        }
    }
    let single = std::slice::from_ref(&json);
    let entries = json["entries"].as_array().map_or(single, Vec::as_slice);
    for entry in entries {
        if let Err(what) = one_entry(entry, &sealed) {
            return no(file, &what);
        }
    }
    if let Some(certificate) = json.get("certificate") {
        let rows = certificate["rows"].as_u64();
        if rows != Some(entries.len() as u64) {
            return no(
                file,
                &format!("the certificate speaks of {} rows, the file has {}", rows.unwrap_or(0), entries.len()),
            );
        }
        if certificate["checkpoint"]["note"] != json["checkpoint"] {
            return no(file, "the certificate speaks of another checkpoint");
        }
    }
    let what = match entries {
        [one] if one["removed"].is_object() => format!("event at position {}, which was removed,", one["position"]),
        [one] => format!("event at position {}", one["position"]),
        many => format!("{} events", many.len()),
    };
    output::line(format!(
        "OK  {}  {what} in the trail of {} events  root {}",
        sealed.origin, sealed.size, sealed.root
    ))?;
    Ok(Answer::Yes)
}

fn one_entry(entry: &Value, sealed: &Checkpoint) -> Result<(), String> {
    let position = entry["position"].as_u64().ok_or("an entry has no position")?;
    let wrong = |what: &str| format!("position {position}: {what}");
    // Of an event that was removed its hash is left, and the way from there to the root.
    let removed = entry["removed"].is_object();
    let bytes = entry["entry"]
        .as_str()
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or_else(|| wrong("the entry is not Base64"))?;
    let path = entry["path"].as_array().ok_or_else(|| wrong("there is no path"))?;
    let path: Option<Vec<Hash>> =
        path.iter().map(|hash| Some(Hash(<[u8; 32]>::try_from(STANDARD.decode(hash.as_str()?).ok()?).ok()?))).collect();
    let path = path.ok_or_else(|| wrong("a hash of the path can't be read"))?;
    let shown = entry["leaf_hash"].as_str().map(|leaf| STANDARD.decode(leaf).unwrap_or_default());
    let leaf = match &shown {
        Some(shown) if removed && bytes.is_empty() => {
            Hash(<[u8; 32]>::try_from(shown.as_slice()).map_err(|_| wrong("the leaf hash can't be read"))?)
        }
        _ => Hash::leaf(&bytes),
    };
    let proof = Proof { position, size: sealed.size, leaf, path };
    verify::leaf(&proof, sealed.size, &sealed.root).map_err(|error| wrong(&error.to_string()))?;
    // What is shown beside the entry must be what was proved.
    if shown.is_some_and(|shown| shown != proof.leaf.0) {
        return Err(wrong("the leaf hash is not that of the entry"));
    }
    Ok(())
}

fn no(file: &Path, what: &str) -> Result<Answer> {
    output::line(format!("NOT OK  {}: {what}", file.display()))?;
    Ok(Answer::No)
}
