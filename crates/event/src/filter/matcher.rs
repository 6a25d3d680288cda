//! Whether a filter picks an event.

use super::Filter;
use crate::Event;

/// A filter made ready to be asked many times.
#[derive(Debug, Clone)]
pub struct Matcher {
    filter: Filter,
}

impl Matcher {
    /// Makes a filter ready.
    pub fn new(filter: &Filter) -> Self {
        Self { filter: filter.clone() }
    }

    /// Whether the filter picks the event.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        let _ = event;
        self.filter == Filter::All
    }
}

/// Whether `filter` picks `event`. To ask more than once, make a [`Matcher`].
pub fn matches(filter: &Filter, event: &Event<'_>) -> bool {
    Matcher::new(filter).matches(event)
}
