use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A field of kind `bytes`.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

fn fixed64(number: u8, value: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn text(value: &str) -> Vec<u8> {
    bytes(1, value.as_bytes())
}

fn pair(key: &str, value: &[u8]) -> Vec<u8> {
    [bytes(1, key.as_bytes()), bytes(2, value)].concat()
}

fn request(record: &[u8]) -> Vec<u8> {
    let resource =
        [bytes(1, &pair("service.name", &text("shop"))), bytes(1, &pair("host.name", &text("web-1")))].concat();
    let scope = bytes(1, &[bytes(1, b"audit"), bytes(2, b"1.2")].concat());
    let scope_logs = [scope, bytes(2, record)].concat();
    // The resource behind its records, which protobuf allows.
    bytes(1, &[bytes(2, &scope_logs), bytes(1, &resource)].concat())
}

const LIMITS: Limits = Limits { records: 10, bytes: 1 << 20 };

fn read(request: &[u8], form: Form) -> Vec<Value> {
    let (buffer, records) = records(request, LIMITS, &mut |_| (form, ())).unwrap();
    records.iter().map(|record| serde_json::from_slice(&buffer[record.range.clone()]).unwrap()).collect()
}

fn sample() -> Vec<u8> {
    [
        fixed64(1, 1_767_323_045_123_456_789),
        vec![2 << 3, 9],
        bytes(3, b"INFO"),
        bytes(5, &text("{\"a\": \"\u{e9}\"}")),
        bytes(6, &pair("user.name", &text("ada"))),
        bytes(6, &pair("port", &[3 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])),
        bytes(6, &pair("ratio", &fixed64(4, 0.5_f64.to_bits()))),
        bytes(6, &pair("ok", &[2 << 3, 1])),
        bytes(6, &pair("list", &bytes(5, &[bytes(1, &text("x")), bytes(1, &[])].concat()))),
        bytes(6, &pair("map", &bytes(6, &bytes(1, &pair("k", &bytes(7, &[255, 0])))))),
        bytes(9, &[1; 16]),
        bytes(12, b"user.login"),
    ]
    .concat()
}

#[test]
fn a_log_keeps_all_that_was_said() {
    let got = read(&request(&sample()), Form::Log);
    assert_eq!(
        got,
        [json!({
            "timeUnixNano": "1767323045123456789", "severityNumber": 9, "severityText": "INFO", "eventName": "user.login",
            "traceId": "01".repeat(16), "body": "{\"a\": \"é\"}",
            "attributes": {"user.name": "ada", "port": -1, "ratio": 0.5, "ok": true, "list": ["x", null], "map": {"k": "/wA="}},
            "resource": {"attributes": {"service.name": "shop", "host.name": "web-1"}}, "scope": {"name": "audit", "version": "1.2"},
        })]
    );
}

#[test]
fn a_record_in_the_body_gets_an_envelope() {
    let got = read(&request(&sample()), Form::Enveloped);
    assert_eq!(
        got,
        [json!({
            "time": 1_767_323_045.123_456_7, "host": "web-1", "source": "shop", "sourcetype": "shop", "event": "{\"a\": \"é\"}",
            "fields": {"otel.log.severity.number": 9, "otel.log.severity.text": "INFO", "otel.event.name": "user.login", "trace_id": "01".repeat(16),
                "service.name": "shop", "host.name": "web-1", "otel.scope.name": "audit", "otel.scope.version": "1.2",
                "user.name": "ada", "port": -1, "ratio": 0.5, "ok": true, "list": ["x", null], "map": {"k": "/wA="}},
        })]
    );
    // Next to nothing is a record too.
    let bare = bytes(1, &bytes(2, &bytes(2, &[])));
    assert_eq!(read(&bare, Form::Enveloped), [json!({"sourcetype": "otlp", "fields": {}, "event": ""})]);
    assert_eq!(read(&bare, Form::Log), [json!({"attributes": {}})]);
}

#[test]
fn the_caller_learns_what_the_form_depends_on() {
    for (body, is_record) in
        [("{\"a\":1}", true), (" <13>1 - - -", true), ("<b>", false), ("CEF:0|", true), ("plain", false), ("", false)]
    {
        let record = bytes(5, &text(body));
        let mut seen_record = None;
        let mut choose = |seen: Seen<'_>| {
            assert_eq!(seen.service, "shop");
            seen_record = Some(seen.body_is_record);
            (Form::Log, ())
        };
        records(&request(&record), LIMITS, &mut choose).unwrap();
        assert_eq!(seen_record, Some(is_record), "{body}");
    }
}

#[test]
fn has_bounds() {
    let choose = &mut |_: Seen<'_>| (Form::Log, ());
    let many: Vec<u8> = (0..11).flat_map(|_| request(&sample())).collect();
    assert_eq!(records(&many, LIMITS, choose).unwrap_err(), OtlpError::TooMany { limit: 10 });
    let small = Limits { records: 10, bytes: 100 };
    assert_eq!(records(&request(&sample()), small, choose).unwrap_err(), OtlpError::TooLarge { limit: 100 });
    let mut deep = text("x");
    for _ in 0..40 {
        deep = bytes(5, &bytes(1, &deep));
    }
    let error = records(&request(&bytes(5, &deep)), LIMITS, choose).unwrap_err();
    assert_eq!(error, OtlpError::Malformed(Malformed::Deep));
    let whole = request(&sample());
    let cut = &whole[..whole.len() - 3];
    assert!(matches!(records(cut, LIMITS, choose), Err(OtlpError::Malformed(Malformed::Short(_)))));
    assert!(records(b"no protobuf", LIMITS, choose).is_err());
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(noise in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..300, byte: u8) {
        let _ = records(&noise, LIMITS, &mut |_| (Form::Log, ()));
        let mut request = request(&sample());
        if let Some(place) = request.get_mut(at) {
            *place = byte;
        }
        for form in [Form::Log, Form::Enveloped] {
            let _ = records(&request, LIMITS, &mut |_| (form, ()));
        }
    }
}
