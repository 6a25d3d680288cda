//! Patterns with wildcards, made ready to be put to every term of a dictionary.

use event::filter::{Pattern, Piece};
use event::words::fold;

/// A pattern, folded and taken apart once.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    /// The texts between the wildcards; the first and the last are anchored.
    texts: Vec<String>,
}

impl Glob {
    /// The pattern, as it is put to folded texts.
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let mut texts = vec![String::new()];
        for piece in pattern.pieces() {
            match (piece, texts.last_mut()) {
                (Piece::Text(text), Some(last)) => last.push_str(&fold(text)),
                _ => texts.push(String::new()),
            }
        }
        Self { texts }
    }

    /// A name with `*`, of which letter case counts.
    pub(crate) fn exact(name: &str) -> Self {
        Self { texts: name.split('*').map(str::to_owned).collect() }
    }

    /// What every match begins with.
    pub(crate) fn prefix(&self) -> &str {
        self.texts.first().map_or("", String::as_str)
    }

    /// The texts between the wildcards.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (first, middle, last) = match self.texts.as_slice() {
            [] => return text.is_empty(),
            [only] => return only == text,
            [first, middle @ .., last] => (first, middle, last),
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        // The leftmost place of each text leaves the most room for those after it.
        for text in middle {
            let Some(at) = rest.find(text.as_str()) else { return false };
            rest = rest.get(at + text.len()..).unwrap_or_default();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_matcher() {
        for pattern in ["svc-*", "SVC-*", "*a*b*", "a*a", "*ab", "a**b", "", "*", "ab", "Ü*"] {
            let (pattern, text) = (Pattern::from_stars(pattern), pattern);
            for value in ["svc-db", "svc-", "xsvc-db", "xxaxxbxx", "ba", "a", "aa", "aab", "ab", "", "abc", "ünal"] {
                assert_eq!(Glob::new(&pattern).matches(value), pattern.matches(value), "{text} on {value}");
            }
        }
    }

    #[test]
    fn names_with_wildcards_stand_for_paths() {
        let check = |name: &str, path: &str, expected: bool| {
            assert_eq!(Glob::exact(name).matches(path), expected, "{name} {path}")
        };
        check("user.*", "user.name", true);
        check("user.*", "user", false);
        check("*", "a.b", true);
        check("*.name", "user.target.name", true);
        check("u*t*e", "user.target.name", true);
        check("a*a", "a", false);
        check("User.*", "user.name", false);
        check("user", "user", true);
        check("user", "user.name", false);
    }
}
