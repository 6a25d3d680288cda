//! Rules, as administrators write them.

use std::collections::HashMap;

use api::notify::{Recipient, Rule, RuleDraft};
use api::problem::ProblemPart;
use event::filter;
use jiff::Timestamp;
use rules::{ChannelId, RuleError};
use serde_json::{Value, json};

use super::{Error, Notify, Recorder, recipients};
use crate::changes::Entity;
use crate::state;
use crate::state::channels::Channel;
use crate::state::rules::{Counts, Rule as Row, day_of};

const NAME_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 2_000;
const FILTER_CHARS_MAX: usize = 10_000;
const RECIPIENTS_MAX: usize = 50;
const TO_MAX: usize = 50;
const COUNTED_DAYS: i64 = 30;
const GROUP_BY_DEFAULT: [&str; 3] = ["event.action", "user.name", "host.name"];

impl Notify {
    pub async fn rules(&self) -> Result<Vec<Rule>, Error> {
        let counts = self.counts().await?;
        Ok(state::rules::all(&self.room().needs.state).await?.into_iter().map(|row| shown(row, &counts)).collect())
    }

    pub async fn rule(&self, id: &str) -> Result<Rule, Error> {
        Ok(shown(self.rule_row(id).await?, &self.counts().await?))
    }

    /// Makes a rule. `record` writes the event into the trail: the change is made only when that succeeded.
    pub async fn rule_create(&self, draft: RuleDraft, by: &str, record: Recorder<'_>) -> Result<Rule, Error> {
        let now = self.room().needs.clock.now();
        let row = self.read_rule(state::new_id(now), draft, by, now).await?;
        let mut transaction = state::begin_write(&self.room().needs.state).await?;
        state::rules::put(&mut transaction, &row).await.map_err(|error| taken(error, &row.name))?;
        record(entity(&row).created(&told(&row), &[])).await?;
        transaction.commit().await?;
        self.changed();
        Ok(shown(row, &HashMap::new()))
    }

    pub async fn rule_update(&self, id: &str, draft: RuleDraft, by: &str, record: Recorder<'_>) -> Result<Rule, Error> {
        let now = self.room().needs.clock.now();
        let old = self.rule_row(id).await?;
        let mut row = self.read_rule(id.to_owned(), draft, by, now).await?;
        row.created_at = old.created_at;
        row.last_fired_at = old.last_fired_at;
        if let Some(event) = entity(&row).updated(&told(&old), &told(&row), &[]) {
            let mut transaction = state::begin_write(&self.room().needs.state).await?;
            state::rules::put(&mut transaction, &row).await.map_err(|error| taken(error, &row.name))?;
            record(event).await?;
            transaction.commit().await?;
            self.changed();
        }
        self.rule(id).await
    }

    pub async fn rule_remove(&self, id: &str, record: Recorder<'_>) -> Result<(), Error> {
        let row = self.rule_row(id).await?;
        let mut transaction = state::begin_write(&self.room().needs.state).await?;
        state::rules::remove(&mut transaction, id).await?;
        record(entity(&row).removed(&told(&row), &[])).await?;
        transaction.commit().await?;
        self.changed();
        Ok(())
    }

    async fn rule_row(&self, id: &str) -> Result<Row, Error> {
        let row = state::rules::get(&self.room().needs.state, id).await?;
        row.ok_or_else(|| Error::NotFound { what: "rule", id: id.to_owned() })
    }

    async fn counts(&self) -> Result<HashMap<String, Counts>, Error> {
        let since = day_of(self.room().needs.clock.now()) - COUNTED_DAYS + 1;
        Ok(state::rules::counts(&self.room().needs.state, since).await?)
    }

    async fn read_rule(&self, id: String, draft: RuleDraft, by: &str, now: Timestamp) -> Result<Row, Error> {
        let needs = &self.room().needs;
        let channels = state::channels::all(&needs.state, &needs.secrets).await?;
        let mut wrong = check_recipients(&draft.recipients, &channels);
        match read_draft(id, draft, by, now, true) {
            Ok(row) if wrong.is_empty() => Ok(row),
            Ok(_) => Err(Error::Invalid { parts: wrong }),
            Err(mut parts) => {
                parts.append(&mut wrong);
                Err(Error::Invalid { parts })
            }
        }
    }
}

/// Reads a rule as it was written. `complete` asks for a name and recipients, too: a preview needs neither.
pub(super) fn read_draft(
    id: String,
    draft: RuleDraft,
    by: &str,
    now: Timestamp,
    complete: bool,
) -> Result<Row, Vec<ProblemPart>> {
    let mut wrong = Vec::new();
    let mut say = |pointer: &str, detail: String| wrong.push(part(pointer, detail));
    let name = draft.name.trim().to_owned();
    if name.chars().count() > NAME_CHARS_MAX {
        say("/name", format!("at most {NAME_CHARS_MAX} characters"));
    }
    if draft.description.chars().count() > DESCRIPTION_CHARS_MAX {
        say("/description", format!("at most {DESCRIPTION_CHARS_MAX} characters"));
    }
    if draft.filter.chars().count() > FILTER_CHARS_MAX {
        say("/filter", format!("at most {FILTER_CHARS_MAX} characters"));
    }
    let parsed = match filter::parse(&draft.filter) {
        Ok(filter) => filter,
        Err(error) => {
            wrong.push(filter_part(&error));
            event::Filter::All
        }
    };
    let row = Row {
        id,
        name,
        description: draft.description,
        enabled: draft.enabled,
        filter: draft.filter,
        recipients: draft
            .recipients
            .into_iter()
            .map(|recipient| rules::Recipient { channel: ChannelId(recipient.channel), to: recipient.to })
            .collect(),
        hold_ms: draft.hold_seconds.saturating_mul(1_000),
        group_by: draft.group_by.unwrap_or_else(|| GROUP_BY_DEFAULT.map(str::to_owned).to_vec()),
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
        updated_by: by.to_owned(),
        last_fired_at: None,
    };
    let checked = rules::Rule { filter: parsed, ..rules::Rule::new("", "", event::Filter::All) };
    let checked = rules::Rule {
        name: row.name.clone(),
        recipients: row.recipients.clone(),
        hold_ms: row.hold_ms,
        group_by: row.group_by.clone(),
        ..checked
    };
    for error in checked.check() {
        let pointer = match &error {
            RuleError::NoName if complete => "/name".to_owned(),
            RuleError::NoRecipients if complete => "/recipients".to_owned(),
            RuleError::NoName | RuleError::NoRecipients => continue,
            RuleError::HoldTooLong { .. } => "/hold_seconds".to_owned(),
            RuleError::TooManyGroups { .. } => "/group_by".to_owned(),
            RuleError::NotAField { field } => {
                let index = row.group_by.iter().position(|known| known == field).unwrap_or(0);
                format!("/group_by/{index}")
            }
        };
        wrong.push(part(&pointer, error.to_string()));
    }
    if wrong.is_empty() { Ok(row) } else { Err(wrong) }
}

fn check_recipients(recipients: &[Recipient], channels: &[Channel]) -> Vec<ProblemPart> {
    let mut wrong = Vec::new();
    if recipients.len() > RECIPIENTS_MAX {
        wrong.push(part("/recipients", format!("at most {RECIPIENTS_MAX}")));
    }
    for (index, recipient) in recipients.iter().enumerate() {
        let Some(channel) = channels.iter().find(|channel| channel.id == recipient.channel) else {
            wrong.push(part(
                &format!("/recipients/{index}/channel"),
                format!("there is no channel {}", recipient.channel),
            ));
            continue;
        };
        if recipient.to.len() > TO_MAX {
            wrong.push(part(&format!("/recipients/{index}/to"), format!("at most {TO_MAX}")));
        }
        for (place, to) in recipient.to.iter().enumerate() {
            if let Some(reason) = recipients::refuse(channel.kind(), to) {
                wrong.push(part(&format!("/recipients/{index}/to/{place}"), reason));
            }
        }
        if recipient.to.is_empty()
            && matches!(&channel.settings, state::channels::Settings::Email(email) if email.to.is_empty())
        {
            wrong.push(part(
                &format!("/recipients/{index}/to"),
                format!("channel {} has no address of its own, so somebody must be named", channel.name),
            ));
        }
    }
    wrong
}

fn filter_part(error: &filter::FilterError) -> ProblemPart {
    let detail = match &error.suggestion {
        Some(suggestion) => format!("{}; did you mean {suggestion}?", error.message),
        None => error.message.clone(),
    };
    ProblemPart { pointer: "/filter".to_owned(), detail, offset: Some(error.offset), length: Some(error.length) }
}

fn part(pointer: &str, detail: String) -> ProblemPart {
    ProblemPart { pointer: pointer.to_owned(), detail, offset: None, length: None }
}

fn taken(error: sqlx::Error, name: &str) -> Error {
    match &error {
        sqlx::Error::Database(inner) if inner.is_unique_violation() => {
            Error::Conflict { reason: format!("there is a rule named {name} already") }
        }
        _ => error.into(),
    }
}

fn entity(row: &Row) -> Entity<'_> {
    Entity { kind: "rule", id: &row.id, name: &row.name }
}

/// The rule as its events tell it.
fn told(row: &Row) -> Value {
    json!({
        "name": row.name, "description": row.description, "enabled": row.enabled, "filter": row.filter,
        "recipients": row.recipients.iter().map(|r| format!("{}: {}", r.channel.0, r.to.join(" "))).collect::<Vec<_>>(),
        "hold_seconds": row.hold_ms / 1_000, "group_by": row.group_by,
    })
}

fn shown(row: Row, counts: &HashMap<String, Counts>) -> Rule {
    let counts = counts.get(&row.id).copied().unwrap_or_default();
    Rule {
        id: row.id,
        name: row.name,
        description: row.description,
        enabled: row.enabled,
        filter: row.filter,
        recipients: row.recipients.into_iter().map(|r| Recipient { channel: r.channel.0, to: r.to }).collect(),
        hold_seconds: row.hold_ms / 1_000,
        group_by: row.group_by,
        created_at: state::time_text(row.created_at),
        updated_at: state::time_text(row.updated_at),
        updated_by: row.updated_by,
        last_fired_at: row.last_fired_at.map(state::time_text),
        sent_30d: counts.sent,
        held_30d: counts.held,
    }
}
