//! The typefaces inside the binary, and which of them prints which character.
//!
//! A server has no fonts of its own, and a report with empty boxes for a name is no evidence. So every script we can
//! print travels with us (`fonts/`), unpacked when the first text needs it and kept for the next report.

use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

use parley::FontContext;
use parley::fontique::{
    Blob, Collection, CollectionOptions, FontInfo, FontInfoOverride, FontWeight, GenericFamily, SourceCache,
};

/// One embedded typeface.
struct Face {
    /// The family name under which text asks for it.
    family: &'static str,
    weight: f32,
    packed: &'static [u8],
    unpacked: OnceLock<Blob<u8>>,
    /// Code points that make us unpack it; empty for those that are always there.
    wanted_by: &'static [std::ops::RangeInclusive<u32>],
}

macro_rules! face {
    ($family:literal, $weight:literal, $file:literal, $wanted_by:expr) => {
        Face {
            family: $family,
            weight: $weight,
            packed: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fonts/packed/", $file, ".gz")),
            unpacked: OnceLock::new(),
            wanted_by: $wanted_by,
        }
    };
}

const ARABIC: &[std::ops::RangeInclusive<u32>] =
    &[0x0600..=0x06FF, 0x0750..=0x077F, 0x0870..=0x08FF, 0xFB50..=0xFDFF, 0xFE70..=0xFEFE];

/// In the order in which they are asked for a character.
static FACES: [Face; 14] = [
    face!("sans", 400.0, "sans", &[]),
    face!("sans", 600.0, "sans-semibold", &[]),
    face!("mono", 400.0, "mono", &[]),
    face!("arabic", 400.0, "arabic", ARABIC),
    face!("arabic-more", 400.0, "arabic-more", ARABIC),
    face!("hebrew", 400.0, "hebrew", &[0x0590..=0x05FF, 0xFB1D..=0xFB4F]),
    face!("thai", 400.0, "thai", &[0x0E00..=0x0E7F]),
    face!("georgian", 400.0, "georgian", &[0x10A0..=0x10FF, 0x1C90..=0x1CBF, 0x2D00..=0x2D2F]),
    face!("armenian", 400.0, "armenian", &[0x0530..=0x058F, 0xFB13..=0xFB17]),
    face!("bengali", 400.0, "bengali", &[0x0980..=0x09FF]),
    face!("tamil", 400.0, "tamil", &[0x0B80..=0x0BFF]),
    face!(
        "emoji",
        400.0,
        "emoji",
        &[0x203C..=0x203C, 0x2049..=0x2049, 0x20E3..=0x20E3, 0x2600..=0x27BF, 0x2B00..=0x2BFF, 0x1F000..=0x1FAFF]
    ),
    face!(
        "sc",
        400.0,
        "sc",
        &[
            0x2100..=0x2BFF,
            0x2E80..=0x312F,
            0x3190..=0xA4CF,
            0xF900..=0xFAFF,
            0xFE10..=0xFE6F,
            0xFF00..=0xFFEF,
            0x20000..=0x3FFFF
        ]
    ),
    face!("kr", 400.0, "kr", &[0x1100..=0x11FF, 0x3130..=0x318F, 0xA960..=0xA97F, 0xAC00..=0xD7FF]),
];

/// The families, in the order in which they are asked for a character of running text.
pub const SANS: &str =
    "sans, mono, arabic, arabic-more, hebrew, thai, georgian, armenian, bengali, tamil, emoji, sc, kr";
/// The same for codes, addresses and hashes.
pub const MONO: &str =
    "mono, sans, arabic, arabic-more, hebrew, thai, georgian, armenian, bengali, tamil, emoji, sc, kr";

impl Face {
    fn data(&self) -> Blob<u8> {
        self.unpacked
            .get_or_init(|| {
                let mut bytes = Vec::new();
                flate2::read::GzDecoder::new(self.packed)
                    .read_to_end(&mut bytes)
                    .expect("fonts are packed when the server is built");
                Blob::from(bytes)
            })
            .clone()
    }
}

/// The typefaces registered for one document, and what they can print.
pub struct Fonts {
    pub context: FontContext,
    registered: [bool; FACES.len()],
    charmaps: Vec<(Blob<u8>, FontInfo)>,
    covered: HashMap<char, bool>,
}

impl Fonts {
    pub fn new() -> Self {
        let options = CollectionOptions { shared: false, system_fonts: false };
        let mut fonts = Self {
            context: FontContext { collection: Collection::new(options), source_cache: SourceCache::default() },
            registered: [false; FACES.len()],
            charmaps: Vec::new(),
            covered: HashMap::new(),
        };
        for (index, face) in FACES.iter().enumerate() {
            if face.wanted_by.is_empty() {
                fonts.register(index);
            }
        }
        fonts
    }

    /// Whether some typeface prints `c`. Unpacks and registers what is needed for it.
    pub fn covers(&mut self, c: char) -> bool {
        if let Some(&known) = self.covered.get(&c) {
            return known;
        }
        for (index, face) in FACES.iter().enumerate() {
            if !self.registered[index] && face.wanted_by.iter().any(|r| r.contains(&(c as u32))) {
                self.register(index);
            }
        }
        let covered = self.charmaps.iter().any(|(data, info)| {
            info.charmap_index().charmap(data.data()).and_then(|map| map.map(c)).is_some_and(|glyph| glyph != 0)
        });
        self.covered.insert(c, covered);
        covered
    }

    fn register(&mut self, index: usize) {
        let Some(face) = FACES.get(index) else { return };
        let data = face.data();
        let named = FontInfoOverride {
            family_name: Some(face.family),
            weight: Some(FontWeight::new(face.weight)),
            ..FontInfoOverride::default()
        };
        let families = self.context.collection.register_fonts(data.clone(), Some(named));
        for (family, infos) in families {
            if face.family == "emoji" {
                self.context.collection.append_generic_families(GenericFamily::Emoji, std::iter::once(family));
            }
            for info in infos {
                self.charmaps.push((data.clone(), info));
            }
        }
        self.registered[index] = true;
    }
}
