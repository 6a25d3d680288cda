//! Whatever the bytes: nothing panics, nothing is lost, nothing grows without bound.

#![allow(
    clippy::unwrap_used,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test that can't go on fails, and may be a little wasteful"
)]

use std::sync::OnceLock;

use proptest::prelude::*;
use wire::mapping::{Mapping, Meta, Outcome, RECORD_BYTES_MAX, builtin, find};
use wire::syslog::{Framer, RelpReader, parse};
use wire::{address, decode, hec, time};

fn now() -> jiff::Timestamp {
    "2026-06-30T12:00:00Z".parse().unwrap()
}

/// Bytes that look like what the readers look for.
fn looks_like() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"<34>",
        b"<34>1 ",
        b"2026-01-02T03:04:05Z ",
        b"Jan  2 03:04:05 ",
        b"12 <13>",
        b"[a@1 k=\"v",
        b"\"] ",
        b"\\",
        b"\"",
        b"]",
        b"=",
        b" ",
        b"\n",
        b"\0",
        b"CEF:0|a|b|c|d|e|5|",
        b"src=1.2.3.4 ",
        b"LEEF:2.0|a|b|c|d|x09|",
        b"{",
        b"}",
        b"\"event\":",
        b"null",
        b"1e400",
        b"-0",
        b",",
        b":",
        b"'",
        b"\xef\xbb\xbf",
        b"\xc3\xa9\xe6\x97\xa5",
        b"\xff\xfe",
        b"sshd[1]: ",
        b"Failed password for ",
        b" from ",
        b" port 99999999",
        b"COMMAND=",
        b" ; ",
        b"18446744073709551616",
    ];
    let piece = proptest::sample::select(PIECES);
    let any = proptest::collection::vec(any::<u8>(), 0..8);
    proptest::collection::vec(prop_oneof![4 => piece.prop_map(<[u8]>::to_vec), 1 => any], 0..40)
        .prop_map(|p| p.concat())
}

fn shipped() -> impl Iterator<Item = &'static Mapping> {
    builtin().iter().map(|b| find(b.name).expect("it compiles"))
}

fn check(record: &[u8]) {
    let message = parse(record, now());
    let _ = (message.facility(), message.severity());
    for event in hec::parse_events(record) {
        let _ = event.map_err(|e| e.to_string());
    }
    if let Ok(text) = std::str::from_utf8(record) {
        let _ = (time::read(text, now()), time::read_prefix(text, now()), address::read(text));
        let _ = (decode::cef::find(text), decode::leef::find(text), decode::kv::read(text));
    }
    for mapping in shipped() {
        match mapping.run(record, &Meta::at(now())) {
            Outcome::Events(drafts) => {
                for draft in drafts {
                    let object = draft.as_object().unwrap();
                    let original = object.at("event.original").unwrap().as_str().unwrap();
                    match object.at("event.original_base64") {
                        None => assert_eq!(original.as_bytes(), record),
                        Some(exact) => {
                            use base64::Engine;
                            let exact =
                                base64::engine::general_purpose::STANDARD.decode(exact.as_str().unwrap()).unwrap();
                            assert_eq!(exact, record);
                        }
                    }
                }
            }
            Outcome::Skipped(_) => {}
            Outcome::Failed(reason) => assert!(!reason.text.is_empty()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(record in looks_like()) {
        check(&record);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(record in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&record);
    }

    #[test]
    fn relp_takes_anything(pieces in proptest::collection::vec("[0-9]{1,3} (open|syslog|close|x) [0-9]{1,3} [ -~\n]{0,20}\n?", 0..20), step in 1_usize..50) {
        let mut reader = RelpReader::new(200);
        'stream: for piece in pieces.concat().as_bytes().chunks(step) {
            reader.push(piece);
            loop {
                match reader.next_frame() {
                    Ok(Some(frame)) => prop_assert!(frame.data.len() <= 200),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
    }

    #[test]
    fn a_stream_gives_the_same_in_any_pieces(messages in proptest::collection::vec("[ -~é日]{1,40}", 1..10), step in 1_usize..50, counted in any::<bool>()) {
        let messages: Vec<String> = messages.iter().map(|m| format!("<13>{}", m.trim())).collect();
        let stream: String = messages.iter().map(|m| if counted { format!("{} {m}", m.len()) } else { format!("{m}\n") }).collect();
        let mut framer = Framer::new(1000);
        let mut got = Vec::new();
        for piece in stream.as_bytes().chunks(step) {
            framer.push(piece);
            while let Some(message) = framer.next_message() {
                got.push(String::from_utf8_lossy(message.unwrap()).into_owned());
            }
        }
        while let Some(message) = framer.finish() {
            got.push(String::from_utf8_lossy(message.unwrap()).into_owned());
        }
        prop_assert_eq!(got, messages);
    }

    #[test]
    fn a_framer_keeps_no_more_than_it_must(pieces in proptest::collection::vec(looks_like(), 0..40)) {
        let mut framer = Framer::new(200);
        let mut pushed = 0;
        for piece in &pieces {
            framer.push(piece);
            pushed += piece.len();
            let mut given = 0;
            while let Some(message) = framer.next_message() {
                given += 1;
                prop_assert!(given <= pushed + 1, "messages without end");
                prop_assert!(message.map_or_else(|e| e.bytes.len(), <[u8]>::len) <= pushed);
            }
            prop_assert!(framer.pending() <= 220 + piece.len(), "{} bytes wait", framer.pending());
        }
        while framer.finish().is_some() {}
        prop_assert_eq!(framer.pending(), 0);
    }
}

#[test]
fn records_are_bounded() {
    let mapping = find("generic").unwrap();
    let long = vec![b'x'; RECORD_BYTES_MAX + 1];
    assert!(matches!(mapping.run(&long, &Meta::at(now())), Outcome::Failed(r) if r.code.name() == "too_long"));
    let deep = "[".repeat(60_000);
    let _ = mapping.run(format!("{{\"a\":{deep}").as_bytes(), &Meta::at(now()));
    let wide: String = (0..5_000).map(|n| format!("k{n}=v ")).collect();
    let _ = mapping.run(wide.as_bytes(), &Meta::at(now()));
    for hard in [
        "a=".repeat(30_000),
        "=\"".repeat(30_000),
        " <".repeat(30_000),
        "1 ".repeat(30_000),
        ":".repeat(60_000),
        "\\".repeat(60_000),
    ] {
        let started = std::time::Instant::now();
        for mapping in shipped() {
            let _ = mapping.run(hard.as_bytes(), &Meta::at(now()));
            let _ = mapping.run(format!("<13>1 - - - - - [a b=\"{hard}").as_bytes(), &Meta::at(now()));
            let _ = mapping.run(format!("CEF:0|a|b|c|d|e|5|{hard}").as_bytes(), &Meta::at(now()));
        }
        assert!(started.elapsed().as_secs() < 30, "{:?} took {:?}", hard.get(..4), started.elapsed());
    }
}

fn compile(program: &str) -> Result<Mapping, Vec<wire::mapping::CompileError>> {
    Mapping::compile("test", "1", program)
}

#[test]
fn errors_say_where() {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text =
        TEXT.get_or_init(|| "# decoder: json\n\n.event.action = \"a\"\n.user.name = upcse(.native.user)\n".to_owned());
    let errors = compile(text).unwrap_err();
    assert_eq!((errors[0].line, errors[0].column), (4, 14), "{errors:?}");
    for (program, line, part) in [
        (".event.action = \"a\"", 1, "decoded"),
        ("# decoder: yaml\n.a = 1", 1, "no decoder yaml"),
        ("# decoder: json\n.native.user = 1", 2, "read-only"),
        ("# decoder: json\nx = http_request(\"http://localhost\")", 2, "no function http_request"),
        ("# decoder: json\n.source.port = [1]", 2, "holds a number, this is a list"),
        ("# decoder: json\n.event.outcome = \"sucess\"", 2, "none of success"),
        ("# decoder: json\nx = slgu(.native.a)", 2, "no function slgu"),
        ("# decoder: json\nx = part(.native.a, 7, 1)", 2, "separator of part"),
        ("# decoder: json\nx = match(.native.a, r'(')", 2, "pattern is wrong"),
        ("# decoder: json\n.a = (1 +", 2, "missing"),
        ("# decoder: json\n.a = lookup(.native, \"x\")", 2, "must stand in the program"),
    ] {
        let errors = compile(program).unwrap_err();
        assert_eq!(errors[0].line, line, "{errors:?}");
        assert!(errors[0].message.contains(part), "{errors:?}");
    }
}

#[test]
fn a_program_cannot_hang_nor_take_the_server_with_it() {
    // Every line doubles a text: without a bound, the thirtieth would take a gigabyte.
    let doubling = format!(
        "# decoder: json\n.event.action = \"a\"\nx = \"0123456789\"\n{}.message = x",
        "x = x + x\n".repeat(200)
    );
    let mapping = compile(&doubling).unwrap();
    let started = std::time::Instant::now();
    let outcome = mapping.run(b"{}", &Meta::at(now()));
    assert!(matches!(&outcome, Outcome::Failed(r) if r.code.name() == "took_too_long"), "{outcome:?}");
    assert!(started.elapsed().as_secs() < 10);
    // Nor may a text grow by putting one into each place of another: of two that fit, a gigabyte would come.
    let record = format!("{{\"a\":\"{}\",\"b\":\"{}\"}}", ",".repeat(32_000), "b".repeat(32_000));
    for growing in [
        "replace(.native.a, \",\", .native.b)",
        "replace(.native.a, r',', .native.b)",
        "replace(.native.b, r'.+', replace(.native.a, \",\", \"$0\"))",
        "joined(list(replace(.native.a, \",\", \"a,\")), .native.b)",
    ] {
        let mapping = compile(&format!("# decoder: json\n.event.action = \"a\"\n.message = {growing}")).unwrap();
        let outcome = mapping.run(record.as_bytes(), &Meta::at(now()));
        assert!(matches!(&outcome, Outcome::Failed(r) if r.code.name() == "took_too_long"), "{growing}");
    }
    // Nor does looking at a long text again and again take forever, be it within one statement.
    let grown =
        format!("# decoder: json\n.event.action = \"a\"\nx = \"{}\"\n{}", "ab ".repeat(300), "x = x + x\n".repeat(12));
    for look in ["match(x, r'(a|b)+ c')", "exists(after(x, \"c\"))"] {
        let all = vec![look; 400].join(" || ");
        let mapping = compile(&format!("{grown}.labels.found = {all}")).unwrap();
        let started = std::time::Instant::now();
        let outcome = mapping.run(b"{}", &Meta::at(now()));
        assert!(matches!(&outcome, Outcome::Failed(r) if r.code.name() == "took_too_long"), "{look}: {outcome:?}");
        assert!(started.elapsed().as_secs() < 10, "{look} took {:?}", started.elapsed());
    }
    // Nor can patterns be of any size and number.
    let matching = |pattern: &str| {
        format!("# decoder: json\n.event.action = \"a\"\n.labels.found = match(.native.a, r'{pattern}')")
    };
    for (pattern, reason) in [
        (r"\w".repeat(2_049), "more than 4096"),
        (r"\w".repeat(2_000), "size limit"),
        (r"(\w{50}){50}".to_owned(), "size limit"),
    ] {
        let errors = compile(&matching(&pattern)).unwrap_err();
        assert!(errors[0].message.contains(reason), "{errors:?}");
    }
    let many = (0..501).map(|n| format!(".labels.n{n} = match(.native.a, r'a')\n")).collect::<String>();
    let errors = compile(&format!("# decoder: json\n{many}")).unwrap_err();
    assert!(errors[0].line == 502 && errors[0].message.contains("more than 500 patterns"), "{errors:?}");
    // Nor can the depth of a program, or of a record, break the stack.
    for deep in ["(".repeat(100_000), "!".repeat(100_000), "[".repeat(100_000), "if true { ".repeat(10_000)] {
        assert!(compile(&format!("# decoder: json\nx = {deep}")).is_err());
        assert!(compile(&format!("# decoder: json\n{deep}")).is_err());
    }

    let outcome = |program: &str| match compile(program)
        .unwrap()
        .run(b"{\"a\":\"x\",\"n\":9007199254740993}", &Meta::at(now()))
    {
        Outcome::Events(drafts) => drafts[0].to_json().to_string(),
        Outcome::Skipped(reason) => format!("skipped: {reason}"),
        Outcome::Failed(reason) => format!("{}: {reason}", reason.code.name()),
    };
    assert_eq!(outcome("# decoder: json\n.skip = \"a heartbeat\""), "skipped: a heartbeat");
    assert_eq!(outcome("# decoder: json\nabort \"not ours\""), "refused: not ours");
    assert_eq!(
        outcome("# decoder: json\n.user.name = .native.a"),
        "no_action: the mapping assigned no event.action for this record"
    );
    assert_eq!(outcome("# decoder: syslog\n.event.action = \"a\""), "not_decoded: the record is none of syslog");
    let json =
        outcome("# decoder: json\n.event.action = \"a\"\n.labels.n = .native.n\n.user.name = \"\"\n.user.id = null");
    assert!(json.contains("\"n\":\"9007199254740993\"") && !json.contains("user"), "{json}");
    let json = outcome(
        "# decoder: json\n.event.action = \"a\"\n.events = [{\"user\":{\"name\":\"b\"}},{\"event\":{\"action\":\"c\"}}]",
    );
    assert!(json.contains("\"name\":\"b\"") && json.contains("\"action\":\"a\""), "{json}");
}
