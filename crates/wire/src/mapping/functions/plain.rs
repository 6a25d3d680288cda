//! Functions that compute from their arguments and nothing else.

use std::borrow::Cow;

use vrl::compiler::prelude::*;

use super::{text_of, text_or_null};
use crate::address;
use crate::decode::kv;

/// A function of up to eight arguments that cannot fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain {
    name: &'static str,
    usage: &'static str,
    parameters: &'static [Parameter],
    returns: Returns,
    call: fn(&[&Value]) -> Value,
}

/// What a function gives. The narrower, the less the compiler has to carry along: it copies the types of all that is
/// known at every step.
#[derive(Debug, Clone, Copy)]
enum Returns {
    /// A text, or null.
    Text,
    /// A whole number, or null.
    Integer,
    Boolean,
    /// A list of texts, or null.
    Texts,
    /// An object of texts.
    Fields,
}

const VALUE: &[Parameter] = &[Parameter::required("value", kind::ANY, "any value")];

pub(super) const FUNCTIONS: &[Plain] = &[
    Plain {
        name: "text",
        usage: "The value as text, without blanks around it. null for what says nothing: empty, `-`, `null`, `none`, lists and objects.",
        parameters: VALUE,
        returns: Returns::Text,
        call: |args| args.first().map_or(Value::Null, |v| text(v)),
    },
    Plain {
        name: "first",
        usage: "The first of up to eight values that says something, as text.",
        parameters: &[
            Parameter::required("a", kind::ANY, "tried first"),
            Parameter::required("b", kind::ANY, "tried next"),
            Parameter::optional("c", kind::ANY, "and so on"),
            Parameter::optional("d", kind::ANY, ""),
            Parameter::optional("e", kind::ANY, ""),
            Parameter::optional("f", kind::ANY, ""),
            Parameter::optional("g", kind::ANY, ""),
            Parameter::optional("h", kind::ANY, ""),
        ],
        returns: Returns::Text,
        call: |args| args.iter().map(|v| text(v)).find(|v| !v.is_null()).unwrap_or(Value::Null),
    },
    Plain {
        name: "ip",
        usage: "The address in `10.0.0.1:22`, `[::1]:22`, `::ffff:10.0.0.1` and the like; null when there is none.",
        parameters: VALUE,
        returns: Returns::Text,
        call: |args| address_of(args).map_or(Value::Null, |a| Value::from(a.ip.to_string())),
    },
    Plain {
        name: "port",
        usage: "The port in `10.0.0.1:22`, or a port that stands alone.",
        parameters: VALUE,
        returns: Returns::Integer,
        call: port,
    },
    Plain {
        name: "slug",
        usage: "The value in lower case with nothing but a-z, 0-9, `_`, `.` and `-`: what event.action may hold.",
        parameters: VALUE,
        returns: Returns::Text,
        call: |args| args.first().copied().and_then(text_of).and_then(|t| slug(&t)).map_or(Value::Null, Value::from),
    },
    Plain {
        name: "has",
        usage: "Does the text contain this part, or one of these parts?",
        parameters: PARTS,
        returns: Returns::Boolean,
        call: |args| any_part(args, |text, part| text.contains(part)),
    },
    Plain {
        name: "begins",
        usage: "Does the text begin with this part, or one of these parts?",
        parameters: PARTS,
        returns: Returns::Boolean,
        call: |args| any_part(args, |text, part| text.starts_with(part)),
    },
    Plain {
        name: "ends",
        usage: "Does the text end with this part, or one of these parts?",
        parameters: PARTS,
        returns: Returns::Boolean,
        call: |args| any_part(args, |text, part| text.ends_with(part)),
    },
    Plain {
        name: "part",
        usage: "The n-th piece of a text, from 0; negative numbers count from the end. `part(\"a/b/c\", \"/\", 1)` is `b`.",
        parameters: &[
            Parameter::required("value", kind::ANY, "any value"),
            Parameter::required("separator", kind::BYTES, "what the pieces are separated by"),
            Parameter::required("index", kind::INTEGER, "which piece"),
        ],
        returns: Returns::Text,
        call: part,
    },
    Plain {
        name: "after",
        usage: "What follows the first occurrence of a mark in the text; null when it does not occur.",
        parameters: &[
            Parameter::required("value", kind::ANY, "any value"),
            Parameter::required("mark", kind::BYTES, "the mark"),
        ],
        returns: Returns::Text,
        call: after,
    },
    Plain {
        name: "list",
        usage: "The value as a list of texts: a list as it is, a text split at commas, anything else alone.",
        parameters: VALUE,
        returns: Returns::Texts,
        call: list,
    },
    Plain {
        name: "joined",
        usage: "The items of a list that say something, as one text with a separator between them.",
        parameters: &[
            Parameter::required("value", kind::ANY, "a list"),
            Parameter::required("separator", kind::BYTES, "what to put between"),
        ],
        returns: Returns::Text,
        call: joined,
    },
    Plain {
        name: "pairs",
        usage: "The key=value pairs in a text, as an object.",
        parameters: VALUE,
        returns: Returns::Fields,
        call: pairs,
    },
    Plain {
        name: "outcome",
        usage: "`success` or `failure` for the usual words for them (ok, true, allowed, granted; failed, false, denied, error …), else null.",
        parameters: VALUE,
        returns: Returns::Text,
        call: |args| args.first().copied().and_then(text_of).and_then(|t| outcome(&t)).map_or(Value::Null, Value::from),
    },
    Plain {
        name: "labelled",
        usage: "The custom fields of CEF (`cs1` with `cs1Label` and so on) under the names that their labels give.",
        parameters: VALUE,
        returns: Returns::Fields,
        call: labelled,
    },
];

const PARTS: &[Parameter] = &[
    Parameter::required("value", kind::ANY, "any value"),
    Parameter::required("part", kind::BYTES | kind::ARRAY, "a text, or a list of texts"),
];

impl Function for Plain {
    fn identifier(&self) -> &'static str {
        self.name
    }

    fn usage(&self) -> &'static str {
        self.usage
    }

    fn category(&self) -> &'static str {
        "Belfry"
    }

    fn return_kind(&self) -> u16 {
        match self.returns {
            Returns::Text => kind::BYTES | kind::NULL,
            Returns::Integer => kind::INTEGER | kind::NULL,
            Returns::Boolean => kind::BOOLEAN,
            Returns::Texts => kind::ARRAY | kind::NULL,
            Returns::Fields => kind::OBJECT,
        }
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.parameters
    }

    fn compile(&self, state: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let arguments = self.parameters.iter().filter_map(|p| arguments.optional(p.keyword));
        // What is written in the program is made once, not for every record.
        let arguments = arguments.map(|a| ConstOrExpr::new(a, state)).collect();
        Ok(Call { function: *self, arguments }.as_expr())
    }
}

#[derive(Debug, Clone)]
struct Call {
    function: Plain,
    arguments: Vec<ConstOrExpr>,
}

fn resolve<'a>(argument: &'a ConstOrExpr, ctx: &mut Context<'_>) -> Result<Cow<'a, Value>, ExpressionError> {
    Ok(match argument {
        ConstOrExpr::Const(value) => Cow::Borrowed(value),
        ConstOrExpr::Expr(expr) => Cow::Owned(expr.resolve(ctx)?),
    })
}

impl FunctionExpression for Call {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        // One and two arguments are the rule: no allocation for them.
        match self.arguments.as_slice() {
            [a] => Ok((self.function.call)(&[&*resolve(a, ctx)?])),
            [a, b] => {
                let a = resolve(a, ctx)?;
                Ok((self.function.call)(&[&*a, &*resolve(b, ctx)?]))
            }
            all => {
                let values = all.iter().map(|a| resolve(a, ctx)).collect::<Result<Vec<_>, _>>()?;
                let values: Vec<&Value> = values.iter().map(AsRef::as_ref).collect();
                Ok((self.function.call)(&values))
            }
        }
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        let kind = match self.function.returns {
            Returns::Text => Kind::bytes().or_null(),
            Returns::Integer => Kind::integer().or_null(),
            Returns::Boolean => Kind::boolean(),
            Returns::Texts => Kind::array(Collection::from_unknown(Kind::bytes())).or_null(),
            Returns::Fields => Kind::object(Collection::from_unknown(Kind::bytes().or_undefined())),
        };
        TypeDef::from(kind).infallible()
    }
}

/// The value itself where it is a text without blanks around it: nothing is copied.
fn text(value: &Value) -> Value {
    match text_of(value) {
        None => Value::Null,
        Some(text) if value.to_str_lossy().is_some_and(|whole| whole.len() == text.len()) => value.clone(),
        Some(text) => Value::from(text.as_ref()),
    }
}

fn address_of(args: &[&Value]) -> Option<address::Address> {
    address::read(&text_of(args.first().copied()?)?)
}

fn port(args: &[&Value]) -> Value {
    let Some(text) = args.first().copied().and_then(text_of) else { return Value::Null };
    let alone = text.parse::<u16>().ok();
    match alone.or_else(|| address::read(&text)?.port) {
        Some(port) if port > 0 => Value::from(i64::from(port)),
        _ => Value::Null,
    }
}

/// Lower case; runs of anything else become one `_`.
pub(super) fn slug(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len().min(128));
    let mut previous_lower = false;
    for c in text.chars() {
        if out.len() >= 128 {
            break;
        }
        if c.is_ascii_uppercase() && previous_lower {
            out.push('_');
        }
        previous_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(128);
    let out = out.trim_matches(['_', '.', '-']);
    (!out.is_empty()).then(|| out.to_owned())
}

fn any_part(args: &[&Value], test: fn(&str, &str) -> bool) -> Value {
    let (Some(value), Some(part)) = (args.first(), args.get(1)) else { return Value::Boolean(false) };
    let Some(text) = value.to_str_lossy() else { return Value::Boolean(false) };
    let one = |part: &Value| part.to_str_lossy().is_some_and(|p| test(&text, &p));
    Value::Boolean(match part {
        Value::Array(parts) => parts.iter().any(one),
        part => one(part),
    })
}

fn part(args: &[&Value]) -> Value {
    let (Some(text), Some(separator), Some(index)) = (
        args.first().copied().and_then(text_of),
        args.get(1).and_then(|v| v.to_str_lossy()),
        args.get(2).and_then(|v| v.as_integer()),
    ) else {
        return Value::Null;
    };
    if separator.is_empty() {
        return Value::Null;
    }
    let piece = match usize::try_from(index) {
        Ok(index) => text.split(separator.as_ref()).nth(index),
        Err(_) => text.rsplit(separator.as_ref()).nth(usize::try_from(-(index + 1)).unwrap_or(usize::MAX)),
    };
    text_or_null(piece.map(str::trim).filter(|p| !p.is_empty()).map(Into::into))
}

fn after(args: &[&Value]) -> Value {
    let (Some(text), Some(mark)) =
        (args.first().copied().and_then(text_of), args.get(1).and_then(|v| v.to_str_lossy()))
    else {
        return Value::Null;
    };
    text_or_null(text.split_once(mark.as_ref()).map(|(_, rest)| rest.trim()).filter(|r| !r.is_empty()).map(Into::into))
}

fn list(args: &[&Value]) -> Value {
    let texts: Vec<Value> = match args.first() {
        Some(Value::Array(items)) => items.iter().filter_map(text_of).map(|t| Value::from(t.as_ref())).collect(),
        Some(value) => match text_of(value) {
            Some(text) => text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(Value::from).collect(),
            None => Vec::new(),
        },
        None => Vec::new(),
    };
    if texts.is_empty() { Value::Null } else { Value::Array(texts) }
}

fn joined(args: &[&Value]) -> Value {
    let Some(separator) = args.get(1).and_then(|v| v.to_str_lossy()) else { return Value::Null };
    match args.first() {
        Some(Value::Array(items)) => {
            let texts: Vec<_> = items.iter().filter_map(text_of).collect();
            if texts.is_empty() { Value::Null } else { Value::from(texts.join(separator.as_ref())) }
        }
        Some(value) => text_or_null(text_of(value)),
        None => Value::Null,
    }
}

fn outcome(text: &str) -> Option<&'static str> {
    const SUCCESS: [&str; 26] = [
        "success",
        "successful",
        "succeeded",
        "succeed",
        "ok",
        "okay",
        "true",
        "yes",
        "pass",
        "passed",
        "allow",
        "allowed",
        "allow_list",
        "permit",
        "permitted",
        "grant",
        "granted",
        "accept",
        "accepted",
        "approved",
        "complete",
        "completed",
        "info",
        "credentials_ok",
        "mfa_ok",
        "password_ok",
    ];
    const FAILURE: [&str; 28] = [
        "failure",
        "fail",
        "failed",
        "fails",
        "error",
        "errored",
        "false",
        "no",
        "deny",
        "denied",
        "reject",
        "rejected",
        "block",
        "blocked",
        "invalid",
        "unsuccessful",
        "unauthorized",
        "forbidden",
        "refused",
        "abort",
        "aborted",
        "cancelled",
        "timeout",
        "timed_out",
        "credentials_failed",
        "mfa_failed",
        "modern_version_failed",
        "firewall_failed",
    ];
    let word = text.trim().trim_end_matches(['.', '!']).to_ascii_lowercase().replace(' ', "_");
    // An HTTP status tells as well.
    if let Ok(status @ 100..=599) = word.parse::<u16>() {
        return Some(if status < 400 { "success" } else { "failure" });
    }
    if SUCCESS.contains(&word.as_str()) {
        return Some("success");
    }
    FAILURE.contains(&word.as_str()).then_some("failure")
}

fn pairs(args: &[&Value]) -> Value {
    let text = args.first().copied().and_then(text_of);
    let found = text.as_deref().map(kv::pairs);
    let pairs = found.map(|f| f.pairs).unwrap_or_default();
    Value::Object(pairs.into_iter().rev().map(|(key, value)| (KeyString::from(key), Value::from(value))).collect())
}

fn labelled(args: &[&Value]) -> Value {
    let mut out = ObjectMap::new();
    if let Some(Value::Object(record)) = args.first() {
        for (key, label) in record {
            let Some(base) = key.strip_suffix("Label").filter(|b| !b.is_empty()) else { continue };
            let Some(name) = text_of(label).and_then(|l| slug(&l)) else { continue };
            if let Some(text) = record.get(base).and_then(text_of) {
                out.insert(KeyString::from(name.replace('.', "_")), Value::from(text.as_ref()));
            }
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_actions() {
        for (text, expected) in [
            ("User Login", Some("user_login")),
            ("ConsoleLogin", Some("console_login")),
            ("iam:CreateUser", Some("iam_create_user")),
            ("user.session.start", Some("user.session.start")),
            ("LOGIN_ERROR", Some("login_error")),
            ("  ", None),
            ("…", None),
        ] {
            assert_eq!(slug(text).as_deref(), expected, "{text}");
        }
        assert_eq!(slug(&"ab".repeat(200)).map(|s| s.len()), Some(128));
    }

    #[test]
    fn outcomes() {
        for (text, expected) in [
            ("Success", Some("success")),
            ("DENY", Some("failure")),
            ("false", Some("failure")),
            ("timed out", Some("failure")),
            ("200", Some("success")),
            ("403", Some("failure")),
            ("maybe", None),
            ("7", None),
        ] {
            assert_eq!(outcome(text), expected, "{text}");
        }
    }
}
