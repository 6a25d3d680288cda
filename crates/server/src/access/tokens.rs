//! API tokens: shown once, kept as a hash, never more than their user may do.

use api::access::{NewToken, Privilege, Token, TokenMade};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Error, Privileges, Subject, fingerprint, random_text};
use crate::app::App;
use crate::changes::Entity;
use crate::state;
use crate::state::tokens::Token as Row;

const PER_USER_MAX: usize = 200;

/// The own tokens, or, for whoever manages them, all.
pub async fn list(app: &App, subject: &Subject) -> Result<Vec<Token>, Error> {
    let whose = if subject.has(Privilege::TokensManage) { None } else { Some(subject.user_id()) };
    Ok(state::tokens::all(&app.state, whose).await?.into_iter().map(token).collect())
}

pub async fn create(app: &App, subject: &Subject, new: NewToken) -> Result<TokenMade, Error> {
    let missing = new.scopes.iter().find(|scope| !subject.has(**scope));
    if let Some(privilege) = missing {
        let reason = format!("{privilege} is more than you may do");
        return Err(Error::Invalid { pointer: "/scopes", reason });
    }
    let owned = state::tokens::all(&app.state, Some(subject.user_id())).await?.len();
    if owned >= PER_USER_MAX {
        return Err(Error::Conflict { reason: format!("you have {owned} tokens; delete some first") });
    }
    make(app, Some(subject), (subject.user_id(), subject.user_name()), new).await
}

/// Makes a token for the user of that id and name, without asking who may.
pub async fn make(app: &App, subject: Option<&Subject>, user: (&str, &str), new: NewToken) -> Result<TokenMade, Error> {
    let now = app.clock.now();
    let invalid = |pointer, reason: &str| Error::Invalid { pointer, reason: reason.to_owned() };
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(invalid("/name", "a token has a name of 1 to 100 characters"));
    }
    if new.scopes.is_empty() {
        return Err(invalid("/scopes", "a token without a scope could do nothing"));
    }
    let expires_at = match new.expires_at.as_deref() {
        None => None,
        Some(text) => {
            let at: Timestamp =
                text.parse().map_err(|_| invalid("/expires_at", "must be an RFC 3339 time, 2027-01-31T00:00:00Z"))?;
            if at <= now {
                return Err(invalid("/expires_at", "lies in the past"));
            }
            Some(at.as_millisecond())
        }
    };
    let scopes: Vec<&str> = Privileges::of(&new.scopes).list().into_iter().map(Privilege::name).collect();
    let row = Row {
        id: state::new_id(now),
        name: name.to_owned(),
        user_id: user.0.to_owned(),
        user_name: user.1.to_owned(),
        scopes: scopes.join(" "),
        created_at: now.as_millisecond(),
        expires_at,
        last_used_at: None,
    };
    let secret = format!("blf_{}", random_text());
    let mut transaction = state::begin_write(&app.state).await?;
    state::tokens::add(&mut transaction, &row, &fingerprint(&secret)).await?;
    app.record(subject, entity(&row).created(&facts(&row), &[])).await?;
    transaction.commit().await?;
    Ok(TokenMade { token: secret, about: token(row) })
}

/// Deletes a token: one's own, or, for whoever manages them, any.
pub async fn remove(app: &App, subject: &Subject, id: &str) -> Result<(), Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    let found = state::tokens::find(&mut transaction, id).await?;
    // Of other people's tokens the answer does not even say that they exist.
    let row = found
        .filter(|row| row.user_id == subject.user_id() || subject.has(Privilege::TokensManage))
        .ok_or_else(|| Error::NotFound { what: "token", id: id.to_owned() })?;
    state::tokens::remove(&mut transaction, id).await?;
    app.record(Some(subject), entity(&row).removed(&facts(&row), &[])).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(())
}

fn entity(row: &Row) -> Entity<'_> {
    Entity { kind: "token", id: &row.id, name: &row.name }
}

fn facts(row: &Row) -> Value {
    json!({
        "name": row.name,
        "user": row.user_name,
        "scopes": row.scopes,
        "expires_at": row.expires_at.map(state::time_text),
    })
}

fn token(row: Row) -> Token {
    Token {
        id: row.id,
        name: row.name,
        user: row.user_name,
        scopes: row.scopes.split(' ').filter_map(Privilege::from_name).collect(),
        created_at: state::time_text(row.created_at),
        expires_at: row.expires_at.map(state::time_text),
        last_used_at: row.last_used_at.map(state::time_text),
    }
}
