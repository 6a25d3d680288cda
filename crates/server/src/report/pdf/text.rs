//! From a string to glyphs in lines: shaping, right-to-left, line breaks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use parley::style::{FontFamily, FontFeatures, FontWeight, LineHeight, OverflowWrap, StyleProperty};
use parley::{Alignment, AlignmentOptions, Layout, LayoutContext};

use super::ascii::{self, Ascii};
use super::fonts::{self, Fonts};

/// Which typeface a text is set in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    Sans,
    Semibold,
    Mono,
}

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ink(pub u8, pub u8, pub u8);

/// How a text is set. The first line's baseline depends on `leading` alone, so that cells of one row stand on one line
/// whatever script they hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    pub face: Face,
    pub size: f32,
    pub leading: f32,
    pub ink: Ink,
    /// Flush right, as numbers are.
    pub right: bool,
}

impl Style {
    pub const fn new(face: Face, size: f32, leading: f32, ink: Ink) -> Self {
        Self { face, size, leading, ink, right: false }
    }

    pub const fn flush_right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// A text laid out in lines of a given width.
#[derive(Debug)]
pub struct Block {
    pub text: String,
    pub lines: Vec<Line>,
    pub style: Style,
}

#[derive(Debug)]
pub struct Line {
    pub pieces: Vec<Piece>,
}

/// Glyphs of one font on one line.
#[derive(Debug)]
pub struct Piece {
    pub font: Font,
    pub x: f32,
    pub glyphs: Vec<KrillaGlyph>,
}

impl Block {
    pub fn height(&self) -> f32 {
        self.lines.len() as f32 * self.style.leading
    }

    /// From the top of a line to its baseline.
    pub fn baseline(&self) -> f32 {
        self.style.leading * 0.76
    }
}

/// How wide a text wants to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Widths {
    /// Of the widest word.
    pub min: f32,
    /// On one line.
    pub max: f32,
}

/// Lays out texts. Holds the fonts and scratch space of one document.
pub struct Typesetter {
    fonts: Fonts,
    layouts: LayoutContext<()>,
    layout: Layout<()>,
    /// Our fonts as krilla knows them.
    krilla: HashMap<u64, Font>,
    /// The plain characters of each typeface.
    plain: HashMap<Face, (Ascii, Font)>,
    /// Blocks laid out lately: the cells of an audit report repeat a lot.
    recent: HashMap<Key, Rc<Block>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    text: String,
    face: Face,
    size: u32,
    leading: u32,
    ink: Ink,
    width: u32,
    right: bool,
}

const RECENT_MAX: usize = 8_192;
const RECENT_TEXT_MAX: usize = 256;

impl Typesetter {
    pub fn new() -> Self {
        Self {
            fonts: Fonts::new(),
            layouts: LayoutContext::new(),
            layout: Layout::new(),
            krilla: HashMap::new(),
            plain: HashMap::new(),
            recent: HashMap::new(),
        }
    }

    /// `text` in lines no wider than `width`.
    pub fn block(&mut self, text: &str, style: Style, width: f32) -> Rc<Block> {
        if text.len() > RECENT_TEXT_MAX {
            return Rc::new(self.lay_out(text, style, width));
        }
        let key = Key {
            text: text.to_owned(),
            face: style.face,
            size: style.size.to_bits(),
            leading: style.leading.to_bits(),
            ink: style.ink,
            width: width.to_bits(),
            right: style.right,
        };
        if let Some(block) = self.recent.get(&key) {
            return block.clone();
        }
        let block = Rc::new(self.lay_out(text, style, width));
        if self.recent.len() >= RECENT_MAX {
            self.recent.clear();
        }
        self.recent.insert(key, block.clone());
        block
    }

    /// How wide `text` wants to be.
    pub fn widths(&mut self, text: &str, style: Style) -> Widths {
        if ascii::is_plain(text)
            && let Some((plain, _)) = self.plain(style.face)
        {
            let (min, max) = plain.widths(text, style.size);
            return Widths { min, max };
        }
        let text = self.printable(text).into_owned();
        self.shape(&text, style);
        let widths = self.layout.calculate_content_widths();
        Widths { min: widths.min, max: widths.max }
    }

    fn lay_out(&mut self, text: &str, style: Style, width: f32) -> Block {
        if ascii::is_plain(text)
            && let Some((plain, font)) = self.plain(style.face)
        {
            return plain_block(text, style, width, plain, font);
        }
        let text = self.printable(text).into_owned();
        self.shape(&text, style);
        self.layout.break_all_lines(Some(width));
        let alignment = if style.right { Alignment::Right } else { Alignment::Start };
        self.layout.align(alignment, AlignmentOptions::default());

        let mut lines = Vec::with_capacity(self.layout.len());
        for line in self.layout.lines() {
            let mut pieces = Vec::new();
            let mut x = line.metrics().offset + line.metrics().inline_min_coord;
            for run in line.runs() {
                let size = run.font_size();
                let font = run.font().clone();
                let (data, id) = font.data.into_raw_parts();
                let Some(font) = krilla_font(&mut self.krilla, id, data, font.index) else {
                    continue;
                };
                let start = x;
                let mut glyphs: Vec<KrillaGlyph> = Vec::new();
                // The text of a ligature's later letters, which have no glyphs of their own. Right to left they come
                // before the letter that carries the glyph.
                let mut carried: Option<Range<usize>> = None;
                for cluster in run.visual_clusters() {
                    let mut range = cluster.text_range();
                    if cluster.is_ligature_continuation() {
                        if run.is_rtl() {
                            carried = Some(carried.map_or(range.clone(), |c| union(c, range)));
                        } else if let Some(last) = glyphs.last_mut() {
                            last.text_range = union(last.text_range.clone(), range);
                        }
                        continue;
                    }
                    if let Some(carried) = carried.take() {
                        range = union(range, carried);
                    }
                    for glyph in cluster.glyphs() {
                        glyphs.push(KrillaGlyph::new(
                            GlyphId::new(glyph.id),
                            glyph.advance / size,
                            glyph.x / size,
                            glyph.y / size,
                            0.0,
                            range.clone(),
                            None,
                        ));
                        x += glyph.advance;
                    }
                }
                if !glyphs.is_empty() {
                    pieces.push(Piece { font, x: start, glyphs });
                }
            }
            lines.push(Line { pieces });
        }
        Block { text, lines, style }
    }

    /// The plain characters of a typeface, learnt once from the typesetter.
    fn plain(&mut self, face: Face) -> Option<&(Ascii, Font)> {
        if !self.plain.contains_key(&face) {
            const SIZE: f32 = 100.0;
            let style = Style::new(face, SIZE, SIZE, Ink(0, 0, 0));
            let mut glyphs = [(0, 0.0); 95];
            let mut font = None;
            for (byte, glyph) in (b' '..=b'~').zip(&mut glyphs) {
                self.shape(char::from(byte).encode_utf8(&mut [0; 4]), style);
                self.layout.break_all_lines(None);
                let line = self.layout.get(0)?;
                let run = line.runs().next()?;
                let shaped = run.clusters().next()?.glyphs().next()?;
                *glyph = (shaped.id, shaped.advance / SIZE);
                let data = run.font().clone();
                let (bytes, id) = data.data.into_raw_parts();
                font = krilla_font(&mut self.krilla, id, bytes, data.index);
            }
            self.plain.insert(face, (Ascii::new(glyphs), font?));
        }
        self.plain.get(&face)
    }

    fn shape(&mut self, text: &str, style: Style) {
        let mut builder = self.layouts.ranged_builder(&mut self.fonts.context, text, 1.0, /* quantize */ false);
        let (family, weight) = match style.face {
            Face::Sans => (fonts::SANS, 400.0),
            Face::Semibold => (fonts::SANS, 600.0),
            Face::Mono => (fonts::MONO, 400.0),
        };
        builder.push_default(StyleProperty::FontFamily(FontFamily::Source(Cow::Borrowed(family))));
        builder.push_default(StyleProperty::FontWeight(FontWeight::new(weight)));
        builder.push_default(StyleProperty::FontSize(style.size));
        builder.push_default(StyleProperty::LineHeight(LineHeight::Absolute(style.leading)));
        // Ligatures are for books. Here every letter must be found again when the text is searched or copied.
        builder
            .push_default(StyleProperty::FontFeatures(FontFeatures::Source(Cow::Borrowed("\"liga\" 0, \"clig\" 0"))));
        builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::BreakWord));
        builder.build_into(&mut self.layout, text);
    }

    /// The text with everything that can't be printed, or that would lie about what is printed, written out as `[U+202E]`.
    fn printable<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len() + 16);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' if chars.peek() == Some(&'\n') => {}
                '\n' => out.push('\n'),
                '\t' => out.push_str("    "),
                // Joiners, direction marks and variation selectors have no glyph, and shape their neighbours.
                '\u{200C}'..='\u{200F}' | '\u{061C}' | '\u{FE00}'..='\u{FE0F}' => out.push(c),
                _ if deceives(c) || !self.fonts.covers(c) => {
                    out.push_str(&format!("[U+{:04X}]", c as u32));
                }
                _ => out.push(c),
            }
        }
        Cow::Owned(out)
    }
}

/// Characters that change how their neighbours are shown, or that show nothing: in a record of what happened they are
/// printed by number.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}')
}

fn plain_block(text: &str, style: Style, width: f32, plain: &Ascii, font: &Font) -> Block {
    let lines = plain.lines(text, style.size, width);
    let lines = lines
        .into_iter()
        .map(|cut| {
            let glyphs =
                cut.bytes.clone().zip(text.as_bytes().get(cut.bytes.clone()).unwrap_or_default()).map(|(at, byte)| {
                    let (glyph, advance) = plain.glyph(*byte);
                    KrillaGlyph::new(GlyphId::new(glyph), advance, 0.0, 0.0, 0.0, at..at + 1, None)
                });
            let x = if style.right { (width - cut.width).max(0.0) } else { 0.0 };
            let piece = Piece { font: font.clone(), x, glyphs: glyphs.collect() };
            Line { pieces: if cut.bytes.is_empty() { Vec::new() } else { vec![piece] } }
        })
        .collect();
    Block { text: text.to_owned(), lines, style }
}

fn union(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}

fn krilla_font(
    known: &mut HashMap<u64, Font>,
    id: u64,
    data: std::sync::Arc<dyn AsRef<[u8]> + Send + Sync>,
    index: u32,
) -> Option<Font> {
    if let Some(font) = known.get(&id) {
        return Some(font.clone());
    }
    let font = Font::new(data.into(), index)?;
    known.insert(id, font.clone());
    Some(font)
}
