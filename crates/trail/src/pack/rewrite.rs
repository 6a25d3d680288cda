//! A pack without some of its entries: their leaf hashes stand in their place.

use super::build::{Packer, Sections};
use super::{FULL, PackFault, TRAILER_BYTES, Trailer, Unreadable, read_index, unpack};
use crate::frame::TAG_BYTES;

/// A pack made from another.
pub struct Rewritten {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The entries that were there before and are no more.
    pub entries: u64,
}

/// Makes the pack again without the entries that `is_removed` names by their position. Frames that
/// lose nothing are copied byte for byte. None when nothing is lost.
///
/// The pack was checked before.
pub fn without(
    bytes: &[u8],
    first: u64,
    level: i32,
    shred: bool,
    is_removed: &dyn Fn(u64) -> bool,
) -> Result<Option<Rewritten>, PackFault> {
    let fault = |what: String| PackFault { position: first, what, newer: false };
    let trailer_at = bytes.len().saturating_sub(TRAILER_BYTES);
    let trailer = Trailer::read(&bytes[trailer_at..], bytes.len() as u64).map_err(|e| match e {
        Unreadable::Damaged(what) => fault(what.to_owned()),
        Unreadable::Version(found) => {
            PackFault { newer: true, ..fault(format!("format version {found} is not known")) }
        }
    })?;
    let index_at = trailer.index_offset as usize;
    let shorts_at = index_at + trailer.index_bytes();
    let tags_at = trailer.tags_offset() as usize;
    let note_at = tags_at + TAG_BYTES * trailer.tags as usize;
    let frames =
        read_index(&bytes[index_at..shorts_at], &trailer).ok_or_else(|| fault("its index is damaged".to_owned()))?;

    let mut packer = Packer::new(level, shred).map_err(|e| fault(e.to_string()))?;
    let mut made = Sections::begin(FULL, first, trailer.entries);
    let mut entries = 0;
    for at in &frames {
        let begin = first + u64::from(at.before);
        let frame_bytes = &bytes[at.offset as usize..at.end as usize];
        if !(begin..begin + u64::from(at.entries)).any(is_removed) {
            made.copy_frame(frame_bytes, at.entries, at.removed);
            continue;
        }
        let frame = unpack(frame_bytes, begin, at.entries, at.removed).map_err(fault)?;
        let mut plain = Vec::with_capacity(frame.bytes.len());
        let mut removed = frame.removed.clone();
        for position in begin..begin + frame.count() {
            let was_removed = frame.removed_leaf(position).is_some();
            if was_removed || is_removed(position) {
                plain.extend_from_slice(&[0; 2]);
            } else {
                let entry = frame.entry(position);
                plain.extend_from_slice(&(entry.len() as u16).to_be_bytes());
                plain.extend_from_slice(&entry);
            }
            if is_removed(position) && !was_removed {
                removed.push(((position - begin) as u32, frame.leaf(position)));
                entries += 1;
            }
        }
        removed.sort_unstable_by_key(|(number, _)| *number);
        made.pack_frame(&mut packer, &plain, at.entries, &removed).map_err(|e| fault(e.to_string()))?;
    }
    if entries == 0 {
        return Ok(None);
    }
    let bytes = made.finish(&bytes[shorts_at..tags_at], &bytes[tags_at..note_at], &bytes[note_at..trailer_at]);
    Ok(Some(Rewritten { bytes, entries }))
}
