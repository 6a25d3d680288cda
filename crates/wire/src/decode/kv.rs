//! `key=value` pairs in a line, as logfmt, auditd, PAM and many products write them.

use std::collections::HashMap;

use crate::value::{Heap, Val};

/// The pairs of a line, and the text before the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs<'a> {
    pub before: &'a str,
    pub pairs: Vec<(&'a str, &'a str)>,
}

const PAIRS_MAX: usize = 1_000;

/// Reads the pairs of a line. `None`: there are fewer than two, so that this is a sentence.
pub fn read(text: &str) -> Option<Pairs<'_>> {
    let found = pairs(text);
    (found.pairs.len() >= 2).then_some(found)
}

/// The pairs of a line, be they few.
pub(crate) fn pairs(text: &str) -> Pairs<'_> {
    let mut pairs = Vec::new();
    let mut before = text;
    let mut from = 0;
    while let Some((start, equals)) = next_key(text, from) {
        if pairs.len() == PAIRS_MAX {
            break;
        }
        if pairs.is_empty() {
            before = text.get(..start).unwrap_or_default();
        }
        let key = text.get(start..equals).unwrap_or_default();
        let (value, end) = value(text, equals + 1);
        pairs.push((key, value));
        from = end;
    }
    let before = if pairs.is_empty() { text } else { before };
    Pairs { before: before.trim(), pairs }
}

/// The next `key=`: where the key starts and where its `=` is.
fn next_key(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let equals = at + text.get(at..)?.find('=')?;
        let head = text.get(from..equals)?;
        let length = head
            .bytes()
            .rev()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@'))
            .count();
        let start = equals - length;
        let separated = start == from && from == 0
            || text
                .as_bytes()
                .get(start.wrapping_sub(1))
                .is_none_or(|b| matches!(b, b' ' | b'\t' | b',' | b';' | b'(' | b'[' | b'{' | b'|' | b'\''));
        let follows = text.as_bytes().get(equals + 1);
        if (1..=64).contains(&length) && separated && follows != Some(&b'=') {
            return Some((start, equals));
        }
        at = equals + 1;
    }
}

/// A value: in quotes, or up to the next separator.
fn value(text: &str, from: usize) -> (&str, usize) {
    let rest = text.get(from..).unwrap_or_default();
    if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\''))
        && let Some(length) = closing(rest, quote)
    {
        return (rest.get(1..length).unwrap_or_default(), from + length + 1);
    }
    let end = rest.find([' ', '\t', ',', ';']).unwrap_or(rest.len());
    (rest.get(..end).unwrap_or_default(), from + end)
}

/// Where the quote that opens `text` is closed; a backslash protects the next character.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        if escaped {
            escaped = false;
            return None;
        }
        escaped = c == '\\';
        (c == quote).then_some(at)
    })
}

impl<'a> Pairs<'a> {
    /// The pairs under their own names; a name that comes again becomes an array. The text before them is `message`,
    /// unless the line has a pair of that name.
    pub(crate) fn into_value(self, heap: &'a Heap) -> Val<'a> {
        let mut order: Vec<&'a str> = Vec::with_capacity(self.pairs.len());
        let mut values: HashMap<&'a str, Vec<Val<'a>>> = HashMap::with_capacity(self.pairs.len());
        for (key, value) in self.pairs {
            let known = values.entry(key).or_default();
            if known.is_empty() {
                order.push(key);
            }
            known.push(Val::Text(value));
        }
        let mut object = heap.members();
        for key in &order {
            let value = match values.get(key).map(Vec::as_slice) {
                Some([one]) => *one,
                Some(all) => heap.list(all.iter().copied()),
                None => continue,
            };
            heap.push(&mut object, key, value);
        }
        if !self.before.is_empty() && !values.contains_key("message") {
            heap.push(&mut object, "message", Val::Text(self.before));
        }
        Val::Object(object.into_bump_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, before: &str, expected: &[(&str, &str)]) {
        let got = read(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((got.before, got.pairs.as_slice()), (before, expected), "{text}");
    }

    #[test]
    fn reads_the_usual_separators() {
        check("a=1 b=2", "", &[("a", "1"), ("b", "2")]);
        check("a=1, b=2; c=3", "", &[("a", "1"), ("b", "2"), ("c", "3")]);
        check(
            "level=info msg=\"said \\\"hi\\\" = ok\" u='x y'",
            "",
            &[("level", "info"), ("msg", "said \\\"hi\\\" = ok"), ("u", "x y")],
        );
        check(
            "WARN [x] (t-1) type=LOGIN_ERROR, realmId=k",
            "WARN [x] (t-1)",
            &[("type", "LOGIN_ERROR"), ("realmId", "k")],
        );
        check("logname= uid=0 rhost=  user=ana", "", &[("logname", ""), ("uid", "0"), ("rhost", ""), ("user", "ana")]);
        check("url=https://x/?q=1&r=2 b=\"open", "", &[("url", "https://x/?q=1&r=2"), ("b", "\"open")]);
        check("msg=audit(1.5:9): é=1 a==2 b=3 c=4", "", &[("msg", "audit(1.5:9):"), ("b", "3"), ("c", "4")]);
    }

    #[test]
    fn a_sentence_is_no_pairs() {
        assert_eq!(read("hello world"), None);
        assert_eq!(read("two and two = four"), None);
        assert_eq!(read("a=1"), None);
        assert_eq!(read(""), None);
    }
}
