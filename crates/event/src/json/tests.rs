use proptest::prelude::*;

use super::*;
use crate::Object;

fn read(text: &str) -> Result<Value<'_>, JsonError> {
    parse(text.as_bytes(), &Limits::default())
}

fn canonical(value: &Value<'_>) -> String {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_canonical_form_is_that_of_rfc_8785() {
    let check = |text: &str, expected: &str| assert_eq!(canonical(&read(text).unwrap()), expected, "{text}");
    check(" { } ", "{}");
    check("[1 , 2.0,\t\"x\\/\"]", "[1,2,\"x/\"]");
    // Section 3.2.2; its 333333333.33333329 has a digit more than a double keeps and is refused.
    check(
        r#"{"numbers":[333333333.3333333,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
    );
    // Section 3.2.3.
    check(
        r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
    );
}

#[test]
fn numbers_are_written_as_ecmascript_does() {
    // Appendix B of RFC 8785.
    for (bits, expected) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        assert_eq!(canonical(&Value::Number(f64::from_bits(bits))), expected, "{bits:x}");
    }
    assert_eq!(canonical(&Value::Number(f64::NAN)), "null");
}

#[test]
fn what_is_refused_says_why_and_where() {
    let check = |text: &[u8], expected: &str| {
        let error = parse(text, &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(b"", "expected a value, found the end at byte 0");
    check(b"not json", "expected a value, found 'n' at byte 0");
    check(b"{\"a\":1}x", "expected the end, found 'x' at byte 7");
    check(b"{\"a\" 1}", "expected a colon, found '1' at byte 5, in a");
    check(b"{\"a\":1,}", "expected a key in quotes, found '}' at byte 7");
    check(b"{\"a\":[1,]}", "expected a value, found ']' at byte 8, in a[1]");
    check(b"{\"a\":1,\"a\":2}", "the key a is there twice, the second time at byte 7");
    check(
        b"{\"user\":[{\"b\":1,\"a\":{\"x\":0,\"\\u0078\":1}}]}",
        "the key user[0].a.x is there twice, the second time at byte 27",
    );
    check(b"\"a\xff\"", "invalid UTF-8 at byte 2");
    check(b"{\"a\":\"x\0\"}", "a NUL character at byte 7, in a");
    check(b"{\"a\":\"x\\u0000\"}", "a NUL character at byte 7, in a");
    check(b"{\0}", "a NUL character at byte 1");
    check(b"\"a\nb\"", "a control character that is not escaped at byte 2");
    check(b"\"abc", "expected the end of a string, found the end at byte 4");
    check(b"\"\\ud83d\"", "half of a surrogate pair at byte 1");
    check(b"\"\\ude00\"", "half of a surrogate pair at byte 1");
    check(b"\"\\ud83d\\u0041\"", "half of a surrogate pair at byte 1");
    check(b"\"\\x\"", "expected one of \"\\/bfnrtu after a backslash, found 'x' at byte 2");
    check(b"01", "expected a number without zeros before it, found '0' at byte 0");
    check(b"1.", "expected a digit, found the end at byte 2");
    check(b"-", "expected a digit, found the end at byte 1");
    check(b"NaN", "expected a value, found 'N' at byte 0");
    check(
        b"{\"id\":9007199254740993}",
        "the number 9007199254740993 can't be kept exactly, send it as a string at byte 6, in id",
    );
    check(
        "[".repeat(33).as_bytes(),
        "more than 32 arrays and objects within each other at byte 32, in [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]",
    );
    let fields: Vec<_> = (0..10_000).map(|n| format!("\"{n}\":1")).collect();
    check(format!("{{{}}}", fields.get(..1_001).unwrap().join(",")).as_bytes(), "more than 1000 fields at byte 7891");
    check(format!("{{{}}}", fields.join(",")).as_bytes(), "88891 bytes are more than the 65535 allowed at byte 65535");
    check(" ".repeat(65_536).as_bytes(), "65536 bytes are more than the 65535 allowed at byte 65535");
}

#[test]
fn a_million_brackets_cost_nothing() {
    let text = "[".repeat(1_000_000);
    let limits = Limits { bytes_max: usize::MAX, ..Limits::default() };
    assert_eq!(parse(text.as_bytes(), &limits).unwrap_err().position, 32);
}

#[test]
fn strings_without_escapes_are_borrowed() {
    let Value::Array(items) = read(r#"["plain text of some length","with \n escape"]"#).unwrap() else { panic!() };
    assert!(matches!(
        items.as_slice(),
        [Value::String(std::borrow::Cow::Borrowed(_)), Value::String(std::borrow::Cow::Owned(_))]
    ));
}

fn values() -> impl Strategy<Value = Value<'static>> {
    let numbers = prop_oneof![
        any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite()),
        any::<i32>().prop_map(f64::from),
    ];
    let texts = prop_oneof![
        "\\PC{0,20}",
        any::<String>().prop_map(|text| text.replace('\0', "")),
        proptest::sample::select(&["\u{1}\u{1f}\"\\/\u{7f}\u{2028}", "😀\u{fb33}", ""][..]).prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        numbers.prop_map(|number| Value::Number(if number == 0.0 { 0.0 } else { number })),
        texts.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((texts.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Object<'static>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_written_reads_as_the_same(value in values()) {
        let text = canonical(&value);
        prop_assert_eq!(&read(&text).unwrap(), &value, "{}", text);
    }

    #[test]
    fn serde_json_reads_the_same(value in values()) {
        let text = canonical(&value);
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&Value::from(theirs), &value, "{}", text);
    }

    #[test]
    fn we_accept_what_serde_json_accepts(text in prop_oneof![
        "[\\[\\]{}:,\"\\\\a-u0-9.eE+\\- \\n]{0,12}",
        values().prop_map(|value| value.to_json().to_string()),
    ]) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match (read(&text), theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(&ours, &Value::from(theirs), "{}", text),
            (Ok(ours), Err(error)) => prop_assert!(false, "{} {:?} {}", text, ours, error),
            (Err(error), Ok(_)) => prop_assert!(
                matches!(error.problem, Problem::DuplicateKey | Problem::InexactNumber { .. } | Problem::Nul),
                "{} {}", text, error
            ),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes, &Limits::default());
    }
}

proptest! {
    /// The leaves that are shown without a tree are those of the tree.
    #[test]
    fn walking_shows_what_the_event_holds(entry in crate::strategies::entries()) {
        let event = crate::Event::read(&entry).unwrap();
        let (mut expected, mut shown) = (Vec::new(), Vec::new());
        event.walk(&mut |path, value| expected.push((path.to_owned(), value.clone())));
        crate::Event::leaves(&entry, &mut |path, value| {
            shown.push((path.to_owned(), value.clone()));
            std::ops::ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(shown, expected);
        let action = crate::Event::glance(&entry, "event.action");
        prop_assert_eq!(action.as_deref(), event.text("event.action"));
        prop_assert_eq!(crate::Event::glance(&entry, "event.nothing"), None);
    }

    #[test]
    fn walking_anything_ends(text in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = crate::Event::leaves(&text, &mut |_, _| std::ops::ControlFlow::Continue(()));
        let mut object = b"{\"a\":".to_vec();
        object.extend(text);
        let leaves = crate::Event::leaves(&object, &mut |_, _| std::ops::ControlFlow::Continue(()));
        if crate::Event::read(&object).is_ok() {
            prop_assert!(leaves.is_ok());
        }
    }
}
