//! The one thread that appends: everything that waits becomes a frame, the frame is synced, and
//! then everybody is answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::Engine;
use crate::error::{AppendError, TrailError};
use crate::frame::Builder;
use crate::hash::Hash;
use crate::log::Segment;
use crate::queue::{Waiting, Work};
use crate::tags::Tagged;
use crate::trail::{Appended, Done};
use crate::wal::Wal;

/// Runs until the queue is closed and empty, or the disk fails.
pub fn run(core: &Engine) {
    let mut recent = Recent { bytes: 0, frames: VecDeque::new() };
    let entries_max = core.options.segment_entries_max as usize;
    while let Some(Work { waiting, seal }) = core.queue.take(entries_max, core.options.commit_bytes_max) {
        let bytes = waiting.iter().map(|w| w.bytes).sum();
        let answers = match commit(core, waiting, &mut recent) {
            Ok(answers) => answers,
            Err((e, dones)) => {
                let reason: Arc<str> = e.to_string().into();
                core.fail(&reason);
                for done in dones {
                    done(Err(AppendError::Stopped(reason.clone())));
                }
                return;
            }
        };
        core.queue.release(bytes);
        for (done, result) in answers {
            done(result);
        }
        let size = core.size();
        core.signal.grown(size);
        for listener in &*core.listeners.lock() {
            listener(size);
        }
        if seal && let Err(e) = end_segment(core) {
            core.fail(&e.to_string());
            return;
        }
    }
}

/// Ends the open segment, if anything is in it.
fn end_segment(core: &Engine) -> Result<(), TrailError> {
    let current = core.current.lock().clone();
    if current.count() > 0 {
        rotate(core, current.end())?;
    }
    Ok(())
}

type Answers = Vec<(Done, Result<Appended, AppendError>)>;

/// Writes one frame. On an error nobody knows what is on disk, so the trail must stop.
fn commit(core: &Engine, waiting: Vec<Waiting>, recent: &mut Recent) -> Result<Answers, (TrailError, Vec<Done>)> {
    let first = core.size();
    let capacity = waiting.iter().map(|w| w.bytes).sum::<usize>() + 64 * waiting.len();
    let mut frame = Builder::new(first, capacity);
    let mut leaves: Vec<Hash> = Vec::with_capacity(waiting.iter().map(|w| w.leaves.len()).sum());
    let mut tags: Vec<([u8; 16], Tagged)> = Vec::new();
    let mut answers: Answers = Vec::with_capacity(waiting.len());
    for Waiting { batch, leaves: own, done, .. } in waiting {
        let count = batch.entries.len() as u32;
        let next = first + leaves.len() as u64;
        if let Some(tag) = &batch.tag {
            let known = core
                .tags
                .lock()
                .get(&tag.key)
                .or_else(|| tags.iter().find(|(key, _)| *key == tag.key).map(|(_, tagged)| *tagged));
            if let Some(known) = known {
                let Tagged { body, first, count } = known;
                let same = body == tag.body;
                answers.push((
                    done,
                    if same {
                        Ok(Appended { first, count, repeated: true })
                    } else {
                        Err(AppendError::TagTaken { first, count })
                    },
                ));
                continue;
            }
            tags.push((tag.key, Tagged { body: tag.body, first: next, count }));
        }
        for entry in &batch.entries {
            frame.push(entry);
        }
        leaves.extend_from_slice(&own);
        answers.push((done, Ok(Appended { first: next, count, repeated: false })));
    }
    if leaves.is_empty() {
        return Ok(answers);
    }
    let (bytes, offsets) = frame.finish(&leaves, &tags);
    match write(core, bytes, &offsets, &leaves, &tags, recent) {
        Ok(()) => Ok(answers),
        Err(e) => Err((e, answers.into_iter().map(|(done, _)| done).collect())),
    }
}

fn write(
    core: &Engine,
    bytes: Vec<u8>,
    offsets: &[u32],
    leaves: &[Hash],
    tags: &[([u8; 16], Tagged)],
    recent: &mut Recent,
) -> Result<(), TrailError> {
    let mut wal = core.current.lock().clone();
    let full = wal.count() + leaves.len() as u64 > u64::from(core.options.segment_entries_max)
        || wal.bytes() + bytes.len() as u64 > u64::from(core.options.segment_bytes_max);
    if wal.count() > 0 && full {
        wal = rotate(core, wal.end())?;
    }
    let len = bytes.len();
    let at = wal.append(bytes, offsets, leaves, tags).map_err(TrailError::io("write", &wal.path))?;
    if !tags.is_empty() {
        let mut known = core.tags.lock();
        for (key, tagged) in tags {
            known.insert(*key, *tagged);
        }
    }
    {
        // Together, so that no checkpoint is seen that is longer than the trail.
        let mut tree = core.tree.lock();
        tree.extend(leaves);
        core.durable.store(tree.edge.size(), Ordering::Release);
    }
    recent.keep(wal, at, len, core.options.recent_bytes_max);
    Ok(())
}

/// Ends the segment and begins the next one.
fn rotate(core: &Engine, first: u64) -> Result<Arc<Wal>, TrailError> {
    let folder = core.dir.join("log");
    let wal =
        Wal::create(&*core.options.disk, &folder, first).map_err(TrailError::io("begin a segment in", &folder))?;
    let wal = Arc::new(wal);
    core.log.put(first, Segment::Wal(wal.clone()));
    *core.current.lock() = wal.clone();
    core.signal.sealed();
    core.queue.hold(core.log.sealed() > core.options.unpacked_segments_max);
    Ok(wal)
}

/// The newest frames, kept in memory up to a bound.
struct Recent {
    bytes: usize,
    frames: VecDeque<(Arc<Wal>, usize, usize)>,
}

impl Recent {
    fn keep(&mut self, wal: Arc<Wal>, frame: usize, bytes: usize, bytes_max: usize) {
        self.bytes += bytes;
        self.frames.push_back((wal, frame, bytes));
        while self.bytes > bytes_max
            && let Some((wal, frame, bytes)) = self.frames.pop_front()
        {
            wal.forget(frame);
            self.bytes -= bytes;
        }
    }
}
