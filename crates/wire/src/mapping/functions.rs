//! The functions a mapping may call. They look at nothing but their arguments, take whatever a record holds, and answer
//! null where there is nothing to answer: a mapping needs no guards, and fields that are null or empty are left out of
//! the event.

mod text;
mod usual;
mod words;

use super::expr::Env;
use super::types::Kinds;
use crate::value::Val;
use crate::{address, time};

pub(super) use text::of as text;
pub(super) use usual::Usual;
pub(super) use words::{outcome, slug};

/// Arguments of one call.
pub(super) const ARGUMENTS_MAX: usize = 8;

/// A function.
pub(super) struct Function {
    pub name: &'static str,
    pub usage: &'static str,
    pub parameters: &'static [Parameter],
    pub returns: Kinds,
    pub call: for<'e> fn(&Env<'e>, &[Val<'e>]) -> Val<'e>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub(super) struct Parameter {
    pub name: &'static str,
    pub accepts: Kinds,
    pub required: bool,
}

const fn needs(name: &'static str, accepts: Kinds) -> Parameter {
    Parameter { name, accepts, required: true }
}

const fn may(name: &'static str, accepts: Kinds) -> Parameter {
    Parameter { name, accepts, required: false }
}

const VALUE: &[Parameter] = &[needs("value", Kinds::ANY)];
const TEXT: Kinds = Kinds::TEXT.or(Kinds::NULL);
const PARTS: &[Parameter] = &[needs("value", Kinds::ANY), needs("part", Kinds::TEXT.or(Kinds::LIST))];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "text",
        usage: "The value as text, without blanks around it. null for what says nothing: empty, `-`, `null`, `none`, lists and objects.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| arg(args, 0).says(env.heap).map_or(Val::Null, Val::Text),
    },
    Function {
        name: "first",
        usage: "The first of up to eight values that says something, as text.",
        parameters: &[
            needs("a", Kinds::ANY),
            needs("b", Kinds::ANY),
            may("c", Kinds::ANY),
            may("d", Kinds::ANY),
            may("e", Kinds::ANY),
            may("f", Kinds::ANY),
            may("g", Kinds::ANY),
            may("h", Kinds::ANY),
        ],
        returns: TEXT,
        call: |env, args| args.iter().find_map(|value| value.says(env.heap)).map_or(Val::Null, Val::Text),
    },
    Function {
        name: "ip",
        usage: "The address in `10.0.0.1:22`, `[::1]:22`, `::ffff:10.0.0.1` and the like; null when there is none.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| match address_of(env, args) {
            // An IPv4 address has one form only.
            Some(found) if found.ip.is_ipv4() && found.port.is_none() && is_plain_ipv4(arg(args, 0)) => arg(args, 0),
            Some(found) => Val::Text(env.heap.text(&found.ip.to_string())),
            None => Val::Null,
        },
    },
    Function {
        name: "port",
        usage: "The port in `10.0.0.1:22`, or a port that stands alone.",
        parameters: VALUE,
        returns: Kinds::NUMBER.or(Kinds::NULL),
        call: |env, args| {
            let alone = arg(args, 0).says(env.heap).and_then(|text| text.parse::<u16>().ok());
            match alone.or_else(|| address_of(env, args)?.port) {
                Some(port) if port > 0 => Val::Number(f64::from(port)),
                _ => Val::Null,
            }
        },
    },
    Function {
        name: "time",
        usage: "A time in any usual form (RFC 3339, `2026-01-02 03:04:05`, `Jan  2 03:04:05`, seconds to nanoseconds since 1970), as RFC 3339. UTC where no zone is written; null when it is no time.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| {
            let at = match arg(args, 0) {
                Val::Number(number) => time::from_epoch(number),
                value => value.says(env.heap).and_then(|text| time::read(text, env.received_at)),
            };
            at.map_or(Val::Null, |at| Val::Text(env.heap.text(&at.to_string())))
        },
    },
    Function {
        name: "outcome",
        usage: "`success` or `failure` for the usual words for them (ok, true, allowed, granted; failed, false, denied, error …) and for HTTP statuses, else null.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| arg(args, 0).says(env.heap).and_then(words::outcome).map_or(Val::Null, Val::Text),
    },
    Function {
        name: "slug",
        usage: "The value in lower case with nothing but a-z, 0-9, `_`, `.` and `-`: what event.action may hold.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| match arg(args, 0).says(env.heap).and_then(words::slug) {
            Some(slug) => Val::Text(env.heap.text(&slug)),
            None => Val::Null,
        },
    },
    Function {
        name: "number",
        usage: "The value as a number; null when it is none.",
        parameters: VALUE,
        returns: Kinds::NUMBER.or(Kinds::NULL),
        call: number,
    },
    Function {
        name: "to_int",
        usage: "The value as a whole number; null when it is none.",
        parameters: VALUE,
        returns: Kinds::NUMBER.or(Kinds::NULL),
        call: |env, args| match number(env, args) {
            Val::Number(number) => Val::Number(number.trunc()),
            _ => Val::Null,
        },
    },
    Function {
        name: "to_string",
        usage: "The value as text.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| text::of(arg(args, 0), env.heap).map_or(Val::Null, Val::Text),
    },
    Function {
        name: "has",
        usage: "Does the text contain this part, or one of these parts?",
        parameters: PARTS,
        returns: Kinds::BOOL,
        call: |_, args| text::any(args, super::expr::Parts::Has),
    },
    Function {
        name: "begins",
        usage: "Does the text begin with this part, or one of these parts?",
        parameters: PARTS,
        returns: Kinds::BOOL,
        call: |_, args| text::any(args, super::expr::Parts::Begins),
    },
    Function {
        name: "ends",
        usage: "Does the text end with this part, or one of these parts?",
        parameters: PARTS,
        returns: Kinds::BOOL,
        call: |_, args| text::any(args, super::expr::Parts::Ends),
    },
    Function {
        name: "match",
        usage: "Does the text fit a regular expression? `match(x, r'^Failed ')`",
        parameters: &[needs("value", Kinds::ANY), needs("pattern", Kinds::ANY)],
        returns: Kinds::BOOL,
        call: |_, _| Val::Bool(false),
    },
    Function {
        name: "capture",
        usage: "The named groups of a regular expression as an object: `capture(x, r'for (?P<user>\\S+)').user`. null when it does not fit.",
        parameters: &[needs("value", Kinds::ANY), needs("pattern", Kinds::ANY)],
        returns: Kinds::OBJECT.or(Kinds::NULL),
        call: |_, _| Val::Null,
    },
    Function {
        name: "replace",
        usage: "The text with every occurrence of a part, or of a regular expression, replaced.",
        parameters: &[needs("value", Kinds::ANY), needs("pattern", Kinds::ANY), needs("with", Kinds::TEXT)],
        returns: Kinds::ANY,
        call: text::replace,
    },
    Function {
        name: "part",
        usage: "The n-th piece of a text, from 0; negative numbers count from the end. `part(\"a/b/c\", \"/\", 1)` is `b`.",
        parameters: &[needs("value", Kinds::ANY), needs("separator", Kinds::TEXT), needs("index", Kinds::NUMBER)],
        returns: TEXT,
        call: text::part,
    },
    Function {
        name: "after",
        usage: "What follows the first occurrence of a mark in the text; null when it does not occur.",
        parameters: &[needs("value", Kinds::ANY), needs("mark", Kinds::TEXT)],
        returns: TEXT,
        call: text::after,
    },
    Function {
        name: "downcase",
        usage: "The text in lower case.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| match text::of(arg(args, 0), env.heap) {
            Some(text) if !text.chars().any(char::is_uppercase) => Val::Text(text),
            Some(text) => Val::Text(env.heap.text(&text.to_lowercase())),
            None => Val::Null,
        },
    },
    Function {
        name: "upcase",
        usage: "The text in upper case.",
        parameters: VALUE,
        returns: TEXT,
        call: |env, args| match text::of(arg(args, 0), env.heap) {
            Some(text) => Val::Text(env.heap.text(&text.to_uppercase())),
            None => Val::Null,
        },
    },
    Function {
        name: "truncate",
        usage: "The first n characters of the text.",
        parameters: &[needs("value", Kinds::ANY), needs("characters", Kinds::NUMBER)],
        returns: TEXT,
        call: text::truncate,
    },
    Function {
        name: "length",
        usage: "How many characters a text, items a list, members an object has.",
        parameters: VALUE,
        returns: Kinds::NUMBER,
        call: |_, args| {
            Val::Number(match arg(args, 0) {
                Val::Text(text) => text.chars().count() as f64,
                Val::List(items) => items.len() as f64,
                Val::Object(members) => members.len() as f64,
                _ => 0.0,
            })
        },
    },
    Function {
        name: "exists",
        usage: "Is there such a field, and is it not null?",
        parameters: VALUE,
        returns: Kinds::BOOL,
        call: |_, args| Val::Bool(!arg(args, 0).is_null()),
    },
    Function {
        name: "list",
        usage: "The value as a list of texts: a list as it is, a text split at commas, anything else alone.",
        parameters: VALUE,
        returns: Kinds::LIST.or(Kinds::NULL),
        call: text::list,
    },
    Function {
        name: "joined",
        usage: "The items of a list that say something, as one text with a separator between them.",
        parameters: &[needs("value", Kinds::ANY), needs("separator", Kinds::TEXT)],
        returns: TEXT,
        call: text::joined,
    },
    Function {
        name: "at",
        usage: "The n-th item of a list, from 0; negative numbers count from the end.",
        parameters: &[needs("list", Kinds::ANY), needs("index", Kinds::NUMBER)],
        returns: Kinds::ANY,
        call: |_, args| match arg(args, 1) {
            #[expect(clippy::cast_possible_truncation, reason = "a place beyond i64 is beyond every list")]
            Val::Number(index) => arg(args, 0).at(index as i64),
            _ => Val::Null,
        },
    },
    Function {
        name: "named",
        usage: "A list of names and values as one object: `named(.native.parameters, \"name\", \"value\").user`.",
        parameters: &[needs("list", Kinds::ANY), needs("name", Kinds::TEXT), needs("value", Kinds::TEXT)],
        returns: Kinds::OBJECT,
        call: text::named,
    },
    Function {
        name: "pairs",
        usage: "The key=value pairs in a text, as an object.",
        parameters: VALUE,
        returns: Kinds::OBJECT,
        call: text::pairs,
    },
    Function {
        name: "json",
        usage: "The object or list that a text holds as JSON; null when it holds none.",
        parameters: VALUE,
        returns: Kinds::OBJECT.or(Kinds::LIST).or(Kinds::NULL),
        call: text::json,
    },
    Function {
        name: "hex",
        usage: "The text that is written in hexadecimal digits, as auditd does it; null when it is none. NUL becomes a blank.",
        parameters: VALUE,
        returns: TEXT,
        call: text::hex,
    },
    Function {
        name: "labelled",
        usage: "The custom fields of CEF (`cs1` with `cs1Label` and so on) under the names that their labels give.",
        parameters: VALUE,
        returns: Kinds::OBJECT,
        call: text::labelled,
    },
    Function {
        name: "lookup",
        usage: "What a table written in the mapping has for this key; `otherwise`, or null, when it has nothing.",
        parameters: &[needs("table", Kinds::OBJECT), needs("key", Kinds::ANY), may("otherwise", Kinds::ANY)],
        returns: Kinds::ANY,
        call: |_, _| Val::Null,
    },
    Function {
        name: "usual",
        usage: "Finds fields by their usual names, as texts. The table says for each name of ours which names to look for, the best first: \
         `{\"user\": [\"suser\", \"actor.email\"]}`. Upper and lower case, `_`, `-` and blanks make no difference; a name \
         also fits the end of a longer path, unless it starts with a dot.",
        parameters: &[needs("record", Kinds::ANY), needs("table", Kinds::OBJECT)],
        returns: Kinds::OBJECT,
        call: |_, _| Val::Null,
    },
];

/// The function of that name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// What the functions are called, with their parameters and what they do: the manual and the editor show it.
pub fn reference() -> Vec<(String, &'static str)> {
    let shown = |parameter: &Parameter| {
        if parameter.required { parameter.name.to_owned() } else { format!("[{}]", parameter.name) }
    };
    FUNCTIONS
        .iter()
        .map(|function| {
            let parameters: Vec<String> = function.parameters.iter().map(shown).collect();
            (format!("{}({})", function.name, parameters.join(", ")), function.usage)
        })
        .collect()
}

fn arg<'e>(args: &[Val<'e>], index: usize) -> Val<'e> {
    args.get(index).copied().unwrap_or_default()
}

fn address_of<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Option<address::Address> {
    address::read(arg(args, 0).says(env.heap)?)
}

fn is_plain_ipv4(value: Val<'_>) -> bool {
    value.as_text().is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn number<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    match arg(args, 0) {
        value @ Val::Number(_) => value,
        Val::Bool(bool) => Val::Number(f64::from(u8::from(bool))),
        value => {
            let text = value.says(env.heap).unwrap_or_default();
            let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
            text.parse().ok().filter(|_| plain).map_or(Val::Null, Val::Number)
        }
    }
}
