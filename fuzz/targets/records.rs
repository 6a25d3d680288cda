//! A record of any bytes for each of the shipped mappings. The first byte says for which; its highest bit, whether the
//! listener has read a syslog header before.

#![no_main]

use fuzz::{meta, picked, read, received_at};
use libfuzzer_sys::fuzz_target;
use wire::mapping::{Meta, builtin, find, for_app, native_fields};
use wire::syslog;

/// Records of a bundle that are looked at.
const RECORDS_MAX: usize = 50;

fuzz_target!(|data: &[u8]| {
    let Some((pick, record)) = picked(data) else { return };
    let shipped = builtin();
    let mapping = find(shipped[(pick & 127) % shipped.len()].name).expect("what ships compiles");
    if pick > 127 {
        let header = syslog::parse(record, received_at());
        assert!(find(for_app(&header)).is_some());
        let peer = Some("192.0.2.7".parse().expect("an address"));
        return read(mapping, record, &Meta { syslog: Some(&header), peer, ..meta() });
    }
    match mapping.split(record) {
        Some(records) => records.into_iter().take(RECORDS_MAX).for_each(|record| read(mapping, record, &meta())),
        None => read(mapping, record, &meta()),
    }
    mapping.recognises(record, &meta());
    if let Ok(text) = std::str::from_utf8(record) {
        native_fields(Some(&mapping.id()), text);
    }
});
