//! The event types that Belfry knows by name.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::template::Template;
pub use crate::template::TemplateError;
use crate::{Event, Object, Severity};

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
    templates: Vec<Template>,
    places: HashMap<String, usize>,
}

/// Why a catalogue can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("line {line} of the catalogue can't be read")]
    Line {
        line: u64,
        #[source]
        source: csv::Error,
    },
    #[error("{id} is twice in the catalogue")]
    Twice { id: String },
    #[error("the message of {id} can't be read")]
    Message {
        id: String,
        #[source]
        source: TemplateError,
    },
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
        let mut catalogue = Self { types: Vec::new(), templates: Vec::new(), places: HashMap::new() };
        for row in csv::Reader::from_reader(text.as_bytes()).deserialize::<Type>() {
            let row = row.map_err(|source| CatalogueError::Line {
                line: source.position().map_or(0, csv::Position::line),
                source,
            })?;
            catalogue.add(row)?;
        }
        Ok(catalogue)
    }

    /// Adds a type of one's own.
    pub fn add(&mut self, new: Type) -> Result<(), CatalogueError> {
        let template =
            Template::parse(&new.message).map_err(|source| CatalogueError::Message { id: new.id.clone(), source })?;
        if self.places.insert(new.id.clone(), self.types.len()).is_some() {
            return Err(CatalogueError::Twice { id: new.id });
        }
        self.types.push(new);
        self.templates.push(template);
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

    /// The sentence that tells what happened in `event`; of a type that is not in the catalogue, its
    /// id made readable.
    pub fn message(&self, event: &Event<'_>) -> String {
        self.sentence(event.action(), event.fields()).unwrap_or_else(|| readable(event.action()))
    }

    /// The sentence of a type of the catalogue, filled with these fields.
    pub(crate) fn sentence(&self, action: &str, fields: &Object<'_>) -> Option<String> {
        Some(self.templates.get(*self.places.get(action)?)?.render(fields))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_specification_is_there_as_it_is_there() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/spec/event-catalogue.csv");
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("skipped: the specification is not beside the project ({path})");
            return;
        };
        let catalogue = Catalogue::builtin();
        let mut count = 0;
        for row in csv::Reader::from_reader(text.as_bytes()).records() {
            let row = row.unwrap();
            let known = catalogue.get(&row[0]).unwrap_or_else(|| panic!("{} is missing", &row[0]));
            let raised_by = serde_json::to_value(known.raised_by).unwrap();
            let found = [&known.category, known.severity.name(), &known.origin, raised_by.as_str().unwrap()];
            assert_eq!(found, [&row[1], &row[2], &row[3], &row[4]], "{}", &row[0]);
            assert_ne!(known.title, row[5], "{} has no title of its own", &row[0]);
            assert_ne!(known.message, row[5], "{} has no message of its own", &row[0]);
            count += 1;
        }
        // There may be more: what Belfry itself does is named as it comes to do it.
        assert!(count <= catalogue.types().len());
    }

    #[test]
    fn every_type_can_be_told() {
        let mut titles = HashMap::new();
        for known in Catalogue::builtin().types() {
            assert!(crate::admit::is_action(&known.id), "{}", known.id);
            assert!((4..=60).contains(&known.title.len()), "{}: {}", known.id, known.title);
            assert!(known.title.starts_with(char::is_uppercase), "{}: {}", known.id, known.title);
            assert!(!known.message.ends_with('.'), "{}: {}", known.id, known.message);
            if let Some(other) = titles.insert(&known.title, &known.id) {
                panic!("{} and {other} are both called {}", known.id, known.title);
            }
            let template = Template::parse(&known.message).unwrap();
            for field in template.fields() {
                assert!(crate::fields::find(field).is_some(), "{}: {field} is no field", known.id);
            }
            let bare = template.render(&Object::new());
            assert!(!bare.contains('—'), "{} says {bare:?} when it knows nothing", known.id);
        }
    }

    #[test]
    fn messages_are_filled() {
        let check = |event: serde_json::Value, expected: &str| {
            let value = crate::Value::from(event);
            let event = Event::of(value.as_object().unwrap().clone());
            assert_eq!(Catalogue::builtin().message(&event), expected);
        };
        check(
            serde_json::json!({"event": {"action": "credential.password.viewed"}, "user": {"name": "ada.m"},
                "credential": {"username": "root"}, "host": {"name": "db-prod-3"}}),
            "ada.m viewed the password of root on db-prod-3",
        );
        check(serde_json::json!({"event": {"action": "authentication.failed"}}), "Somebody failed to log in");
        check(serde_json::json!({"event": {"action": "door.forced_open"}}), "Door forced open");
        assert_eq!(Catalogue::builtin().title("door.forced_open"), "Door forced open");
    }

    #[test]
    fn a_type_is_there_once() {
        let text =
            "id,category,severity,origin,raised_by,title,message\na.b,c,low,own,native,T,m\na.b,c,low,own,native,T,m\n";
        assert!(matches!(Catalogue::from_csv(text), Err(CatalogueError::Twice { id }) if id == "a.b"));
    }
}
