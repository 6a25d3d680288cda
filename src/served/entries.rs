//! Whether the entries that are served are those that were signed: every one is hashed, and the hashes are held
//! against tiles that lead to the signed root.

use std::ops::Range;

use futures::{StreamExt as _, stream};
use trail::tile::TileRef;
use trail::tree::{Edge, TILE_WIDTH, root_of_full, width};
use trail::{Checkpoint, Hash};

use super::{FetchError, Served};

/// So many bundles are on their way at a time; each has 16 MB at the most.
const FETCHES_MAX: usize = 4;

/// How far the check is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Entries checked.
    pub done: u64,
    /// Entries there are to check.
    pub total: u64,
}

/// What was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Entries that were read and hashed.
    pub entries: u64,
    /// Entries that stand in bundles of which something was removed. Their hashes were checked instead.
    pub by_hash: u64,
}

/// Why the check did not come to a good end.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It could not be told.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is not what was signed.
    #[error("wrong from position {position} on: {what}")]
    Wrong {
        /// The first position that is wrong or can't be vouched for.
        position: u64,
        /// What is wrong.
        what: String,
    },
}

fn wrong(position: u64, what: impl Into<String>) -> CheckError {
    CheckError::Wrong { position, what: what.into() }
}

impl Served {
    /// Fetches all entries of `range`, and those beside them in the same bundles, and hashes them against the tree of
    /// `checkpoint`. Ends at the first position that is wrong.
    pub async fn check_entries(
        &self,
        range: Range<u64>,
        checkpoint: &Checkpoint,
        mut progress: impl FnMut(Progress),
    ) -> Result<Checked, CheckError> {
        if range.is_empty() {
            return Ok(Checked::default());
        }
        let size = checkpoint.size;
        let mut vouched = Vouched::begin(self, checkpoint, range.start).await?;
        let mut checked = Checked::default();
        let total = range.end - range.start;
        let bundles = range.start / TILE_WIDTH..range.end.div_ceil(TILE_WIDTH);
        let tile = move |index: u64| TileRef { index, width: (size - index * TILE_WIDTH).min(TILE_WIDTH) as u16 };
        let mut fetches = stream::iter(bundles)
            .map(|index| {
                let served = self.clone();
                // Its own task: hashing on one core does not hold up what comes in on the other.
                let task = tokio::spawn(async move {
                    let tile = tile(index);
                    served.bundle(tile).await.map(|bytes| leaves(&bytes, tile))
                });
                async move { (index, task.await) }
            })
            .buffered(FETCHES_MAX);
        while let Some((index, fetched)) = fetches.next().await {
            let count = u64::from(tile(index).width);
            let fetched = fetched.unwrap_or_else(|error| {
                Err(FetchError::Unreachable { what: "a bundle".to_owned(), reason: error.to_string() })
            });
            match fetched {
                Ok(leaves) => {
                    vouched.bundle(index, &leaves?).await?;
                    checked.entries += count;
                }
                Err(FetchError::Removed { .. }) => {
                    vouched.hashes_alone(index).await?;
                    checked.by_hash += count;
                }
                Err(error) => return Err(error.into()),
            }
            progress(Progress { done: (index * TILE_WIDTH + count).min(range.end) - range.start, total });
        }
        Ok(checked)
    }
}

/// The hashes of the entries in a bundle, which may hold more of them than were asked for.
fn leaves(bytes: &[u8], tile: TileRef) -> Result<Vec<Hash>, CheckError> {
    let mut rest = bytes;
    let mut leaves = Vec::with_capacity(usize::from(tile.width));
    while leaves.len() < usize::from(tile.width) {
        let entry = rest.split_first_chunk().and_then(|(length, after)| {
            let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = after;
            Some(entry)
        });
        let position = tile.index * TILE_WIDTH + leaves.len() as u64;
        leaves.push(Hash::leaf(entry.ok_or_else(|| wrong(position, "the entry bundle ends too early"))?));
    }
    if tile.width == 256 && !rest.is_empty() {
        return Err(wrong((tile.index + 1) * TILE_WIDTH - 1, "the entry bundle is longer than its entries"));
    }
    Ok(leaves)
}

/// Hashes of the tree that lead to the signed root: its right edge, and of each level the full tile at hand.
struct Vouched<'a> {
    served: &'a Served,
    size: u64,
    /// The partial tile of each level.
    edge: Vec<Vec<Hash>>,
    /// Of each level the full tile that was looked at last, by its index.
    full: Vec<Option<(u64, Vec<Hash>)>>,
}

impl<'a> Vouched<'a> {
    async fn begin(served: &'a Served, checkpoint: &Checkpoint, first: u64) -> Result<Self, CheckError> {
        let size = checkpoint.size;
        let mut edge = Vec::new();
        for level in 0_u8.. {
            let hashes = width(size, level);
            if hashes == 0 {
                break;
            }
            let partial = hashes % TILE_WIDTH;
            let tile = TileRef { index: hashes / TILE_WIDTH, width: partial as u16 };
            let row = if partial == 0 { Vec::new() } else { served.tile(level, tile).await? };
            if row.len() as u64 != partial {
                return Err(wrong(first, format!("tile {level}/{} is too short", tile.to_path())));
            }
            edge.push(row);
        }
        if Edge::restore(size, edge.clone()).root() != checkpoint.root {
            return Err(wrong(first, "the tiles at the right edge of the tree do not lead to the signed root"));
        }
        let full = vec![None; edge.len()];
        Ok(Self { served, size, edge, full })
    }

    /// The hash number `index` of `level`.
    async fn hash(&mut self, level: u8, index: u64) -> Result<Hash, CheckError> {
        let beyond = || wrong(0, format!("there is no hash {index} at level {level}"));
        // Down from the edge, which is known: each tile is vouched for by a hash of the tile above it.
        let mut top = level;
        let mut above = index;
        while above < width(self.size, top) / TILE_WIDTH * TILE_WIDTH {
            above /= TILE_WIDTH;
            top += 1;
        }
        let row = self.edge.get(usize::from(top)).ok_or_else(beyond)?;
        let mut hash = *row.get((above % TILE_WIDTH) as usize).ok_or_else(beyond)?;
        while top > level {
            top -= 1;
            let wanted = index >> (8 * u32::from(top - level));
            let tile = wanted / TILE_WIDTH;
            let slot = self.full.get_mut(usize::from(top)).ok_or_else(beyond)?;
            if slot.as_ref().is_none_or(|(kept, _)| *kept != tile) {
                let path = TileRef { index: tile, width: 256 };
                let hashes = self.served.tile(top, path).await?;
                if hashes.len() as u64 != TILE_WIDTH || root_of_full(&hashes) != hash {
                    let position = tile << (8 * (u32::from(top) + 1));
                    return Err(wrong(
                        position,
                        format!("tile {top}/{} does not lead to the signed root", path.to_path()),
                    ));
                }
                *slot = Some((tile, hashes));
            }
            let found = slot.as_ref().and_then(|(_, hashes)| hashes.get((wanted % TILE_WIDTH) as usize));
            hash = *found.ok_or_else(beyond)?;
        }
        Ok(hash)
    }

    /// Holds the leaves of a bundle against the tree.
    async fn bundle(&mut self, index: u64, leaves: &[Hash]) -> Result<(), CheckError> {
        let first = index * TILE_WIDTH;
        let known = if leaves.len() as u64 == TILE_WIDTH {
            let wanted = self.hash(1, index).await?;
            if root_of_full(leaves) == wanted {
                return Ok(());
            }
            let tile = self.served.tile(0, TileRef { index, width: 256 }).await?;
            if tile.len() as u64 != TILE_WIDTH || root_of_full(&tile) != wanted {
                return Err(wrong(first, "neither the entries nor their hashes lead to the signed root"));
            }
            tile
        } else {
            self.edge.first().cloned().unwrap_or_default()
        };
        let differs = leaves.iter().zip(&known).position(|(leaf, known)| leaf != known);
        match differs {
            Some(at) => Err(wrong(first + at as u64, "the entry does not fit the hash that leads to the signed root")),
            None if leaves.len() == known.len() => Ok(()),
            None => Err(wrong(first, "the entries are not as many as their hashes")),
        }
    }

    /// The entries are there no more: their hashes must still lead to the root.
    async fn hashes_alone(&mut self, index: u64) -> Result<(), CheckError> {
        if index == self.size / TILE_WIDTH {
            return Ok(()); // the edge, which was checked at the beginning
        }
        let wanted = self.hash(1, index).await?;
        let tile = self.served.tile(0, TileRef { index, width: 256 }).await?;
        if tile.len() as u64 == TILE_WIDTH && root_of_full(&tile) == wanted {
            return Ok(());
        }
        Err(wrong(index * TILE_WIDTH, "the hashes of removed entries do not lead to the signed root"))
    }
}
