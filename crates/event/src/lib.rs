//! The vocabulary of Belfry: what an event is, how its fields and types are called, how it is
//! written, checked and searched for. No IO, no clock, no threads.
//!
//! The journey of one event through this crate: [`json::parse`] reads what was sent,
//! [`admit::admit`] checks it, fills in what can be known and writes the canonical entry,
//! [`Event::read`] reads that entry again wherever it is needed, and [`filter::Matcher`] says
//! whether a filter picks it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests"))]

pub mod admit;
pub mod catalogue;
pub mod fields;
pub mod filter;
pub mod json;
pub mod native;
pub mod severity;
#[cfg(any(test, feature = "strategies"))]
pub mod strategies;
pub mod words;

mod record;
mod template;
mod value;

pub use catalogue::Catalogue;
pub use filter::Filter;
pub use record::Event;
pub use severity::Severity;
pub use value::{Object, Value};
