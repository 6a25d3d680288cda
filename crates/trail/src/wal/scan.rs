//! Reading a WAL file as it lies on disk: frames, where they end, and which entry is wrong.

use super::{HEADER_BYTES, MAGIC, VERSION, header};
use crate::frame::{self, HEAD_BYTES, Head};
use crate::hash::Hash;

/// Why a WAL file could not be read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every byte belongs to a frame, or is a zero written ahead.
    Clean,
    /// After the last whole frame follow bytes that a crash left behind.
    Torn {
        /// How many.
        bytes: u64,
    },
    /// A frame is wrong although whole ones follow it: no crash does that.
    Damaged {
        /// The first position that can't be read.
        position: u64,
        /// What is wrong.
        what: String,
    },
    /// The file is of a format that this version does not know.
    Unknown {
        /// The version it says.
        version: u32,
    },
}

/// A frame as found in a file.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Where it begins.
    pub offset: usize,
    /// Its head.
    pub head: Head,
}

/// Reads the frames of a WAL file held in memory.
pub fn scan(bytes: &[u8], first: u64) -> (Vec<Found>, Ending) {
    let mut frames = Vec::new();
    let (offset, ending) = match header_fault(bytes, first) {
        None => (HEADER_BYTES, Ending::Clean),
        Some(Ending::Unknown { version }) => return (frames, Ending::Unknown { version }),
        Some(_) => (HEADER_BYTES, Ending::Torn { bytes: bytes.len() as u64 }),
    };
    let mut next = first;
    let mut offset = offset.min(bytes.len());
    if ending == Ending::Clean {
        while let Some(head) = whole_frame(bytes, offset, next) {
            frames.push(Found { offset, head });
            next += u64::from(head.entries);
            offset += head.frame_bytes() as usize;
        }
    }
    if ending == Ending::Clean && bytes[offset..].iter().all(|&b| b == 0) {
        return (frames, Ending::Clean);
    }
    // A frame is written only after the one before it is on disk. A whole one further on says that
    // what is wrong here was once right.
    for later in offset..bytes.len().saturating_sub(HEAD_BYTES) {
        if let Some(head) = Head::read(&bytes[later..])
            && head.first >= next
            && head.first - first <= u64::from(u32::MAX)
            && whole_frame(bytes, later, head.first).is_some()
        {
            let what = format!("the frame at byte {offset} is damaged, though a whole one follows at byte {later}");
            return (frames, Ending::Damaged { position: next, what });
        }
    }
    let torn = bytes.len() - offset;
    (frames, Ending::Torn { bytes: torn as u64 })
}

fn header_fault(bytes: &[u8], first: u64) -> Option<Ending> {
    let torn = Some(Ending::Torn { bytes: bytes.len() as u64 });
    let Some(found) = bytes.get(..HEADER_BYTES) else { return torn };
    if frame::u32_at(found, 28) != Some(crc32c::crc32c(&found[..28])) {
        return torn;
    }
    let version = frame::u32_at(found, 8).unwrap_or(0);
    if &found[..8] == MAGIC && version != VERSION {
        return Some(Ending::Unknown { version });
    }
    if found == &header(first)[..] { None } else { torn }
}

fn whole_frame(bytes: &[u8], offset: usize, first: u64) -> Option<Head> {
    let head = Head::read(bytes.get(offset..)?)?;
    if head.first != first {
        return None;
    }
    let frame = bytes.get(offset..offset + usize::try_from(head.frame_bytes()).ok()?)?;
    (crc32c::crc32c(&frame[8..]) == head.crc).then_some(head)
}

/// Which entry of a damaged frame is the first wrong one: `next`, or one after it when its hash tells.
pub fn blame(bytes: &[u8], offset: usize, next: u64) -> u64 {
    let number = |at: usize| frame::u32_at(bytes, offset + at).map(|n| n as usize);
    let (Some(entries), Some(entries_bytes)) = (number(16), number(24)) else { return next };
    let mut at = offset + HEAD_BYTES;
    let shorts_at = at.saturating_add(entries_bytes);
    for i in 0..entries {
        let Some(short) = bytes.get(shorts_at + 4 * i..shorts_at + 4 * i + 4) else { return next };
        match frame::entry_at(&bytes[..shorts_at], at) {
            Some(range) if Hash::leaf(&bytes[range.clone()]).short() == short => at = range.end,
            _ => return next + i as u64,
        }
    }
    next // every entry is right: the damage is in the head or behind them
}

/// What a whole WAL file holds.
pub struct Checked {
    /// The hashes of its entries.
    pub leaves: Vec<Hash>,
    /// How it ended. A damaged or torn frame is named as exactly as its hashes allow.
    pub ending: Ending,
    /// The first position that a torn frame made unreadable.
    pub torn_at: u64,
}

/// Reads a WAL file held in memory and compares every entry with its short hash; the first position
/// that does not fit is the error.
pub fn check(bytes: &[u8], first: u64) -> Result<Checked, u64> {
    let (frames, ending) = scan(bytes, first);
    let mut leaves = Vec::new();
    let mut end = HEADER_BYTES;
    for Found { offset, head } in frames {
        let mut at = offset + HEAD_BYTES;
        let shorts_at = at + head.entries_bytes as usize;
        for i in 0..head.entries as usize {
            let position = first + leaves.len() as u64;
            let range = frame::entry_at(&bytes[..shorts_at], at).ok_or(position)?;
            let leaf = Hash::leaf(&bytes[range.clone()]);
            if leaf.short() != bytes[shorts_at + 4 * i..shorts_at + 4 * i + 4] {
                return Err(position);
            }
            leaves.push(leaf);
            at = range.end;
        }
        if at != shorts_at {
            return Err(first + leaves.len() as u64);
        }
        end = offset + head.frame_bytes() as usize;
    }
    let next = first + leaves.len() as u64;
    let torn_at = if bytes.len() >= end { blame(bytes, end, next) } else { next };
    let ending = match ending {
        Ending::Damaged { what, .. } => Ending::Damaged { position: torn_at, what },
        other => other,
    };
    Ok(Checked { leaves, ending, torn_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Builder;

    fn sample() -> Vec<u8> {
        let mut bytes = header(100).to_vec();
        let mut first = 100;
        for count in [3_u64, 1, 7] {
            let mut frame = Builder::new(first, 0);
            let entries: Vec<Vec<u8>> = (first..first + count).map(|i| i.to_string().into_bytes()).collect();
            entries.iter().for_each(|e| frame.push(e));
            let leaves: Vec<Hash> = entries.iter().map(|e| Hash::leaf(e)).collect();
            bytes.extend(frame.finish(&leaves, &[]).0);
            first += count;
        }
        bytes
    }

    #[test]
    fn a_cut_is_a_tear_and_a_gap_is_damage() {
        let bytes = sample();
        assert_eq!((check(&bytes, 100).ok().unwrap().leaves.len(), scan(&bytes, 100).1), (11, Ending::Clean));
        for len in 0..bytes.len() {
            let (frames, ending) = scan(&bytes[..len], 100);
            let whole = frames.last().map_or(HEADER_BYTES, |f| f.offset + f.head.frame_bytes() as usize);
            let clean = len >= HEADER_BYTES && bytes[whole..len].iter().all(|b| *b == 0);
            assert_eq!(ending == Ending::Clean, clean, "cut at {len}: {ending:?}");
            assert!(!matches!(ending, Ending::Damaged { .. }), "cut at {len}");
            let mut zeros = bytes[..len].to_vec();
            zeros.resize(bytes.len() + 100, 0);
            assert!(!matches!(scan(&zeros, 100).1, Ending::Damaged { .. }), "zeros from {len}");
        }
        let second = scan(&bytes, 100).0[1].offset;
        for offset in 0..second {
            let mut wrong = bytes.clone();
            wrong[offset] ^= 8;
            assert!(matches!(scan(&wrong, 100).1, Ending::Damaged { position: 100, .. }), "byte {offset}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn made_up_frames_are_no_frames(
            at in 32_usize..200,
            number in proptest::prelude::any::<u32>(),
            shift in 0_u32..32,
            plain in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            let _ = check(&plain, 100);
            let mut bytes = sample();
            let at = at.min(bytes.len() - 4);
            bytes[at..at + 4].copy_from_slice(&(number >> shift).to_be_bytes());
            // The checksum of the first frame is made to fit, if it still is a frame.
            if let Some(head) = Head::read(&bytes[32..])
                && let Some(frame) = bytes.get(32..32 + head.frame_bytes() as usize)
            {
                let crc = crc32c::crc32c(&frame[8..]);
                bytes[36..40].copy_from_slice(&crc.to_be_bytes());
            }
            let _ = check(&bytes, 100);
        }
    }
}
