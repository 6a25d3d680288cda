//! Whether a newer checkpoint goes on from an older one, by the hash tiles of the newer tree.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use trail::tile::TileRef;
use trail::tree::{self, Hashes, TILE_WIDTH, width};
use trail::{Checkpoint, Hash, verify};

use super::{FetchError, Served};

/// What the tiles say of two checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension {
    /// The newer tree begins with the older one.
    Proven,
    /// It does not: both are signed, and they contradict each other.
    Forked {
        /// The root that the newer tree has at the size of the older one; unknown where the sizes are the same.
        root_there: Option<Hash>,
    },
    /// The tiles that are served do not lead to the root that was signed.
    TilesWrong,
}

/// The tiles of a proof, by level and index.
pub(super) type Tiles = BTreeMap<(u8, u64), Vec<Hash>>;

impl Served {
    /// Checks that the tree of `new` begins with that of `old`, which is not larger. Fetches what the proof needs: the
    /// right edges of both, a dozen tiles at the most.
    pub async fn extension(&self, old: &Checkpoint, new: &Checkpoint) -> Result<Extension, FetchError> {
        if old.size == new.size {
            let same = old.root == new.root;
            return Ok(if same { Extension::Proven } else { Extension::Forked { root_there: None } });
        }
        let plan = Plan::default();
        let Ok(_) = tree::root(&plan, new.size);
        let Ok(_) = tree::root(&plan, old.size);
        let Ok(_) = tree::consistency(&plan, old.size, new.size);
        let mut tiles = Tiles::new();
        for (level, index) in plan.0.into_inner() {
            tiles.insert((level, index), self.tile_of(level, index, new.size).await?);
        }
        Ok(judge(&tiles, old, new).unwrap_or(Extension::TilesWrong))
    }

    /// The tile of that level and index in the tree of `size` entries.
    pub(super) async fn tile_of(&self, level: u8, index: u64, size: u64) -> Result<Vec<Hash>, FetchError> {
        let have = width(size, level).saturating_sub(index * TILE_WIDTH).min(TILE_WIDTH);
        self.tile(level, TileRef { index, width: have as u16 }).await
    }
}

/// `Err` when a tile is shorter than it must be.
fn judge(tiles: &Tiles, old: &Checkpoint, new: &Checkpoint) -> Result<Extension, Short> {
    let fetched = Fetched(tiles);
    if tree::root(&fetched, new.size)? != new.root {
        return Ok(Extension::TilesWrong);
    }
    if old.size == 0 {
        // Every tree begins with the empty one.
        return Ok(if old.root == Hash::empty() { Extension::Proven } else { Extension::Forked { root_there: None } });
    }
    let path = tree::consistency(&fetched, old.size, new.size)?;
    if verify::consistency(old.size, new.size, &path, &old.root, &new.root).is_ok() {
        return Ok(Extension::Proven);
    }
    // Only when the tiles prove that the new tree holds *another* old one is it a fork, and not just a broken tile.
    let there = tree::root(&fetched, old.size)?;
    Ok(match verify::consistency(old.size, new.size, &path, &there, &new.root) {
        Ok(()) => Extension::Forked { root_there: Some(there) },
        Err(_) => Extension::TilesWrong,
    })
}

/// Writes down which tiles are asked for.
#[derive(Default)]
struct Plan(RefCell<BTreeSet<(u8, u64)>>);

impl Hashes for Plan {
    type Error = std::convert::Infallible;

    fn hashes(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error> {
        self.0.borrow_mut().insert((level, from / TILE_WIDTH));
        Ok(vec![Hash([0; 32]); (to - from) as usize])
    }
}

/// A tile that is not there, or shorter than it must be.
#[derive(Debug)]
pub(super) struct Short;

/// Answers from the tiles that were fetched.
pub(super) struct Fetched<'a>(pub(super) &'a Tiles);

impl Hashes for Fetched<'_> {
    type Error = Short;

    fn hashes(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, Short> {
        let tile = self.0.get(&(level, from / TILE_WIDTH)).ok_or(Short)?;
        let start = (from % TILE_WIDTH) as usize;
        tile.get(start..start + (to - from) as usize).map(<[Hash]>::to_vec).ok_or(Short)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use trail::tree::root_of_full;

    fn leaves(tag: &str, n: u64) -> Vec<Hash> {
        (0..n).map(|i| Hash::leaf(format!("{tag} {i}").as_bytes())).collect()
    }

    /// Every tile of a tree.
    fn tiles(leaves: &[Hash]) -> Tiles {
        let mut all = Tiles::new();
        let (mut level, mut row) = (0, leaves.to_vec());
        while !row.is_empty() {
            for (index, hashes) in row.chunks(256).enumerate() {
                all.insert((level, index as u64), hashes.to_vec());
            }
            row = row.chunks_exact(256).map(root_of_full).collect();
            level += 1;
        }
        all
    }

    fn checkpoint(leaves: &[Hash]) -> Checkpoint {
        let (all, size) = (tiles(leaves), leaves.len() as u64);
        let root = tree::root(&Fetched(&all), size).unwrap();
        Checkpoint { origin: "a/b".into(), size, root, note: String::new(), at: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn growth_is_proven_and_a_fork_is_told_from_a_broken_tile() {
        let grown = leaves("a", 70_000);
        let new = checkpoint(&grown);
        let whole = tiles(&grown);
        for size in [0, 1, 255, 256, 257, 4_711, 65_536, 65_537, 69_999] {
            let old = checkpoint(&grown[..size]);
            assert_eq!(judge(&whole, &old, &new).unwrap(), Extension::Proven, "{size}");
            if size == 0 {
                continue;
            }
            let other = checkpoint(&leaves("b", size as u64));
            let root_there = Some(old.root);
            assert_eq!(judge(&whole, &other, &new).unwrap(), Extension::Forked { root_there }, "{size}");
        }
        let old = checkpoint(&grown[..4_711]);
        let plan = Plan::default();
        let Ok(_) = tree::root(&plan, new.size);
        let Ok(_) = tree::root(&plan, old.size);
        let Ok(_) = tree::consistency(&plan, old.size, new.size);
        let wanted = plan.0.into_inner();
        assert!(wanted.len() <= 8, "only the edges: {wanted:?}");
        for key in wanted {
            let mut broken = whole.clone();
            for hash in broken.get_mut(&key).unwrap() {
                hash.0[7] ^= 1;
            }
            assert_eq!(judge(&broken, &old, &new).unwrap(), Extension::TilesWrong, "{key:?}");
            broken.get_mut(&key).unwrap().truncate(0);
            assert!(judge(&broken, &old, &new).is_err());
        }
    }
}
