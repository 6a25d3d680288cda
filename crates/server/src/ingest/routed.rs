//! Batches whose records belong to different sources, and how a record that names none finds its own.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::registry::{Registry, RegistryError};

/// The source of records that nothing else knows.
pub const GENERIC: &str = "generic";
/// Names that are remembered while a batch is routed.
const NAMES_MAX: usize = 1_000;

/// Records that lie in one buffer.
#[derive(Debug, Default)]
pub struct Routed {
    pub buffer: Vec<u8>,
    pub sources: Vec<String>,
    pub pieces: Vec<RoutedPiece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutedPiece {
    pub range: Range<usize>,
    /// Its place in [`Routed::sources`].
    pub source: u16,
    /// Why it is set aside without being read.
    pub broken: Option<&'static str>,
}

/// Finds sources by the names that records and their senders carry.
pub struct Routing<'a> {
    registry: &'a Registry,
    /// The source that the request names outright; it is taken whatever the records say.
    named: Option<u16>,
    /// The source called as the sender.
    sender: Option<u16>,
    sources: Vec<String>,
    /// What each name came to. Batches name the same few again and again.
    known: HashMap<String, Option<u16>>,
}

impl<'a> Routing<'a> {
    /// `named` is `?source=`; the error says that there is none of that name, or that it is off.
    pub fn new(registry: &'a Registry, named: Option<&str>, sender: &str) -> Result<Self, RegistryError> {
        let mut routing = Self { registry, named: None, sender: None, sources: Vec::new(), known: HashMap::new() };
        if let Some(name) = named {
            registry.reader(name)?;
            routing.named = Some(routing.place_of(name));
        }
        routing.sender = routing.by_name(sender);
        Ok(routing)
    }

    /// The source named outright, else the first of `names` that a source has, else the one called as the sender.
    pub fn choose(&mut self, names: &[&str]) -> Option<u16> {
        if self.named.is_some() {
            return self.named;
        }
        names.iter().find_map(|name| self.by_name(name)).or(self.sender)
    }

    /// The source for a record that no name leads to: Keeper's feed is known by its shape.
    pub fn by_shape(&mut self, record: &[u8], otherwise: &str) -> u16 {
        static KEEPER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"audit_event"));
        let keeper = KEEPER.find(record).is_some();
        self.place_of(if keeper { "keeper" } else { otherwise })
    }

    /// The place of a source that is there for certain.
    pub fn place_of(&mut self, name: &str) -> u16 {
        let found = self.sources.iter().position(|known| known == name);
        let place = found.unwrap_or_else(|| {
            self.sources.push(name.to_owned());
            self.sources.len() - 1
        });
        // There are never as many sources as that: a name gets a place once a source is called so.
        u16::try_from(place).unwrap_or(0)
    }

    /// The source at a place.
    pub fn name_of(&self, place: u16) -> &str {
        self.sources.get(usize::from(place)).map_or("", String::as_str)
    }

    /// The sources in their places.
    pub fn into_sources(self) -> Vec<String> {
        self.sources
    }

    fn by_name(&mut self, name: &str) -> Option<u16> {
        if name.is_empty() || name.len() > 64 {
            return None;
        }
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let lower = name.to_ascii_lowercase();
        let exists = self.registry.source(&lower).is_some_and(|source| source.enabled);
        let place = exists.then(|| self.place_of(&lower));
        if self.known.len() < NAMES_MAX {
            self.known.insert(name.to_owned(), place);
        }
        place
    }
}
