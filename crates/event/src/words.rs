//! Words and letter case, as both readers of a filter see them. The matcher and the store take
//! them from here, so that they can't disagree.

use std::borrow::Cow;

/// The words of a text: runs of letters and digits, folded.
///
/// ```
/// assert_eq!(event::words::words("Login of svc-DB_2 failed!").collect::<Vec<_>>(),
///            ["login", "of", "svc", "db", "2", "failed"]);
/// ```
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    runs(text).map(|run| fold(run).into_owned())
}

/// The words of a text as they stand in it, not folded.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty())
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
    fn folding_agrees_with_comparing() {
        for text in ["abc", "ABC", "Straße", "İstanbul", "ΣΑΣ", "ǅ", "ａＢ"] {
            assert!(folds_to(text, &fold(text)), "{text}");
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
        assert!(!folds_to("ab", "abc"));
    }
}
