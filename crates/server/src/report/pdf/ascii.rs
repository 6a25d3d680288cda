//! Lines of plain ASCII, which most cells are: no shaping, no right-to-left, so no need of the typesetter.
//!
//! It also knows where names of machines, paths and codes may be cut, which the rules for prose don't.

use std::ops::Range;

/// The glyphs of one typeface for the printable ASCII characters.
#[derive(Debug, Clone)]
pub struct Ascii {
    /// Glyph and advance in parts of the type size, from the blank on.
    glyphs: [(u32, f32); 95],
}

/// A line: which bytes stand on it, and how wide they are without the blanks at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    pub bytes: Range<usize>,
    pub width: f32,
}

/// Whether this module can set the text.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n'))
}

impl Ascii {
    pub fn new(glyphs: [(u32, f32); 95]) -> Self {
        Self { glyphs }
    }

    /// Glyph and advance of a character; of a blank for what is none.
    pub fn glyph(&self, byte: u8) -> (u32, f32) {
        let index = usize::from(byte.saturating_sub(b' '));
        self.glyphs.get(index).copied().unwrap_or(self.glyphs[0])
    }

    /// How wide the widest part is that can't be cut, and the widest line.
    pub fn widths(&self, text: &str, size: f32) -> (f32, f32) {
        let bytes = text.as_bytes();
        let (mut min, mut max, mut part, mut line) = (0f32, 0f32, 0f32, 0f32);
        for (index, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' {
                (part, line) = (0.0, 0.0);
                continue;
            }
            let advance = self.glyph(*byte).1 * size;
            line += advance;
            if *byte == b' ' {
                part = 0.0;
                continue;
            }
            part += advance;
            min = min.max(part);
            max = max.max(line);
            if may_cut(bytes, index) {
                part = 0.0;
            }
        }
        (min, max)
    }

    /// Cuts a text into lines no wider than `width`, but never less than one character each.
    pub fn lines(&self, text: &str, size: f32, width: f32) -> Vec<Cut> {
        let bytes = text.as_bytes();
        let mut lines = Vec::new();
        let mut start = 0;
        let mut advance = 0.0;
        // The last places where the line could end: behind a blank, and behind a sign within a word.
        let (mut blank, mut sign): (Option<usize>, Option<usize>) = (None, None);
        let mut index = 0;
        while let Some(&byte) = bytes.get(index) {
            if byte == b'\n' {
                lines.push(self.cut(bytes, start..index, size));
                (start, advance, blank, sign) = (index + 1, 0.0, None, None);
                index += 1;
                continue;
            }
            advance += self.glyph(byte).1 * size;
            // Blanks may hang over the edge.
            if advance > width + 0.01 && byte != b' ' && index > start {
                let end = self.best(bytes, start, blank, sign, size, width).unwrap_or(index);
                lines.push(self.cut(bytes, start..end, size));
                (start, advance, blank, sign) = (end, 0.0, None, None);
                index = end;
                continue;
            }
            if byte == b' ' {
                blank = Some(index + 1);
            } else if may_cut(bytes, index) {
                sign = Some(index + 1);
            }
            index += 1;
        }
        lines.push(self.cut(bytes, start..bytes.len(), size));
        lines
    }

    /// A blank, unless it would leave most of the line empty.
    fn best(
        &self,
        bytes: &[u8],
        start: usize,
        blank: Option<usize>,
        sign: Option<usize>,
        size: f32,
        width: f32,
    ) -> Option<usize> {
        match (blank, sign) {
            (Some(blank), Some(sign)) if sign > blank => {
                let filled = self.cut(bytes, start..blank, size).width;
                Some(if filled >= width * 0.45 { blank } else { sign })
            }
            (Some(blank), _) => Some(blank),
            (None, sign) => sign,
        }
    }

    fn cut(&self, bytes: &[u8], range: Range<usize>, size: f32) -> Cut {
        let line = bytes.get(range.clone()).unwrap_or_default();
        let width = line.trim_ascii_end().iter().map(|byte| self.glyph(*byte).1 * size).sum();
        Cut { bytes: range, width }
    }
}

/// Whether a line may end behind this byte: behind a sign that joins parts of a name, not within numbers, addresses, dates.
fn may_cut(bytes: &[u8], index: usize) -> bool {
    let at = |index: usize| bytes.get(index).copied();
    let Some(before) = index.checked_sub(1).and_then(at) else { return false };
    let (Some(sign), Some(after)) = (at(index), at(index + 1)) else { return false };
    let within_number = before.is_ascii_digit() && after.is_ascii_digit();
    match sign {
        b',' | b'{' | b'[' => !within_number,
        b'-' | b'_' | b'.' | b'/' | b':' | b'@' | b'=' | b'&' | b'?' | b';' | b'|' | b'\\' => {
            after.is_ascii_alphanumeric() && !within_number
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character is one point wide.
    fn lines(text: &str, width: usize) -> Vec<&str> {
        let ascii = Ascii::new([(1, 1.0); 95]);
        let lines: Vec<&str> = ascii.lines(text, 1.0, width as f32).into_iter().map(|cut| &text[cut.bytes]).collect();
        assert_eq!(lines.concat(), text.replace('\n', ""), "nothing is lost");
        assert!(lines.iter().all(|line| line.trim_end().len() <= width.max(1)), "{lines:?}");
        lines
    }

    #[test]
    fn lines_end_where_people_would_end_them() {
        for (text, width, expected) in [
            ("", 5, vec![""]),
            ("one", 5, vec!["one"]),
            ("one two three", 8, vec!["one two ", "three"]),
            ("one\n\ntwo", 8, vec!["one", "", "two"]),
            ("db-prod-1.internal.acme.example", 12, vec!["db-prod-1.", "internal.", "acme.example"]),
            ("10.20.30.40 and more", 12, vec!["10.20.30.40 ", "and more"]),
            ("2026-11-21 14:02:11.112", 12, vec!["2026-11-21 ", "14:02:11.112"]),
            ("abcdefghij", 4, vec!["abcd", "efgh", "ij"]),
            ("a bcdefgh-ijklmnop", 10, vec!["a bcdefgh-", "ijklmnop"]),
            ("ab", 0, vec!["a", "b"]),
            ("  two", 10, vec!["  two"]),
            (r#"{"a":"b","c":{"d":1}}"#, 12, vec![r#"{"a":"b","#, r#""c":{"d":1}}"#]),
        ] {
            assert_eq!(lines(text, width), expected, "{text:?} in {width}");
        }
    }

    #[test]
    fn widths_are_those_of_the_parts() {
        let ascii = Ascii::new([(1, 1.0); 95]);
        for (text, expected) in [
            ("", (0.0, 0.0)),
            ("one three", (5.0, 9.0)),
            ("db-prod.example", (7.0, 15.0)),
            ("a\nlonger", (6.0, 6.0)),
            ("10.0.0.1", (8.0, 8.0)),
        ] {
            assert_eq!(ascii.widths(text, 1.0), expected, "{text:?}");
        }
    }
}
