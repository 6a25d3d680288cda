//! What stands in a JSON string as it is.

/// How many bytes there are before the first quote, backslash or control character. Looks at eight
/// bytes at a time.
pub(super) fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let (eights, _) = bytes.as_chunks::<8>();
    for (nth, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        // The lowest marked byte is always right; bytes above it may be marked for nothing.
        let control = word.wrapping_sub(0x20 * ONES) & !word & HIGHS;
        let marked = control | zero(word ^ (u64::from(b'"') * ONES)) | zero(word ^ (u64::from(b'\\') * ONES));
        if marked != 0 {
            return nth * 8 + marked.trailing_zeros() as usize / 8;
        }
    }
    let looked_at = eights.len() * 8;
    let rest = bytes.get(looked_at..).unwrap_or_default();
    looked_at + rest.iter().take_while(|b| **b >= 0x20 && **b != b'"' && **b != b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eight_at_a_time_is_one_at_a_time(bytes in proptest::collection::vec(prop_oneof![
            Just(b'"'), Just(b'\\'), 0_u8..=0x22, any::<u8>(), Just(b'a'), Just(b'a'), Just(0x80), Just(0xFF)
        ], 0..40)) {
            let expected = bytes.iter().take_while(|b| **b >= 0x20 && **b != b'"' && **b != b'\\').count();
            prop_assert_eq!(plain(&bytes), expected);
        }
    }
}
