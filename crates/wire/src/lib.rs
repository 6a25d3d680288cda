//! Outside formats: syslog, Splunk HTTP Event Collector, CEF, LEEF, key=value; and the mappings that turn a product's
//! records into events. No sockets here: bytes in, events out. Whatever the bytes, nothing panics.

pub mod address;
pub mod decode;
pub mod hec;
pub mod mapping;
pub mod syslog;
pub mod time;
mod value;
