//! The fields that a product itself uses, under `native.*`: not stored, but decoded from `event.original` when a filter
//! asks for them. How records are decoded is known elsewhere; whoever starts up says so, once.

use std::sync::OnceLock;

use crate::{Object, Value};

/// Takes a record apart. It is given the mapping that read it (`name@version`), where there was one, and the record.
pub type Decode = fn(mapping: Option<&str>, record: &str) -> Option<Object<'static>>;

/// What the names of these fields begin with.
pub const PREFIX: &str = "native.";

static DECODE: OnceLock<Decode> = OnceLock::new();

/// Says how records are decoded. Without it there are no native fields. The first call counts.
pub fn install(decode: Decode) {
    // Who comes second brings the same: there is one set of decoders in a program.
    let _ = DECODE.set(decode);
}

pub(crate) fn decode(mapping: Option<&str>, record: &str) -> Option<Object<'static>> {
    DECODE.get()?(mapping, record)
}

/// The values at a dotted name in the product's own fields. Its keys may hold dots themselves: `addr.remote` is the
/// member of that name as well as `remote` of `addr`.
pub(crate) fn at<'o>(object: &'o Object<'static>, dotted: &str, f: &mut dyn FnMut(&'o Value<'static>)) {
    if let Some(value) = object.get(dotted) {
        f(value);
    }
    for (dot, _) in dotted.match_indices('.') {
        let (Some(key), Some(rest)) = (dotted.get(..dot), dotted.get(dot + 1..)) else { continue };
        if let Some(value) = object.get(key) {
            below(value, rest, f);
        }
    }
}

fn below<'o>(value: &'o Value<'static>, dotted: &str, f: &mut dyn FnMut(&'o Value<'static>)) {
    match value {
        Value::Object(object) => at(object, dotted, f),
        Value::Array(items) => items.iter().for_each(|item| below(item, dotted, f)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::filter::{matches, parse};
    use crate::{Event, Object, Value};

    fn decode(mapping: Option<&str>, record: &str) -> Option<Object<'static>> {
        assert_eq!(mapping, Some("m@1"));
        match crate::json::parse(record.as_bytes(), &crate::json::Limits::default()).ok()? {
            Value::Object(fields) => Some(fields.into_owned()),
            _ => None,
        }
    }

    #[test]
    fn filters_see_the_fields_of_the_product() {
        super::install(decode);
        let record = r#"{"addr.remote":"10.0.0.1:22","a":{"b.c":[{"d":"Ana"},{"d":7}]},"ok":true,"gone":null}"#;
        let mut own = Object::new();
        own.insert("original", record);
        own.insert("mapping", "m@1");
        own.insert("action", "x");
        let event = Event::of(Object::from_iter([("event", Value::Object(own))]));
        for (filter, expected) in [
            ("native.addr.remote: \"10.0.0.1:22\"", true),
            ("native.addr.remote: 10.0.0.1*", true),
            ("native.a.b.c.d: ana", true),
            ("native.a.b.c.d >= 7", true),
            ("native.a.b.c.d: bob", false),
            ("native.ok: true", true),
            ("native.a: *", true),
            ("native.gone: *", false),
            ("native.missing: *", false),
            ("not native.missing: *", true),
            ("native.*: ana", true),
            ("native.a.*: ana", true),
            // Only who asks for them sees them.
            ("*: 7", false),
            ("a.b.c.d: ana", false),
        ] {
            let parsed = parse(filter).unwrap();
            assert_eq!(matches(&parsed, &event), expected, "{filter}");
        }
    }
}
