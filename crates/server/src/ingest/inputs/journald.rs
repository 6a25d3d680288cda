//! The journal of this host, or one in a folder, as journalctl gives it: one JSON object per entry, behind a cursor.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::lane::{Lane, Step};
use super::{Bounds, ReadError};
use crate::state::inputs::{From, Journald, Position};

/// An entry that is longer is cut off and set aside.
const ENTRY_BYTES_MAX: usize = 1 << 20;
const BATCH_ENTRIES_MAX: usize = 2_000;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How long a batch waits for more entries.
const GATHER: Duration = Duration::from_millis(200);
/// How long the entries of a batch that was begun before a crash are waited for.
const RESUME_TIMEOUT: Duration = Duration::from_secs(20);
const SAID_BYTES_MAX: u64 = 2_000;

pub async fn test(settings: &Journald, bounds: &Bounds) -> Result<String, ReadError> {
    let mut command = command(settings, bounds)?;
    let output = command.arg("--lines=1").output().await.map_err(|error| missing(bounds, &error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(ReadError::new(format!("journalctl ended with {}: {}", output.status, last_line(&said))));
    }
    Ok(match cursor_of(&output.stdout) {
        Some(_) => "the journal can be read".to_owned(),
        None => format!("journalctl runs, and shows no entry yet {}", last_line(&said)).trim_end().to_owned(),
    })
}

pub async fn run(
    settings: &Journald,
    bounds: &Bounds,
    mut positions: Vec<Position>,
    lane: &Lane,
) -> Result<(), ReadError> {
    let known = positions.pop();
    let mut cursor = known.as_ref().map(|known| known.position.clone()).filter(|cursor| !cursor.is_empty());
    let mut command = command(settings, bounds)?;
    command.arg("--follow");
    match (&cursor, settings.from) {
        (Some(cursor), _) => command.arg("--no-tail").arg(format!("--after-cursor={cursor}")),
        (None, From::Begin) => command.arg("--no-tail"),
        (None, From::End) => command.arg("--lines=0"),
    };
    let mut child = command.spawn().map_err(|error| missing(bounds, &error))?;
    let Some(out) = child.stdout.take() else { return Err(ReadError::new("journalctl has no output")) };
    let mut entries = Entries { out: BufReader::with_capacity(64 * 1024, out), line: Vec::new(), cut: false };
    let mut resume = known.and_then(|known| known.pending).filter(|pending| !pending.is_empty());
    lane.reading().await?;
    loop {
        let mut records = Vec::new();
        let (mut bytes, mut to) = (0, cursor.clone().unwrap_or_default());
        let patience = if resume.is_some() { RESUME_TIMEOUT } else { GATHER };
        while records.len() < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX && resume.as_deref() != Some(to.as_str()) {
            let next = async {
                if records.is_empty() {
                    return Some(entries.next().await);
                }
                tokio::time::timeout(patience, entries.next()).await.ok()
            };
            let entry = tokio::select! {
                entry = next => entry,
                // What was read and not handed over is read again when it begins anew.
                () = lane.stop.cancelled() => return Ok(()),
            };
            match entry {
                None => break,
                Some(Ok(Some(entry))) => {
                    if let Some(found) = cursor_of(&entry) {
                        to = found;
                    }
                    bytes += entry.len();
                    records.push(entry);
                }
                Some(Ok(None)) => return Err(ended(&mut child).await),
                Some(Err(error)) => return Err(ReadError::new(format!("can't read from journalctl: {error}"))),
            }
        }
        let step = Step {
            part: String::new(),
            label: "journal".to_owned(),
            from: cursor.clone().unwrap_or_default(),
            resumed: resume.take().as_deref() == Some(to.as_str()),
            to: to.clone(),
            records,
        };
        lane.deliver(step).await?;
        cursor = Some(to);
    }
}

fn command(settings: &Journald, bounds: &Bounds) -> Result<Command, ReadError> {
    let mut command = Command::new(&bounds.journalctl);
    command.args(["--output=json", "--all", "--no-pager", "--quiet"]);
    if let Some(directory) = &settings.directory {
        let real = Path::new(directory)
            .canonicalize()
            .map_err(|error| ReadError::new(format!("can't open {directory}: {error}")))?;
        if !bounds.folders.iter().any(|folder| real.starts_with(folder)) {
            return Err(ReadError::new(format!("{} is not below inputs.folders", real.display())));
        }
        command.arg("--directory").arg(real);
    }
    for unit in &settings.units {
        command.arg(format!("--unit={unit}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

fn missing(bounds: &Bounds, error: &std::io::Error) -> ReadError {
    ReadError::new(format!("can't run {}: {error}", bounds.journalctl.display()))
}

async fn ended(child: &mut Child) -> ReadError {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = tokio::time::timeout(GATHER, stderr.take(SAID_BYTES_MAX).read_to_end(&mut said)).await;
    }
    let status = child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
    ReadError::new(format!("journalctl ended with {status}: {}", last_line(&String::from_utf8_lossy(&said))))
}

fn last_line(said: &str) -> &str {
    said.trim_end().lines().last().unwrap_or_default()
}

struct Entries<R> {
    out: R,
    /// What has come of the next entry; kept when waiting for it is given up.
    line: Vec<u8>,
    cut: bool,
}

impl<R: AsyncBufRead + Unpin> Entries<R> {
    /// The next entry, cut off where it is too long. None: there are no more.
    async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            let held = self.out.fill_buf().await?;
            if held.is_empty() {
                return Ok(None);
            }
            let end = memchr::memchr(b'\n', held);
            let piece = held.get(..end.unwrap_or(held.len())).unwrap_or_default();
            let room = ENTRY_BYTES_MAX - self.line.len();
            self.cut |= piece.len() > room;
            self.line.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            let taken = end.map_or(held.len(), |end| end + 1);
            self.out.consume(taken);
            if end.is_some() {
                if std::mem::take(&mut self.cut) {
                    tracing::warn!("an entry of the journal is longer than {ENTRY_BYTES_MAX} bytes and is cut off");
                }
                let line = std::mem::take(&mut self.line);
                if !line.is_empty() {
                    return Ok(Some(line));
                }
            }
        }
    }
}

/// The cursor of an entry; its characters need no escape in JSON.
fn cursor_of(entry: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(entry, b"\"__CURSOR\"")? + b"\"__CURSOR\"".len();
    let rest = entry.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    let cursor = std::str::from_utf8(rest.get(..end)?).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '=' | ';' | '-' | '_' | '.');
    (!cursor.is_empty() && cursor.len() <= 512 && cursor.chars().all(plain)).then(|| cursor.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_found_and_nothing_else_is_taken_for_one() {
        let entry = br#"{"MESSAGE":"say \"__CURSOR\" to it","__CURSOR" : "s=0a;i=1f;b=77;m=1;t=2;x=3"}"#;
        assert_eq!(cursor_of(entry).unwrap(), "s=0a;i=1f;b=77;m=1;t=2;x=3", "the first is in a text");
        assert_eq!(cursor_of(br#"{"__CURSOR":"s=0a;i=1f;b=77;m=1;t=2;x=3"}"#).unwrap(), "s=0a;i=1f;b=77;m=1;t=2;x=3");
        assert_eq!(cursor_of(br#"{"__CURSOR":"--since today"}"#), None);
        assert_eq!(cursor_of(b"{}"), None);
    }

    #[tokio::test]
    async fn entries_are_cut_at_line_ends_and_bounded() {
        let long = "x".repeat(ENTRY_BYTES_MAX + 5);
        let text = format!("one\n\n{long}\ntwo\nnot ended");
        let mut entries = Entries { out: BufReader::new(text.as_bytes()), line: Vec::new(), cut: false };
        assert_eq!(entries.next().await.unwrap().unwrap(), b"one");
        assert_eq!(entries.next().await.unwrap().unwrap().len(), ENTRY_BYTES_MAX);
        assert_eq!(entries.next().await.unwrap().unwrap(), b"two");
        assert_eq!(entries.next().await.unwrap(), None);
    }
}
