//! The comment lines that a program starts with: how its records are taken apart, and which they are.

use regex::Regex;

use super::CompileError;
use super::expr::Pattern;
use crate::decode::{Decoder, Decoders};
use crate::value::Val;

const COLUMNS_MAX: usize = 500;
const PATTERNS_MAX: usize = 50;

/// What the head of a program says.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub decoders: Decoders,
    pub title: Option<String>,
    /// Syslog application names.
    pub apps: Vec<String>,
    /// Vendors and products in the header of CEF and LEEF.
    pub vendors: Vec<String>,
    /// Sets of fields that show that a JSON record is this product's: all of one set.
    pub marks: Vec<Vec<Mark>>,
    /// How the lines begin that are this product's; each pattern begins with `^`.
    pub lines: Vec<Regex>,
    /// Other names for the source.
    pub aliases: Vec<String>,
    /// Where a record holds the things that become an event each.
    pub each: Option<Vec<String>>,
    /// Where a bundle holds records that stand alone.
    pub bundle: Option<Vec<String>>,
}

/// A field that a product's records have.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    dotted: String,
    path: Vec<String>,
}

impl Mark {
    fn of(dotted: String) -> Self {
        Self { path: path(&dotted), dotted }
    }

    /// Whether the record has it, under one dotted name or nested.
    pub fn is_in(&self, record: Val<'_>) -> bool {
        let nested = || self.path.iter().fold(record, |of, name| of.get(name));
        !record.get(&self.dotted).is_null() || (self.path.len() > 1 && !nested().is_null())
    }
}

/// Reads the head of a program. Lines of comment that name nothing known are comments.
pub(super) fn head(program: &str) -> Result<Head, Vec<CompileError>> {
    let mut head = Head::default();
    let mut decoder_line = None;
    for (index, line) in program.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim_start();
        let Some(comment) = line.strip_prefix('#') else { break };
        let Some((name, value)) = comment.split_once(':') else { continue };
        let (line, value) = (index + 1, value.trim());
        let fault =
            |message: String, help: &str| vec![CompileError { line, column: 1, message, help: Some(help.to_owned()) }];
        match name.trim() {
            "decoder" if decoder_line.is_none() => {
                decoder_line = Some(line);
                for name in value.split([',', '|']).map(str::trim).filter(|name| !name.is_empty()) {
                    let decoder = Decoder::from_name(name)
                        .ok_or_else(|| fault(format!("there is no decoder {name}"), &help()))?;
                    head.decoders.order.push(decoder);
                }
                if head.decoders.order.is_empty() {
                    return Err(fault("the decoder line names none".to_owned(), &help()));
                }
            }
            "title" if head.title.is_none() => head.title = Some(value.to_owned()),
            "apps" => head.apps.extend(names(value)),
            "vendors" => head.vendors.extend(names(value)),
            "aliases" => head.aliases.extend(names(value)),
            "marks" => head.marks.push(names(value).map(Mark::of).collect()),
            "each" if value.starts_with('.') => head.each = Some(inner(value)),
            "bundle" if value.starts_with('.') => head.bundle = Some(inner(value)),
            "columns" => {
                head.decoders.columns.extend(names(value));
                if head.decoders.columns.len() > COLUMNS_MAX {
                    return Err(fault(format!("there are more than {COLUMNS_MAX} columns"), "name fewer"));
                }
            }
            "delimiter" => {
                let delimiter = match value.trim_matches('"') {
                    "tab" | "\\t" => Some(b'\t'),
                    one if one.len() == 1 => one.bytes().next(),
                    _ => None,
                };
                let wrong = || fault(format!("{value} is no delimiter"), "name one ASCII character, or tab");
                head.decoders.delimiter = Some(delimiter.filter(u8::is_ascii).ok_or_else(wrong)?);
            }
            "lines" => {
                let help = r"write how such a line begins: `# lines: ^\[door\]`";
                if !value.starts_with('^') {
                    return Err(fault("a pattern for lines must begin with ^".to_owned(), help));
                }
                add(&mut head.lines, value, help).map_err(|(message, help)| fault(message, help))?;
            }
            "pattern" if head.decoders.order.contains(&Decoder::Regex) => {
                add(&mut head.decoders.patterns, value, "name the parts: (?P<user>\\S+)")
                    .map_err(|(message, help)| fault(message, help))?;
            }
            _ => {}
        }
    }
    let wants = |decoder| head.decoders.order.contains(&decoder);
    let missing = match decoder_line {
        None => Some((1, "the mapping does not say how its records are decoded", help())),
        Some(line) if wants(Decoder::Regex) && head.decoders.patterns.is_empty() => {
            let help = "add a line `# pattern: ^(?P<user>\\S+) …$` behind the decoder".to_owned();
            Some((line, "the decoder regex needs a pattern", help))
        }
        Some(line) if wants(Decoder::Csv) && head.decoders.columns.is_empty() => {
            Some((line, "the decoder csv needs its columns", "add a line `# columns: time, user, …`".to_owned()))
        }
        Some(_) => None,
    };
    match missing {
        None => Ok(head),
        Some((line, message, help)) => {
            Err(vec![CompileError { line, column: 1, message: message.to_owned(), help: Some(help) }])
        }
    }
}

/// Adds a pattern; or what is wrong with it, and what to do about that.
fn add<'h>(patterns: &mut Vec<Regex>, source: &str, help: &'h str) -> Result<(), (String, &'h str)> {
    let pattern = Pattern::make(source).map_err(|error| {
        let error = error.to_string();
        (format!("the pattern is wrong: {}", error.lines().last().unwrap_or_default()), help)
    })?;
    patterns.push(pattern);
    if patterns.len() > PATTERNS_MAX {
        return Err((format!("there are more than {PATTERNS_MAX} patterns"), "name fewer"));
    }
    Ok(())
}

fn help() -> String {
    let names = Decoder::ALL.map(Decoder::name).join(", ");
    format!("start the mapping with a line like `# decoder: json`; there are {names}")
}

fn names(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// `.native.records` and `.records` are the same.
fn inner(value: &str) -> Vec<String> {
    let within = value.trim_start_matches('.');
    path(within.strip_prefix("native.").unwrap_or(within))
}

fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}
