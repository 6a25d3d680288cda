//! A report as a PDF: cover, table, and how to check it.

use api::report::{Certificate, Order};

use super::cover::{self, Fact};
use super::paper::{GREY, INK, Letterhead, Role};
use super::table::{CELL_CHARS_MAX, Columns, Heading, Look};
use super::text::{Face, Style, Typesetter};
use super::{COLUMNS_MAX, Cancelled, Level, PdfError, ROWS_MAX, in_two_rounds};
use crate::report::cell;
use crate::report::spool::Spool;

const SAMPLE_ROWS: usize = 300;
/// Every tagged cell is an object of the file: beyond this many rows the structure would outweigh the content.
const TAGGED_ROWS_MAX: u64 = 2_000;
pub(super) const NOTE: Style = Style::new(Face::Mono, 7.2, 10.6, INK);
pub(super) const PROSE: Style = Style::new(Face::Sans, 8.5, 12.5, INK);
pub(super) const QUIET: Style = Style::new(Face::Sans, 8.0, 12.0, GREY);

/// The report as PDF.
pub fn sheet(certificate: &Certificate, spool: &mut Spool, cancelled: &Cancelled<'_>) -> Result<Vec<u8>, PdfError> {
    let columns = certificate.columns.len();
    if columns > COLUMNS_MAX {
        return Err(PdfError::TooManyColumns { columns });
    }
    if spool.rows > ROWS_MAX {
        return Err(PdfError::TooManyRows { rows: spool.rows });
    }
    let looks: Vec<cell::Kind> = certificate.columns.iter().map(|column| cell::Kind::of(&column.field)).collect();
    let headings = certificate
        .columns
        .iter()
        .zip(&looks)
        .map(|(column, kind)| Heading { title: column.title.clone(), look: look(*kind) })
        .collect();
    let print = |row: &super::super::spool::Row| -> Vec<String> {
        row.cells.iter().zip(&looks).map(|(value, kind)| bounded(cell::printed(value, *kind), row.position)).collect()
    };

    let mut type_ = Typesetter::new();
    let mut sample = Vec::new();
    for row in spool.rows()?.take(SAMPLE_ROWS) {
        sample.push(print(&row?));
    }
    let (size, table) = Columns::measure(&mut type_, headings, &sample);
    drop(sample);

    let letterhead = letterhead(certificate);
    let facts = facts(certificate);
    let level = if spool.rows <= TAGGED_ROWS_MAX { Level::Accessible } else { Level::Archival };
    in_two_rounds(&mut type_, size, &letterhead, level, cancelled, |paper| {
        cover::cover(paper, &certificate.organization, &certificate.title, &certificate.description, &facts)?;
        if spool.rows == 0 {
            paper.y += 18.0;
            paper.flow(Role::Heading, "No event matches", cover::HEADING)?;
            paper.y += 4.0;
            let empty = format!(
                "All {} events below the checkpoint were looked at. None of them fits this filter in this time range.",
                grouped(certificate.checkpoint.size)
            );
            paper.flow(Role::Paragraph, &empty, PROSE)?;
        } else {
            table.begin(paper)?;
            for row in spool.rows()? {
                table.row(paper, &print(&row?))?;
            }
            table.end(paper);
            paper.y += 6.0;
            let end = match spool.rows {
                1 => "End of the report, 1 row.".to_owned(),
                rows => format!("End of the report, {} rows.", grouped(rows)),
            };
            paper.need(QUIET.leading)?;
            paper.flow(Role::Paragraph, &end, QUIET)?;
        }
        proof(paper, certificate)
    })
}

fn proof(paper: &mut super::Paper<'_>, certificate: &Certificate) -> Result<(), PdfError> {
    cover::heading(paper, "How to check this report", 120.0)?;
    paper.flow(Role::Paragraph, &certificate.verify, PROSE)?;
    paper.y += 8.0;
    paper.flow(Role::Paragraph, "Signed checkpoint, and the public key of the trail", QUIET)?;
    paper.y += 2.0;
    let proof = format!("{}\n\n{}", certificate.checkpoint.note.trim_end(), certificate.vkey);
    paper.panel(Role::Paragraph, &proof, NOTE)
}

fn letterhead(certificate: &Certificate) -> Letterhead {
    Letterhead {
        title: certificate.title.clone(),
        subject: range(certificate),
        origin: format!(
            "Belfry · {} · run {} · checkpoint {} of {}",
            certificate.organization,
            certificate.run,
            short(&certificate.checkpoint.root),
            grouped(certificate.checkpoint.size)
        ),
        description: certificate.description.clone(),
        author: certificate.by.clone(),
        at: certificate.at.parse().unwrap_or_default(),
        id: format!("belfry:{}:run:{}", certificate.origin, certificate.run),
    }
}

fn facts(certificate: &Certificate) -> Vec<Fact> {
    let positions = match (certificate.first_position, certificate.last_position) {
        (Some(first), Some(last)) => format!("{} to {}", grouped(first), grouped(last)),
        _ => "none".to_owned(),
    };
    let filter = if certificate.filter.is_empty() { "everything".to_owned() } else { certificate.filter.clone() };
    let order = match certificate.order {
        Order::Desc => "newest first",
        Order::Asc => "oldest first",
    };
    vec![
        Fact::new("Run by", certificate.by.clone()),
        Fact::new("Run at", utc(&certificate.at)),
        Fact::new("Rows", format!("{}, {order}", grouped(certificate.rows))),
        Fact::new("Positions in the trail", positions),
        Fact::new("Time range", range(certificate)).span(2),
        Fact::new(
            "Trail up to",
            format!("{} events, sealed {}", grouped(certificate.checkpoint.size), utc(&certificate.checkpoint.at)),
        )
        .span(2),
        Fact::new("Origin", certificate.origin.clone()).code().span(2),
        Fact::new("Root hash", certificate.checkpoint.root.clone()).code().span(2),
        Fact::new("Filter", filter).code().span(4),
    ]
}

fn range(certificate: &Certificate) -> String {
    match (&certificate.from, &certificate.to) {
        (None, None) => "all time".to_owned(),
        (Some(from), None) => format!("since {}", utc(from)),
        (None, Some(to)) => format!("before {}", utc(to)),
        (Some(from), Some(to)) => format!("{} to {}", utc(from).trim_end_matches(" UTC"), utc(to)),
    }
}

fn look(kind: cell::Kind) -> Look {
    match kind {
        cell::Kind::Text => Look::Text,
        cell::Kind::Code => Look::Code,
        cell::Kind::Number => Look::Number,
        cell::Kind::Time => Look::Time,
    }
}

/// A time as people write it, to the second.
pub(super) fn utc(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}

fn short(root: &str) -> String {
    root.chars().take(8).collect()
}

/// `12,482,113`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn bounded(text: String, position: u64) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        None => text,
        Some((at, _)) => {
            let more = text[at..].chars().count();
            format!("{}… ({} more characters in event {position})", &text[..at], grouped(more as u64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_482_113, "12,482,113")] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_cut_cell_says_where_the_rest_is() {
        let text = bounded("é".repeat(CELL_CHARS_MAX + 2), 17);
        assert!(text.ends_with("é… (2 more characters in event 17)"), "{}", &text[text.len() - 60..]);
    }
}
