//! Checking every byte of a pack, and naming the first entry that is wrong.

use std::io::Read as _;

use super::{
    FrameRef, HEAD_BYTES, HEADER_BYTES, MAGIC, PLAIN_BYTES_MAX, SHREDDED, STORED, TRAILER_BYTES, Trailer, Unreadable,
    is_set, read_index, split_removed, unpack,
};
use crate::frame::{self, TAG_BYTES, entry_at, u32_at, u64_at};
use crate::hash::Hash;
use crate::tags::Tagged;

/// What a whole pack holds, every byte of it checked against itself.
pub struct Checked {
    /// The hashes of the entries.
    pub leaves: Vec<Hash>,
    /// The positions of entries that were removed, ascending.
    pub removed: Vec<u64>,
    /// Its tags.
    pub tags: Vec<([u8; 16], Tagged)>,
    /// The checkpoint at its end.
    pub note: String,
}

/// What is wrong with a pack, and where first.
#[derive(Debug)]
pub struct PackFault {
    /// The first position that is wrong, or can't be read.
    pub position: u64,
    /// What is wrong.
    pub what: String,
    /// Nothing need be wrong: the format is newer than this program.
    pub newer: bool,
}

/// Checks every byte of a pack against its checksums, and every entry against its short hash.
pub fn check(bytes: &[u8], first: u64) -> Result<Checked, PackFault> {
    let fault = |position, what: &str| PackFault { position, what: what.to_owned(), newer: false };
    let trailer_at = bytes.len().saturating_sub(TRAILER_BYTES);
    let trailer = match Trailer::read(&bytes[trailer_at..], bytes.len() as u64) {
        Ok(trailer) if trailer.first == first => trailer,
        Ok(_) => return Err(fault(first, "it is another pack under this name")),
        Err(Unreadable::Version(found)) => {
            let what = format!("format version {found} is not known to this program");
            return Err(PackFault { position: first, what, newer: true });
        }
        Err(Unreadable::Damaged(what)) => return Err(fault(whole_frames_end(bytes, first), what)),
    };
    let index_at = trailer.index_offset as usize;
    let shorts_at = index_at + trailer.index_bytes();
    let tags_at = trailer.tags_offset() as usize;
    let index = &bytes[index_at..shorts_at];
    if crc32c::crc32c(index) != trailer.index_crc {
        return Err(fault(
            whole_frames_end(bytes, first).min(first + u64::from(trailer.entries)),
            "its index is damaged",
        ));
    }
    let frames = read_index(index, &trailer).ok_or_else(|| fault(first, "its index is damaged"))?;
    let shorts = &bytes[shorts_at..tags_at];
    let mut leaves = Vec::with_capacity(trailer.entries as usize);
    let mut removed = Vec::new();
    for at in &frames {
        let frame_first = first + u64::from(at.before);
        let own_shorts = &shorts[4 * at.before as usize..4 * (at.before + at.entries) as usize];
        let frame_bytes = &bytes[at.offset as usize..at.end as usize];
        match unpack(frame_bytes, frame_first, at.entries, at.removed) {
            Ok(frame) => {
                removed.extend(frame.removed.iter().map(|(number, _)| frame_first + u64::from(*number)));
                for i in 0..frame.count() {
                    let leaf = frame.leaf(frame_first + i);
                    if leaf.short() != own_shorts[4 * i as usize..4 * i as usize + 4] {
                        return Err(fault(frame_first + i, "an entry does not fit its hash"));
                    }
                    leaves.push(leaf);
                }
            }
            Err(what) => return Err(fault(frame_first + blame(frame_bytes, at, own_shorts), &what)),
        }
    }
    if crc32c::crc32c(shorts) != trailer.shorts_crc {
        return Err(fault(first, "its short hashes are damaged"));
    }
    let (tags, note) = bytes[tags_at..trailer_at].split_at(TAG_BYTES * trailer.tags as usize);
    if crc32c::crc32c(&bytes[tags_at..trailer_at]) != trailer.tags_crc {
        return Err(fault(first, "its tags or its checkpoint are damaged"));
    }
    if !header_fits(bytes, &trailer) {
        return Err(fault(first, "its header is damaged"));
    }
    let tags = tags.chunks_exact(TAG_BYTES).filter_map(frame::read_tag).collect();
    let note = String::from_utf8(note.to_vec()).map_err(|_| fault(first, "its checkpoint is damaged"))?;
    Ok(Checked { leaves, removed, tags, note })
}

fn header_fits(bytes: &[u8], trailer: &Trailer) -> bool {
    bytes.len() >= HEADER_BYTES
        && &bytes[..8] == MAGIC
        && u32_at(bytes, 8) == Some(trailer.version)
        && u64_at(bytes, 12) == Some(trailer.first)
        && u32_at(bytes, 20) == Some(trailer.entries)
        && u32_at(bytes, 28) == Some(crc32c::crc32c(&bytes[..28]))
}

/// The position up to which whole frames stand one after the other.
fn whole_frames_end(bytes: &[u8], first: u64) -> u64 {
    let (mut next, mut offset) = (first, HEADER_BYTES);
    while let (Some(stored), Some(entries), Some(removed)) =
        (u32_at(bytes, offset + 4), u32_at(bytes, offset + 12), u32_at(bytes, offset + 24))
    {
        let end = offset + HEAD_BYTES + stored as usize;
        if end > bytes.len() || unpack(&bytes[offset..end], next, entries, removed).is_err() {
            break;
        }
        next += u64::from(entries);
        offset = end;
    }
    next
}

/// Which entry of a damaged frame is the first wrong one: unpacks as far as it goes and compares
/// hashes.
fn blame(bytes: &[u8], at: &FrameRef, shorts: &[u8]) -> u64 {
    let Some((head, stored)) = bytes.split_at_checked(HEAD_BYTES) else { return 0 };
    let Some((stored, marks)) = split_removed(stored, at.entries, at.removed) else { return 0 };
    let (bits, hashes) = marks.split_at(marks.len() - 32 * at.removed as usize);
    let mut hashes = hashes.chunks_exact(32).filter_map(Hash::from_slice);
    let mut plain = Vec::new();
    if head[0] == STORED {
        plain.extend_from_slice(stored);
    } else if head[0] == SHREDDED {
        // It can be made back as a whole or not at all; what is damaged may be the marks.
        plain = super::decode(SHREDDED, stored, at.entries, u32_at(head, 8).unwrap_or(0)).unwrap_or_default();
    } else if let Ok(decoder) = zstd::stream::read::Decoder::with_buffer(stored) {
        // What was unpacked before the damage is kept; the error itself says nothing more.
        let _ = decoder.take(u64::from(PLAIN_BYTES_MAX)).read_to_end(&mut plain);
    }
    let mut at = 0;
    for (i, short) in shorts.chunks_exact(4).enumerate() {
        let Some(range) = entry_at(&plain, at) else { return i as u64 };
        let leaf = if is_set(bits, i as u32) { hashes.next() } else { Some(Hash::leaf(&plain[range.clone()])) };
        if leaf.is_none_or(|leaf| leaf.short() != short) {
            return i as u64;
        }
        at = range.end;
    }
    0 // every entry is right: the damage is in the head or behind them
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Pack, Packing, name};
    use super::*;
    use crate::disk;

    fn entry(i: u64) -> Vec<u8> {
        format!("{{\"what\":\"an entry of some length\",\"n\":{i},\"text\":\"{}\"}}", "abc".repeat((i % 50) as usize))
            .into_bytes()
    }

    fn sample(first: u64, count: u64) -> Vec<u8> {
        sample_by(first, count, false)
    }

    fn sample_by(first: u64, count: u64, shred: bool) -> Vec<u8> {
        let packing = Packing { level: 3, frame_entries_max: 64, shred };
        let mut builder = Builder::new(first, count as u32, packing).unwrap();
        let leaves: Vec<Hash> = (first..first + count).map(|i| Hash::leaf(&entry(i))).collect();
        for i in first..first + count {
            builder.push(&entry(i)).unwrap();
        }
        let tagged = Tagged { body: [5; 16], first, count: 3 };
        builder.finish(&leaves, &[([4; 16], tagged)], "a note\n").unwrap()
    }

    #[test]
    fn what_was_packed_is_read() {
        for shred in [false, true] {
            what_was_packed_is_read_by(shred);
        }
    }

    fn what_was_packed_is_read_by(shred: bool) {
        let bytes = sample_by(1_000, 300, shred);
        let codec = bytes[HEADER_BYTES];
        assert_eq!(codec == SHREDDED, shred);
        let checked = check(&bytes, 1_000).ok().unwrap();
        assert_eq!((checked.leaves.len(), checked.tags.len(), checked.note.as_str()), (300, 1, "a note\n"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name(1_000));
        std::fs::write(&path, bytes).unwrap();
        let pack = Pack::open(&disk::RealDisk, &path, 1_000).unwrap();
        assert_eq!((pack.count(), pack.tags().unwrap().len()), (300, 1));
        for position in 1_000..1_300 {
            let frame = pack.frame(pack.frame_of(position)).unwrap();
            assert_eq!(frame.entry(position), entry(position));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        for shred in [false, true] {
            every_flipped_bit_and_every_cut_is_found_by(shred);
        }
    }

    fn every_flipped_bit_and_every_cut_is_found_by(shred: bool) {
        let bytes = sample_by(1_000, 300, shred);
        for bit in (0..bytes.len() * 8).step_by(3) {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let fault = check(&wrong, 1_000).err().unwrap_or_else(|| panic!("bit {bit} was not found"));
            assert!((1_000..=1_300).contains(&fault.position), "bit {bit}: {fault:?}");
        }
        let mut before = 1_000;
        for len in 0..bytes.len() {
            let fault = check(&bytes[..len], 1_000).err().unwrap_or_else(|| panic!("a cut at {len} was not found"));
            assert!(fault.position >= before, "a later cut leaves more");
            before = fault.position;
        }
        assert!(check(&bytes, 999).is_err());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

        /// Whoever makes numbers up and the checksums fit gets an answer, and no panic.
        #[test]
        fn made_up_numbers_are_refused(
            at in 0_usize..400,
            number in proptest::prelude::any::<u64>(),
            shift in 0_u32..64,
            plain in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        ) {
            let _ = check(&plain, 7);
            let mut bytes = sample(1_000, 300);
            let end = bytes.len();
            let index_at = u64_at(&bytes, end - TRAILER_BYTES).unwrap() as usize;
            let offset = if at < 100 { index_at + at % (end - index_at - 8) } else { end - TRAILER_BYTES + at % 48 };
            bytes[offset..offset + 8].copy_from_slice(&(number >> shift).to_be_bytes());
            let frames = u32_at(&bytes, end - 48).unwrap() as usize;
            if let Some(index) = bytes.get(index_at..index_at.saturating_add(16 * frames)) {
                let crc = crc32c::crc32c(index);
                bytes[end - 32..end - 28].copy_from_slice(&crc.to_be_bytes());
            }
            let crc = crc32c::crc32c(&bytes[end - TRAILER_BYTES..end - 12]);
            bytes[end - 12..end - 8].copy_from_slice(&crc.to_be_bytes());
            let _ = check(&bytes, 1_000);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name(1_000));
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(pack) = Pack::open(&disk::RealDisk, &path, 1_000) {
                let _ = pack.tags();
                for position in (1_000..1_000 + pack.count().min(400)).step_by(50) {
                    let _ = pack.frame(pack.frame_of(position));
                }
            }
        }
    }
}
