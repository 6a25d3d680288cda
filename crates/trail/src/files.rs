//! Which files a log folder holds.

/// The files of a log folder by what they are, in the order of their entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where packs begin.
    pub packs: Vec<u64>,
    /// Where segments of the WAL begin.
    pub wals: Vec<u64>,
    /// Names of files that a crash left half made.
    pub leftover: Vec<String>,
}

/// Sorts names. What is not ours is passed over.
pub fn sort(names: &[String]) -> Found {
    let mut found = Found::default();
    for name in names {
        let first = |stem: &str| stem.parse::<u64>().ok().filter(|_| stem.len() == 20);
        match name.rsplit_once('.') {
            Some((stem, "pack")) => found.packs.extend(first(stem)),
            Some((stem, "wal")) => found.wals.extend(first(stem)),
            Some((_, "tmp")) => found.leftover.push(name.clone()),
            _ => {}
        }
    }
    for firsts in [&mut found.packs, &mut found.wals] {
        firsts.sort_unstable();
        firsts.dedup();
    }
    found
}
