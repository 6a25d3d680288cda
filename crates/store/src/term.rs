//! How the leaves of an event are written as terms of the index.
//!
//! A term is `path 0x00 tag value`, where the tag says what the value is:
//!
//! | tag | value |
//! |---|---|
//! | `b` | a boolean: one byte |
//! | `h` | a string that is too long or too often unique to be kept: its [bucket](id_bucket), or two bytes of its hash |
//! | `n` | a number: eight bytes that sort as the numbers do |
//! | `s` | a string, folded; and, where it was not folded, `0x00` and how it was written |
//!
//! So the terms of one field lie together, its strings in order; a prefix is a range.

use std::borrow::Cow;

use event::Value;
use event::words::{fold, is_prose, is_random_id};

/// Ends the path of a term, and the folded form of a string.
pub(crate) const END: u8 = 0;
/// The byte after [`END`]: the end of a range over everything with the same beginning.
pub(crate) const AFTER: u8 = 1;

/// A longer string is not kept as a term, but as its hash.
const VALUE_BYTES_MAX: usize = 120;
/// A longer word is cut.
pub(crate) const WORD_BYTES_MAX: usize = 60;
/// An event with a longer path can't be indexed exactly.
pub(crate) const PATH_BYTES_MAX: usize = 400;

/// What the index keeps of the strings of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Each whole string.
    Values,
    /// Only their words, among those of the whole event.
    Words,
    /// Nothing: the time is a column of its own; the record as it came in is there by its words.
    Nothing,
}

/// What the index keeps of the strings at `path`.
pub(crate) fn keeping(path: &str) -> Keeping {
    match path {
        "message" | "event.reason" | "justification.text" => Keeping::Words,
        "@timestamp" | "event.ingested" | "event.original" => Keeping::Nothing,
        _ => Keeping::Values,
    }
}

/// Which strings at a path are searched by their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prose {
    All,
    /// Those with a space in them.
    Some,
    /// Times are not text.
    None,
}

impl Prose {
    /// Whether this string is.
    #[inline]
    pub(crate) fn of(self, text: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some => is_prose(text),
            Self::None => false,
        }
    }
}

/// Which strings at `path` are searched by their words.
pub(crate) fn prose(path: &str) -> Prose {
    match path {
        "message" | "event.reason" | "justification.text" | "event.original" => Prose::All,
        "@timestamp" | "event.ingested" => Prose::None,
        _ => Prose::Some,
    }
}

#[cfg(test)]
fn write(path: &str, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
    write_kept(keeping(path), path, value, out)
}

/// Appends the term of a leaf, of which so much is kept; nothing where none is.
pub(crate) fn write_kept(keeping: Keeping, path: &str, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Bool(bool) => write_bool(path, *bool, out),
        Value::Number(number) => write_number(path, *number, out),
        Value::String(text) => match keeping {
            Keeping::Values => write_string(path, text, out),
            Keeping::Words | Keeping::Nothing => return false,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => return false,
    }
    true
}

/// Appends the beginning of all terms of `path` with this tag.
pub(crate) fn write_tag(path: &str, tag: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(path.as_bytes());
    out.push(END);
    out.push(tag);
}

pub(crate) fn write_bool(path: &str, bool: bool, out: &mut Vec<u8>) {
    write_tag(path, b'b', out);
    out.push(bool.into());
}

pub(crate) fn write_number(path: &str, number: f64, out: &mut Vec<u8>) {
    write_tag(path, b'n', out);
    out.extend_from_slice(&sortable(number).to_be_bytes());
}

pub(crate) fn write_hash(path: &str, folded: &str, out: &mut Vec<u8>) {
    write_tag(path, b'h', out);
    out.extend_from_slice(&hash(folded.as_bytes()));
}

fn write_string(path: &str, text: &str, out: &mut Vec<u8>) {
    let folded = fold(text);
    if is_long(&folded) {
        return write_hash(path, &folded, out);
    }
    if let Some(bucket) = id_bucket(&folded) {
        write_tag(path, b'h', out);
        return out.extend_from_slice(&bucket);
    }
    write_tag(path, b's', out);
    out.extend_from_slice(folded.as_bytes());
    if let Cow::Owned(folded) = &folded
        && folded != text
    {
        out.push(END);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Whether a string is kept as its hash only. A zero byte would end it too early.
pub(crate) fn is_long(folded: &str) -> bool {
    folded.len() > VALUE_BYTES_MAX || folded.as_bytes().contains(&END)
}

/// What a term says, once its path is taken away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kept<'a> {
    Bool(bool),
    Hash,
    Number(f64),
    String { folded: &'a str, written: &'a str },
}

/// Reads what stands behind the path and its end.
pub(crate) fn read(kept: &[u8]) -> Option<Kept<'_>> {
    let (tag, value) = kept.split_first()?;
    match tag {
        b'b' => Some(Kept::Bool(*value.first()? == 1)),
        b'h' => Some(Kept::Hash),
        b'n' => Some(Kept::Number(unsortable(u64::from_be_bytes(value.try_into().ok()?)))),
        b's' => {
            let text = std::str::from_utf8(value).ok()?;
            let (folded, written) = text.split_once('\0').unwrap_or((text, text));
            Some(Kept::String { folded, written })
        }
        _ => None,
    }
}

/// Begins the bucket of a word.
pub(crate) const BUCKET: u8 = 1;
/// A shorter word is kept, whatever it is made of.
const BUCKET_WORD_BYTES_MIN: usize = 8;

/// The bucket of a word that reads as a random number: long, and of hexadecimal digits only. Such
/// words hardly ever occur twice, and each of them would cost its full length; so they share
/// buckets, by their first two digits and a hash. Whether a document of the bucket has the very
/// word, only the event tells.
pub(crate) fn bucket(word: &[u8]) -> Option<[u8; 4]> {
    let [a, b, ..] = *word else { return None };
    let random = word.len() >= BUCKET_WORD_BYTES_MIN
        && word.iter().all(|c| is_hexadecimal(*c))
        && word.iter().any(u8::is_ascii_digit);
    let [_, hash] = hash(word);
    random.then_some([BUCKET, a, b, hash])
}

/// The bucket of a whole string that reads as a [random id](is_random_id). Such an id hardly ever
/// occurs in more than a few events, and as a term it would cost its full length; so the ids of a
/// field share 1,024 buckets for each two first characters. Whether a document of the bucket has
/// the very id, only the event tells.
pub(crate) fn id_bucket(folded: &str) -> Option<[u8; 4]> {
    let [a, b, ..] = *folded.as_bytes() else { return None };
    let [high, low] = hash(folded.as_bytes());
    is_random_id(folded).then_some([a, b, high & 3, low])
}

/// Whether a folded byte is a hexadecimal digit.
pub(crate) fn is_hexadecimal(c: u8) -> bool {
    matches!(c, b'0'..=b'9' | b'a'..=b'f')
}

/// A number as text, as it is shown and grouped.
pub(crate) fn number_text(number: f64) -> String {
    // The shortest text that reads as the same number; whole numbers without a point.
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

/// Whether a word is too long to be kept whole.
pub(crate) fn is_cut(word: &str) -> bool {
    word.len() > WORD_BYTES_MAX
}

/// How a word is kept, and whether it was cut.
pub(crate) fn word(word: &str) -> (&str, bool) {
    if word.len() <= WORD_BYTES_MAX {
        return (word, false);
    }
    let mut end = WORD_BYTES_MAX;
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    (word.get(..end).unwrap_or_default(), true)
}

/// The bits of a number, so that they sort as the numbers do.
pub(crate) fn sortable(number: f64) -> u64 {
    // JSON knows no negative zero, and canonical JSON writes it as 0.
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

fn unsortable(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

/// How many bytes are kept of a string that is too long.
pub(crate) const HASH_BYTES: usize = 2;

/// Two bytes for any text. The index is on disk, so that this may never change without a new
/// version of its format.
fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash ^= hash >> 16;
    let [.., a, b] = hash.to_be_bytes();
    [a, b]
}

#[cfg(test)]
mod tests {
    use event::fields::{FIELDS, Kind};

    use super::*;

    #[test]
    fn text_fields_are_kept_by_their_words_and_no_others() {
        for field in FIELDS {
            assert_eq!(keeping(field.name) == Keeping::Words, field.kind == Kind::Text, "{}", field.name);
        }
    }

    #[test]
    fn numbers_sort_as_their_terms_do() {
        let numbers = [f64::MIN, -1e9, -2.5, -1.0, -f64::MIN_POSITIVE, 0.0, f64::MIN_POSITIVE, 1.0, 2.0, 73.0, 1e300];
        for pair in numbers.windows(2) {
            assert!(sortable(pair[0]) < sortable(pair[1]), "{pair:?}");
            assert_eq!(unsortable(sortable(pair[0])), pair[0]);
        }
        assert_eq!(sortable(-0.0), sortable(0.0));
    }

    #[test]
    fn words_that_read_as_random_numbers_share_buckets() {
        for word in ["deadbeef1", "1763761850", "019aab12"] {
            assert_eq!(bucket(word.as_bytes()).unwrap()[1..3], word.as_bytes()[..2], "{word}");
        }
        for word in ["", "a", "1", "deadbeef", "web0012345", "4fcb", "admin123", "1763761"] {
            assert_eq!(bucket(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn terms_are_read_as_they_were_written() {
        let check = |value: Value<'_>, expected: Kept<'_>| {
            let mut term = Vec::new();
            assert!(write("a.b", &value, &mut term));
            let kept = term.strip_prefix(b"a.b\0").unwrap();
            assert_eq!(read(kept), Some(expected));
        };
        check(Value::Bool(true), Kept::Bool(true));
        check(Value::Number(-2.5), Kept::Number(-2.5));
        check("alice".into(), Kept::String { folded: "alice", written: "alice" });
        check("ΣAlice".into(), Kept::String { folded: "σalice", written: "ΣAlice" });
        check("".into(), Kept::String { folded: "", written: "" });
        check("x".repeat(200).into(), Kept::Hash);
        check("a\0b".into(), Kept::Hash);
        assert!(!write("message", &"x".into(), &mut Vec::new()));
    }
}
