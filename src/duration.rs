//! Spans as people write them: `90s`, `15m`, `12h`, `30d`, `8w`.

use std::time::Duration;

/// Reads a span of one number and one unit.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(format!("{text:?} is no span; write 90s, 15m, 12h, 30d or 8w")),
    };
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no span; write 90s, 15m, 12h, 30d or 8w"))?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| format!("{text:?} is too long"))
}

/// A span as people read it.
pub fn show(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds / 60),
        6_000..=172_799 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(parse("90s").unwrap().as_secs(), 90);
        assert_eq!(parse("30d").unwrap().as_secs(), 30 * 86_400);
        assert!(parse("30").is_err() && parse("d").is_err() && parse("1y").is_err());
    }
}
