//! Where tiles are found, by the paths of C2SP tlog-tiles.

use std::path::{Path, PathBuf};

use crate::disk::{self, Disk};
use crate::error::TrailError;
use crate::hash::Hash;
use crate::tree::TILE_WIDTH;

/// Bytes of a full tile.
const TILE_BYTES: usize = 32 * TILE_WIDTH as usize;

/// The file of a full tile of level 1 or above.
pub(crate) fn file(dir: &Path, level: u8, index: u64) -> PathBuf {
    dir.join("tile").join(level.to_string()).join(index_path(index))
}

/// The position after the last entry that a full tile stands for.
pub(crate) fn end(level: u8, index: u64) -> u64 {
    (index + 1) << (8 * (u32::from(level) + 1))
}

/// The hashes of a full tile on disk.
pub(crate) fn read(disk: &dyn Disk, dir: &Path, level: u8, index: u64) -> Result<Vec<Hash>, TrailError> {
    let path = file(dir, level, index);
    let bytes = disk::read_all(disk, &path).map_err(TrailError::io("read", &path))?;
    if bytes.len() != TILE_BYTES {
        let position = index << (8 * (u32::from(level) + 1));
        let what = format!("{} has {} bytes instead of {TILE_BYTES}", path.display(), bytes.len());
        return Err(TrailError::Tampered { position, what });
    }
    Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
}

/// The path of a full tile below `tile/<level>/`, as in `x001/x234/067`.
pub fn index_path(mut index: u64) -> String {
    let mut path = format!("{:03}", index % 1_000);
    while index >= 1_000 {
        index /= 1_000;
        path = format!("x{:03}/{path}", index % 1_000);
    }
    path
}

/// A request for a tile or an entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileRef {
    /// The index within the level.
    pub index: u64,
    /// How many hashes or entries, 1 to 256.
    pub width: u16,
}

/// Reads `x001/x234/067` or `x001/x234/067.p/12`; anything but the one right spelling is none.
pub fn parse_path(text: &str) -> Option<TileRef> {
    let (path, width) = match text.split_once(".p/") {
        Some((path, width)) => (path, width.parse::<u16>().ok().filter(|w| (1..256).contains(w))?),
        None => (text, 256),
    };
    let mut index: u64 = 0;
    for part in path.split('/') {
        let digits = part.strip_prefix('x').unwrap_or(part);
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    let tile = TileRef { index, width };
    (tile.to_path() == text).then_some(tile)
}

impl TileRef {
    /// The one right spelling.
    pub fn to_path(self) -> String {
        let path = index_path(self.index);
        if self.width == 256 { path } else { format!("{path}.p/{}", self.width) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(index_path(0), "000");
        assert_eq!(index_path(999), "999");
        assert_eq!(index_path(1_000), "x001/000");
        assert_eq!(index_path(1_234_067), "x001/x234/067");
        assert_eq!(parse_path("x001/x234/067.p/12"), Some(TileRef { index: 1_234_067, width: 12 }));
        assert_eq!(parse_path("067"), Some(TileRef { index: 67, width: 256 }));
        for wrong in [
            "",
            "67",
            "x067",
            "x000/067",
            "001/067",
            "x001/x067",
            "067.p/256",
            "067.p/0",
            "067.p/012",
            "../067",
            "x001//067",
        ] {
            assert_eq!(parse_path(wrong), None, "{wrong:?}");
        }
    }
}
