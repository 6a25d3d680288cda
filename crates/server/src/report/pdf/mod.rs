//! Reports on paper: PDF/A, so that an archive takes them, and tagged, so that a screen reader reads them.
//!
//! The pages are laid out row by row, twice: the first round counts the pages, the second draws them. Memory is what
//! krilla keeps of the finished document, never the rows.

mod ascii;
mod cover;
mod fonts;
mod paper;
mod sheet;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use sheet::sheet;
pub use summary::{Change, EventFacts, Group, Proof, summary};

use paper::{Letterhead, Paper, Sheet};
use text::Typesetter;

/// Columns that still leave room for words on the widest sheet.
pub const COLUMNS_MAX: usize = 30;
/// Rows of one document: beyond it nobody reads paper, and memory would grow.
pub const ROWS_MAX: u64 = 50_000;

#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    #[error("a pdf takes at most {COLUMNS_MAX} columns, this report has {columns}; choose fewer, or take csv or json")]
    TooManyColumns { columns: usize },
    #[error("a pdf takes at most {ROWS_MAX} rows, this report has {rows}; narrow it, or take csv or json")]
    TooManyRows { rows: u64 },
    #[error("cancelled")]
    Cancelled,
    #[error("the rows can't be read again")]
    Rows(#[from] std::io::Error),
    #[error("the pdf can't be written: {0:?}")]
    Write(krilla::error::KrillaError),
}

/// Which rules the document keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// PDF/A-2a and PDF/UA-1: every cell is tagged, a screen reader walks the table.
    Accessible,
    /// PDF/A-2u: text can be searched and copied, and lasts.
    Archival,
    Plain,
}

/// Says whether somebody called it off.
pub type Cancelled<'a> = dyn Fn() -> bool + 'a;

/// Runs `draw` once to count the pages and once to draw them.
fn in_two_rounds(
    type_: &mut Typesetter,
    size: Sheet,
    letterhead: &Letterhead,
    level: Level,
    cancelled: &Cancelled<'_>,
    mut draw: impl FnMut(&mut Paper<'_>) -> Result<(), PdfError>,
) -> Result<Vec<u8>, PdfError> {
    let mut first = Paper::new(type_, size, letterhead, None, level, cancelled);
    draw(&mut first)?;
    let (pages, _) = first.finish()?;

    let mut round = |level: Level| {
        let mut paper = Paper::new(type_, size, letterhead, Some(pages), level, cancelled);
        draw(&mut paper)?;
        let (_, bytes) = paper.finish()?;
        Ok(bytes.unwrap_or_default())
    };
    match round(level) {
        // Nothing that is printed should break the archive's rules; if it does, a plain PDF is better than none.
        Err(PdfError::Write(krilla::error::KrillaError::Validation(errors))) => {
            tracing::warn!(?errors, "a report is written as plain PDF, it breaks the rules of PDF/A");
            round(Level::Plain)
        }
        other => other,
    }
}
