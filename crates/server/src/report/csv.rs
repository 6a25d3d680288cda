//! A report as CSV: RFC 4180, and nothing in it runs as a formula.

use std::borrow::Cow;
use std::io::{self, Write};

use api::report::Column;
use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde_json::Value;

use super::cell;
use super::spool::Spool;

/// Writes titles and rows. Calls `each` after every row; its error ends the writing.
pub fn write<W: Write, E: From<io::Error>>(
    mut out: W,
    columns: &[Column],
    spool: &mut Spool,
    bom: bool,
    mut each: impl FnMut() -> Result<(), E>,
) -> Result<W, E> {
    if bom {
        // Spreadsheets take UTF-8 for the local code page without it.
        out.write_all("\u{FEFF}".as_bytes())?;
    }
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).quote_style(QuoteStyle::Always).from_writer(out);
    csv.write_record(columns.iter().map(|column| harmless(&column.title).into_owned())).map_err(io::Error::from)?;
    for row in spool.rows()? {
        for value in &row?.cells {
            let text = cell::plain(value);
            let text = if matches!(value, Value::Number(_)) { Cow::Borrowed(text.as_str()) } else { harmless(&text) };
            csv.write_field(text.as_bytes()).map_err(io::Error::from)?;
        }
        csv.write_record(None::<&[u8]>).map_err(io::Error::from)?;
        each()?;
    }
    csv.into_inner().map_err(|error| io::Error::from(error.into_error().kind()).into())
}

/// The text with an apostrophe before it when a spreadsheet could take it for a formula.
///
/// Spreadsheets trim blanks, fold full-width forms, and don't see characters without width, so neither do we.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let unseen = |c: char| {
        c.is_whitespace() && !matches!(c, '\t' | '\r' | '\n')
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{00AD}' | '\u{0}')
    };
    let first = text.trim_start_matches(unseen).chars().next();
    let formula = matches!(
        first,
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' | '﹢' | '﹣' | '﹦' | '﹫' | '−')
    );
    if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::spool::{Row, SpoolWriter};
    use serde_json::json;

    fn written(titles: &[&str], rows: &[Vec<Value>]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = SpoolWriter::new(folder.path()).unwrap();
        for cells in rows {
            writer.push(&Row { position: 1, leaf_hash: String::new(), cells: cells.clone() }).unwrap();
        }
        let columns: Vec<Column> =
            titles.iter().map(|title| Column { field: "message".into(), title: (*title).into() }).collect();
        let out =
            write(Vec::new(), &columns, &mut writer.finish().unwrap(), false, || Ok::<(), io::Error>(())).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_rfc_4180() {
        let text = written(
            &["Name", "Note"],
            &[vec![json!("Ada"), json!("says \"hi\",\r\nand more")], vec![json!(null), json!(-5)]],
        );
        assert_eq!(text, "\"Name\",\"Note\"\r\n\"Ada\",\"says \"\"hi\"\",\r\nand more\"\r\n\"\",\"-5\"\r\n");
    }

    #[test]
    fn nothing_runs_as_a_formula() {
        for evil in [
            "=1+1",
            "+1",
            "-1+cmd|' /C calc'!A0",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "  =1",
            "\u{FEFF}=1",
            "\u{200B}=1",
            "\u{A0}=1",
            "＝1+1",
            "＋1",
            "－1",
            "＠x",
            "−1",
        ] {
            let text = written(&[evil], &[vec![json!(evil)]]);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            for record in reader.records() {
                assert_eq!(&record.unwrap()[0], format!("'{evil}"), "{evil:?}");
            }
        }
        for good in ["a=1", "10.0.0.1", "", "'=1", "user@host"] {
            assert_eq!(harmless(good), good);
        }
    }

    #[test]
    fn a_quote_before_a_formula_does_not_help_it() {
        // A cell that tries to end its own quoting stays one cell.
        let text = written(&["x"], &[vec![json!("\",=1+1")]]);
        assert_eq!(text, "\"x\"\r\n\"\"\",=1+1\"\r\n");
    }
}
