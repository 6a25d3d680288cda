//! Any text as the program of a mapping. What compiles reads small records, within its bounds.

#![no_main]

use fuzz::{meta, read};
use libfuzzer_sys::fuzz_target;
use wire::mapping::Mapping;

const RECORDS: [&[u8]; 7] = [
    b"{\"a\":\"x\",\"n\":-1.5,\"t\":\"2026-06-30T10:00:00Z\",\"l\":[{\"a\":1},null,[true]],\"o\":{\"a.b\":{\"c\":\"192.0.2.1:22\"}}}",
    b"<38>1 2026-06-30T10:00:00Z web1 app 7 ID1 [meta sequenceId=\"3\"] user=ada from 192.0.2.1 port 22",
    b"<13>Jun 30 10:00:00 gw CEF:0|Acme|Door|1|7|opened|5|src=192.0.2.1 suser=ada msg=a\\=b",
    b"<Event><System a=\"1\">x</System><Data Name=\"user\">ada</Data></Event>",
    b"a,\"b \"\"c\"\"\",,1",
    b"\xff\x00 no text",
    b"",
];

fuzz_target!(|data: &[u8]| {
    let Ok(program) = std::str::from_utf8(data) else { return };
    match Mapping::compile("fuzz", "1", program) {
        Ok(mapping) => RECORDS.iter().for_each(|record| read(&mapping, record, &meta())),
        Err(errors) => {
            let lines = program.split('\n').count();
            assert!(!errors.is_empty());
            for error in errors {
                assert!(
                    (1..=lines).contains(&error.line) && error.column > 0 && !error.message.is_empty(),
                    "{error:?}"
                );
            }
        }
    }
});
