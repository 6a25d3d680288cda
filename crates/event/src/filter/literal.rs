//! The values and names of a filter as they are written: in quotes or not, with escapes and stars.

use super::parse::Wrong;
use super::print::{is_keyword, is_special};
use super::{Pattern, Piece, Test};

/// A value or name as it was read.
#[derive(Debug)]
pub(super) struct Literal<'t> {
    pub(super) start: usize,
    pub(super) end: usize,
    /// As it stands in the text.
    pub(super) raw: &'t str,
    pub(super) quoted: bool,
    /// Where the last word of several begins.
    last_word: Option<usize>,
    pieces: Vec<Piece>,
}

impl Literal<'_> {
    /// With its stars as wildcards.
    pub(super) fn pattern(&self) -> Pattern {
        Pattern::new(self.pieces.iter().cloned())
    }

    /// Whether it holds a wildcard.
    pub(super) fn has_star(&self) -> bool {
        self.pieces.contains(&Piece::Any)
    }

    /// As a text, stars as they are.
    pub(super) fn text(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Any => "*".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// As the name of a field.
    pub(super) fn as_name(&self) -> String {
        self.text()
    }

    /// As something to look for in a text.
    pub(super) fn as_words(&self) -> Test {
        if self.quoted {
            Test::Phrase(self.text())
        } else if self.has_star() {
            Test::Wildcard(self.pattern())
        } else {
            Test::Equals(self.text())
        }
    }

    /// The last of several words, with its place.
    pub(super) fn last_word(&self) -> Option<(usize, &str)> {
        let at = self.last_word?;
        Some((at, self.raw.get(at - self.start..)?))
    }
}

/// Walks over the text of a filter.
#[derive(Debug, Clone)]
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn position(&self) -> usize {
        self.at
    }

    pub(super) const fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn rest(&self) -> &'t str {
        self.slice(self.at, self.text.len())
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn peek_past_space(&self) -> Option<char> {
        self.rest().trim_start().chars().next()
    }

    /// Steps over one character.
    pub(super) fn advance(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    pub(super) fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The end of the word at `from`: of what is written together there.
    pub(super) fn end_of_word(&self, from: usize) -> usize {
        let rest = self.slice(from, self.text.len());
        from + rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')')).unwrap_or(rest.len())
    }

    /// The keyword or sign that stands here, for a message.
    pub(super) fn peek_word(&self) -> &'t str {
        let word = keyword(self.rest());
        if word.is_empty() { self.slice(self.at, self.at + self.peek().map_or(0, char::len_utf8)) } else { word }
    }

    /// Steps over spaces and `word`, when that is what comes.
    pub(super) fn take_keyword(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        ahead.skip_space();
        let found = keyword(ahead.rest());
        if !found.eq_ignore_ascii_case(word) {
            return false;
        }
        self.at = ahead.at + found.len();
        true
    }

    /// Reads a value or a name; none when there is none here. `colons` says whether a colon may be
    /// a part of it, as in times and addresses.
    pub(super) fn literal(&mut self, colons: bool) -> Result<Option<Literal<'t>>, Wrong> {
        if self.peek() == Some('"') {
            return self.quoted().map(Some);
        }
        self.unquoted(colons)
    }

    fn quoted(&mut self) -> Result<Literal<'t>, Wrong> {
        let start = self.at;
        self.advance();
        let mut pieces = Pieces::default();
        loop {
            let at = self.at;
            let Some(c) = self.peek() else {
                return Err(Wrong::new(start, self.text.len(), "this quote is never closed"));
            };
            self.advance();
            match c {
                '"' => break,
                '*' => pieces.star(),
                '\\' => match self.peek() {
                    Some(c @ ('"' | '\\' | '*')) => {
                        self.advance();
                        pieces.push(c);
                    }
                    Some('u') => match self.unicode() {
                        Some(c) => pieces.push(c),
                        None => pieces.push('\\'),
                    },
                    _ => pieces.push('\\'),
                },
                '\0' => return Err(Wrong::new(at, self.at, "a NUL character")),
                c => pieces.push(c),
            }
        }
        let raw = self.slice(start, self.at);
        Ok(Literal { start, end: self.at, raw, quoted: true, last_word: None, pieces: pieces.finish() })
    }

    fn unquoted(&mut self, colons: bool) -> Result<Option<Literal<'t>>, Wrong> {
        let start = self.at;
        let mut pieces = Pieces::default();
        let mut last_word = None;
        let mut end = start;
        while let Some(c) = self.peek() {
            let at = self.at;
            if c.is_whitespace() {
                let rest = self.rest().trim_start();
                // Not if the literal ends here: at a keyword, at the end, or before a sign.
                if rest.is_empty() || rest.starts_with(['(', ')', '"', '<', '>', '{', '}', ':']) || at == start {
                    break;
                }
                let word = keyword(rest);
                if word.eq_ignore_ascii_case("not") {
                    let start = self.text.len() - rest.len();
                    let message = "not needs and or or before it, or quotes around the value";
                    return Err(Wrong::new(start, start + word.len(), message).suggest("and not"));
                }
                if !word.is_empty() {
                    break;
                }
                self.skip_space();
                self.slice(at, self.at).chars().for_each(|c| pieces.push(c));
                last_word = Some(self.at);
                continue;
            }
            match c {
                '\\' => self.escape(&mut pieces)?,
                '*' => {
                    self.advance();
                    pieces.star();
                }
                ':' if colons && self.colon_goes_on() => {
                    self.advance();
                    pieces.push(c);
                }
                '\0' => return Err(Wrong::new(at, at + 1, "a NUL character")),
                c if is_special(c) => break,
                c => {
                    if at == start && !keyword(self.rest()).is_empty() {
                        break;
                    }
                    self.advance();
                    pieces.push(c);
                }
            }
            end = self.at;
        }
        self.at = end;
        if end == start {
            return Ok(None);
        }
        let raw = self.slice(start, end);
        Ok(Some(Literal { start, end, raw, quoted: false, last_word, pieces: pieces.finish() }))
    }

    fn colon_goes_on(&self) -> bool {
        let mut after = self.rest().chars().skip(1);
        after.next().is_some_and(|c| !c.is_whitespace() && (c == ':' || !is_special(c)))
    }

    /// What follows a backslash outside of quotes.
    fn escape(&mut self, pieces: &mut Pieces) -> Result<(), Wrong> {
        let start = self.at;
        self.advance();
        let word = keyword_letters(self.rest());
        if !word.is_empty() {
            word.chars().for_each(|c| pieces.push(c));
            self.at += word.len();
            return Ok(());
        }
        let c = match self.peek() {
            Some('u') => match self.unicode() {
                Some(c) => {
                    pieces.push(c);
                    return Ok(());
                }
                None => None,
            },
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some(c) if is_special(c) || c.is_whitespace() => Some(c),
            _ => None,
        };
        let Some(c) = c else {
            let message = "a backslash stands before a special character, for the backslash itself write it twice";
            return Err(Wrong::new(start, start + 1, message).suggest("\\\\"));
        };
        self.advance();
        pieces.push(c);
        Ok(())
    }

    /// Reads `u` and four hexadecimal digits, when they are there and name a character.
    fn unicode(&mut self) -> Option<char> {
        let digits = self.rest().get(1..5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).filter(|c| *c != '\0')?;
        self.at += 5;
        Some(c)
    }
}

/// The keyword at the beginning of `text`: one that stands alone.
fn keyword(text: &str) -> &str {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"')).unwrap_or(text.len());
    text.get(..end).filter(|word| is_keyword(word)).unwrap_or_default()
}

/// The keyword at the beginning of `text`, no letter or digit following.
fn keyword_letters(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text.get(..end).filter(|word| is_keyword(word)).unwrap_or_default()
}

#[derive(Debug, Default)]
struct Pieces {
    pieces: Vec<Piece>,
    text: String,
}

impl Pieces {
    fn push(&mut self, c: char) {
        self.text.push(c);
    }

    fn star(&mut self) {
        self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        self.pieces.push(Piece::Any);
    }

    fn finish(mut self) -> Vec<Piece> {
        self.pieces.push(Piece::Text(self.text));
        self.pieces
    }
}
