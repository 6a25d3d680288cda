//! The audit summary of one event as a PDF.

use std::rc::Rc;

use super::cover::{self, Fact};
use super::paper::{BRONZE, GREY, HAIR, INK, Letterhead, MARGIN, Paper, Role, Sheet};
use super::sheet::{NOTE, PROSE, QUIET, grouped, utc};
use super::text::{Block, Face, Ink, Style, Typesetter};
use super::{Cancelled, Level, PdfError, in_two_rounds};

const NAME: Style = Style::new(Face::Sans, 8.0, 11.6, GREY);
const VALUE: Style = Style::new(Face::Sans, 8.5, 11.6, INK);
const CODE: Style = Style::new(Face::Mono, 7.6, 11.6, INK);
const GROUP: Style = Style::new(Face::Semibold, 9.5, 13.0, INK);
const SENTENCE: Style = Style::new(Face::Sans, 11.0, 16.0, INK);
const RED: Ink = Ink(0x9C, 0x2B, 0x20);
const GREEN: Ink = Ink(0x2C, 0x6B, 0x3F);

/// What is known of one event, in the order in which it is asked: who, from where, on what, why, with what outcome.
#[derive(Debug, Clone)]
pub struct EventFacts {
    pub organization: String,
    pub position: u64,
    /// `Password viewed`.
    pub title: String,
    /// The event in a sentence.
    pub sentence: String,
    /// RFC 3339.
    pub at: String,
    pub severity: String,
    pub outcome: String,
    pub action: String,
    pub groups: Vec<Group>,
    pub changes: Vec<Change>,
    /// The record as it came in, and which mapping read it.
    pub record: Option<String>,
    pub mapping: Option<String>,
    pub proof: Proof,
    /// Who asked for this summary, and when.
    pub by: String,
    pub taken_at: jiff::Timestamp,
}

#[derive(Debug, Clone)]
pub struct Group {
    pub title: &'static str,
    /// Name, value, and whether the value is a code.
    pub fields: Vec<(String, String, bool)>,
}

#[derive(Debug, Clone)]
pub struct Change {
    pub field: String,
    pub old: String,
    pub new: String,
}

/// That the event is in the trail, for somebody who doesn't trust us.
#[derive(Debug, Clone)]
pub struct Proof {
    /// Hexadecimal.
    pub leaf_hash: String,
    pub tree_size: u64,
    /// Base64, from the leaf upwards.
    pub path: Vec<String>,
    pub root: String,
    /// The signed checkpoint.
    pub note: String,
    pub vkey: String,
}

/// The summary as PDF.
pub fn summary(facts: &EventFacts, cancelled: &Cancelled<'_>) -> Result<Vec<u8>, PdfError> {
    let mut type_ = Typesetter::new();
    let letterhead = Letterhead {
        title: facts.title.clone(),
        subject: format!("event {}, {}", grouped(facts.position), utc(&facts.at)),
        origin: format!(
            "Belfry · {} · event {} · taken by {}, {}",
            facts.organization,
            grouped(facts.position),
            facts.by,
            facts.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        ),
        description: facts.sentence.clone(),
        author: facts.by.clone(),
        at: facts.taken_at,
        id: format!("belfry:event:{}", facts.proof.leaf_hash),
    };
    let cover = [
        Fact::new("Time", exact(&facts.at)).span(2),
        Fact::new("Type", facts.action.clone()).code().span(2),
        Fact::new("Severity", facts.severity.clone()),
        Fact::new("Outcome", facts.outcome.clone()),
        Fact::new("Position in the trail", grouped(facts.position)),
        Fact::new("Read by", facts.mapping.clone().unwrap_or_else(|| "sent as an event".to_owned())),
    ];
    in_two_rounds(&mut type_, Sheet::PORTRAIT, &letterhead, Level::Accessible, cancelled, |paper| {
        cover::cover(paper, &facts.organization, &facts.title, "Audit summary of one event", &cover)?;
        paper.flow(Role::Paragraph, &facts.sentence, SENTENCE)?;
        paper.y += 8.0;
        for group in facts.groups.iter().filter(|group| !group.fields.is_empty()) {
            fields(paper, group)?;
        }
        if !facts.changes.is_empty() {
            changes(paper, &facts.changes)?;
        }
        if let Some(record) = &facts.record {
            cover::heading(paper, "Original record", 40.0)?;
            paper.panel(Role::Paragraph, record, NOTE)?;
        }
        proof(paper, facts)
    })
}

/// A group: its title, then name and value side by side.
fn fields(paper: &mut Paper<'_>, group: &Group) -> Result<(), PdfError> {
    const NAMES: f32 = 128.0;
    let inner = paper.sheet.inner();
    paper.need(GROUP.leading + 40.0)?;
    paper.y += 8.0;
    paper.flow(Role::Heading, group.title, GROUP)?;
    paper.y += 3.0;
    paper.rule(0.5, HAIR);
    paper.y += 0.5;
    paper.open(Role::Table);
    paper.open(Role::Body);
    for (name, value, code) in &group.fields {
        let style = if *code { CODE } else { VALUE };
        let name = paper.type_.block(name, NAME, NAMES - 8.0);
        let value = paper.type_.block(value, style, inner - NAMES);
        rows(paper, &[(name, 0.0, Role::RowTitle), (value, NAMES, Role::Cell)])?;
    }
    paper.close();
    paper.close();
    Ok(())
}

fn changes(paper: &mut Paper<'_>, changes: &[Change]) -> Result<(), PdfError> {
    let inner = paper.sheet.inner();
    let [field, old] = [inner * 0.26, inner * 0.37];
    cover::heading(paper, "Changes", 40.0)?;
    paper.open(Role::Table);
    paper.open(Role::Head);
    let title = Style::new(Face::Semibold, 7.6, 10.0, INK);
    let titles = ["Field", "Old value", "New value"].map(|text| paper.type_.block(text, title, old));
    let [first, second, third] = titles;
    let places = [(first, 0.0), (second, field), (third, field + old)];
    paper.open(Role::Row);
    for (block, x) in places {
        paper.open(Role::ColumnTitle);
        paper.text(&block, 0..block.lines.len(), MARGIN + x, paper.y);
        paper.close();
    }
    paper.close();
    paper.close();
    paper.y += 13.0;
    paper.rule(0.9, BRONZE);
    paper.y += 0.9;
    paper.open(Role::Body);
    for change in changes {
        let name = paper.type_.block(&change.field, CODE, field - 8.0);
        let was = paper.type_.block(&change.old, Style { ink: RED, ..VALUE }, old - 8.0);
        let is = paper.type_.block(&change.new, Style { ink: GREEN, ..VALUE }, inner - field - old);
        let row = [(name, 0.0, Role::RowTitle), (was, field, Role::Cell), (is, field + old, Role::Cell)];
        rows(paper, &row)?;
    }
    paper.close();
    paper.close();
    Ok(())
}

/// One row of blocks at their places, going on over as many pages as it needs.
fn rows(paper: &mut Paper<'_>, cells: &[(Rc<Block>, f32, Role)]) -> Result<(), PdfError> {
    const PAD: f32 = 2.6;
    let leading = VALUE.leading;
    let lines = cells.iter().map(|cell| cell.0.lines.len()).max().unwrap_or(1).max(1);
    let mut from = 0;
    while from < lines {
        let fit = ((paper.room() - 2.0 * PAD) / leading).floor();
        if fit < 1.0 {
            paper.turn()?;
            continue;
        }
        let to = (from + fit as usize).min(lines);
        paper.open(Role::Row);
        for (block, x, role) in cells {
            paper.open(*role);
            let part = from.min(block.lines.len())..to.min(block.lines.len());
            if !part.is_empty() {
                paper.text(block, part, MARGIN + x, paper.y + PAD);
            }
            paper.close();
        }
        paper.close();
        paper.y += (to - from) as f32 * leading + 2.0 * PAD;
        paper.rule(0.35, HAIR);
        paper.y += 0.35;
        from = to;
    }
    Ok(())
}

fn proof(paper: &mut Paper<'_>, facts: &EventFacts) -> Result<(), PdfError> {
    let proof = &facts.proof;
    cover::heading(paper, "Proof", 110.0)?;
    let text = format!(
        "This event is entry {} of a Merkle tree of {} entries (RFC 6962, SHA-256). Hashing its leaf with the {} hashes of the path gives the root {}, which the checkpoint below signs.",
        grouped(facts.position),
        grouped(proof.tree_size),
        proof.path.len(),
        proof.root
    );
    paper.flow(Role::Paragraph, &text, PROSE)?;
    paper.y += 8.0;
    label(paper, "Leaf hash")?;
    paper.panel(Role::Paragraph, &proof.leaf_hash, NOTE)?;
    paper.y += 8.0;
    label(paper, "Signed checkpoint")?;
    paper.panel(Role::Paragraph, proof.note.trim_end(), NOTE)?;
    paper.y += 8.0;
    label(paper, "Public key of the trail")?;
    paper.panel(Role::Paragraph, &proof.vkey, NOTE)?;
    if !proof.path.is_empty() {
        paper.y += 8.0;
        label(paper, "Inclusion path, from the leaf upwards")?;
        paper.panel(Role::Paragraph, &proof.path.join("\n"), NOTE)?;
    }
    Ok(())
}

fn label(paper: &mut Paper<'_>, text: &str) -> Result<(), PdfError> {
    paper.need(QUIET.leading + 40.0)?;
    paper.flow(Role::Paragraph, text, QUIET)?;
    paper.y += 2.0;
    Ok(())
}

/// A time to its last digit.
fn exact(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(at) if at.subsec_nanosecond() == 0 => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S%.f UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}
