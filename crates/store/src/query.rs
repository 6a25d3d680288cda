//! What is asked of the store, and what it answers.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use event::Filter;
use jiff::Timestamp;

use crate::budget::{Budget, Stopped};
use crate::month::{Nanos, nanos, timestamp};

/// The largest page.
pub const LIMIT_MAX: usize = 1_000;

/// Which events are meant.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// What the person asks for.
    pub filter: &'a Filter,
    /// What the person may see at all.
    pub visibility: Option<&'a Filter>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// What `now` means in a filter.
    pub now: Timestamp,
    pub budget: Budget,
}

impl<'a> Query<'a> {
    /// All events that the filter picks, of any time, without bounds on the work.
    pub fn new(filter: &'a Filter, now: Timestamp) -> Self {
        Self { filter, visibility: None, from: None, to: None, now, budget: Budget::default() }
    }

    /// Only from the one moment on, up to the other.
    #[must_use]
    pub fn between(mut self, from: impl Into<Option<Timestamp>>, to: impl Into<Option<Timestamp>>) -> Self {
        (self.from, self.to) = (from.into(), to.into());
        self
    }

    /// Only what this filter picks as well.
    #[must_use]
    pub fn visible(mut self, visibility: Option<&'a Filter>) -> Self {
        self.visibility = visibility;
        self
    }

    /// Within these bounds.
    #[must_use]
    pub fn within(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The filter and the visibility together, with every relative time fixed.
    pub(crate) fn whole_filter(&self) -> Filter {
        let filter = self.filter.at(self.now).into_owned();
        match self.visibility {
            Some(visibility) => filter.and(visibility.at(self.now).into_owned()),
            None => filter,
        }
    }

    /// The moments it covers, the last excluded.
    pub(crate) fn stretch(&self) -> (Nanos, Nanos) {
        (self.from.map_or(Nanos::MIN, nanos), self.to.map_or(Nanos::MAX, nanos))
    }
}

/// In which order events come. Events of the same time come in the order of their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    Newest,
    Oldest,
}

/// One page of an answer.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    pub order: Order,
    /// How many events at most; no more than [`LIMIT_MAX`].
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

/// The last event of a page: the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) time: Nanos,
    pub(crate) position: u64,
}

impl Cursor {
    /// The cursor after the event at `position`, which happened at `time`.
    pub fn after(time: Timestamp, position: u64) -> Self {
        Self { time: nanos(time), position }
    }
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is none that was handed out")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time, self.position)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (time, position) = text.split_once('.').ok_or(CursorError)?;
        let time = time.parse().map_err(|_| CursorError)?;
        let position = position.parse().map_err(|_| CursorError)?;
        Ok(Self { time, position })
    }
}

/// An event that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub position: u64,
    /// When it happened.
    pub time: Timestamp,
    /// The canonical entry.
    pub entry: Bytes,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub hits: Vec<Hit>,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
    /// Why the page may not be all it should: events that belong on it may be missing.
    pub stopped: Option<Stopped>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub count: u64,
    /// Why there may be more.
    pub stopped: Option<Stopped>,
}

/// The place of an event in an answer: the smaller comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(Nanos, u64);

impl Rank {
    pub(crate) fn new(order: Order, time: Nanos, position: u64) -> Self {
        match order {
            // `!` turns the order of whole numbers around.
            Order::Newest => Self(!time, !position),
            Order::Oldest => Self(time, position),
        }
    }

    /// Before every event of that time.
    pub(crate) fn first(order: Order, time: Nanos) -> Self {
        Self(Self::new(order, time, 0).0, 0)
    }

    pub(crate) fn cursor(self, order: Order) -> Cursor {
        match order {
            Order::Newest => Cursor { time: !self.0, position: !self.1 },
            Order::Oldest => Cursor { time: self.0, position: self.1 },
        }
    }

    pub(crate) fn of(order: Order, cursor: Cursor) -> Self {
        Self::new(order, cursor.time, cursor.position)
    }

    pub(crate) fn time(self, order: Order) -> Timestamp {
        timestamp(self.cursor(order).time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_was_written() {
        for cursor in [Cursor { time: -5, position: 0 }, Cursor { time: i64::MAX, position: u64::MAX }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
            for order in [Order::Newest, Order::Oldest] {
                assert_eq!(Rank::of(order, cursor).cursor(order), cursor);
            }
        }
        for text in ["", "1", "a.b", "1.2.3", "1.-2"] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }

    #[test]
    fn ranks_sort_as_events_are_shown() {
        let newest = |time, position| Rank::new(Order::Newest, time, position);
        assert!(newest(5, 1) < newest(4, 9));
        assert!(newest(5, 2) < newest(5, 1));
        assert!(Rank::first(Order::Newest, 5) <= newest(5, u64::MAX));
        let oldest = |time, position| Rank::new(Order::Oldest, time, position);
        assert!(oldest(4, 9) < oldest(5, 1));
        assert!(Rank::first(Order::Oldest, 5) <= oldest(5, 0));
    }
}
