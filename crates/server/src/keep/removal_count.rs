//! Finds what a removal is about: reads the trail stretch by stretch and writes down each before the next.

use std::sync::Arc;

use api::retention::{RemovalKind, RemovalState};
use event::Event;
use trail::Trail;

use super::removal::Error;
use super::removal_choice::{Standing, Wanted, category, is_protected, lane_of};
use super::removal_picks::{Picks, STRETCH, base_of};
use crate::app::App;
use crate::state;
use crate::state::removals::{Lane, Removal, Tally};

const READ_ENTRIES_MAX: usize = 4_096;
const READ_BYTES_MAX: usize = 4 << 20;
const SAMPLES_MAX: usize = 10;

/// Counts on from where it stood, until all is counted, somebody called it off, or the server goes down.
pub async fn count(app: &App, mut removal: Removal) -> Result<(), Error> {
    let wanted = match removal.kind {
        RemovalKind::Retention => None,
        RemovalKind::Erasure => Some(super::erasure::wanted(app, &removal.id).await?),
    };
    let wanted = Arc::new(wanted);
    while removal.state == RemovalState::Counting && !app.stop.is_cancelled() {
        let holds = Standing::of(&state::holds::standing(&app.state).await?)?;
        let (trail, wanted) = (app.trail().clone(), wanted.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let look = look(&trail, &mut removal, wanted.as_ref().as_ref(), &holds)?;
            Ok::<_, Error>((removal, look))
        });
        let look;
        (removal, look) = looked.await.map_err(|error| Error::GivenUp(error.to_string()))??;
        if look.over {
            removal.state = state_when_counted(&removal);
        }
        let step = look.picks.map(|picks| picks.step(&removal.id)).transpose()?;
        let mut transaction = state::begin_write(&app.state).await?;
        if !state::removals::counted(&mut transaction, &removal, step.as_ref()).await? {
            return Ok(());
        }
        if look.over && removal.tally.entries == 0 && removal.asked_by.is_none() {
            // A day on which nothing was past its time leaves no trace; but it need not be looked at again.
            super::retention::reached(&mut transaction, &removal.lanes).await?;
            state::removals::drop(&mut transaction, &removal.id).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

/// The daily run was confirmed when the policies were set; everything else waits for somebody's yes.
fn state_when_counted(removal: &Removal) -> RemovalState {
    match removal.kind {
        RemovalKind::Retention if removal.asked_by.is_none() => RemovalState::Running,
        RemovalKind::Retention | RemovalKind::Erasure => RemovalState::Ready,
    }
}

/// What one stretch came to.
struct Look {
    picks: Option<Picks>,
    /// There is nothing more to look at.
    over: bool,
}

/// Looks at the next stretch; moves `looked`, the lanes and the tally on.
fn look(trail: &Trail, removal: &mut Removal, wanted: Option<&Wanted>, holds: &Standing) -> Result<Look, Error> {
    let Removal { size, looked, tally, .. } = removal;
    let lanes = &mut removal.lanes.lanes;
    let start = match (wanted, lanes.iter().filter(|lane| !lane.done).map(|lane| lane.from).min()) {
        (Some(_), _) => *looked,
        (None, Some(from)) => (*looked).max(base_of(from)),
        (None, None) => *size,
    };
    let end = (base_of(start) + STRETCH).min(*size);
    let mut picks = Picks::none(base_of(start));
    let mut oldest: Option<i64> = None;
    let mut next = start;
    while next < end {
        let entries = usize::try_from(end - next).unwrap_or(READ_ENTRIES_MAX).min(READ_ENTRIES_MAX);
        let read = trail.read(next, entries, READ_BYTES_MAX)?;
        let Some((last, _)) = read.last() else { break };
        next = last + 1;
        for (position, entry) in read {
            // Removed before, or, of no fault of the reader, no event: nobody can tell what it is about.
            let Ok(event) = Event::read(&entry) else { continue };
            let due = match wanted {
                Some(wanted) => wanted.picks(&event),
                None => {
                    let Some(ingested) = event.ingested().map(|at| at.as_millisecond()) else { continue };
                    oldest = Some(oldest.map_or(ingested, |oldest| oldest.min(ingested)));
                    is_due(lanes, &event, position, ingested)
                }
            };
            if due && judge(tally, holds, &event, position, entry.len()) {
                picks.insert(position);
            }
        }
    }
    *looked = end;
    settle(lanes, oldest, end, *size);
    let over = end >= *size || (wanted.is_none() && lanes.iter().all(|lane| lane.done));
    Ok(Look { picks: (!picks.is_empty()).then_some(picks), over })
}

/// Whether its policy says that its time is over.
fn is_due(lanes: &mut [Lane], event: &Event<'_>, position: u64, ingested: i64) -> bool {
    let Some(lane) = lane_of(lanes, event).and_then(|at| lanes.get_mut(at)) else { return false };
    if lane.done || position < lane.from {
        return false;
    }
    if ingested >= lane.before {
        lane.young.get_or_insert(position);
        return false;
    }
    true
}

/// Counts an event that is past its time or asked for. Says whether it may go.
fn judge(tally: &mut Tally, holds: &Standing, event: &Event<'_>, position: u64, bytes: usize) -> bool {
    if is_protected(event) {
        tally.protected += 1;
        return false;
    }
    if let Some(hold) = holds.keeps(event) {
        *tally.held.entry(hold.to_owned()).or_default() += 1;
        return false;
    }
    tally.entries += 1;
    tally.bytes += bytes as u64;
    tally.first.get_or_insert(position);
    tally.last = Some(position);
    *tally.categories.entry(category(event)).or_default() += 1;
    if tally.samples.len() < SAMPLES_MAX {
        tally.samples.push(position);
    }
    true
}

/// A lane has come to its end where a whole stretch holds nothing old enough. Times mostly ascend with the positions;
/// where a clock was set, a stretch of them has to be wrong before an old event waits for its next look.
fn settle(lanes: &mut [Lane], oldest: Option<i64>, end: u64, size: u64) {
    for lane in lanes.iter_mut().filter(|lane| !lane.done && lane.from < end) {
        if end >= size || oldest.is_some_and(|oldest| oldest >= lane.before) {
            lane.young.get_or_insert(end);
            lane.done = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trail::{Batch, Options, SigningKey};

    /// A trail of one event for each (category, seconds of `event.ingested`).
    fn trail_of(events: &[(&str, i64)]) -> (tempfile::TempDir, Trail) {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        Trail::create(dir.path(), "belfry.example/acme", &key).unwrap();
        let (trail, _) = Trail::open(dir.path(), key, Options::default()).unwrap();
        for chunk in events.chunks(20_000) {
            let entry = |(category, seconds): &(&str, i64)| {
                let at = jiff::Timestamp::from_second(*seconds).unwrap();
                let module = if *category == "trail" { "belfry" } else { "m" };
                format!(
                    r#"{{"event":{{"action":"trail.x","category":"{category}","ingested":"{at}","module":"{module}"}},"user":{{"name":"u{seconds}"}}}}"#
                )
            };
            let entries = chunk.iter().map(|event| entry(event).into_bytes().into()).collect();
            trail.append_wait(Batch { entries, tag: None }).unwrap();
        }
        (dir, trail)
    }

    fn removal(size: u64, lanes: &[(&str, i64, u64)]) -> Removal {
        let lane = |(category, before, from): &(&str, i64, u64)| Lane {
            category: (*category).to_owned(),
            keep: String::new(),
            keep_seconds: 1,
            before: before * 1_000,
            from: *from,
            young: None,
            done: false,
        };
        Removal {
            lanes: state::removals::Lanes { epoch: 0, lanes: lanes.iter().map(lane).collect() },
            ..Removal::to_count("r".into(), RemovalKind::Retention, 0, size)
        }
    }

    fn walk(trail: &Trail, removal: &mut Removal, holds: &Standing) -> (Vec<std::ops::Range<u64>>, usize) {
        let (mut ranges, mut looks) = (Vec::new(), 0);
        loop {
            let look = look(trail, removal, None, holds).unwrap();
            looks += 1;
            ranges.extend(look.picks.iter().flat_map(Picks::ranges));
            if look.over {
                return (ranges, looks);
            }
        }
    }

    #[test]
    fn what_is_past_its_time_is_picked_and_the_next_run_begins_there() {
        let none = Standing::of(&[]).unwrap();
        let (_dir, trail) =
            trail_of(&[("a", 1), ("b", 2), ("trail", 2), ("a", 3), ("b", 4), ("a", 10), ("b", 11), ("a", 5), ("c", 1)]);
        let mut first = removal(9, &[("a", 10, 0), ("b", 3, 0)]);
        assert_eq!(walk(&trail, &mut first, &none), (vec![0..2, 3..4, 7..8], 1));
        let young: Vec<_> = first.lanes.lanes.iter().map(|lane| lane.young).collect();
        assert_eq!(young, [Some(5), Some(4)]);
        assert_eq!((first.tally.entries, first.tally.first, first.tally.last), (4, Some(0), Some(7)));
        assert_eq!(first.tally.categories["a"], 3);

        let mut rest = removal(9, &[("*", 100, 0), ("a", 0, 0)]);
        assert_eq!(walk(&trail, &mut rest, &none).0, [1..2, 4..5, 6..7, 8..9]);
        assert_eq!(rest.tally.protected, 1);

        let mut later = removal(9, &[("a", 11, 5), ("b", 5, 4)]);
        assert_eq!(walk(&trail, &mut later, &none).0, [4..6, 7..8]);
    }

    #[test]
    fn a_daily_run_reads_a_day_and_not_the_trail() {
        let none = Standing::of(&[]).unwrap();
        let events: Vec<(&str, i64)> = (0..200_000).map(|n| (if n % 2 == 0 { "a" } else { "b" }, n)).collect();
        let (_dir, trail) = trail_of(&events);
        let mut whole = removal(200_000, &[("a", 1_000, 0)]);
        let (ranges, looks) = walk(&trail, &mut whole, &none);
        assert_eq!((ranges.len(), looks), (500, 2));
        let mut next = removal(200_000, &[("a", 1_010, whole.lanes.lanes[0].young.unwrap())]);
        let (ranges, looks) = walk(&trail, &mut next, &none);
        assert_eq!((ranges.len(), looks), (5, 2));
        let mut late = removal(200_000, &[("b", 150_000, 140_000)]);
        let (ranges, looks) = walk(&trail, &mut late, &none);
        assert_eq!((ranges.len(), looks), (5_000, 2), "it begins where the run before ended");
    }
}
