//! `belfry backup`: backups of a running server, and the check of a backup file without one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};
use server::keep::backup_make::Progress;
use server::keep::restore::{self as reading, RestoreError};
use trail::VerifyingKey;

use crate::masterkey::{self, Opener};
use crate::output::{self, Format};
use crate::remote::Client;
use crate::resource::{Call, Edit, Kind, escape};
use crate::restore::{no, watch};
use crate::{Answer, duration};

const BACKUPS: Kind = Kind {
    noun: "backup",
    path: "/api/v1/backups",
    columns: &[
        ("STARTED", "started_at"),
        ("TYPE", "kind"),
        ("REASON", "reason"),
        ("STATE", "state"),
        ("BY", "by"),
        ("ENDED", "ended_at"),
        ("EVENTS", "tree_size"),
        ("BYTES", "size_bytes"),
        ("KEY", "fingerprint"),
        ("ID", "id"),
    ],
    editable: &[],
    key: "id",
};
const SETTINGS: [&str; 6] = ["recipient", "scheduled", "cron", "zone", "full_every", "keep"];
/// How every age file begins.
const AGE: &[u8] = b"age-encryption.org/v1";

pub type Args = Call<Command>;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Type {
    Full,
    Incremental,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The backups, newest first
    List,
    /// One backup
    Show { backup: String },
    /// Make a backup now, and wait for its end
    Make {
        /// Everything, or what is not in the backups before it
        #[arg(long = "type", value_enum, default_value = "incremental")]
        kind: Type,
        /// Do not wait
        #[arg(long)]
        no_wait: bool,
    },
    /// Call off what is running
    Cancel { backup: String },
    /// Fetch the encrypted file, and hold it against its hash
    Download {
        backup: String,
        /// Where to write it; without it, under the name the server gives it
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Delete a backup; not while others build on it
    Delete { backup: String },
    /// The drill: prove that the shares still open a backup. The server reads it to its end; nothing is restored
    Drill {
        /// Without it, the newest
        backup: Option<String>,
        #[command(flatten)]
        opener: Opener,
    },
    /// Check a backup file on this machine, and all it builds on in the same folder
    Verify {
        file: PathBuf,
        #[command(flatten)]
        opener: Opener,
        /// The public key the trail must be signed by
        #[arg(long, alias = "key")]
        vkey: Option<String>,
    },
    /// When backups are made, for which key, and how many are kept: --set scheduled=true --set 'cron=30 2 * * *'
    Settings {
        #[command(flatten)]
        edit: Edit,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    if let Command::Verify { file, opener, vkey } = &args.command {
        let key: Option<VerifyingKey> =
            vkey.as_deref().map(|text| text.parse().context("--vkey is no verifier key")).transpose()?;
        return verify(file, opener, key.as_ref());
    }
    let client = args.remote.client()?;
    match args.command {
        Command::Verify { .. } => {}
        Command::List => BACKUPS.list(&client, args.format).await?,
        Command::Show { backup } => output::one(args.format, &client.get(&path(&backup), &[]).await?)?,
        Command::Make { kind, no_wait } => return make(&client, kind, no_wait, args.format).await,
        Command::Cancel { backup } => {
            client.post(&format!("{}/cancel", path(&backup)), &json!({})).await?;
            output::note(format!("backup {backup} is called off"));
        }
        Command::Download { backup, output } => download(&client, &backup, output).await?,
        Command::Delete { backup } => {
            client.delete(&path(&backup)).await?;
            output::note(format!("backup {backup} deleted"));
        }
        Command::Drill { backup, opener } => return drill(&client, backup, &opener).await,
        Command::Settings { edit } => {
            let address = format!("{}/settings", BACKUPS.path);
            let mut settings = client.get(&address, &[]).await?;
            if edit.file.is_some() || !edit.set.is_empty() {
                if let Value::Object(members) = &mut settings {
                    members.retain(|name, _| SETTINGS.contains(&name.as_str()));
                }
                edit.apply(&mut settings)?;
                settings = client.put(&address, &settings).await?;
            }
            output::one(args.format, &settings)?;
        }
    }
    Ok(Answer::Yes)
}

fn path(id: &str) -> String {
    format!("{}/{}", BACKUPS.path, escape(id))
}

async fn make(client: &Client, kind: Type, no_wait: bool, format: Format) -> Result<Answer> {
    let kind = match kind {
        Type::Full => "full",
        Type::Incremental => "incremental",
    };
    let started = client.post(BACKUPS.path, &json!({"kind": kind})).await?;
    if no_wait {
        output::one(format, &started)?;
        return Ok(Answer::Yes);
    }
    let id = started["id"].as_str().context("the backup has no id")?;
    let done = wait(client, id).await?;
    output::one(format, &done)?;
    match done["state"].as_str() {
        Some("done") => Ok(Answer::Yes),
        state => {
            let why = done["error"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
            output::note(format!("belfry: the backup is {}{why}", state.unwrap_or("lost")));
            Ok(Answer::No)
        }
    }
}

/// Waits until nothing is done with a backup any more; an interrupt calls it off.
async fn wait(client: &Client, id: &str) -> Result<Value> {
    let mut pause = Duration::from_millis(50);
    loop {
        let backup = client.get(&path(id), &[]).await?;
        let progress = &backup["progress"];
        if backup["state"] != "running" && progress.is_null() {
            output::progress_end();
            return Ok(backup);
        }
        let (done, total) =
            (progress["done_bytes"].as_u64().unwrap_or(0), progress["total_bytes"].as_u64().unwrap_or(0));
        let phase = progress["phase"].as_str().unwrap_or("ending").replace('_', " ");
        let left = progress["seconds_left"].as_u64().map(Duration::from_secs).map(duration::show);
        output::progress(format!(
            "{phase}: {:.0} %{}",
            done as f64 / total.max(1) as f64 * 100.0,
            left.map(|left| format!(", {left} left")).unwrap_or_default()
        ));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                client.post(&format!("{}/cancel", path(id)), &json!({})).await?;
                bail!("cancelled");
            }
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

async fn download(client: &Client, id: &str, to: Option<PathBuf>) -> Result<()> {
    let about = client.get(&path(id), &[]).await?;
    let wanted = about["sha256"].as_str().with_context(|| format!("backup {id} has no file"))?.to_owned();
    let mut response = client.send(client.request(Method::GET, &format!("{}/download", path(id)))).await?;
    let named = response
        .headers()
        .get("content-disposition")
        .and_then(|value| value.to_str().ok()?.split('"').nth(1).map(PathBuf::from))
        .and_then(|name| name.file_name().map(PathBuf::from));
    let to = to.or(named).unwrap_or_else(|| PathBuf::from(format!("{id}.backup")));
    let mut part = to.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed = || format!("can't write {}", part.display());
    let mut out = std::fs::File::create(&part).with_context(failed)?;
    while let Some(chunk) = response.chunk().await.context("the download broke off")? {
        std::io::Write::write_all(&mut out, &chunk).with_context(failed)?;
    }
    out.sync_all().with_context(failed)?;
    let (found, size) = server::keep::backup_sidecar::digest(&part, &mut |_| Ok(())).with_context(failed)?;
    if found != wanted {
        bail!("{}: its SHA-256 is {found}, the server says {wanted}", part.display());
    }
    std::fs::rename(&part, &to).with_context(failed)?;
    output::line(to.display().to_string())?;
    output::note(format!("{size} bytes, SHA-256 {found}"));
    Ok(())
}

async fn drill(client: &Client, backup: Option<String>, opener: &Opener) -> Result<Answer> {
    let id = match backup {
        Some(id) => id,
        None => {
            let all = client.items(BACKUPS.path, &[], 200).await?;
            let newest = all.iter().find(|backup| backup["state"] == "done");
            newest.and_then(|backup| backup["id"].as_str()).context("there is no backup yet")?.to_owned()
        }
    };
    let text = opener.text()?;
    // Sent as they are: that a share is wrong is for the server to find, and to tell the trail.
    let shares = masterkey::pieces(&text);
    if let Err(error) = client.post(&format!("{}/check", path(&id)), &json!({"shares": shares})).await {
        let is_no = |problem: &api::ProblemBody| problem.status == 422 || problem.kind == "/problems/backup-damaged";
        if error.downcast_ref::<crate::remote::Refused>().is_some_and(|refused| is_no(&refused.0)) {
            output::line(format!("NOT OK  {error}"))?;
            return Ok(Answer::No);
        }
        return Err(error);
    }
    let done = wait(client, &id).await?;
    let check = &done["check"];
    if check["ok"] == true {
        let size = done["tree_size"].as_u64().unwrap_or(0);
        output::line(format!("OK  the shares open backup {id} of {size} events, and every byte in it is right"))?;
        return Ok(Answer::Yes);
    }
    output::line(format!("NOT OK  {}", check["what"].as_str().unwrap_or("the drill was called off")))?;
    Ok(Answer::No)
}

/// Whether a file is one that `age` made, as every backup is.
pub fn is_backup(file: &Path) -> bool {
    use std::io::Read as _;
    let mut first = [0; AGE.len()];
    std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == AGE
}

/// Checks a backup file: with a key every byte of what is in it, without one that it is the file that was made.
pub fn verify(file: &Path, opener: &Opener, vkey: Option<&VerifyingKey>) -> Result<Answer> {
    let progress = Progress::default();
    if !opener.is_given() {
        return match reading::transport(file, &progress) {
            Ok(Some(beside)) => {
                output::line(format!("OK  {}  as it was written: SHA-256 {}", file.display(), beside.sha256))?;
                output::note("no key: what is in it was not looked at; pass --identity FILE or --shares");
                Ok(Answer::Yes)
            }
            Ok(None) => {
                bail!("there is no {}.json, and no key was given: pass --identity FILE or --shares", file.display())
            }
            Err(error) => answer(error),
        };
    }
    let identity = match masterkey::identity(&opener.text()?) {
        Ok(identity) => identity,
        Err(error) => return no(&error),
    };
    let watch = watch(progress.clone());
    let outcome = reading::check(file, &identity, &progress);
    drop(watch);
    output::progress_end();
    let checked = match outcome {
        Ok(checked) => checked,
        Err(error) => return answer(error),
    };
    let head = &checked.head;
    // Anybody can encrypt to a recipient: only the signature says whose backup it is.
    let key = match vkey {
        Some(key) => key.clone(),
        None => {
            output::note(format!("no --vkey: the key that the backup itself names is believed: {}", head.vkey));
            head.vkey.parse().context("the public key in the backup can't be read")?
        }
    };
    let sealed = match trail::verify::checkpoint(&head.checkpoint, &key) {
        Ok(sealed) => sealed,
        Err(error) => return no(&error),
    };
    output::line(format!(
        "OK  {}  {} backup {} of {}  {} events  root {}",
        file.display(),
        head.kind.name(),
        head.id,
        sealed.origin,
        sealed.size,
        sealed.root
    ))?;
    output::note(format!("{} files, {} bytes, in {} backups", checked.files, checked.bytes, checked.backups.len()));
    Ok(Answer::Yes)
}

fn answer(error: RestoreError) -> Result<Answer> {
    if error.is_refusal() { no(&error) } else { Err(error.into()) }
}
