//! What is known of a value before a record comes: the kinds it can have.

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOL: Self = Self(2);
    pub(super) const NUMBER: Self = Self(4);
    pub(super) const TEXT: Self = Self(8);
    pub(super) const LIST: Self = Self(16);
    pub(super) const OBJECT: Self = Self(32);
    pub(super) const ANY: Self = Self(63);
    pub(super) const SCALAR: Self = Self(1 | 2 | 4 | 8);

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Can a value be of both sets? Null fits everywhere.
    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & (other.0 | 1) != 0
    }

    /// In words: "a text or null".
    pub(super) fn words(self) -> String {
        const WORDS: [(Kinds, &str); 6] = [
            (Kinds::TEXT, "a text"),
            (Kinds::NUMBER, "a number"),
            (Kinds::BOOL, "true or false"),
            (Kinds::LIST, "a list"),
            (Kinds::OBJECT, "an object"),
            (Kinds::NULL, "null"),
        ];
        let words: Vec<&str> = WORDS.iter().filter(|(kind, _)| self.0 & kind.0 != 0).map(|(_, word)| *word).collect();
        words.join(" or ")
    }
}
