//! Filters that people keep.

use api::access::{NewSavedFilter, Privilege, SavedFilter};
use serde_json::json;

use super::{Error, Subject};
use crate::app::App;
use crate::changes::Entity;
use crate::state;
use crate::state::saved_filters::SavedFilter as Row;

const PER_USER_MAX: usize = 500;

pub async fn list(app: &App, subject: &Subject) -> Result<Vec<SavedFilter>, Error> {
    Ok(state::saved_filters::seen_by(&app.state, subject.user_id()).await?.into_iter().map(saved).collect())
}

pub async fn create(app: &App, subject: &Subject, new: NewSavedFilter) -> Result<SavedFilter, Error> {
    let invalid = |pointer, reason: String| Error::Invalid { pointer, reason };
    if subject.device().is_some() {
        return Err(Error::NotAllowed("only a person saves filters"));
    }
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(invalid("/name", "a saved filter has a name of 1 to 100 characters".to_owned()));
    }
    event::filter::parse(&new.filter).map_err(|error| invalid("/filter", error.to_string()))?;
    let now = app.clock.now();
    let row = Row {
        id: state::new_id(now),
        name: name.to_owned(),
        filter: new.filter,
        shared: new.shared,
        user_id: subject.user_id().to_owned(),
        user_name: subject.user_name().to_owned(),
        created_at: now.as_millisecond(),
    };
    let mine = state::saved_filters::seen_by(&app.state, subject.user_id()).await?;
    let mine: Vec<_> = mine.into_iter().filter(|saved| saved.user_id == row.user_id).collect();
    if mine.len() >= PER_USER_MAX {
        return Err(Error::Conflict { reason: format!("you have {PER_USER_MAX} saved filters; delete some first") });
    }
    if mine.iter().any(|saved| saved.name == row.name) {
        return Err(Error::Conflict { reason: format!("you have a saved filter {} already", row.name) });
    }
    let mut transaction = state::begin_write(&app.state).await?;
    state::saved_filters::add(&mut transaction, &row).await?;
    app.record(Some(subject), entity(&row).created(&facts(&row), &[])).await?;
    transaction.commit().await?;
    Ok(saved(row))
}

/// Deletes one's own; a shared one can also be deleted by an administrator.
pub async fn remove(app: &App, subject: &Subject, id: &str) -> Result<(), Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let row = state::saved_filters::find(&mut transaction, id)
        .await?
        .filter(|row| row.user_id == subject.user_id() || (row.shared && subject.has(Privilege::UsersManage)))
        .ok_or_else(|| Error::NotFound { what: "saved filter", id: id.to_owned() })?;
    state::saved_filters::remove(&mut transaction, id).await?;
    app.record(Some(subject), entity(&row).removed(&facts(&row), &[])).await?;
    transaction.commit().await?;
    Ok(())
}

fn entity(row: &Row) -> Entity<'_> {
    Entity { kind: "saved filter", id: &row.id, name: &row.name }
}

fn facts(row: &Row) -> serde_json::Value {
    json!({"name": row.name, "filter": row.filter, "shared": row.shared})
}

fn saved(row: Row) -> SavedFilter {
    SavedFilter {
        id: row.id,
        name: row.name,
        filter: row.filter,
        shared: row.shared,
        by: row.user_name,
        created_at: state::time_text(row.created_at),
    }
}
