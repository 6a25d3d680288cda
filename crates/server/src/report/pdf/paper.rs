//! Pages: where things stand on them, their headers and footers, and the structure a screen reader follows.
//!
//! A page is gathered as a list of marks and written when it is full. Nothing of it is kept after that, apart from what
//! krilla keeps of the finished PDF.

use std::num::NonZeroU16;
use std::ops::Range;
use std::rc::Rc;

use krilla::Document;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, SpanTag, TableHeaderScope, Tag, TagGroup, TagTree};
use krilla::{SerializeSettings, color::rgb};

use super::text::{Block, Face, Ink, Style, Typesetter};
use super::{Cancelled, Level, PdfError};

pub const INK: Ink = Ink(0x1F, 0x1B, 0x17);
pub const GREY: Ink = Ink(0x6B, 0x63, 0x5B);
pub const HAIR: Ink = Ink(0xDE, 0xD7, 0xCE);
pub const PANEL: Ink = Ink(0xFA, 0xF7, 0xF3);
/// Bell bronze.
pub const BRONZE: Ink = Ink(0xA8, 0x63, 0x2A);

const SMALL: Style = Style::new(Face::Sans, 7.0, 9.5, GREY);

/// The sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sheet {
    pub width: f32,
    pub height: f32,
}

impl Sheet {
    pub const PORTRAIT: Self = Self { width: 595.0, height: 842.0 };
    pub const LANDSCAPE: Self = Self { width: 842.0, height: 595.0 };
    /// A3, for tables that would be cut to ribbons on A4.
    pub const WIDE: Self = Self { width: 1191.0, height: 842.0 };

    /// Between the margins.
    pub const fn inner(self) -> f32 {
        self.width - 2.0 * MARGIN
    }
}

pub const MARGIN: f32 = 44.0;
const TOP: f32 = 60.0;
const TOP_OF_FIRST: f32 = 44.0;
const BOTTOM: f32 = 52.0;

/// What stands on every page.
#[derive(Debug, Clone)]
pub struct Letterhead {
    pub title: String,
    /// At the right of the running header.
    pub subject: String,
    /// At the left of the footer.
    pub origin: String,
    pub description: String,
    pub author: String,
    pub at: jiff::Timestamp,
    /// Makes the document's own identifier.
    pub id: String,
}

/// What a piece of content is, for those who don't see the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Title,
    Heading,
    Paragraph,
    Table,
    Head,
    Body,
    Row,
    ColumnTitle,
    RowTitle,
    Cell,
}

enum Mark {
    Open(Role),
    Close,
    Outline(String, f32),
    Text { block: Rc<Block>, lines: Range<usize>, x: f32, y: f32, aside: Option<ArtifactType> },
    Fill { rect: Rect, ink: Ink },
    Shape { path: Path, ink: Ink },
}

/// The document in the making.
pub struct Paper<'a> {
    pub type_: &'a mut Typesetter,
    pub sheet: Sheet,
    /// Where the next thing goes.
    pub y: f32,
    letterhead: &'a Letterhead,
    marks: Vec<Mark>,
    pages: usize,
    /// Known in the second round only, see [`super::in_two_rounds`].
    pages_total: Option<usize>,
    document: Option<Document>,
    open: Vec<TagGroup>,
    outline: Vec<OutlineNode>,
    cancelled: &'a Cancelled<'a>,
}

impl<'a> Paper<'a> {
    /// `pages_total` is absent in the first round, in which nothing is drawn.
    pub fn new(
        type_: &'a mut Typesetter,
        sheet: Sheet,
        letterhead: &'a Letterhead,
        pages_total: Option<usize>,
        level: Level,
        cancelled: &'a Cancelled<'a>,
    ) -> Self {
        let document = pages_total.map(|_| Document::new_with(settings(level)));
        Self {
            type_,
            sheet,
            y: TOP_OF_FIRST,
            letterhead,
            marks: Vec::new(),
            pages: 0,
            pages_total,
            document,
            open: Vec::new(),
            outline: Vec::new(),
            cancelled,
        }
    }

    /// The number of points left on this page.
    pub fn room(&self) -> f32 {
        self.sheet.height - BOTTOM - self.y
    }

    /// The number of points on a page that is not the first.
    pub fn room_of_page(&self) -> f32 {
        self.sheet.height - BOTTOM - TOP
    }

    /// Starts a new page unless `height` still fits. Says whether it did.
    pub fn need(&mut self, height: f32) -> Result<bool, PdfError> {
        if height <= self.room() {
            return Ok(false);
        }
        self.turn()?;
        Ok(true)
    }

    /// Writes this page and starts the next.
    pub fn turn(&mut self) -> Result<(), PdfError> {
        self.flush()?;
        self.y = TOP;
        Ok(())
    }

    pub fn open(&mut self, role: Role) {
        self.marks.push(Mark::Open(role));
    }

    pub fn close(&mut self) {
        self.marks.push(Mark::Close);
    }

    /// A mark in the outline, at the current place.
    pub fn outline(&mut self, title: &str) {
        self.marks.push(Mark::Outline(title.to_owned(), self.y));
    }

    /// The lines of a block, with their top left at `x`, `y`.
    pub fn text(&mut self, block: &Rc<Block>, lines: Range<usize>, x: f32, y: f32) {
        self.marks.push(Mark::Text { block: block.clone(), lines, x, y, aside: None });
    }

    /// Text that is not part of the content: repeated headers, page numbers.
    pub fn aside(&mut self, block: &Rc<Block>, x: f32, y: f32, kind: ArtifactType) {
        self.marks.push(Mark::Text { block: block.clone(), lines: 0..block.lines.len(), x, y, aside: Some(kind) });
    }

    pub fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.marks.push(Mark::Fill { rect, ink });
        }
    }

    /// A horizontal line over the full width, at the current place.
    pub fn rule(&mut self, thickness: f32, ink: Ink) {
        self.fill(MARGIN, self.y, self.sheet.inner(), thickness, ink);
    }

    pub fn shape(&mut self, path: Path, ink: Ink) {
        self.marks.push(Mark::Shape { path, ink });
    }

    /// A text over the full width, going on over as many pages as it needs.
    pub fn flow(&mut self, role: Role, text: &str, style: Style) -> Result<(), PdfError> {
        let width = self.sheet.inner();
        self.flow_at(role, text, style, MARGIN, width)
    }

    pub fn flow_at(&mut self, role: Role, text: &str, style: Style, x: f32, width: f32) -> Result<(), PdfError> {
        let block = self.type_.block(text, style, width);
        let mut from = 0;
        self.open(role);
        while from < block.lines.len() {
            let fit = (self.room() / style.leading).floor() as usize;
            if fit == 0 {
                self.turn()?;
                continue;
            }
            let to = (from + fit).min(block.lines.len());
            self.text(&block, from..to, x, self.y);
            self.y += (to - from) as f32 * style.leading;
            from = to;
        }
        self.close();
        Ok(())
    }

    /// A text on a tinted panel, going on over as many pages as it needs.
    pub fn panel(&mut self, role: Role, text: &str, style: Style) -> Result<(), PdfError> {
        const PAD: f32 = 8.0;
        let width = self.sheet.inner();
        let block = self.type_.block(text, style, width - 2.0 * PAD);
        let mut from = 0;
        self.open(role);
        while from < block.lines.len() {
            let fit = ((self.room() - 2.0 * PAD) / style.leading).floor();
            if fit < 1.0 || (from == 0 && fit < 3.0 && fit < block.lines.len() as f32) {
                self.turn()?;
                continue;
            }
            let to = (from + fit as usize).min(block.lines.len());
            let height = (to - from) as f32 * style.leading + 2.0 * PAD;
            self.fill(MARGIN, self.y, width, height, PANEL);
            self.fill(MARGIN, self.y, 1.5, height, BRONZE);
            self.text(&block, from..to, MARGIN + PAD, self.y + PAD);
            self.y += height;
            from = to;
        }
        self.close();
        Ok(())
    }

    /// Writes the last page and gives the document; of the first round, only the number of pages.
    pub fn finish(mut self) -> Result<(usize, Option<Vec<u8>>), PdfError> {
        self.flush()?;
        let Some(mut document) = self.document.take() else {
            return Ok((self.pages, None));
        };
        let mut tree = TagTree::new().with_lang(Some("en".to_owned()));
        for group in self.open.drain(..) {
            tree.push(group);
        }
        document.set_tag_tree(tree);
        let mut outline = Outline::new();
        for node in self.outline.drain(..) {
            outline.push_child(node);
        }
        document.set_outline(outline);
        document.set_metadata(metadata(self.letterhead));
        let bytes = document.finish().map_err(PdfError::Write)?;
        Ok((self.pages, Some(bytes)))
    }

    fn flush(&mut self) -> Result<(), PdfError> {
        if (self.cancelled)() {
            return Err(PdfError::Cancelled);
        }
        self.furnish();
        let index = self.pages;
        self.pages += 1;
        let marks = std::mem::take(&mut self.marks);
        let Some(document) = &mut self.document else {
            return Ok(());
        };
        let settings = PageSettings::from_wh(self.sheet.width, self.sheet.height).expect("sheets have a size");
        if self.open.is_empty() {
            self.open.push(TagGroup::new(Tag::Section));
        }
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for mark in marks {
            match mark {
                Mark::Open(role) => self.open.push(group(role, self.letterhead)),
                Mark::Close => {
                    if let Some(done) = self.open.pop()
                        && let Some(parent) = self.open.last_mut()
                    {
                        parent.push(done);
                    }
                }
                Mark::Outline(title, y) => {
                    let place = XyzDestination::new(index, Point::from_xy(0.0, (y - 12.0).max(0.0)));
                    self.outline.push(OutlineNode::new(title, place));
                }
                Mark::Text { block, lines, x, y, aside } => {
                    let tag = match aside {
                        Some(kind) => ContentTag::Artifact(Artifact::with_kind(kind)),
                        None => ContentTag::Span(SpanTag::empty()),
                    };
                    let id = surface.start_tagged(tag);
                    draw(&mut surface, &block, lines, x, y);
                    surface.end_tagged();
                    if aside.is_none()
                        && let Some(parent) = self.open.last_mut()
                    {
                        parent.push(id);
                    }
                }
                Mark::Fill { rect, ink } => {
                    let mut builder = PathBuilder::new();
                    builder.push_rect(rect);
                    if let Some(path) = builder.finish() {
                        shape(&mut surface, &path, ink);
                    }
                }
                Mark::Shape { path, ink } => shape(&mut surface, &path, ink),
            }
        }
        surface.finish();
        page.finish();
        Ok(())
    }

    /// Header and footer of the page that is about to be written.
    fn furnish(&mut self) {
        let inner = self.sheet.inner();
        let foot = self.sheet.height - 34.0;
        self.fill(MARGIN, foot - 6.0, inner, 0.4, HAIR);
        let number = match self.pages_total {
            Some(total) => format!("Page {} of {total}", self.pages + 1),
            None => String::new(),
        };
        let left = self.one_line(&self.letterhead.origin.clone(), SMALL, inner - 90.0);
        self.aside(&left, MARGIN, foot, ArtifactType::Footer);
        let right = self.type_.block(&number, SMALL.flush_right(), 90.0);
        self.aside(&right, self.sheet.width - MARGIN - 90.0, foot, ArtifactType::Footer);
        if self.pages > 0 {
            let title = self.one_line(&self.letterhead.title.clone(), SMALL, inner * 0.5);
            self.aside(&title, MARGIN, 34.0, ArtifactType::Header);
            let subject = self.one_line(&self.letterhead.subject.clone(), SMALL.flush_right(), inner * 0.5);
            self.aside(&subject, MARGIN + inner * 0.5, 34.0, ArtifactType::Header);
            self.fill(MARGIN, 46.5, inner, 0.4, HAIR);
        }
    }

    /// `text` cut so that it stays on one line.
    fn one_line(&mut self, text: &str, style: Style, width: f32) -> Rc<Block> {
        let mut text = text.replace('\n', " ");
        loop {
            let block = self.type_.block(&text, style, width);
            if block.lines.len() <= 1 {
                return block;
            }
            let keep = text.chars().count() * 4 / 5;
            text = text.chars().take(keep).collect::<String>() + "…";
        }
    }
}

fn settings(level: Level) -> SerializeSettings {
    let rules = ConfigurationBuilder::new();
    let rules = match level {
        Level::Accessible => {
            rules.with_archival_validator(Archival::A2_A).with_accessibility_validator(Accessibility::UA1)
        }
        Level::Archival => rules.with_archival_validator(Archival::A2_U),
        Level::Plain => rules,
    };
    SerializeSettings {
        configuration: rules.finish().expect("these rules share PDF 1.7"),
        enable_tagging: level == Level::Accessible,
        ..SerializeSettings::default()
    }
}

fn metadata(letterhead: &Letterhead) -> Metadata {
    let at = letterhead.at.to_zoned(jiff::tz::TimeZone::UTC);
    let date = DateTime::new(at.year().unsigned_abs())
        .month(at.month().unsigned_abs())
        .day(at.day().unsigned_abs())
        .hour(at.hour().unsigned_abs())
        .minute(at.minute().unsigned_abs())
        .second(at.second().unsigned_abs())
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Metadata::new()
        .title(letterhead.title.clone())
        .description(letterhead.description.clone())
        .authors(vec![letterhead.author.clone()])
        .creator("Belfry".to_owned())
        .producer(concat!("Belfry ", env!("CARGO_PKG_VERSION")).to_owned())
        .language("en".to_owned())
        .document_id(letterhead.id.clone())
        .creation_date(date)
}

fn group(role: Role, letterhead: &Letterhead) -> TagGroup {
    const FIRST: NonZeroU16 = NonZeroU16::MIN;
    let second = FIRST.saturating_add(1);
    match role {
        Role::Title => TagGroup::new(Tag::Hn(FIRST, Some(letterhead.title.clone()))),
        Role::Heading => TagGroup::new(Tag::Hn(second, Some("Section".to_owned()))),
        Role::Paragraph => TagGroup::new(Tag::P),
        Role::Table => {
            TagGroup::new(Tag::Table.with_summary(Some(format!("{} {}", letterhead.title, letterhead.subject))))
        }
        Role::Head => TagGroup::new(Tag::THead),
        Role::Body => TagGroup::new(Tag::TBody),
        Role::Row => TagGroup::new(Tag::TR),
        Role::ColumnTitle => TagGroup::new(Tag::TH(TableHeaderScope::Column)),
        Role::RowTitle => TagGroup::new(Tag::TH(TableHeaderScope::Row)),
        Role::Cell => TagGroup::new(Tag::TD),
    }
}

fn paint(ink: Ink) -> Option<Fill> {
    Some(Fill { paint: rgb::Color::new(ink.0, ink.1, ink.2).into(), ..Fill::default() })
}

fn shape(surface: &mut Surface<'_>, path: &Path, ink: Ink) {
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
    surface.set_fill(paint(ink));
    surface.draw_path(path);
    surface.end_tagged();
}

fn draw(surface: &mut Surface<'_>, block: &Block, lines: Range<usize>, x: f32, y: f32) {
    surface.set_fill(paint(block.style.ink));
    let mut baseline = y + block.baseline();
    for line in block.lines.get(lines).unwrap_or_default() {
        for piece in &line.pieces {
            surface.draw_glyphs(
                Point::from_xy(x + piece.x, baseline),
                &piece.glyphs,
                piece.font.clone(),
                &block.text,
                block.style.size,
                false,
            );
        }
        baseline += block.style.leading;
    }
}
