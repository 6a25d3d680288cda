//! What lies unencrypted beside a backup, so that it can be listed, and checked on its way, without the key.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use api::backup::{BackupKind, BackupReason};
use serde::{Deserialize, Serialize};

use crate::hash;

pub const FORMAT: &str = "belfry-backup";
pub const VERSION: u32 = 1;
const BYTES_MAX: u64 = 1 << 20;

/// The sidecar of a backup. Nothing in it is secret, and nothing in it is believed once the key is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    pub format: String,
    pub version: u32,
    pub id: String,
    pub kind: BackupKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub reason: BackupReason,
    pub organization: String,
    pub origin: String,
    pub recipient: String,
    /// Of the master key; stands on its shares.
    pub fingerprint: String,
    pub started_at: String,
    pub made_at: String,
    pub made_by: String,
    pub tree_size: u64,
    pub root: String,
    pub checkpoint: String,
    pub size_bytes: u64,
    /// Of the encrypted file, hexadecimal.
    pub sha256: String,
}

/// How the file of a backup is called in the folder of backups.
pub fn file_name(id: &str) -> String {
    format!("{id}.backup")
}

/// How it is called when it is downloaded: `belfry-acme-2026-11-21T140211Z-full-<id>.backup`.
pub fn download_name(organization: &str, started_at: &str, kind: BackupKind, id: &str) -> String {
    let at = started_at.split('.').next().unwrap_or_default().trim_end_matches('Z').replace(':', "");
    format!("belfry-{organization}-{at}Z-{}-{}", kind.name(), file_name(id))
}

/// Where the sidecar of a backup file lies.
pub fn path_of(backup: &Path) -> PathBuf {
    let mut path = backup.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

/// Reads the sidecar of a backup file; `None` where there is none.
pub fn read(backup: &Path) -> io::Result<Option<Sidecar>> {
    let path = path_of(backup);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text)?;
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let sidecar: Sidecar = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    if sidecar.format != FORMAT || sidecar.version != VERSION {
        return Err(invalid(format!("{} version {} is not known here", sidecar.format, sidecar.version)));
    }
    Ok(Some(sidecar))
}

/// The SHA-256 of a file and its size. `step` is told how many bytes were read, and may stop it.
pub fn digest(path: &Path, step: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<(String, u64)> {
    let (sha256, size) = hash::digest(&mut File::open(path)?, step)?;
    Ok((hash::hex(&sha256), size))
}
