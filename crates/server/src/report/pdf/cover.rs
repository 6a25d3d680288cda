//! The top of the first page: whose trail it is, what this is, and the facts that make it evidence.

use krilla::geom::{Path, PathBuilder};

use super::PdfError;
use super::paper::{BRONZE, GREY, HAIR, INK, MARGIN, Paper, Role};
use super::text::{Face, Style};

const BRAND: Style = Style::new(Face::Semibold, 11.0, 14.0, INK);
const OWNER: Style = Style::new(Face::Sans, 9.0, 14.0, GREY).flush_right();
const TITLE: Style = Style::new(Face::Semibold, 21.0, 27.0, INK);
const LEAD: Style = Style::new(Face::Sans, 9.5, 14.0, GREY);
const LABEL: Style = Style::new(Face::Sans, 7.0, 10.0, GREY);
const VALUE: Style = Style::new(Face::Sans, 8.5, 12.0, INK);
const CODE: Style = Style::new(Face::Mono, 7.8, 12.0, INK);
pub const HEADING: Style = Style::new(Face::Semibold, 12.0, 17.0, INK);

/// One fact on the cover.
#[derive(Debug, Clone)]
pub struct Fact {
    pub label: &'static str,
    pub value: String,
    /// Set as code.
    pub code: bool,
    /// How many of the grid's columns it takes; bounded by what there is.
    pub span: usize,
}

impl Fact {
    pub fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), code: false, span: 1 }
    }

    pub fn code(mut self) -> Self {
        self.code = true;
        self
    }

    pub fn span(mut self, columns: usize) -> Self {
        self.span = columns;
        self
    }
}

/// Draws brand, owner, title, lead and the grid of facts.
pub fn cover(paper: &mut Paper<'_>, owner: &str, title: &str, lead: &str, facts: &[Fact]) -> Result<(), PdfError> {
    brand(paper, owner);
    paper.y += 18.0;
    paper.outline(title);
    paper.flow(Role::Title, title, TITLE)?;
    if !lead.is_empty() {
        paper.y += 3.0;
        let width = paper.sheet.inner().min(560.0);
        paper.flow_at(Role::Paragraph, lead, LEAD, MARGIN, width)?;
    }
    paper.y += 12.0;
    grid(paper, facts)?;
    paper.y += 16.0;
    Ok(())
}

fn brand(paper: &mut Paper<'_>, owner: &str) {
    if let Some(path) = bell(MARGIN, paper.y, 15.0) {
        paper.shape(path, BRONZE);
    }
    let inner = paper.sheet.inner();
    let name = paper.type_.block("Belfry", BRAND, 120.0);
    paper.open(Role::Paragraph);
    paper.text(&name, 0..name.lines.len(), MARGIN + 20.0, paper.y + 0.5);
    paper.close();
    let owner = paper.type_.block(owner, OWNER, inner - 150.0);
    paper.open(Role::Paragraph);
    paper.text(&owner, 0..owner.lines.len(), MARGIN + 150.0, paper.y + 0.5);
    paper.close();
    paper.y += owner.height().max(16.0);
}

/// The facts in a grid between two rules.
pub fn grid(paper: &mut Paper<'_>, facts: &[Fact]) -> Result<(), PdfError> {
    const GAP: f32 = 18.0;
    let inner = paper.sheet.inner();
    let columns = 4;
    let column = (inner - GAP * (columns - 1) as f32) / columns as f32;

    paper.rule(1.2, BRONZE);
    paper.y += 10.0;
    let mut row: Vec<(&Fact, usize)> = Vec::new();
    let mut used = 0;
    let mut rows: Vec<Vec<(&Fact, usize)>> = Vec::new();
    for fact in facts {
        let span = fact.span.clamp(1, columns);
        if used + span > columns {
            rows.push(std::mem::take(&mut row));
            used = 0;
        }
        row.push((fact, span));
        used += span;
    }
    rows.push(row);

    for row in rows.iter().filter(|row| !row.is_empty()) {
        let mut cells = Vec::new();
        let mut height: f32 = 0.0;
        let mut at = 0;
        for (fact, span) in row {
            let width = column * *span as f32 + GAP * (*span - 1) as f32;
            let label = paper.type_.block(fact.label, LABEL, width);
            let style = if fact.code { CODE } else { VALUE };
            let value = paper.type_.block(&fact.value, style, width);
            height = height.max(label.height() + value.height());
            cells.push((label, value, MARGIN + at as f32 * (column + GAP)));
            at += span;
        }
        paper.need(height.min(paper.room_of_page()))?;
        for (label, value, x) in cells {
            paper.open(Role::Paragraph);
            paper.text(&label, 0..label.lines.len(), x, paper.y);
            let fit = ((paper.room() - label.height()) / value.style.leading).max(0.0) as usize;
            let lines = value.lines.len().min(fit);
            paper.text(&value, 0..lines, x, paper.y + label.height());
            paper.close();
        }
        paper.y += height + 7.0;
    }
    paper.y += 1.0;
    paper.rule(0.5, HAIR);
    Ok(())
}

/// A section's heading, kept together with what follows.
pub fn heading(paper: &mut Paper<'_>, title: &str, with: f32) -> Result<(), PdfError> {
    if !paper.need(HEADING.leading + 26.0 + with)? {
        paper.y += 14.0;
    }
    paper.outline(title);
    paper.flow(Role::Heading, title, HEADING)?;
    paper.y += 5.0;
    Ok(())
}

/// The bell, `size` points high.
fn bell(x: f32, y: f32, size: f32) -> Option<Path> {
    let s = size / 16.0;
    let at = |px: f32, py: f32| (x + px * s, y + py * s);
    let mut path = PathBuilder::new();
    let curve = |path: &mut PathBuilder, a: (f32, f32), b: (f32, f32), c: (f32, f32)| {
        path.cubic_to(a.0, a.1, b.0, b.1, c.0, c.1);
    };
    // Body with its flared lip.
    let start = at(8.0, 1.0);
    path.move_to(start.0, start.1);
    curve(&mut path, at(9.0, 1.0), at(9.6, 1.7), at(9.5, 2.6));
    curve(&mut path, at(12.2, 3.4), at(13.0, 5.6), at(13.0, 8.0));
    curve(&mut path, at(13.0, 10.2), at(13.6, 11.3), at(15.0, 12.4));
    let lip = at(15.0, 13.2);
    path.line_to(lip.0, lip.1);
    let lip = at(1.0, 13.2);
    path.line_to(lip.0, lip.1);
    let lip = at(1.0, 12.4);
    path.line_to(lip.0, lip.1);
    curve(&mut path, at(2.4, 11.3), at(3.0, 10.2), at(3.0, 8.0));
    curve(&mut path, at(3.0, 5.6), at(3.8, 3.4), at(6.5, 2.6));
    curve(&mut path, at(6.4, 1.7), at(7.0, 1.0), at(8.0, 1.0));
    path.close();
    // Clapper.
    let clapper = at(6.0, 14.0);
    path.move_to(clapper.0, clapper.1);
    let clapper = at(10.0, 14.0);
    path.line_to(clapper.0, clapper.1);
    curve(&mut path, at(9.8, 15.4), at(9.0, 16.0), at(8.0, 16.0));
    curve(&mut path, at(7.0, 16.0), at(6.2, 15.4), at(6.0, 14.0));
    path.close();
    path.finish()
}
