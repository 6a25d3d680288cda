//! Spans as people write them: `90s`, `12h`, `30d`, `7y`.

/// Reads a span of one number and one unit; answers seconds. A year has 365 days.
pub fn seconds(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let help = || format!("{text:?} is no span; write 12h, 30d, 26w or 7y");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "y" => 365 * 86_400,
        _ => return Err(help()),
    };
    let number: i64 = number.parse().map_err(|_| help())?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds <= SECONDS_MAX)
        .ok_or_else(|| format!("{text:?} is too long; without a policy events are kept for ever"))
}

/// What a moment can be moved back by without leaving the calendar.
const SECONDS_MAX: i64 = 1_000 * 365 * 86_400;

/// Reads a time of day, `HH:MM`; answers minutes after midnight.
pub fn minutes_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let read = |part: &str, below: i64| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|number| digits && *number < below)
    };
    Some(read(hour, 24)? * 60 + read(minute, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(seconds(text).ok(), expected, "{text}");
        check("30d", Some(30 * 86_400));
        check(" 12 h", Some(12 * 3_600));
        check("7y", Some(7 * 365 * 86_400));
        check("0d", Some(0));
        for wrong in ["", "30", "d", "-3d", "1.5d", "2000y", "99999999999999999999d"] {
            check(wrong, None);
        }
    }

    #[test]
    fn times_of_day() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(minutes_of_day(text), expected, "{text}");
        check("00:00", Some(0));
        check("03:30", Some(210));
        check("23:59", Some(1_439));
        for wrong in ["24:00", "3:30", "03:60", "0330", "", "+3:30", "aa:bb"] {
            check(wrong, None);
        }
    }
}
