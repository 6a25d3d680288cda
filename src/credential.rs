//! The credential of an enrolled device: `belfry enroll` takes it, `belfry credential` shows and rotates it, and
//! `belfry send` uses it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Answer;
use crate::duration;
use crate::output::{self, Format};
use crate::remote::{Client, Remote};

/// What lies in the file, which nobody but its owner reads.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credential {
    version: u32,
    pub url: String,
    pub token: String,
    application: String,
    device: String,
    device_id: String,
}

const VERSION: u32 = 1;
const FILE: &str = "belfry-credential.json";

impl Credential {
    pub fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("can't read the credential in {shown}"))?;
        let mode = fs::metadata(file).with_context(|| format!("can't read {shown}"))?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!(
                "{shown} can be read by others than its owner: chmod 600 {shown}, and rotate it (belfry credential rotate)"
            );
        }
        let read: Self =
            serde_json::from_str(&text).with_context(|| format!("{shown} is no credential of a device"))?;
        if read.version != VERSION {
            bail!("{shown} has the version {}, this belfry knows {VERSION}", read.version);
        }
        Ok(read)
    }

    /// Writes a new file beside and puts it in place at once: a crash leaves the old one or the new one.
    fn write(&self, file: &Path) -> Result<()> {
        let beside = file.with_extension("new");
        let failed = || format!("can't write {}", beside.display());
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(failed),
            _ => {}
        }
        let mut out =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).with_context(failed)?;
        out.write_all(serde_json::to_string_pretty(self)?.as_bytes()).with_context(failed)?;
        out.write_all(b"\n").and_then(|()| out.sync_all()).with_context(failed)?;
        fs::rename(&beside, file).with_context(|| format!("can't put {} in place", file.display()))
    }

    fn of(answer: &Value, url: &str) -> Result<Self> {
        let text =
            |name: &str| answer[name].as_str().map(str::to_owned).with_context(|| format!("the answer has no {name}"));
        Ok(Self {
            version: VERSION,
            url: url.to_owned(),
            token: text("token")?,
            application: text("application")?,
            device: text("device")?,
            device_id: text("device_id")?,
        })
    }
}

/// Where `belfry send` looks for a credential.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Place {
    /// File with the credential of an enrolled device, as belfry enroll wrote it
    #[arg(long, env = "BELFRY_CREDENTIAL", global = true)]
    pub credential: Option<PathBuf>,
}

impl Place {
    /// A client as that device, where one is named; else as --url and --token say.
    pub fn client(&self, remote: &Remote) -> Result<Client> {
        let Some(file) = &self.credential else { return remote.client() };
        let credential = Credential::read(file)?;
        Remote { url: credential.url, token: Some(credential.token), ca: remote.ca.clone() }.client()
    }
}

#[derive(Debug, clap::Args)]
pub struct Enroll {
    /// Address of the server
    #[arg(long, env = "BELFRY_URL", default_value = "http://127.0.0.1:7400")]
    url: String,
    /// The one-time token, ble_…; - reads it from standard input, where no list of processes shows it
    #[arg(long)]
    token: String,
    /// PEM file with the authority that signed the server's certificate
    #[arg(long, env = "BELFRY_CA")]
    ca: Option<PathBuf>,
    /// What this device calls itself, where the token does not say it; the name of the host otherwise
    #[arg(long)]
    device: Option<String>,
    /// Where to write the credential; readable by its owner alone
    #[arg(long, env = "BELFRY_CREDENTIAL", default_value = FILE)]
    credential: PathBuf,
}

/// Redeems a one-time token.
pub async fn enroll(args: Enroll) -> Result<Answer> {
    let file = &args.credential;
    if file.exists() {
        bail!("{} is there already; to take a new credential for it: belfry credential rotate", file.display());
    }
    // Found out before the token is used up.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("there is no folder {}", folder.display());
    }
    let token = if args.token == "-" { crate::resource::read("-")?.trim().to_owned() } else { args.token };
    let remote = Remote { url: args.url, token: None, ca: args.ca };
    let client = remote.client()?;
    let device = args.device.or_else(|| {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    });
    let version = concat!("belfry ", env!("CARGO_PKG_VERSION"));
    let body = json!({"token": token, "device": device, "version": version});
    let answer = client.post("/api/v1/devices/enroll", &body).await?;
    let credential = Credential::of(&answer, client.url())?;
    credential.write(file)?;
    output::note(format!(
        "{} is a device of {} now; its credential is in {}",
        credential.device,
        credential.application,
        file.display()
    ));
    Ok(Answer::Yes)
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// File with the credential, as belfry enroll wrote it
    #[arg(long, env = "BELFRY_CREDENTIAL", default_value = FILE, global = true)]
    credential: PathBuf,
    /// PEM file with the authority that signed the server's certificate
    #[arg(long, env = "BELFRY_CA", global = true)]
    ca: Option<PathBuf>,
    /// How to show results
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What this device is, and what is shared with its application
    Show,
    /// Take a new credential; the old one stays good for a while, for programs that hold it
    Rotate {
        /// How long the old one stays good
        #[arg(long, default_value = "1h", value_parser = duration::parse)]
        overlap: Duration,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    let credential = Credential::read(&args.credential)?;
    let remote = Remote { url: credential.url.clone(), token: Some(credential.token.clone()), ca: args.ca };
    let client = remote.client()?;
    match args.command {
        Command::Show => output::one(args.format, &client.get("/api/v1/devices/self", &[]).await?)?,
        Command::Rotate { overlap } => {
            let body = json!({"overlap_seconds": overlap.as_secs()});
            let answer = client.post("/api/v1/devices/rotate", &body).await?;
            Credential::of(&answer, client.url())?.write(&args.credential)?;
            let until = answer["previous_until"].as_str().unwrap_or_default();
            output::note(format!(
                "{} holds a new credential; the old one is good until {until}",
                args.credential.display()
            ));
        }
    }
    Ok(Answer::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.json");
        let answer = json!({"token": "bld_x", "application": "gate", "device": "edge-1", "device_id": "1"});
        let credential = Credential::of(&answer, "https://belfry.example").unwrap();
        credential.write(&file).unwrap();
        credential.write(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Credential::read(&file).unwrap().token, "bld_x");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Credential::read(&file).is_err_and(|error| error.to_string().contains("chmod 600")));
    }
}
