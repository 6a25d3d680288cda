//! What a report shows. The built-in ones are files of `reports/`, the custom ones rows of the same shape.

use std::sync::LazyLock;

use api::report::{Column, Definition, DefinitionDraft, Order};
use event::Filter;
use event::filter::FilterError;
use serde::Deserialize;

use super::columns;

/// Columns of one report.
pub const COLUMNS_MAX: usize = 60;
const TITLE_CHARS_MAX: usize = 120;
const DESCRIPTION_CHARS_MAX: usize = 1_000;
const FIELD_BYTES_MAX: usize = 256;

/// What is wrong with a definition, or with what is asked of one.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error("{what} can't be empty")]
    Empty { pointer: String, what: &'static str },
    #[error("{what} takes at most {max} characters")]
    TooLong { pointer: String, what: &'static str, max: usize },
    #[error("a report takes at most {COLUMNS_MAX} columns, this one has {count}")]
    TooManyColumns { count: usize },
    #[error("{text:?} holds a character that is not allowed in {what}")]
    Character { pointer: String, what: &'static str, text: String },
    #[error("the filter can't be read: {0}")]
    Filter(FilterError),
    #[error("{text:?} is not a time range: write a number and h, d, w, m or y, like 30d, or nothing")]
    Range { text: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    title: String,
    group: String,
    description: String,
    filter: String,
    range: String,
    order: Order,
    columns: Vec<Column>,
}

static BUILTIN: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    [
        include_str!("../../../../reports/audit-tracking.toml"),
        include_str!("../../../../reports/password-views.toml"),
        include_str!("../../../../reports/password-operations.toml"),
        include_str!("../../../../reports/events.toml"),
    ]
    .into_iter()
    .map(|text| {
        let file: File = toml::from_str(text).expect("a test reads the files of reports/");
        let mut definition = Definition {
            id: file.id,
            title: file.title,
            group: file.group,
            description: file.description,
            builtin: true,
            filter: file.filter,
            available_columns: Vec::new(),
            columns: file.columns,
            order: file.order,
            range: file.range,
            created_at: None,
            updated_at: None,
            updated_by: None,
        };
        definition.available_columns = available(&definition.columns);
        definition
    })
    .collect()
});

/// The reports that come with the server.
pub fn builtin() -> &'static [Definition] {
    &BUILTIN
}

/// All that could be a column of a report with these ones.
pub fn available(columns: &[Column]) -> Vec<Column> {
    let own = columns.iter().filter(|column| column.field.contains('|')).cloned();
    let worked_out =
        columns::WORKED_OUT.iter().map(|(field, title)| Column { field: (*field).into(), title: (*title).into() });
    let fields =
        event::fields::FIELDS.iter().map(|field| Column { field: field.name.into(), title: field.title.into() });
    own.chain(worked_out).chain(fields).collect()
}

/// Checks a definition that somebody wrote.
pub fn check(draft: &DefinitionDraft) -> Result<(), DefinitionError> {
    check_text("/title", "a title", &draft.title, TITLE_CHARS_MAX)?;
    if draft.title.trim().is_empty() {
        return Err(DefinitionError::Empty { pointer: "/title".into(), what: "a title" });
    }
    check_text("/group", "a group", &draft.group, TITLE_CHARS_MAX)?;
    check_text("/description", "a description", &draft.description, DESCRIPTION_CHARS_MAX)?;
    check_columns(&draft.columns)?;
    event::filter::parse(&draft.filter).map_err(DefinitionError::Filter)?;
    span(&draft.range)?;
    Ok(())
}

/// Checks a choice of columns.
pub fn check_columns(columns: &[Column]) -> Result<(), DefinitionError> {
    if columns.is_empty() {
        return Err(DefinitionError::Empty { pointer: "/columns".into(), what: "the list of columns" });
    }
    if columns.len() > COLUMNS_MAX {
        return Err(DefinitionError::TooManyColumns { count: columns.len() });
    }
    for (index, column) in columns.iter().enumerate() {
        let pointer = format!("/columns/{index}/field");
        if column.field.is_empty() {
            return Err(DefinitionError::Empty { pointer, what: "a field" });
        }
        if column.field.len() > FIELD_BYTES_MAX {
            return Err(DefinitionError::TooLong { pointer, what: "a field", max: FIELD_BYTES_MAX });
        }
        let strange = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@' | '|' | '/' | ':' | '#'));
        if column.field.contains(strange) {
            return Err(DefinitionError::Character {
                pointer,
                what: "the name of a field",
                text: column.field.clone(),
            });
        }
        let pointer = format!("/columns/{index}/title");
        if column.title.trim().is_empty() {
            return Err(DefinitionError::Empty { pointer, what: "the title of a column" });
        }
        check_text(&pointer, "the title of a column", &column.title, TITLE_CHARS_MAX)?;
    }
    Ok(())
}

fn check_text(pointer: &str, what: &'static str, text: &str, max: usize) -> Result<(), DefinitionError> {
    if text.chars().count() > max {
        return Err(DefinitionError::TooLong { pointer: pointer.into(), what, max });
    }
    if text.contains(char::is_control) {
        return Err(DefinitionError::Character { pointer: pointer.into(), what, text: text.to_owned() });
    }
    Ok(())
}

/// The filter of the definition and the one that was asked for, both.
pub fn both(definition: &str, asked: &str) -> Result<Filter, DefinitionError> {
    let own = event::filter::parse(definition).map_err(DefinitionError::Filter)?;
    let asked = event::filter::parse(asked).map_err(DefinitionError::Filter)?;
    Ok(match (own, asked) {
        (Filter::All, filter) | (filter, Filter::All) => filter,
        (own, asked) => own.and(asked),
    })
}

/// A range like `30d`, in the terms of the filter language: `now-30d`.
pub fn span(range: &str) -> Result<Option<String>, DefinitionError> {
    if range.is_empty() {
        return Ok(None);
    }
    let bad = || DefinitionError::Range { text: range.to_owned() };
    let unit = range.chars().last().filter(|c| matches!(c, 'h' | 'd' | 'w' | 'M' | 'm' | 'y')).ok_or_else(bad)?;
    let count = range.strip_suffix(unit).ok_or_else(bad)?;
    let count: u32 = count.parse().map_err(|_| bad())?;
    if count == 0 || count > 100_000 {
        return Err(bad());
    }
    // Nobody asks for a report of the last 3 minutes.
    let unit = if unit == 'm' { 'M' } else { unit };
    Ok(Some(format!("now-{count}{unit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(columns: Vec<Column>) -> DefinitionDraft {
        DefinitionDraft {
            title: "Mine".into(),
            group: String::new(),
            description: String::new(),
            filter: "user.name: ada".into(),
            columns,
            order: Order::Asc,
            range: "7d".into(),
        }
    }

    fn column(field: &str, title: &str) -> Column {
        Column { field: field.into(), title: title.into() }
    }

    #[test]
    fn the_builtin_ones_pass_their_own_check() {
        assert_eq!(builtin().len(), 4);
        for definition in builtin() {
            let draft = DefinitionDraft {
                title: definition.title.clone(),
                group: definition.group.clone(),
                description: definition.description.clone(),
                filter: definition.filter.clone(),
                columns: definition.columns.clone(),
                order: definition.order,
                range: definition.range.clone(),
            };
            check(&draft).unwrap_or_else(|error| panic!("{}: {error}", definition.id));
            for column in &definition.columns {
                for field in column.field.split('|') {
                    let known = event::fields::find(field).is_some()
                        || columns::WORKED_OUT.iter().any(|worked| worked.0 == field)
                        || field == "operation.last_attempt_at";
                    assert!(known, "{}: nothing is called {field}", definition.id);
                }
            }
        }
    }

    #[test]
    fn their_columns_are_those_of_the_specification() {
        let titles = |id: &str| -> Vec<&str> {
            let definition = builtin().iter().find(|definition| definition.id == id).unwrap();
            definition.columns.iter().map(|column| column.title.as_str()).collect()
        };
        assert_eq!(
            titles("audit-tracking"),
            [
                "Operation",
                "Entity",
                "Entity name",
                "Origin module",
                "User",
                "Username",
                "IP",
                "Changed",
                "Date and time"
            ]
        );
        assert_eq!(
            titles("password-views"),
            [
                "Date",
                "Operation",
                "User",
                "IP",
                "Credential type",
                "Device",
                "Username",
                "Reason type",
                "Governance id",
                "Reason",
                "Message",
                "Origin platform"
            ]
        );
        assert_eq!(
            titles("password-operations"),
            [
                "Origin IP",
                "Device",
                "Credential type",
                "Status",
                "Operation",
                "Scheduled at",
                "Executed at",
                "Last attempt",
                "Attempts",
                "Requester"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many = (0..100).map(|index| column(&format!("labels.f{index}"), "x")).collect();
        for (draft, expected) in [
            (draft(vec![]), "the list of columns can't be empty"),
            (draft(many), "a report takes at most 60 columns, this one has 100"),
            (
                draft(vec![column("user.name", "a\nb")]),
                r#""a\nb" holds a character that is not allowed in the title of a column"#,
            ),
            (
                draft(vec![column("user name", "x")]),
                r#""user name" holds a character that is not allowed in the name of a field"#,
            ),
            (draft(vec![column("user.name", " ")]), "the title of a column can't be empty"),
            (
                DefinitionDraft { range: "30".into(), ..draft(vec![column("user.name", "x")]) },
                r#""30" is not a time range: write a number and h, d, w, m or y, like 30d, or nothing"#,
            ),
        ] {
            assert_eq!(check(&draft).unwrap_err().to_string(), expected);
        }
        check(&draft(vec![column("user.name", "x")])).unwrap();
    }
}
