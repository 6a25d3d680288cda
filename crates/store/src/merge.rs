//! Which segments of an index are joined. Only neighbours are, so that the documents of a segment
//! stay in the order of the trail, which is nearly that of time: newest first then means reading
//! from the end.

use std::ops::Range;

/// So many neighbours of about one size are joined.
const NEIGHBOURS: usize = 8;
/// Segments of this size and less are all small.
const SMALL: u32 = 8_192;
/// A segment of this size is left alone.
const LARGE: u64 = 8_000_000;

/// The neighbours to join next, if any. `sizes` are the documents of each segment, in the order of
/// the trail.
pub(crate) fn choose(sizes: &[u32]) -> Option<Range<usize>> {
    let levels: Vec<u32> = sizes.iter().map(|size| level(*size)).collect();
    let highest = levels.iter().copied().max()?;
    (0..=highest).find_map(|level| {
        (0..sizes.len()).find_map(|start| {
            let run = levels.iter().skip(start).take(2 * NEIGHBOURS).take_while(|other| **other <= level).count();
            (NEIGHBOURS..=run)
                .rev()
                .map(|len| start..start + len)
                .find(|range| is_worth_it(sizes.get(range.clone()).unwrap_or_default()))
        })
    })
}

/// Whether joining them is not mostly writing one of them again.
fn is_worth_it(sizes: &[u32]) -> bool {
    let sum: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
    let largest = sizes.iter().copied().max().map_or(0, u64::from);
    sum <= LARGE && (sum <= u64::from(SMALL) || largest * 3 <= sum)
}

/// The order of magnitude, in steps of [`NEIGHBOURS`].
fn level(size: u32) -> u32 {
    let mut level = 0;
    let mut size = size / SMALL;
    while size > 0 {
        level += 1;
        size /= 8;
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_size_are_joined() {
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&[5; 7]), None);
        assert_eq!(choose(&[5; 8]), Some(0..8));
        assert_eq!(choose(&[5; 100]), Some(0..16));
        assert_eq!(choose(&[1_000_000, 5, 5, 5, 5, 5, 5, 5, 5]), Some(1..9));
        assert_eq!(choose(&[20_000, 20_000, 20_000, 5, 20_000, 20_000, 20_000, 20_000]), Some(0..8));
        assert_eq!(choose(&[5_000_000; 20]), None);
    }

    #[test]
    fn few_segments_remain_and_each_document_is_rarely_written_again() {
        let mut sizes: Vec<u32> = Vec::new();
        let mut written = 0_u64;
        for _ in 0..2_000 {
            sizes.push(1_000);
            while let Some(range) = choose(&sizes) {
                let sum = sizes[range.clone()].iter().sum();
                written += u64::from(sum);
                sizes.splice(range, [sum]);
            }
        }
        assert!(sizes.len() < 40, "{sizes:?}");
        assert!(written < 5 * 2_000_000, "{written}");
    }
}
