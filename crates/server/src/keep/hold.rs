//! Legal holds: what nobody removes while they stand.

use api::retention::{Hold as Shown, HoldDraft};
use event::Filter;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::removal::{Error, text};
use super::retention;
use crate::access::Subject;
use crate::app::App;
use crate::hash::hex;
use crate::state;
use crate::state::holds::Hold;
use crate::state::picked::Picked;
use crate::state::time_text;

const HOLDS_MAX: usize = 1_000;
const LISTED_MAX: u32 = 2_000;

/// From when, and until when.
pub type Span = (Option<Timestamp>, Option<Timestamp>);

/// What a filter picks, with its salted hash: that goes into the trail for ever, the filter does not. Relative times in
/// `filter` are fixed to `now`.
pub(super) fn picked(filter: &Filter, (from, to): Span, now: Timestamp) -> Picked {
    let filter = match filter.at(now).into_owned() {
        Filter::All => String::new(),
        filter => filter.to_string(),
    };
    let mut random = [0; 16];
    rand::fill(&mut random);
    let salt = hex(&random);
    Picked {
        filter_hash: hash_of(&salt, &filter),
        filter: Some(filter),
        salt: Some(salt),
        from_at: from.map(Timestamp::as_millisecond),
        to_at: to.map(Timestamp::as_millisecond),
    }
}

/// All holds: those that stand, then those that were released.
pub async fn list(app: &App) -> Result<Vec<Shown>, Error> {
    Ok(state::holds::all(&app.state, LISTED_MAX).await?.into_iter().map(shown).collect())
}

/// Places a hold. What it picks is safe once this returns.
pub async fn place(
    app: &App,
    subject: &Subject,
    draft: &HoldDraft,
    filter: &Filter,
    span: Span,
) -> Result<Shown, Error> {
    let name = text("/name", &draft.name, "a name")?;
    let reason = text("/reason", &draft.reason, "a reason")?;
    let now = app.clock.now();
    let hold = Hold {
        id: state::new_id(now),
        name,
        picked: picked(filter, span, now),
        reason,
        placed_by: subject.user_name().to_owned(),
        placed_at: now.as_millisecond(),
        released_by: None,
        released_at: None,
        release_reason: None,
    };
    // Waits for the step of a removal that is being carried out; the next one looks at this hold.
    let _gate = app.removals.gate.lock().await;
    let standing = state::holds::standing(&app.state).await?;
    if standing.len() >= HOLDS_MAX {
        return Err(Error::conflict(format!("{HOLDS_MAX} holds stand already; release some first")));
    }
    if standing.iter().any(|known| known.name.eq_ignore_ascii_case(&hold.name)) {
        return Err(Error::conflict(format!("a hold named {} stands already", hold.name)));
    }
    let mut transaction = state::begin_write(&app.state).await?;
    state::holds::add(&mut transaction, &hold).await?;
    app.record(Some(subject), told("hold.placed", &hold, &hold.reason)).await?;
    transaction.commit().await?;
    Ok(shown(hold))
}

/// Releases a hold: from now on the policies apply to what it kept.
pub async fn release(app: &App, subject: &Subject, id: &str, reason: &str) -> Result<Shown, Error> {
    let reason = text("/reason", reason, "a reason")?;
    let mut transaction = state::begin_write(&app.state).await?;
    let hold = state::holds::find(&mut transaction, id).await?;
    let hold = hold.ok_or_else(|| Error::NotFound { what: "hold", id: id.to_owned() })?;
    if let Some(by) = &hold.released_by {
        return Err(Error::conflict(format!("{by} released it already")));
    }
    let at = app.clock.now().as_millisecond();
    state::holds::release(&mut transaction, id, subject.user_name(), at, &reason).await?;
    retention::look_at_all_anew(&mut transaction).await?;
    app.record(Some(subject), told("hold.released", &hold, &reason)).await?;
    let released = state::holds::find(&mut transaction, id).await?;
    transaction.commit().await?;
    state::begin_log_anew(&app.state).await;
    released.map(shown).ok_or_else(|| Error::NotFound { what: "hold", id: id.to_owned() })
}

fn told(action: &str, hold: &Hold, reason: &str) -> serde_json::Value {
    json!({
        "event": {"action": action, "outcome": "success", "reason": reason},
        "entity": {"type": "hold", "id": hold.id, "name": hold.name},
        "hold": {
            "filter_hash": hold.picked.filter_hash,
            "from": hold.picked.from_at.map(time_text), "to": hold.picked.to_at.map(time_text),
        },
    })
}

fn shown(hold: Hold) -> Shown {
    Shown {
        id: hold.id,
        name: hold.name,
        filter: hold.picked.filter,
        filter_hash: hold.picked.filter_hash,
        salt: hold.picked.salt,
        from: hold.picked.from_at.map(time_text),
        to: hold.picked.to_at.map(time_text),
        reason: hold.reason,
        placed_by: hold.placed_by,
        placed_at: time_text(hold.placed_at),
        released_by: hold.released_by,
        released_at: hold.released_at.map(time_text),
        release_reason: hold.release_reason,
    }
}

/// Hex of SHA-256 over the hex of the salt and the text of the filter.
fn hash_of(salt: &str, filter: &str) -> String {
    hex(&Sha256::digest(format!("{salt}{filter}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_says_nothing_without_its_salt_and_everything_with_it() {
        let filter = event::filter::parse("user.name: jane and @timestamp >= now-1d").unwrap();
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let (one, other) = (picked(&filter, (None, None), now), picked(&filter, (None, None), now));
        assert_eq!(one.filter, other.filter);
        let text = one.filter.unwrap();
        assert!(!text.contains("now"), "{text}");
        assert_ne!(one.filter_hash, other.filter_hash);
        assert_eq!(one.filter_hash, hash_of(&one.salt.unwrap(), &text));
        assert_eq!(event::filter::parse(&text).unwrap(), filter.at(now).into_owned());
        assert_eq!(picked(&Filter::All, (None, None), now).filter.as_deref(), Some(""));
    }
}
