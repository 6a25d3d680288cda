//! The folder of a monitor: what it knows, and what contradicts it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trail::{Checkpoint, Hash, VerifyingKey};

use super::check::Outcome;
use super::facts::{Fault, State};
use super::is_lasting;

const VERSION: u32 = 1;
/// A broken server must not fill the disk of whoever watches it.
const EVIDENCE_MAX: usize = 1_000;

/// What is known of the trail, from one check to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    version: u32,
    /// The key that checkpoints must be signed with.
    pub vkey: String,
    /// The key was the server's own word.
    pub pinned: bool,
    /// Where the trail was served last.
    pub prefix: String,
    /// The newest checkpoint that was verified.
    pub note: Option<String>,
    /// Up to where entries were read and hashed, when they were.
    pub entries_to: Option<u64>,
    /// When the trail was last seen to grow.
    pub grew_at: Timestamp,
    pub state: State,
    pub fault: Option<Fault>,
    pub what: String,
    /// When this state began.
    pub since: Timestamp,
    pub contradictions: u64,
    /// Where the newest contradiction is kept.
    pub evidence: Option<PathBuf>,
    /// What was said last, and the state before it.
    pub said: Option<String>,
    pub before: Option<State>,
    /// How often it is still tried to tell somebody.
    pub untold: u32,
}

impl Kept {
    pub fn begin(key: &VerifyingKey, pinned: bool, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            vkey: key.to_string(),
            pinned,
            prefix: String::new(),
            note: None,
            entries_to: None,
            grew_at: now,
            state: State::Fine,
            fault: None,
            what: String::new(),
            since: now,
            contradictions: 0,
            evidence: None,
            said: None,
            before: None,
            untold: 0,
        }
    }

    /// The newest verified checkpoint.
    pub fn checkpoint(&self, key: &VerifyingKey) -> Option<Checkpoint> {
        Checkpoint::open(self.note.as_deref()?, key, SystemTime::UNIX_EPOCH).ok()
    }

    /// The name of the trail.
    pub fn origin(&self) -> &str {
        self.vkey.split('+').next().unwrap_or("")
    }

    /// How many entries the newest verified checkpoint has.
    pub fn size(&self) -> u64 {
        self.note.as_deref().and_then(|note| note.lines().nth(1)).and_then(|size| size.parse().ok()).unwrap_or(0)
    }

    /// What is news when it changes.
    pub fn standing(&self) -> String {
        let fault = self.fault.map_or("", Fault::name);
        format!("{} {fault} {}", self.state.name(), self.contradictions)
    }

    /// Begins again from whatever is served next.
    pub fn acknowledge(&mut self, now: Timestamp) {
        (self.note, self.entries_to, self.fault, self.grew_at) = (None, None, None, now);
        self.enter(State::Fine, None, String::new(), now);
    }

    /// Draws the conclusions from a check.
    pub fn take(&mut self, outcome: Outcome, stall: Duration, now: Timestamp) {
        let lasting = self.state == State::Wrong && self.fault.is_some_and(is_lasting);
        match outcome {
            Outcome::Fine { checkpoint, entries } => {
                if self.note.is_none() || checkpoint.size > self.size() {
                    self.grew_at = now;
                    self.note = Some(checkpoint.note);
                }
                if entries.is_some() {
                    self.entries_to = Some(checkpoint.size);
                }
                let quiet = now.duration_since(self.grew_at).unsigned_abs();
                if lasting {
                    return;
                }
                if !stall.is_zero() && quiet > stall {
                    let what = format!("no new entry since {:.0}", self.grew_at);
                    self.enter(State::Stalled, None, what, now);
                } else {
                    let unread = entries.filter(|entries| entries.by_hash > 0);
                    let what = unread.map_or_else(String::new, |entries| {
                        format!("{} new entries stand where something was removed; their hashes fit", entries.by_hash)
                    });
                    self.enter(State::Fine, None, what, now);
                }
            }
            Outcome::Unreachable { .. } if lasting => {}
            Outcome::Unreachable { what } => self.enter(State::Unreachable, None, what, now),
            // A broken tile after a fork is the smaller news.
            Outcome::Wrong { fault, .. } if lasting && !is_lasting(fault) => {}
            Outcome::Wrong { fault, what, .. } => self.enter(State::Wrong, Some(fault), what, now),
        }
    }

    fn enter(&mut self, state: State, fault: Option<Fault>, what: String, now: Timestamp) {
        if (self.state, self.fault) != (state, fault) {
            self.since = now;
        }
        (self.state, self.fault, self.what) = (state, fault, what);
    }
}

/// The folder, ours as long as this lives.
pub struct Folder {
    path: PathBuf,
    /// Nothing before the first check.
    pub kept: Option<Kept>,
    _lock: File,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("can't make {shown}"))?;
        let lock = File::options().write(true).create(true).truncate(false).open(path.join("lock"));
        let lock = lock.with_context(|| format!("can't write in {shown}"))?;
        if lock.try_lock().is_err() {
            bail!("another monitor works with {shown}");
        }
        let file = path.join("state.json");
        let kept = match fs::read(&file) {
            Ok(bytes) => {
                let kept: Kept = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} can't be understood; is it of a newer version?", file.display()))?;
                if kept.version != VERSION {
                    bail!("{} has version {}, this program knows {VERSION}", file.display(), kept.version);
                }
                Some(kept)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("can't read {}", file.display())),
        };
        Ok(Self { path: path.to_path_buf(), kept, _lock: lock })
    }

    pub fn save(&self) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        replace(&self.path.join("state.json"), &serde_json::to_vec_pretty(kept)?)
    }

    /// Keeps both notes. `None` when this very contradiction is kept already, or there is no more room for any.
    pub fn keep_evidence(&self, fault: Fault, what: &str, served: &[u8], now: Timestamp) -> Result<Option<PathBuf>> {
        let known = self.kept.as_ref().and_then(|kept| kept.note.as_deref()).unwrap_or("");
        let mut both = served.to_vec();
        both.extend_from_slice(known.as_bytes());
        let short: String = Hash::leaf(&both).0[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let all = self.path.join("evidence");
        let folder = all.join(format!("{}-{short}", fault.name()));
        fs::create_dir_all(&all).with_context(|| format!("can't make {}", all.display()))?;
        let about = folder.join("about.json");
        if about.exists() || fs::read_dir(&all)?.count() >= EVIDENCE_MAX {
            return Ok(None);
        }
        fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        replace(&folder.join("served"), served)?;
        if !known.is_empty() {
            replace(&folder.join("verified"), known.as_bytes())?;
        }
        let kept = self.kept.as_ref();
        let said = json!({
            "at": now.to_string(), "fault": fault, "what": what,
            "vkey": kept.map(|kept| &kept.vkey), "prefix": kept.map(|kept| &kept.prefix),
        });
        // Last, so that what was cut short is made again.
        replace(&about, &serde_json::to_vec_pretty(&said)?)?;
        Ok(Some(folder))
    }
}

/// Puts `bytes` in the place of the file, as a whole or not at all.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let new = path.with_file_name(name);
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    write().with_context(|| format!("can't write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trail::SigningKey;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn fine(key: &SigningKey, size: u64) -> Outcome {
        let checkpoint = Checkpoint::sign(key, "a.example/b", size, Hash::leaf(b"x"), SystemTime::UNIX_EPOCH).unwrap();
        Outcome::Fine { checkpoint, entries: None }
    }

    fn wrong(fault: Fault) -> Outcome {
        Outcome::Wrong { fault, what: "so".into(), served: Vec::new() }
    }

    #[test]
    fn a_trail_that_does_not_grow_stalls_and_recovers() {
        let key = SigningKey::from_seed(&[3; 32]);
        let hour = Duration::from_secs(3_600);
        let mut kept = Kept::begin(&key.verifier("a.example/b").unwrap(), false, at(0));
        kept.take(fine(&key, 10), hour, at(0));
        kept.take(fine(&key, 10), hour, at(3_600));
        assert_eq!(kept.state, State::Fine);
        kept.take(fine(&key, 10), hour, at(3_601));
        assert_eq!((kept.state, kept.since), (State::Stalled, at(3_601)));
        kept.take(fine(&key, 10), hour, at(4_000));
        assert_eq!((kept.state, kept.since), (State::Stalled, at(3_601)));
        kept.take(Outcome::Unreachable { what: "gone".into() }, hour, at(4_100));
        assert_eq!(kept.state, State::Unreachable);
        kept.take(fine(&key, 11), hour, at(4_200));
        assert_eq!((kept.state, kept.size()), (State::Fine, 11));
        kept.take(fine(&key, 11), Duration::ZERO, at(400_000));
        assert_eq!(kept.state, State::Fine);
    }

    #[test]
    fn what_was_signed_stays_wrong_until_somebody_looked() {
        let key = SigningKey::from_seed(&[3; 32]);
        let mut kept = Kept::begin(&key.verifier("a.example/b").unwrap(), false, at(0));
        kept.take(wrong(Fault::Unsigned), Duration::ZERO, at(1));
        kept.take(fine(&key, 10), Duration::ZERO, at(2));
        assert_eq!(kept.state, State::Fine, "a page of a proxy, say, passes");
        kept.take(wrong(Fault::Forked), Duration::ZERO, at(3));
        for outcome in [fine(&key, 11), wrong(Fault::Tiles), Outcome::Unreachable { what: String::new() }] {
            kept.take(outcome, Duration::ZERO, at(4));
            assert_eq!((kept.state, kept.fault), (State::Wrong, Some(Fault::Forked)));
        }
        kept.acknowledge(at(5));
        assert_eq!((kept.state, kept.size()), (State::Fine, 0));
    }

    #[test]
    fn evidence_is_kept_once_and_the_folder_is_one_monitors() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert!(Folder::open(dir.path()).is_err());
        let kept = folder.keep_evidence(Fault::Forked, "so", b"note", at(1)).unwrap().unwrap();
        assert_eq!(fs::read(kept.join("served")).unwrap(), b"note");
        assert_eq!(folder.keep_evidence(Fault::Forked, "so", b"note", at(2)).unwrap(), None);
    }
}
