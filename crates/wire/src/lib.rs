//! Outside formats: syslog, Splunk HTTP Event Collector, OTLP, Elasticsearch's `_bulk`, CloudEvents, CEF, LEEF, key=value; and the mappings that turn a product's
//! records into events. No sockets here: bytes in, events out. Whatever the bytes, nothing panics.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests read better so"))]

pub mod address;
pub mod bulk;
pub mod cloud_events;
pub mod decode;
pub mod hec;
pub mod json_text;
pub mod mapping;
pub mod otlp;
pub mod syslog;
pub mod time;
mod value;
