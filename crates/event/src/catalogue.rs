//! The event types that Belfry knows by name.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{Event, Severity};

/// Who raises events of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RaisedBy {
    /// Belfry itself.
    Native,
    /// The mapping of a source.
    Mapped,
    Both,
}

/// One event type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Type {
    /// What `event.action` holds.
    pub id: String,
    pub category: String,
    pub severity: Severity,
    /// The kind of system that the type comes from.
    pub origin: String,
    pub raised_by: RaisedBy,
    /// What people call it: "Password viewed".
    pub title: String,
    /// The template of its message: "{user.name} viewed the password of {credential.username}".
    pub message: String,
}

/// All event types, by id.
#[derive(Debug, Clone)]
pub struct Catalogue {
    types: Vec<Type>,
    places: HashMap<String, usize>,
}

/// Why a catalogue can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("line {line} of the catalogue can't be read")]
    Line { line: u64, #[source] source: csv::Error },
    #[error("{id} is twice in the catalogue")]
    Twice { id: String },
}

impl Catalogue {
    /// The catalogue that comes with Belfry.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue::from_csv(include_str!("../data/catalogue.csv")).expect("a test reads the built-in catalogue")
        });
        &BUILTIN
    }

    /// Reads a catalogue: a header, then one type a line.
    pub fn from_csv(text: &str) -> Result<Self, CatalogueError> {
        let mut catalogue = Self { types: Vec::new(), places: HashMap::new() };
        for row in csv::Reader::from_reader(text.as_bytes()).deserialize::<Type>() {
            let row = row.map_err(|source| {
                CatalogueError::Line { line: source.position().map_or(0, csv::Position::line), source }
            })?;
            catalogue.add(row)?;
        }
        Ok(catalogue)
    }

    fn add(&mut self, new: Type) -> Result<(), CatalogueError> {
        if self.places.insert(new.id.clone(), self.types.len()).is_some() {
            return Err(CatalogueError::Twice { id: new.id });
        }
        self.types.push(new);
        Ok(())
    }

    /// All types, in the order of the catalogue.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// The type of that id.
    pub fn get(&self, action: &str) -> Option<&Type> {
        self.types.get(*self.places.get(action)?)
    }

    /// What people call events of that type; of a type that is not in the catalogue, its id made
    /// readable.
    pub fn title(&self, action: &str) -> Cow<'_, str> {
        match self.get(action) {
            Some(known) => Cow::Borrowed(&known.title),
            None => Cow::Owned(readable(action)),
        }
    }

    /// The sentence that tells what happened in `event`.
    pub fn message(&self, event: &Event<'_>) -> String {
        self.title(event.action()).into_owned()
    }
}

/// `door.forced_open` → "Door forced open".
fn readable(action: &str) -> String {
    let words: Vec<_> = action.split(['.', '_', '-']).filter(|word| !word.is_empty()).collect();
    let mut title = words.join(" ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}
