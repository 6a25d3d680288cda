//! Files that are appended to: found by their patterns, followed through rotation, restarted at the right byte.
//!
//! A file is known by device, inode and its first bytes, not by its name. Renamed, it is read to its end under its new
//! name; emptied, what a copy still holds is read from the copy. Packed files are left alone.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use regex::bytes::Regex;

use super::follow::{self, Follow, Look, Mark, Piece};
use super::lane::{Lane, Step};
use super::{Bounds, ReadError, glob};
use crate::state::inputs::{Files, From, Position};

/// Files of one input that are open at the same time; the newest are.
const OPEN_MAX: usize = 256;
const LOOK_EVERY: Duration = Duration::from_millis(250);
const FIND_EVERY: Duration = Duration::from_secs(2);
/// A file that is not found by its pattern any more is read on until it was quiet for so long.
const LEAVE_AFTER: Duration = Duration::from_secs(15);
const FORGET_AFTER_MS: i64 = 30 * 24 * 3_600 * 1_000;
const PACKED: &[&str] = &["gz", "bz2", "xz", "zst", "lz4", "zip", "Z"];
const NEIGHBOURS_MAX: usize = 5_000;
/// What is read in one turn over all files.
const TURN_BYTES_MAX: usize = 8 << 20;

pub async fn test(settings: &Files, bounds: &Bounds) -> Result<String, ReadError> {
    let (settings, bounds) = (settings.clone(), bounds.clone());
    blocking(move || {
        if bounds.folders.is_empty() {
            return Err(ReadError::new("inputs.folders in belfry.toml names no folder that is there"));
        }
        let mut lines = Vec::new();
        for path in found(&settings.paths) {
            let (file, metadata) = follow::open(&path, &bounds.folders).map_err(ReadError::new)?;
            drop(file);
            lines.push(format!("{} ({} bytes)", path.display(), metadata.len()));
        }
        let shown = lines.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
        Ok(match lines.len() {
            0 => "no file matches yet; those that appear will be read".to_owned(),
            count if count > 20 => format!("{count} files: {shown}, …"),
            _ => shown,
        })
    })
    .await
}

pub async fn run(settings: &Files, bounds: &Bounds, positions: Vec<Position>, lane: &Lane) -> Result<(), ReadError> {
    let mut reader = Reader::new(settings, bounds, positions)?;
    lane.reading().await?;
    let mut found_at: Option<Instant> = None;
    while !lane.stop.is_cancelled() {
        let find = found_at.is_none_or(|at| at.elapsed() >= FIND_EVERY);
        if find {
            found_at = Some(Instant::now());
        }
        let (back, turn) = blocking(move || {
            let turn = reader.turn(find);
            Ok((reader, turn))
        })
        .await?;
        reader = back;
        let idle = turn.steps.is_empty();
        for note in turn.notes {
            lane.note(&note).await;
        }
        for (index, step) in turn.steps {
            let to = Mark::read(&step.to);
            lane.deliver(step).await?;
            reader.read_to(&index, to);
        }
        for part in turn.forgotten {
            lane.forget(&part).await?;
        }
        if idle {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = lane.stop.cancelled() => {}
            }
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ReadError::new(error.to_string()))?
}

/// What a turn over all files found.
#[derive(Default)]
struct Turn {
    steps: Vec<(String, Step)>,
    notes: Vec<String>,
    forgotten: Vec<String>,
}

struct Reader {
    settings: Files,
    folders: Vec<PathBuf>,
    start: Option<Regex>,
    /// Files that are read, by what they are.
    open: HashMap<String, Follow>,
    /// All that is known of how far files are read.
    known: HashMap<String, Position>,
    /// The first look takes files from where the settings say, later ones from their beginning.
    first: bool,
    refused: HashSet<PathBuf>,
    crowded: bool,
    turns: usize,
}

impl Reader {
    fn new(settings: &Files, bounds: &Bounds, positions: Vec<Position>) -> Result<Self, ReadError> {
        if bounds.folders.is_empty() {
            return Err(ReadError::new("inputs.folders in belfry.toml names no folder that is there"));
        }
        let start = settings.record_start.as_deref().map(Regex::new).transpose();
        let start = start.map_err(|error| ReadError::new(format!("record_start can't be read: {error}")))?;
        Ok(Self {
            settings: settings.clone(),
            folders: bounds.folders.clone(),
            start,
            open: HashMap::new(),
            first: positions.is_empty(),
            known: positions.into_iter().map(|position| (position.part.clone(), position)).collect(),
            refused: HashSet::new(),
            crowded: false,
            turns: 0,
        })
    }

    /// Notes that all up to `to` is kept.
    fn read_to(&mut self, part: &str, to: Mark) {
        if let Some(known) = self.known.get_mut(part) {
            known.position = to.text();
            known.pending = None;
        }
        if let Some(follow) = self.open.get_mut(part) {
            follow.mark = to;
        }
    }

    fn turn(&mut self, find: bool) -> Turn {
        let mut turn = Turn::default();
        if find {
            self.find(&mut turn);
        }
        let mut parts: Vec<String> = self.open.keys().cloned().collect();
        parts.sort();
        // Each turn begins with another file, so that none waits for ever behind busy ones.
        let begin = self.turns % parts.len().max(1);
        parts.rotate_left(begin);
        self.turns = self.turns.wrapping_add(1);
        for part in parts {
            self.look(&part, &mut turn);
            let bytes: usize = turn.steps.iter().flat_map(|(_, step)| &step.records).map(Vec::len).sum();
            if bytes >= TURN_BYTES_MAX {
                break;
            }
        }
        turn
    }

    fn look(&mut self, part: &str, turn: &mut Turn) {
        let Some(follow) = self.open.get_mut(part) else { return };
        let pending = self.known.get(part).and_then(|known| known.pending.clone());
        if let Some(pending) = pending {
            match follow.again(&Mark::read(&pending), self.start.as_ref()) {
                Ok(Some(piece)) => {
                    turn.steps.push((part.to_owned(), step(follow, piece, true)));
                    return;
                }
                Ok(None) => {}
                Err(error) => turn.notes.push(format!("can't read {}: {error}", follow.path.display())),
            }
            if let Some(known) = self.known.get_mut(part) {
                known.pending = None;
            }
        }
        // A file whose name is gone gets nothing more, once it was quiet for a while.
        let ended = !is_there(follow) && follow.quiet() >= LEAVE_AFTER;
        match follow.look(self.start.as_ref(), ended) {
            Ok(Look::Piece(piece)) => {
                if piece.too_long {
                    let limit = follow::LINE_BYTES_MAX;
                    turn.notes.push(format!(
                        "a line in {} is longer than {limit} bytes: its beginning is set aside, the rest is left out",
                        follow.path.display()
                    ));
                }
                turn.steps.push((part.to_owned(), step(follow, piece, false)));
            }
            Ok(Look::Nothing) => {
                if ended {
                    self.open.remove(part);
                }
            }
            Ok(Look::Emptied) => self.emptied(part, turn),
            Err(error) => {
                turn.notes.push(format!("can't read {}: {error}", follow.path.display()));
                self.open.remove(part);
            }
        }
    }

    /// A file that was emptied is a new one. What was not read of the old one may stand in a copy beside it.
    fn emptied(&mut self, part: &str, turn: &mut Turn) {
        let Some(follow) = self.open.get_mut(part) else { return };
        let old = std::mem::take(&mut follow.mark);
        let path = follow.path.clone();
        tracing::info!("{} was emptied; it is read from its beginning", path.display());
        let fresh = Step {
            part: part.to_owned(),
            label: path.display().to_string(),
            from: old.text(),
            to: Mark::default().text(),
            records: Vec::new(),
            resumed: false,
        };
        turn.steps.push((part.to_owned(), fresh));
        if !old.is_known() {
            return;
        }
        let copy = neighbours(&path).into_iter().find_map(|other| {
            let (file, metadata) = follow::open(&other, &self.folders).ok()?;
            let id = follow::identity(&metadata);
            (id != part && metadata.len() >= old.offset && old.fits(&file)).then_some((id, other, file))
        });
        if let Some((id, other, file)) = copy
            && !self.known.contains_key(&id)
        {
            self.follow(id, other, file, old);
        }
    }

    /// Looks for files that match, and for those that were read under another name.
    fn find(&mut self, turn: &mut Turn) {
        let mut found = Vec::new();
        for path in found_by_age(&self.settings.paths) {
            match follow::open(&path, &self.folders) {
                Ok((file, metadata)) => {
                    self.refused.remove(&path);
                    found.push((path, follow::identity(&metadata), file));
                }
                Err(error) => {
                    if path.exists() && self.refused.len() < glob::FOUND_MAX && self.refused.insert(path) {
                        turn.notes.push(error);
                    }
                }
            }
            if found.len() >= OPEN_MAX {
                break;
            }
        }
        let crowded = found.len() >= OPEN_MAX;
        if crowded && !self.crowded {
            turn.notes
                .push(format!("more than {OPEN_MAX} files match; the {OPEN_MAX} that were changed last are read"));
        }
        self.crowded = crowded;
        if self.open.is_empty() {
            self.find_renamed(&found.iter().map(|(_, id, _)| id.clone()).collect(), turn);
        }
        for (path, id, file) in found {
            if let Some(follow) = self.open.get_mut(&id) {
                follow.path = path;
                continue;
            }
            if self.open.len() >= OPEN_MAX * 2 {
                break;
            }
            let known = self.known.get(&id).map(|known| Mark::read(&known.position));
            let known_not = known.is_none();
            let mark = match known {
                // One that does not fit was emptied, or its number was given to another: the next look finds out.
                Some(mark) => mark,
                None => self.begin(&file, if self.first { self.settings.from } else { From::Begin }),
            };
            if known_not && mark.offset > 0 {
                // Where it began is noted, or what is appended while Belfry is down would be left out.
                let (label, to) = (path.display().to_string(), mark.text());
                let noted =
                    Step { part: id.clone(), label, from: String::new(), to, records: Vec::new(), resumed: false };
                turn.steps.push((id.clone(), noted));
            }
            self.follow(id, path, file, mark);
        }
        self.first = false;
    }

    /// Where a file begins that is not known: a copy of one that is goes on where that one is.
    fn begin(&self, file: &File, from: From) -> Mark {
        let copy = self.known.values().map(|known| Mark::read(&known.position)).find(|mark| {
            mark.is_telling() && mark.fits(file) && file.metadata().is_ok_and(|metadata| metadata.len() >= mark.offset)
        });
        match (copy, from) {
            (Some(mark), _) => mark,
            (None, From::Begin) => Mark::default(),
            (None, From::End) => Mark::at(file.metadata().map_or(0, |metadata| metadata.len())),
        }
    }

    fn follow(&mut self, id: String, path: PathBuf, file: File, mark: Mark) {
        let known = Position {
            part: id.clone(),
            label: path.display().to_string(),
            position: mark.text(),
            pending: self.known.get(&id).and_then(|known| known.pending.clone()),
            updated_at: 0,
        };
        self.known.insert(id.clone(), known);
        self.open.insert(id.clone(), Follow::new(path, id, file, mark));
    }

    /// Files that were renamed while nobody looked are read to their end; those that are no more are forgotten.
    fn find_renamed(&mut self, found: &HashSet<String>, turn: &mut Turn) {
        let now = jiff::Timestamp::now().as_millisecond();
        let lost: Vec<Position> = self.known.values().filter(|known| !found.contains(&known.part)).cloned().collect();
        for known in lost {
            let mark = Mark::read(&known.position);
            let renamed = neighbours(Path::new(&known.label)).into_iter().find_map(|other| {
                let (file, metadata) = follow::open(&other, &self.folders).ok()?;
                let same = follow::identity(&metadata) == known.part && metadata.len() >= mark.offset;
                (same && mark.fits(&file)).then_some((other, file))
            });
            match renamed {
                Some((path, file)) => self.follow(known.part, path, file, mark),
                None if known.updated_at > 0 && now - known.updated_at > FORGET_AFTER_MS => {
                    self.known.remove(&known.part);
                    turn.forgotten.push(known.part);
                }
                None => {}
            }
        }
    }
}

fn step(follow: &Follow, piece: Piece, resumed: bool) -> Step {
    Step {
        part: follow.part.clone(),
        label: follow.path.display().to_string(),
        from: follow.mark.text(),
        to: piece.to.text(),
        records: piece.records,
        resumed,
    }
}

/// Whether the name still leads to the file.
fn is_there(follow: &Follow) -> bool {
    std::fs::metadata(&follow.path).is_ok_and(|metadata| follow::identity(&metadata) == follow.part)
}

fn found(patterns: &[String]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = patterns.iter().flat_map(|pattern| glob::expand(pattern)).collect();
    found.sort();
    found.dedup();
    found.retain(|path| is_plain(path) && std::fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir()));
    found
}

/// The same, what was changed last first.
fn found_by_age(patterns: &[String]) -> Vec<PathBuf> {
    let mut found = found(patterns);
    if found.len() > OPEN_MAX {
        found.sort_by_cached_key(|path| {
            let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
            std::cmp::Reverse(changed.unwrap_or(SystemTime::UNIX_EPOCH))
        });
    }
    found
}

fn is_plain(path: &Path) -> bool {
    path.extension().is_none_or(|extension| !PACKED.iter().any(|packed| extension == *packed))
}

/// The files beside `path` whose names begin as its own does: where rotation puts what it moves and copies.
fn neighbours(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let stem = path.file_stem().unwrap_or(name).to_string_lossy().into_owned();
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .take(NEIGHBOURS_MAX)
        .map(|entry| entry.path())
        .filter(|other| is_plain(other) && other.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&*stem)))
        .collect()
}
