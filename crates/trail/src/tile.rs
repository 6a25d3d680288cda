//! Where tiles are found, by the paths of C2SP tlog-tiles.

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
        for wrong in ["", "67", "x067", "x000/067", "001/067", "x001/x067", "067.p/256", "067.p/0", "067.p/012", "../067", "x001//067"] {
            assert_eq!(parse_path(wrong), None, "{wrong:?}");
        }
    }
}
