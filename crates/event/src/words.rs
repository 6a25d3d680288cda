//! Words and letter case, as both readers of a filter see them. The matcher and the store take
//! them from here, so that they can't disagree.

use std::borrow::Cow;

/// The words of a text: runs of letters and digits, folded. `Login of svc-DB_2 failed!` has login, of, svc, db, 2 and
/// failed.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    runs(text).map(|run| fold(run).into_owned())
}

/// The words of a text as they stand in it, not folded.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty())
}

/// The parts of a bare value, each looked for on its own: what stands between spaces. Signs alone
/// count only where there is nothing else.
pub fn parts(value: &str) -> Vec<&str> {
    let parts: Vec<&str> = value.split_whitespace().collect();
    let with_words: Vec<&str> = parts.iter().copied().filter(|part| runs(part).next().is_some()).collect();
    if with_words.is_empty() { parts } else { with_words }
}

/// Whether a string is prose: its words are searched one by one, and not only the whole of it.
pub fn is_prose(text: &str) -> bool {
    text.contains(char::is_whitespace)
}

/// Whether a folded string reads as a random id: at least twelve hexadecimal digits with nothing but
/// hyphens between them, or at least twenty letters and digits mixed. Such ids are many, and nearly
/// every one is another; a bare pattern is not held against them.
pub fn is_random_id(folded: &str) -> bool {
    let (mut hexadecimal, mut digits, mut letters, mut hyphens) = (0, 0, 0, 0);
    for byte in folded.bytes() {
        hexadecimal += usize::from(byte.is_ascii_hexdigit());
        digits += usize::from(byte.is_ascii_digit());
        letters += usize::from(byte.is_ascii_lowercase());
        hyphens += usize::from(byte == b'-');
    }
    (hexadecimal >= 12 && digits > 0 && hexadecimal + hyphens == folded.len())
        || (folded.len() >= 20 && digits >= 3 && letters >= 3 && digits + letters == folded.len())
}

/// A text in lower case, character by character: equal for texts that differ in case only.
///
/// Unlike [`str::to_lowercase`] it does not look at the place of a letter in its word (final
/// sigma), so that folding a part of a text gives a part of the folded text.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Owned(text.chars().flat_map(fold_char).collect())
}

fn fold_char(c: char) -> impl Iterator<Item = char> {
    // ς is σ at the end of a word; Σ stands for both.
    if c == 'ς' { 'Σ'.to_lowercase() } else { c.to_lowercase() }
}

/// Whether `text`, folded, is `folded`.
pub(crate) fn folds_to(text: &str, folded: &str) -> bool {
    if text.is_ascii() {
        return text.len() == folded.len()
            && text.bytes().zip(folded.bytes()).all(|(a, b)| a.to_ascii_lowercase() == b);
    }
    text.chars().flat_map(fold_char).eq(folded.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_runs_of_letters_and_digits() {
        let check = |text: &str, expected: &[&str]| assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
        check("", &[]);
        check("--", &[]);
        check("10.0.0.1", &["10", "0", "0", "1"]);
        check("ΟΔΟΣ οδός", &["οδοσ", "οδόσ"]);
        check("Привет,МИР", &["привет", "мир"]);
        check("张伟 登录", &["张伟", "登录"]);
    }

    #[test]
    fn random_ids_are_told_from_names() {
        for id in
            ["6f1e2d3c4b5a", "1763761850123", "019aab12-7c3d-7e4f-8a9b-0c1d2e3f4a5b", "01jd4x5y6z7a8b9c0d1e2f3g4h"]
        {
            assert!(is_random_id(id), "{id}");
        }
        for name in [
            "",
            "a",
            "2026-11-21",
            "deadbeefdeadbeef",
            "web-0012345678901",
            "10.23.45.67",
            "00:1a:2b:3c:4d:5e",
            "administrators2024",
        ] {
            assert!(!is_random_id(name), "{name}");
        }
    }

    #[test]
    fn folding_agrees_with_comparing() {
        for text in ["abc", "ABC", "Straße", "İstanbul", "ΣΑΣ", "ǅ", "ａＢ"] {
            assert!(folds_to(text, &fold(text)), "{text}");
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
        assert!(!folds_to("ab", "abc"));
    }
}
