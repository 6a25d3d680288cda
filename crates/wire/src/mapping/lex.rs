//! The words of a program.

use std::ops::Range;

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'p> {
    /// The end of a statement: a line end, or `;`.
    End,
    /// A name: of a variable, a function, a member, or a word of the language.
    Name(&'p str),
    Text(String),
    Pattern(String),
    Number(f64),
    /// One of [`SIGNS`].
    Sign(&'static str),
}

/// A word and where it stands, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Word<'p> {
    pub token: Token<'p>,
    pub span: Range<usize>,
}

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// The longest first, so that `==` is not two `=`.
const SIGNS: [&str; 27] = [
    "||", "&&", "??", "==", "!=", "<=", ">=", "=", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{",
    "}", ",", ":", ".", "|", "@",
];

/// Takes a program apart.
pub(super) fn words(program: &str) -> Result<Vec<Word<'_>>, Fault> {
    let mut words = Vec::new();
    let mut at = 0;
    // Within parentheses and brackets a line end means nothing.
    let mut open = 0_usize;
    while let Some(rest) = program.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        let (token, length) = match first {
            '\n' | ';' if open == 0 => (Token::End, 1),
            c if c.is_whitespace() || c == '\u{feff}' => {
                at += c.len_utf8();
                continue;
            }
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' => {
                let (text, length) = text(rest, at)?;
                (Token::Text(text), length)
            }
            'r' | 's' if rest.get(1..2) == Some("'") => {
                let (raw, length) = raw(rest, at)?;
                (if first == 'r' { Token::Pattern(raw) } else { Token::Text(raw) }, length)
            }
            c if c.is_ascii_digit() => {
                let length = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
                let fraction = rest
                    .get(length..)
                    .and_then(|rest| rest.strip_prefix('.'))
                    .map_or(0, |digits| digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
                let length = if fraction > 0 { length + 1 + fraction } else { length };
                let digits: String = rest.chars().take(length).filter(|c| *c != '_').collect();
                let number = digits.parse().map_err(|_| Fault::new(at, format!("{digits} is no number")))?;
                (Token::Number(number), length)
            }
            c if is_name(c) || (c == '@' && rest.chars().nth(1).is_some_and(is_name)) => {
                let length = rest.char_indices().skip(1).find(|(_, c)| !is_name(*c)).map_or(rest.len(), |(at, _)| at);
                (Token::Name(rest.get(..length).unwrap_or_default()), length)
            }
            c => {
                let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
                    return Err(Fault::new(at, format!("{c:?} means nothing here")));
                };
                match *sign {
                    "(" | "[" => open += 1,
                    ")" | "]" => open = open.saturating_sub(1),
                    _ => {}
                }
                (Token::Sign(sign), sign.len())
            }
        };
        words.push(Word { token, span: at..at + length });
        at += length;
    }
    words.push(Word { token: Token::End, span: program.len()..program.len() });
    Ok(words)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// `"…"` with `\n`, `\t`, `\r`, `\0`, `\"`, `\\` and `\u{1f514}`; and how long it is in the program.
fn text(rest: &str, at: usize) -> Result<(String, usize), Fault> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((offset, c)) = chars.next() {
        match c {
            '"' => return Ok((out, offset + 1)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('0') => out.push('\0'),
                Some(c @ ('"' | '\\' | '\'' | '{' | '}')) => out.push(c),
                Some('u') => {
                    let digits: String =
                        chars.by_ref().map(|(_, c)| c).skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                    let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    out.push(c.ok_or_else(|| Fault::new(at + offset, format!("\\u{{{digits}}} is no character")))?);
                }
                _ => {
                    let fault = Fault::new(at + offset, "a backslash must be followed by n, t, r, 0, u{…}, \" or \\");
                    return Err(fault.help("write two for one: \"C:\\\\temp\""));
                }
            },
            c => out.push(c),
        }
    }
    Err(Fault::new(at, "this text has no end").help("close it with \""))
}

/// `r'…'` and `s'…'`: every character as it is, only `\'` is a quote.
fn raw(rest: &str, at: usize) -> Result<(String, usize), Fault> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(2).peekable();
    while let Some((offset, c)) = chars.next() {
        match c {
            '\'' => return Ok((out, offset + 1)),
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
                out.push('\'');
            }
            c => out.push(c),
        }
    }
    Err(Fault::new(at, "this pattern has no end").help("close it with '"))
}
