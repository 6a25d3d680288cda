//! The Merkle tree: its growing right edge, and proofs from stored hashes.
//!
//! The tree is kept in tiles of 256 hashes (C2SP tlog-tiles). A *tile level* is eight levels of the
//! binary tree: tile level 0 holds leaf hashes, tile level `t` holds the roots of the full tiles
//! below it.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::cache::Lru;
use crate::hash::Hash;

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;

/// How many hashes tile level `level` has in a tree of `size` leaves.
pub fn width(size: u64, level: u8) -> u64 {
    if level >= 8 { 0 } else { size >> (8 * u32::from(level)) }
}

/// A tile that became full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    /// The tile level; 1 or more.
    pub level: u8,
    /// The index within the level.
    pub index: u64,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
}

/// The right edge of the tree: the partial tile of every level.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves whose partial tiles are `levels`.
    pub fn restore(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels }
    }

    /// The leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; tiles of level 1 and above that it fills are pushed to `full`.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<FullTile>) {
        self.size += 1;
        let mut hash = leaf;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(TILE_WIDTH as usize));
            }
            let tile = &mut self.levels[level];
            tile.push(hash);
            if tile.len() < TILE_WIDTH as usize {
                return;
            }
            let hashes = std::mem::replace(tile, Vec::with_capacity(TILE_WIDTH as usize));
            hash = root_of_full(&hashes);
            if level > 0 {
                let index = width(self.size, level as u8) / TILE_WIDTH - 1;
                full.push(FullTile { level: level as u8, index, hashes });
            }
            level += 1;
        }
    }

    /// The hashes of the partial tile of `level`, with the index of the first within its level.
    pub fn partial(&self, level: u8) -> (u64, &[Hash]) {
        let hashes = self.levels.get(usize::from(level)).map_or(&[][..], Vec::as_slice);
        (width(self.size, level) - hashes.len() as u64, hashes)
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for tile in &self.levels {
            // The peaks of a partial tile stand largest first; the fold goes from the right.
            let mut end = tile.len();
            while end > 0 {
                let peak_width = 1 << end.trailing_zeros();
                let peak = root_of_full(&tile[end - peak_width..end]);
                root = Some(root.map_or(peak, |right| Hash::node(&peak, &right)));
                end -= peak_width;
            }
        }
        root.unwrap_or_else(Hash::empty)
    }
}

/// The root over a power of two of hashes.
pub fn root_of_full(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    if let [only] = hashes {
        return *only;
    }
    let mut row: Vec<Hash> = hashes.chunks_exact(2).map(|pair| Hash::node(&pair[0], &pair[1])).collect();
    while row.len() > 1 {
        let half = row.len() / 2;
        for i in 0..half {
            row[i] = Hash::node(&row[2 * i], &row[2 * i + 1]);
        }
        row.truncate(half);
    }
    row[0]
}

/// Where the stored hashes come from.
pub trait Hashes {
    /// Why a hash could not be had.
    type Error;

    /// The hashes `from..to` of tile level `level`; the range never crosses a tile.
    fn hashes(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error>;
}

/// The hashes of a tile, shared.
pub type Tile = Arc<Vec<Hash>>;

/// Stored hashes for many proofs of one size: each tile is fetched once.
pub struct WholeTiles<'a, H: ?Sized> {
    below: &'a H,
    size: u64,
    tiles: Mutex<Lru<(u8, u64), Tile>>,
}

impl<'a, H: Hashes + ?Sized> WholeTiles<'a, H> {
    /// Fetches from `below`, for a tree of `size` leaves.
    pub fn new(below: &'a H, size: u64) -> Self {
        Self { below, size, tiles: Mutex::new(Lru::new(256)) }
    }
}

impl<H: Hashes + ?Sized> Hashes for WholeTiles<'_, H> {
    type Error = H::Error;

    fn hashes(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, H::Error> {
        let index = from / TILE_WIDTH;
        let start = index * TILE_WIDTH;
        let kept = self.tiles.lock().get(&(level, index));
        let tile = match kept {
            Some(tile) => tile,
            None => {
                let end = (start + TILE_WIDTH).min(width(self.size, level));
                let tile = Arc::new(self.below.hashes(level, start, end)?);
                self.tiles.lock().put((level, index), tile.clone(), 1);
                tile
            }
        };
        Ok(tile[(from - start) as usize..(to - start) as usize].to_vec())
    }
}

/// The root of the first `size` leaves.
pub fn root<H: Hashes + ?Sized>(hashes: &H, size: u64) -> Result<Hash, H::Error> {
    if size == 0 { Ok(Hash::empty()) } else { range(hashes, 0, size) }
}

/// The path that proves leaf `index` in the tree of `size` leaves (RFC 6962, 2.1.1); lowest first.
/// `index` is below `size`.
pub fn inclusion<H: Hashes + ?Sized>(hashes: &H, index: u64, size: u64) -> Result<Vec<Hash>, H::Error> {
    let mut path = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range(hashes, middle, to)?);
            to = middle;
        } else {
            path.push(range(hashes, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is a prefix of that of `new` leaves (RFC 6962, 2.1.2).
/// `old` is not above `new`; nothing needs to be proved for 0 or the same size.
pub fn consistency<H: Hashes + ?Sized>(hashes: &H, old: u64, new: u64) -> Result<Vec<Hash>, H::Error> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut proof = Vec::new();
    let (mut from, mut to) = (0, new);
    // Whether the subtree left at the end is the whole old tree, whose root the verifier has.
    let mut whole = true;
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range(hashes, middle, to)?);
            to = middle;
        } else {
            proof.push(range(hashes, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(range(hashes, from, to)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two below `n`, which is at least 2.
fn split(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

/// The Merkle tree hash of the leaves `from..to`, `from` being aligned as RFC 6962 splits.
fn range<H: Hashes + ?Sized>(hashes: &H, from: u64, to: u64) -> Result<Hash, H::Error> {
    let mut peaks = Vec::new();
    let mut at = from;
    while at < to {
        let height = u64::BITS - 1 - (to - at).leading_zeros();
        peaks.push(subtree(hashes, height, at >> height)?);
        at += 1 << height;
    }
    let mut root: Option<Hash> = None;
    for peak in peaks.iter().rev() {
        root = Some(root.map_or(*peak, |right| Hash::node(peak, &right)));
    }
    Ok(root.unwrap_or_else(Hash::empty))
}

/// The root of the `index`-th full subtree of 2^`height` leaves.
fn subtree<H: Hashes + ?Sized>(hashes: &H, height: u32, index: u64) -> Result<Hash, H::Error> {
    let within = height % 8;
    let from = index << within;
    let row = hashes.hashes((height / 8) as u8, from, from + (1 << within))?;
    Ok(root_of_full(&row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof;

    /// A tree in memory: every leaf hash, tiles made from them.
    struct Memory(Vec<Hash>);

    impl Hashes for Memory {
        type Error = std::convert::Infallible;
        fn hashes(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error> {
            assert_eq!(from / TILE_WIDTH, (to - 1) / TILE_WIDTH, "a range crosses a tile");
            let step = 1_usize << (8 * level);
            Ok((from as usize..to as usize).map(|i| root_of_full(&self.0[i * step..(i + 1) * step])).collect())
        }
    }

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| Hash::leaf(&i.to_be_bytes())).collect()
    }

    #[test]
    fn edge_and_stored_hashes_agree_on_roots() {
        let memory = Memory(leaves(1_100));
        let mut edge = Edge::default();
        let mut full = Vec::new();
        for (i, leaf) in memory.0.iter().enumerate() {
            assert_eq!(edge.root(), root(&memory, i as u64).unwrap(), "size {i}");
            edge.push(*leaf, &mut full);
        }
        assert!(full.is_empty());
    }

    #[test]
    fn level_1_fills_after_65536_leaves() {
        let mut edge = Edge::default();
        let mut full = Vec::new();
        let leaves = leaves(65_536 * 2 + 300);
        for leaf in &leaves {
            edge.push(*leaf, &mut full);
        }
        assert_eq!(full.iter().map(|t| (t.level, t.index)).collect::<Vec<_>>(), [(1, 0), (1, 1)]);
        assert_eq!(full[1].hashes[3], root_of_full(&leaves[65_536 + 768..65_536 + 1024]));
        assert_eq!(edge.partial(0), (65_536 * 2 + 256, &leaves[65_536 * 2 + 256..]));
        assert_eq!(edge.partial(2).1.len(), 2);
        assert_eq!(edge.root(), root(&Memory(leaves), 65_536 * 2 + 300).unwrap());
    }

    #[test]
    fn every_proof_of_small_trees_verifies() {
        let memory = Memory(leaves(70));
        for size in 1..=70 {
            let new_root = root(&memory, size).unwrap();
            for index in 0..size {
                let path = inclusion(&memory, index, size).unwrap();
                proof::verify_inclusion(index, size, &memory.0[index as usize], &path, &new_root).unwrap();
            }
            for old in 1..=size {
                let path = consistency(&memory, old, size).unwrap();
                proof::verify_consistency(old, size, &path, &root(&memory, old).unwrap(), &new_root).unwrap();
            }
        }
    }
}
