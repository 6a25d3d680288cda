//! Numbers that a double holds exactly enough: printed again, they are the same number.

/// The double that `text`, a number in the grammar of JSON, stands for; none when writing that
/// double again would give another number.
pub(crate) fn exact(text: &str) -> Option<f64> {
    // Nearly all are ports, counts and codes.
    if text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit()) {
        let whole = text.bytes().fold(0_u64, |whole, digit| whole * 10 + u64::from(digit - b'0'));
        #[expect(clippy::cast_precision_loss, reason = "below 10^15")]
        return Some(whole as f64);
    }
    let number: f64 = text.parse().ok()?;
    if !number.is_finite() {
        return None;
    }
    let written = Decimal::of(text);
    // Fifteen digits always survive, as long as the double is a normal one.
    if written.digits.len() <= 15 && (number.is_normal() || written.digits.is_empty()) {
        return Some(number);
    }
    let mut buffer = ryu_js::Buffer::new();
    (written == Decimal::of(buffer.format_finite(number.abs()))).then_some(number)
}

/// The digits without zeros at the ends, and the power of ten of the first of them.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: Vec<u8>,
    power: i64,
}

impl Decimal {
    fn of(text: &str) -> Self {
        let text = text.trim_start_matches('-');
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 });
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX / 4) - i64::try_from(leading).unwrap_or(0);
        let power = if digits.is_empty() { 0 } else { exponent.saturating_add(point) };
        Self { digits, power }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_change_are_refused() {
        let check = |text: &str, expected: Option<f64>| assert_eq!(exact(text), expected, "{text}");
        check("0", Some(0.0));
        check("-0", Some(-0.0));
        check("0.1", Some(0.1));
        check("42", Some(42.0));
        check("999999999999999", Some(999_999_999_999_999.0));
        check("1e3", Some(1000.0));
        check("-1.50", Some(-1.5));
        check("9007199254740991", Some(9_007_199_254_740_991.0));
        check("9007199254740993", None);
        check("0.30000000000000004", Some(0.300_000_000_000_000_04));
        check("0.3000000000000000444", None);
        check("123456789012345678", None);
        check("100000000000000000000", Some(1e20));
        check("1e400", None);
        check("1e-400", None);
        check("0e-99999999999999999999", Some(0.0));
        check("5e-324", Some(5e-324));
        check("4e-324", None);
        check("1.7976931348623157e308", Some(f64::MAX));
    }
}
