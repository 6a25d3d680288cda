//! How results are shown: as a table for people, as JSON and CSV for programs.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Result;
use clap::ValueEnum;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Format {
    #[default]
    Table,
    Json,
    Csv,
}

/// A column: its heading, and where its value lies, dotted.
pub type Column = (&'static str, &'static str);

const CELL_CHARS_MAX: usize = 60;

/// Prints a line of the result.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// Says something that is no result.
pub fn note(text: impl AsRef<str>) {
    // Nobody listens any more: then nobody misses it.
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
}

/// Shows how far something is, on one line that is written over; only to people.
pub fn progress(text: impl AsRef<str>) {
    let mut out = io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{}", text.as_ref()).and_then(|()| out.flush());
    }
}

/// Takes the line of [`progress`] away.
pub fn progress_end() {
    progress("");
}

/// Prints rows: a table, a JSON array, or CSV.
pub fn rows(format: Format, columns: &[Column], rows: &[Value]) -> Result<()> {
    match format {
        Format::Json => line(serde_json::to_string_pretty(rows)?),
        Format::Csv => {
            csv_line(columns.iter().map(|(title, _)| (*title).to_owned()))?;
            rows.iter().try_for_each(|row| csv_row(columns, row))
        }
        Format::Table if rows.is_empty() => {
            note("none");
            Ok(())
        }
        Format::Table => table(columns, rows),
    }
}

/// Prints one thing: all its fields as a list, or as JSON.
pub fn one(format: Format, value: &Value) -> Result<()> {
    if format == Format::Json {
        return line(serde_json::to_string_pretty(value)?);
    }
    let mut pairs = Vec::new();
    flatten("", value, &mut pairs);
    if format == Format::Csv {
        csv_line(["field", "value"].map(str::to_owned))?;
        return pairs.into_iter().try_for_each(|(name, text)| csv_line([name, text]));
    }
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, text) in pairs {
        let pad = " ".repeat(width.saturating_sub(name.chars().count()));
        let text = text.replace('\n', &format!("\n{}", " ".repeat(width + 2)));
        line(format!("{name}{pad}  {text}"))?;
    }
    Ok(())
}

pub fn csv_row(columns: &[Column], row: &Value) -> Result<()> {
    csv_line(columns.iter().map(|(_, path)| text(at(row, path))))
}

pub fn csv_line(cells: impl IntoIterator<Item = String>) -> Result<()> {
    let cells: Vec<String> = cells.into_iter().map(|cell| csv_cell(&cell)).collect();
    line(cells.join(","))
}

/// A cell a spreadsheet neither splits nor runs as a formula.
fn csv_cell(text: &str) -> String {
    let harmless = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if harmless.contains(['"', ',', '\n', '\r', ';']) {
        format!("\"{}\"", harmless.replace('"', "\"\""))
    } else {
        harmless
    }
}

fn table(columns: &[Column], rows: &[Value]) -> Result<()> {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|(_, path)| clip(&text(at(row, path)))).collect()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(nth, (title, _))| {
            let longest =
                cells.iter().filter_map(|row| row.get(nth)).map(|cell| cell.chars().count()).max().unwrap_or(0);
            longest.max(title.chars().count())
        })
        .collect();
    let print = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        line(padded.join("  ").trim_end())
    };
    print(columns.iter().map(|(title, _)| *title).collect())?;
    cells.iter().try_for_each(|row| print(row.iter().map(String::as_str).collect()))
}

/// The value at a dotted path.
pub fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    let mut place = value;
    for part in path.split('.') {
        place = match place {
            Value::Object(members) => members.get(part).unwrap_or(&Value::Null),
            _ => return &Value::Null,
        };
    }
    place
}

/// A value as a person reads it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
        Value::Number(number) => number.to_string(),
    }
}

/// Control characters out: what a stranger wrote into an event must not steer a terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn clip(text: &str) -> String {
    let one_line = clean(&text.replace('\n', " "));
    if one_line.chars().count() <= CELL_CHARS_MAX {
        return one_line;
    }
    let mut short: String = one_line.chars().take(CELL_CHARS_MAX - 1).collect();
    short.push('…');
    short
}

fn flatten(path: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, pairs);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (nth, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{nth}]"), item, pairs);
            }
        }
        Value::Null => {}
        value => pairs.push((path.to_owned(), clean(&text(value)))),
    }
}

/// Whether the reader of our output went away, which is no fault.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_harmless() {
        for (text, cell) in [
            ("plain", "plain"),
            ("=cmd()", "'=cmd()"),
            ("@x", "'@x"),
            ("-1.5", "-1.5"),
            ("-x", "'-x"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
        assert_eq!(clip("a\u{1b}[31mb\nc"), "a\u{fffd}[31mb c");
    }

    #[test]
    fn values_are_found_by_their_path() {
        let value = serde_json::json!({"a": {"b": [1, "x"]}, "c": true});
        assert_eq!(text(at(&value, "a.b")), "1, x");
        assert_eq!(text(at(&value, "c")), "yes");
        assert_eq!(text(at(&value, "a.z.y")), "");
    }
}
