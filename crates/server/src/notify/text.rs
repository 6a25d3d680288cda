//! Text of other people, made fit to print: one line, no control characters, bounded.

/// No entry of the trail is longer.
const LINE_CHARS_MAX: usize = 65_536;

/// `text` on one line, without control characters and without what can't be seen.
pub fn one_line(text: &str) -> String {
    rules::message::one_line(text, LINE_CHARS_MAX)
}

/// The first `chars_max` characters of `text`, with an ellipsis as the last of them when it was longer.
pub fn cut(text: &str, chars_max: usize) -> String {
    cut_by(text, chars_max, |_| 1)
}

/// As [`cut`], where a character weighs what `weight` says: `&` weighs 5 where it is written `&amp;`.
pub fn cut_by(text: &str, weight_max: usize, weight: impl Fn(char) -> usize) -> String {
    let whole: usize = text.chars().map(&weight).sum();
    if whole <= weight_max {
        return text.to_owned();
    }
    let room = weight_max.saturating_sub(1);
    let mut used = 0;
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            used += weight(*c);
            used <= room
        })
        .collect();
    if weight_max > 0 {
        kept.push('…');
    }
    kept
}

/// The first bytes of an answer as text, bounded, for the record of an attempt.
pub fn answer(bytes: &[u8], chars_max: usize) -> String {
    cut(&one_line(&String::from_utf8_lossy(bytes)), chars_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_cannot_start_a_header() {
        assert_eq!(one_line("root\r\nBcc: eve@example.org"), "root Bcc: eve@example.org");
        assert_eq!(one_line("  a\u{0}b \t c "), "a b c");
        assert_eq!(one_line("txt.\u{202E}exe"), "txt.exe");
        assert_eq!(one_line("Ада Лавлейс"), "Ада Лавлейс");
    }

    #[test]
    fn what_is_cut_shows_it() {
        assert_eq!(cut("password", 8), "password");
        assert_eq!(cut("passwords", 8), "passwor…");
        assert_eq!(cut("漢字漢字", 3), "漢字…");
        assert_eq!(cut("x", 0), "");
        let ampersands = cut_by("&&&&", 11, |c| if c == '&' { 5 } else { 1 });
        assert_eq!(ampersands, "&&…");
    }
}
