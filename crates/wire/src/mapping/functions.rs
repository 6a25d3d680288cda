//! The functions a mapping may call: those of the language that touch nothing but their arguments, and ours.
//!
//! Ours take whatever a record holds, and answer `null` where there is nothing to answer: a mapping needs no guards, and
//! fields that are `null` or empty are left out of the event.

mod capture;
mod lookup;
mod plain;
mod time;
mod usual;

use std::borrow::Cow;

use vrl::compiler::Function;
use vrl::value::Value;

/// Functions of the language that a mapping may use. A list of what is allowed rather than of what is not: a newer
/// version of the language brings new ones. Left out are those that reach outside (network, files, environment), that
/// answer differently each time (clock, random numbers), that can blow up a small record (decompression, ranges), and
/// parsers that nobody needs for audit records.
const ALLOWED: &[&str] = &[
    "abs",
    "append",
    "array",
    "assert",
    "basename",
    "bool",
    "ceil",
    "chunks",
    "compact",
    "contains",
    "contains_all",
    "decode_base16",
    "decode_base64",
    "decode_charset",
    "decode_mime_q",
    "decode_percent",
    "decode_punycode",
    "del",
    "dirname",
    "downcase",
    "camelcase",
    "kebabcase",
    "pascalcase",
    "screamingsnakecase",
    "snakecase",
    "encode_base16",
    "encode_base64",
    "encode_json",
    "encode_key_value",
    "encode_logfmt",
    "ends_with",
    "exists",
    "filter",
    "flatten",
    "float",
    "floor",
    "for_each",
    "format_int",
    "format_number",
    "format_timestamp",
    "from_entries",
    "from_unix_timestamp",
    "get",
    "includes",
    "int",
    "ip_aton",
    "ip_cidr_contains",
    "ip_ntoa",
    "ip_subnet",
    "ip_to_ipv6",
    "ipv6_to_ipv4",
    "is_array",
    "is_boolean",
    "is_empty",
    "is_float",
    "is_integer",
    "is_ipv4",
    "is_ipv6",
    "is_json",
    "is_null",
    "is_nullish",
    "is_object",
    "is_string",
    "is_timestamp",
    "join",
    "keys",
    "length",
    "map_keys",
    "map_values",
    "match",
    "match_any",
    "match_array",
    "merge",
    "mod",
    "object",
    "object_from_array",
    "parse_cef",
    "parse_csv",
    "parse_duration",
    "parse_float",
    "parse_int",
    "parse_json",
    "parse_key_value",
    "parse_linux_authorization",
    "parse_logfmt",
    "parse_query_string",
    "parse_regex",
    "parse_regex_all",
    "parse_syslog",
    "parse_timestamp",
    "parse_tokens",
    "parse_url",
    "parse_user_agent",
    "parse_xml",
    "pop",
    "push",
    "remove",
    "replace",
    "round",
    "set",
    "slice",
    "split",
    "split_path",
    "starts_with",
    "string",
    "strip_ansi_escape_codes",
    "strip_whitespace",
    "strlen",
    "tally",
    "timestamp",
    "to_bool",
    "to_entries",
    "to_float",
    "to_int",
    "to_string",
    "to_syslog_facility",
    "to_syslog_level",
    "to_syslog_severity",
    "to_unix_timestamp",
    "truncate",
    "type_def",
    "unflatten",
    "unique",
    "upcase",
    "values",
    "zip",
];

/// All functions a program is compiled with.
pub(super) fn all() -> Vec<Box<dyn Function>> {
    let mut functions: Vec<Box<dyn Function>> =
        vrl::stdlib::all().into_iter().filter(|f| ALLOWED.contains(&f.identifier())).collect();
    functions.extend(own());
    functions
}

fn own() -> Vec<Box<dyn Function>> {
    let mut own: Vec<Box<dyn Function>> = plain::FUNCTIONS.iter().map(|f| Box::new(*f) as _).collect();
    own.push(Box::new(capture::Capture));
    own.push(Box::new(lookup::Lookup));
    own.push(Box::new(time::Time));
    own.push(Box::new(usual::Usual));
    own
}

/// What our functions are called, with their parameters and what they do: the manual and the editor show it.
pub fn reference() -> Vec<(String, &'static str)> {
    own()
        .iter()
        .map(|f| {
            let parameters: Vec<String> = f
                .parameters()
                .iter()
                .map(|p| if p.required { p.keyword.to_owned() } else { format!("[{}]", p.keyword) })
                .collect();
            (format!("{}({})", f.identifier(), parameters.join(", ")), f.usage())
        })
        .collect()
}

/// The text of a scalar; `None` for what says nothing: null, empty, `-`, `null`, `(null)`, `<nil>`, `none`, objects.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::Null | Value::Object(_) | Value::Array(_) => return None,
        Value::Bytes(_) | Value::String(_) => match value.to_str_lossy()? {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        },
        other => other.to_string_lossy(),
    };
    let nothing = match text.len() {
        0 => true,
        1 => text == "-",
        2..=6 => {
            ["null", "(null)", "<nil>", "none", "n/a", "nil", "<null>"].iter().any(|n| text.eq_ignore_ascii_case(n))
        }
        _ => false,
    };
    (!nothing).then_some(text)
}

pub(super) fn text_or_null(text: Option<Cow<'_, str>>) -> Value {
    text.map_or(Value::Null, |t| Value::from(t.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_function_exists_and_nothing_else_is_there() {
        let all: Vec<_> = vrl::stdlib::all().iter().map(|f| f.identifier()).collect();
        for name in ALLOWED {
            assert!(all.contains(name), "{name} is no function of the language");
        }
        let names: Vec<_> = super::all().iter().map(|f| f.identifier()).collect();
        for name in [
            "http_request",
            "dns_lookup",
            "reverse_dns",
            "get_env_var",
            "get_hostname",
            "now",
            "random_int",
            "range",
            "decode_gzip",
            "log",
            "parse_grok",
            "uuid_v4",
        ] {
            assert!(!names.contains(&name), "{name} must not be callable");
        }
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "one of our functions hides one of the language");
    }
}
