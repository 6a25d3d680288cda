//! The index of Belfry: which events there are, found by what they say.
//!
//! It is an index and no second copy. The engine (Tantivy) holds posting lists, the time and the
//! position of each event; the event itself is read from the trail, through [`Entries`]. Everything
//! in the folder of the index can be thrown away and comes back from the trail.
//!
//! There is one index for each calendar month of `@timestamp`. Reading newest first therefore opens
//! the newest month, and the others only as they are needed.
//!
//! A [filter](event::Filter) is looked up in each segment as sets of documents: those that it picks
//! for sure, and those of which the index can't tell. Of these the event is read and the
//! [matcher](event::filter::Matcher) decides, so that an answer is exact or says that it is not.
//! What was not indexed yet goes through the same matcher.

#![cfg_attr(test, allow(clippy::same_item_push, reason = "tests read better so"))]

mod bits;
mod budget;
mod document;
mod entries;
mod error;
mod facet;
mod hours;
mod manifest;
mod matches;
mod merge;
mod month;
mod node;
mod query;
mod schema;
mod search;
mod segment;
mod shape;
mod shelf;
mod snapshot;
mod span;
mod store;
mod summary;
mod tail;
mod tally;
mod term;
mod values;

pub use budget::{Budget, Stopped};
pub use entries::{Entries, EntriesError};
pub use error::StoreError;
pub use facet::is_countable;
pub use month::{Month, NoMonth};
pub use query::{Count, Cursor, CursorError, Hit, LIMIT_MAX, Order, Page, Paging, Query};
pub use span::{SPANS_MAX, Span};
pub use store::{Health, Options, Progress, Store};
pub use summary::{Bucket, By, FIELDS_MAX, ROWS_MAX, Row, Summary};
pub use values::{FieldValue, Values};
