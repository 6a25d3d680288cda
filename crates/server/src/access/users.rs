//! Users, as administrators manage them.

use api::access::{NewUser, Role, User, UserChange};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::sign_in::hash;
use super::{Error, Subject, password};
use crate::app::App;
use crate::changes::{self, Entity};
use crate::state;
use crate::state::users::User as Row;

pub async fn list(app: &App) -> Result<Vec<User>, Error> {
    Ok(state::users::all(&app.state).await?.into_iter().map(user).collect())
}

pub async fn get(app: &App, id: &str) -> Result<User, Error> {
    let mut connection = app.state.acquire().await?;
    find(&mut connection, id).await.map(user)
}

/// Makes a user. `subject` is `None` for the first one, which `belfry init` makes.
pub async fn create(app: &App, subject: Option<&Subject>, new: NewUser) -> Result<User, Error> {
    let now = app.clock.now();
    let row = Row {
        id: state::new_id(now),
        name: checked_name(&new.name)?,
        full_name: checked_text(&new.full_name, "/full_name", 200)?,
        email: checked_email(&new.email)?,
        role: new.role.name().to_owned(),
        disabled: new.disabled,
        password: {
            password::check(&new.password, &new.name)
                .map_err(|e| Error::Invalid { pointer: "/password", reason: e.to_string() })?;
            hash(new.password, "/password").await?
        },
        created_at: now.as_millisecond(),
        last_login_at: None,
    };
    let mut transaction = state::begin_write(&app.state).await?;
    refuse_taken(&mut transaction, &row.name, &row.id).await?;
    state::users::add(&mut transaction, &row).await?;
    let mut event = entity(&row).event("user.created", changes::diff(&Value::Null, &facts(&row), &[]));
    aim(&mut event, &row);
    app.record(subject, event).await?;
    transaction.commit().await?;
    Ok(user(row))
}

/// Changes a user. Whatever weakens or moves their access ends their sessions.
pub async fn update(app: &App, subject: &Subject, id: &str, change: UserChange) -> Result<User, Error> {
    // Hashing takes long; it must not happen while the write lock is held.
    let mut connection = app.state.acquire().await?;
    let before = find(&mut connection, id).await?;
    drop(connection);
    let new_password = match change.password {
        Some(new) => {
            let name = change.name.as_deref().unwrap_or(&before.name);
            password::check(&new, name).map_err(|e| Error::Invalid { pointer: "/password", reason: e.to_string() })?;
            Some(hash(new, "/password").await?)
        }
        None => None,
    };

    let mut transaction = state::begin_write(&app.state).await?;
    let before = find(&mut transaction, id).await?;
    let mut after = before.clone();
    if let Some(name) = change.name {
        after.name = checked_name(&name)?;
        refuse_taken(&mut transaction, &after.name, id).await?;
    }
    if let Some(full_name) = change.full_name {
        after.full_name = checked_text(&full_name, "/full_name", 200)?;
    }
    if let Some(email) = change.email {
        after.email = checked_email(&email)?;
    }
    if let Some(role) = change.role {
        role.name().clone_into(&mut after.role);
    }
    after.disabled = change.disabled.unwrap_or(after.disabled);
    let password_changed = new_password.is_some();
    if let Some(phc) = new_password {
        after.password = phc;
    }
    let was_administrator = before.role == Role::Administrator.name() && !before.disabled;
    let is_administrator = after.role == Role::Administrator.name() && !after.disabled;
    if was_administrator && !is_administrator {
        refuse_last(&mut transaction, id).await?;
    }
    let mut differences = changes::diff(&facts(&before), &facts(&after), &[]);
    if password_changed {
        differences.push(json!({"field": "password", "old": changes::SECRET, "new": changes::SECRET}));
    }
    if differences.is_empty() {
        return Ok(user(before));
    }
    state::users::update(&mut transaction, &after).await?;
    if password_changed || after.disabled || before.role != after.role {
        let keep =
            if password_changed || after.disabled || subject.user_id() != id { None } else { subject.session_id() };
        state::sessions::remove_of_user(&mut transaction, id, keep).await?;
    }
    let action = if before.role == after.role { "user.updated" } else { "role.changed" };
    let mut event = entity(&after).event(action, differences);
    aim(&mut event, &after);
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(user(after))
}

/// Removes a user and all that was theirs: sessions, tokens, saved filters.
pub async fn remove(app: &App, subject: &Subject, id: &str) -> Result<(), Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let row = find(&mut transaction, id).await?;
    if row.role == Role::Administrator.name() && !row.disabled {
        refuse_last(&mut transaction, id).await?;
    }
    state::users::remove(&mut transaction, id).await?;
    let mut event = entity(&row).event("user.deleted", changes::diff(&facts(&row), &Value::Null, &[]));
    aim(&mut event, &row);
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(())
}

/// The id of the user with that id or name; the command line and people speak of names.
pub async fn id_of(app: &App, id_or_name: &str) -> Result<String, Error> {
    let mut connection = app.state.acquire().await?;
    if let Some(row) = state::users::find(&mut connection, id_or_name).await? {
        return Ok(row.id);
    }
    let row = state::users::find_by_name(&mut connection, id_or_name).await?;
    row.map(|row| row.id).ok_or_else(|| Error::NotFound { what: "user", id: id_or_name.to_owned() })
}

async fn find(connection: &mut SqliteConnection, id: &str) -> Result<Row, Error> {
    state::users::find(connection, id).await?.ok_or_else(|| Error::NotFound { what: "user", id: id.to_owned() })
}

async fn refuse_taken(connection: &mut SqliteConnection, name: &str, id: &str) -> Result<(), Error> {
    match state::users::find_by_name(connection, name).await? {
        Some(other) if other.id != id => {
            Err(Error::Conflict { reason: format!("there is a user {} already", other.name) })
        }
        _ => Ok(()),
    }
}

async fn refuse_last(connection: &mut SqliteConnection, id: &str) -> Result<(), Error> {
    if state::users::administrators_besides(connection, id).await? == 0 {
        return Err(Error::Conflict { reason: "this is the last administrator; make another one first".to_owned() });
    }
    Ok(())
}

fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    let fits = (1..=128).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+' | '\\' | '\''));
    if fits {
        return Ok(name.to_owned());
    }
    let reason = "a user name has 1 to 128 letters, digits, or . - _ @ + \\ '".to_owned();
    Err(Error::Invalid { pointer: "/name", reason })
}

fn checked_text(text: &str, pointer: &'static str, chars_max: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.chars().count() > chars_max || text.chars().any(char::is_control) {
        return Err(Error::Invalid { pointer, reason: format!("at most {chars_max} characters, on one line") });
    }
    Ok(text.to_owned())
}

fn checked_email(email: &str) -> Result<String, Error> {
    let email = checked_text(email, "/email", 254)?;
    let fits = email.is_empty()
        || email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !email.contains([' ', ',', ';', '<', '>'])
        });
    if fits {
        Ok(email)
    } else {
        Err(Error::Invalid { pointer: "/email", reason: format!("{email} is no email address") })
    }
}

fn entity(row: &Row) -> Entity<'_> {
    Entity { kind: "user", id: &row.id, name: &row.name }
}

/// Who it was done to.
fn aim(event: &mut Value, row: &Row) {
    if let Some(root) = event.as_object_mut() {
        root.insert("user".to_owned(), json!({"target": {"id": row.id, "name": row.name}}));
    }
}

/// What of a user is shown in events.
fn facts(row: &Row) -> Value {
    json!({"name": row.name, "full_name": row.full_name, "email": row.email, "role": row.role, "disabled": row.disabled})
}

fn user(row: Row) -> User {
    User {
        // The state holds no other roles; if it did, the least of them is the safe reading.
        role: Role::from_name(&row.role).unwrap_or(Role::Member),
        id: row.id,
        name: row.name,
        full_name: row.full_name,
        email: row.email,
        disabled: row.disabled,
        created_at: state::time_text(row.created_at),
        last_login_at: row.last_login_at.map(state::time_text),
    }
}
