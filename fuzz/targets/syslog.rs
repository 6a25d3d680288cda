//! A stream in pieces of any length: cut into messages, and each message read. The first byte says how long the pieces
//! are, and by its highest bit whether the stream is RELP.

#![no_main]

use fuzz::{picked, received_at};
use libfuzzer_sys::fuzz_target;
use wire::syslog::{Framer, RelpReader, parse};

const BYTES_MAX: usize = 600;
/// What a framer may hold beyond the longest message: a count, a priority.
const HEAD_MAX: usize = 20;

fuzz_target!(|data: &[u8]| {
    let Some((pick, stream)) = picked(data) else { return };
    let pieces = stream.chunks((pick & 127) + 1);
    if pick > 127 {
        relp(pieces)
    } else {
        framed(pieces)
    }
    message(stream);
});

fn framed<'a>(pieces: impl Iterator<Item = &'a [u8]>) {
    let mut framer = Framer::new(BYTES_MAX);
    let (mut pushed, mut given, mut given_bytes) = (0, 0, 0);
    for piece in pieces {
        framer.push(piece);
        pushed += piece.len();
        while let Some(next) = framer.next_message() {
            given += 1;
            given_bytes += next.map_or_else(|fault| fault.bytes.len(), |bytes| message(bytes));
            assert!(given <= pushed && given_bytes <= pushed, "more came out than was put in");
        }
        assert!(framer.pending() <= BYTES_MAX + HEAD_MAX + piece.len(), "{} bytes wait", framer.pending());
    }
    while let Some(next) = framer.finish() {
        given += 1;
        given_bytes += next.map_or_else(|fault| fault.bytes.len(), |bytes| message(bytes));
        assert!(given <= pushed && given_bytes <= pushed, "more came out than was put in");
    }
    assert_eq!(framer.pending(), 0, "the end left something");
}

fn relp<'a>(pieces: impl Iterator<Item = &'a [u8]>) {
    let mut reader = RelpReader::new(BYTES_MAX);
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => assert!(frame.data.len() <= BYTES_MAX),
                Ok(None) => break,
                Err(error) => return assert!(!error.to_string().is_empty()),
            }
        }
    }
}

/// Reads a message, and gives its length.
fn message(bytes: &[u8]) -> usize {
    let read = parse(bytes, received_at());
    assert_eq!(read.facility().is_some(), read.priority.is_some(), "a priority that is none: {read:?}");
    assert!(read.severity().is_some() == read.priority.is_some());
    read.parameter("meta", "sequenceId");
    assert_eq!(read.clone().into_owned(), read);
    bytes.len()
}
