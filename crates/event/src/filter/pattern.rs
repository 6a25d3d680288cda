//! Patterns with wildcards.

/// A text with wildcards. Compared with folded text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

/// A part of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// This text, as it was written (not folded).
    Text(String),
    /// Any characters, or none: `*`.
    Any,
}

impl Pattern {
    /// The pattern of these pieces; equal neighbours are joined.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (Some(Piece::Any), Piece::Any) => {}
                (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
                (_, Piece::Text(text)) if text.is_empty() => {}
                (_, piece) => joined.push(piece),
            }
        }
        Self { pieces: joined }
    }

    /// The pattern in which every `*` of `text` is a wildcard.
    pub fn from_stars(text: &str) -> Self {
        let mut pieces = Vec::new();
        for (nth, part) in text.split('*').enumerate() {
            if nth > 0 {
                pieces.push(Piece::Any);
            }
            pieces.push(Piece::Text(part.to_owned()));
        }
        Self::new(pieces)
    }

    /// Its pieces in order; no two texts and no two wildcards follow each other.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether it is one wildcard and nothing else.
    pub fn is_any(&self) -> bool {
        matches!(self.pieces.as_slice(), [Piece::Any])
    }

    /// Whether its texts are of letters and digits only, so that it is compared with single words
    /// of a text and not with the whole.
    pub fn is_word(&self) -> bool {
        self.pieces.iter().all(|piece| match piece {
            Piece::Text(text) => text.chars().all(char::is_alphanumeric),
            Piece::Any => true,
        })
    }

    /// The text before the first wildcard, not folded: what every match begins with.
    pub fn prefix(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            Some(Piece::Any) | None => "",
        }
    }

    /// Whether the whole of `folded`, a [folded](crate::words::fold) text, matches.
    pub fn matches(&self, folded: &str) -> bool {
        Glob::new(self).matches(folded)
    }
}

/// A pattern made ready, to be put to many texts.
#[derive(Debug, Clone)]
pub struct Glob {
    /// The texts between the wildcards; the first and the last are anchored.
    texts: Vec<String>,
}

impl Glob {
    /// For folded texts.
    pub fn new(pattern: &Pattern) -> Self {
        Self::with(pattern, |text| crate::words::fold(text).into_owned())
    }

    /// For texts in which letter case counts.
    pub fn exact(pattern: &Pattern) -> Self {
        Self::with(pattern, str::to_owned)
    }

    fn with(pattern: &Pattern, made: impl Fn(&str) -> String) -> Self {
        let mut texts = vec![String::new()];
        for piece in &pattern.pieces {
            match (piece, texts.last_mut()) {
                (Piece::Text(text), Some(last)) => last.push_str(&made(text)),
                _ => texts.push(String::new()),
            }
        }
        Self { texts }
    }

    /// What every match begins with.
    pub fn prefix(&self) -> &str {
        self.texts.first().map_or("", String::as_str)
    }

    /// The texts between the wildcards.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
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
    fn patterns_match_whole_texts() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(Pattern::from_stars(pattern).matches(text), expected, "{pattern} on {text}");
        };
        check("svc-*", "svc-db", true);
        check("SVC-*", "svc-", true);
        check("svc-*", "xsvc-db", false);
        check("*a*b*", "xxaxxbxx", true);
        check("*a*b*", "ba", false);
        check("a*a", "a", false);
        check("a*a", "aa", true);
        check("*ab", "aab", true);
        check("a**b", "ab", true);
        check("", "", true);
        check("*", "", true);
        check("ab", "abc", false);
        check("ab", "ab", true);
        check("Ü*", "ünal", true);
        check("", "a", false);
    }

    #[test]
    fn names_with_wildcards_stand_for_paths() {
        let check = |name: &str, path: &str, expected: bool| {
            assert_eq!(Glob::exact(&Pattern::from_stars(name)).matches(path), expected, "{name} {path}")
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

    #[test]
    fn pieces_are_joined() {
        assert_eq!(
            Pattern::from_stars("a**b").pieces(),
            [Piece::Text("a".into()), Piece::Any, Piece::Text("b".into())]
        );
        assert!(Pattern::from_stars("**").is_any());
        assert!(Pattern::from_stars("ab*").is_word());
        assert!(!Pattern::from_stars("a.b*").is_word());
        assert_eq!(Pattern::from_stars("ab*c").prefix(), "ab");
    }
}
