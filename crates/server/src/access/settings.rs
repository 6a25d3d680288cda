//! What administrators settle for the whole organization.

use api::access::Settings;
use serde_json::json;

use super::{Error, Subject};
use crate::app::App;
use crate::changes::Entity;
use crate::outgoing::Outgoing;
use crate::{state, witness};

const NAME: &str = "organization";
const LINES_MAX: usize = 200;

pub async fn get(app: &App) -> Result<Settings, Error> {
    let mut connection = app.state.acquire().await?;
    Ok(state::settings::get(&mut connection, NAME).await?.unwrap_or_default())
}

pub async fn set(app: &App, subject: &Subject, new: Settings) -> Result<Settings, Error> {
    let invalid = |reason: String| Error::Invalid { pointer: "/outgoing_allow", reason };
    if new.outgoing_allow.len() > LINES_MAX {
        return Err(invalid(format!("at most {LINES_MAX} lines")));
    }
    if let Some(line) = new.outgoing_allow.iter().find(|line| !Outgoing::is_line(line)) {
        return Err(invalid(format!(
            "{line} is neither a host name, nor an address, nor a network (without scheme and port)"
        )));
    }
    let invalid = |reason: String| Error::Invalid { pointer: "/witnesses", reason };
    if new.witnesses.len() > witness::WITNESSES_MAX {
        return Err(invalid(format!("at most {} witnesses", witness::WITNESSES_MAX)));
    }
    for (number, one) in new.witnesses.iter().enumerate() {
        witness::check(one).map_err(invalid)?;
        if new.witnesses.iter().take(number).any(|other| other.vkey == one.vkey) {
            return Err(invalid(format!("{} is named twice", one.vkey)));
        }
    }
    let mut transaction = state::begin_write(&app.state).await?;
    let old: Settings = state::settings::get(&mut transaction, NAME).await?.unwrap_or_default();
    let entity = Entity { kind: "settings", id: NAME, name: NAME };
    let Some(event) = entity.updated(&json!(old), &json!(new), &[]) else { return Ok(new) };
    state::settings::set(&mut transaction, NAME, &new).await?;
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.outgoing.allow(&new.outgoing_allow);
    app.witnesses.ask_now();
    Ok(new)
}
