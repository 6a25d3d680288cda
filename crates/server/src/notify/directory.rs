//! Channels, as administrators write them, and the test message.

use std::time::Instant;

use api::notify::{Attempt, AttemptOutcome, Channel, ChannelDraft, ChannelKind, DeliveryState, TestResult};
use serde_json::{Value, json};

use super::channels::{Parcel, settings};
use super::{Error, Notify, Recorder, message, recipients};
use crate::changes::Entity;
use crate::state;
use crate::state::channels::{Channel as Row, Settings};
use crate::state::rules::Rule;

const NAME_CHARS_MAX: usize = 100;

impl Notify {
    pub async fn channels(&self) -> Result<Vec<Channel>, Error> {
        let needs = &self.room().needs;
        let rules = state::rules::all(&needs.state).await?;
        let rows = state::channels::all(&needs.state, &needs.secrets).await?;
        Ok(rows.iter().map(|row| shown(row, &rules)).collect())
    }

    pub async fn channel(&self, id: &str) -> Result<Channel, Error> {
        let row = self.channel_row(id).await?;
        Ok(shown(&row, &state::rules::all(&self.room().needs.state).await?))
    }

    /// Makes a channel. Of a webhook the answer shows the signing secret, this one time.
    pub async fn channel_create(&self, draft: ChannelDraft, record: Recorder<'_>) -> Result<Channel, Error> {
        let now = self.room().needs.clock.now();
        let row = Row {
            id: state::new_id(now),
            name: name_of(&draft)?,
            settings: self.read_settings(&draft, None).await?,
            enabled: draft.enabled,
            created_at: now.as_millisecond(),
            updated_at: now.as_millisecond(),
            last_ok_at: None,
            last_error: None,
            last_error_at: None,
        };
        let event = entity(&row).created(&told(&row), &[]);
        self.store(&row, event, record).await?;
        Ok(reveal(shown(&row, &[]), &row.settings))
    }

    /// Changes a channel; a secret that is given as `••••` stays.
    pub async fn channel_update(&self, id: &str, draft: ChannelDraft, record: Recorder<'_>) -> Result<Channel, Error> {
        let old = self.channel_row(id).await?;
        if draft.kind != old.kind() {
            return Err(Error::invalid("/kind", format!("a channel stays what it is: {}", old.kind().name())));
        }
        let row = Row {
            name: name_of(&draft)?,
            settings: self.read_settings(&draft, Some(&old.settings)).await?,
            enabled: draft.enabled,
            updated_at: self.room().now_ms(),
            ..old.clone()
        };
        let mut event = entity(&row).updated(&told(&old), &told(&row), &[]);
        if event.is_none() && row.settings != old.settings {
            // Only secrets differ. That is a change as well, and its values are nobody's business.
            event = Some(entity(&row).event("entity.updated", vec![hidden_change()]));
        }
        if let Some(event) = event {
            self.store(&row, event, record).await?;
        }
        self.channel(id).await
    }

    /// Gives a webhook a new secret and shows it; the old one signs beside it for a day.
    pub async fn channel_rotate(&self, id: &str, record: Recorder<'_>) -> Result<Channel, Error> {
        let old = self.channel_row(id).await?;
        let Settings::Webhook(hook) = &old.settings else {
            return Err(Error::Conflict { reason: format!("channel {} signs nothing, only a webhook does", old.name) });
        };
        let rotated = settings::rotated(hook, self.room().needs.clock.now());
        let rotated = rotated.map_err(|error| Error::GivenUp(error.to_string()))?;
        let row = Row { settings: Settings::Webhook(rotated), updated_at: self.room().now_ms(), ..old.clone() };
        let event = entity(&row).event("entity.updated", vec![hidden_change()]);
        self.store(&row, event, record).await?;
        Ok(reveal(self.channel(id).await?, &row.settings))
    }

    /// Removes a channel that no rule uses.
    pub async fn channel_remove(&self, id: &str, record: Recorder<'_>) -> Result<(), Error> {
        let row = self.channel_row(id).await?;
        let needs = &self.room().needs;
        let mut transaction = state::begin_write(&needs.state).await?;
        // Asked inside the transaction: a rule made at the same moment waits for it.
        let rules = used_by(&state::rules::all_in(&mut transaction).await?, id);
        if !rules.is_empty() {
            return Err(Error::InUse { name: row.name, rules });
        }
        state::channels::remove(&mut transaction, id, self.room().now_ms()).await?;
        record(entity(&row).removed(&told(&row), &[])).await?;
        transaction.commit().await?;
        self.changed();
        Ok(())
    }

    /// Sends a test message, now and once, and says how it fared.
    pub async fn channel_test(&self, id: &str, by: &str) -> Result<TestResult, Error> {
        let row = self.channel_row(id).await?;
        let room = self.room();
        let now = room.needs.clock.now();
        let told = message::of_test(room.frame(), &row.name, by, now);
        let users = state::users::all(&room.needs.state).await?;
        // A mail channel that names nobody is tested on whoever asks.
        let own = || users.iter().find(|user| user.name == by && !user.email.is_empty()).map(|user| user.email.clone());
        let Some(recipient) = recipients::resolve(&row, &[], &users).into_iter().next().or_else(own) else {
            return Err(Error::invalid(
                "/settings/to",
                "neither this channel nor you have an address to send a test to",
            ));
        };
        let id = state::deliveries::identity_at_random();
        let parcel = Parcel { id: &id, recipient: &recipient, message: &told, event: None, now };
        let started = Instant::now();
        let tried = room.sender.send(&row, &parcel).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (state, outcome, status, answer) = match &tried.result {
            Ok(answer) => (DeliveryState::Delivered, AttemptOutcome::Ok, answer.status, answer.text.clone()),
            Err(error) => {
                let outcome = match error {
                    super::channels::SendError::Temporary { .. } => AttemptOutcome::Temporary,
                    super::channels::SendError::Permanent { .. } | super::channels::SendError::Gone { .. } => {
                        AttemptOutcome::Permanent
                    }
                };
                (DeliveryState::Failed, outcome, error.cause().status(), error.cause().to_string())
            }
        };
        let error = (outcome != AttemptOutcome::Ok).then_some(answer.as_str());
        state::channels::tried(&room.needs.state, &row.id, error, room.now_ms()).await?;
        let note = (row.kind() == ChannelKind::Teams && outcome == AttemptOutcome::Ok).then(|| {
            "Teams says that the workflow was started, not that the message was shown: look into the channel".to_owned()
        });
        let attempt = Attempt { at: now.to_string(), duration_ms, outcome, status, answer, request: tried.request };
        Ok(TestResult { state, attempt, note })
    }

    pub(super) async fn channel_row(&self, id: &str) -> Result<Row, Error> {
        let needs = &self.room().needs;
        let row = state::channels::get(&needs.state, &needs.secrets, id).await?;
        row.ok_or_else(|| Error::NotFound { what: "channel", id: id.to_owned() })
    }

    async fn read_settings(&self, draft: &ChannelDraft, before: Option<&Settings>) -> Result<Settings, Error> {
        let needs = &self.room().needs;
        let invalid = |parts| Error::Invalid { parts };
        let read = settings::read(draft.kind, &draft.settings, before, needs.clock.now()).map_err(invalid)?;
        settings::check_target(&needs.outgoing, &read).await.map_err(invalid)?;
        Ok(read)
    }

    async fn store(&self, row: &Row, event: Value, record: Recorder<'_>) -> Result<(), Error> {
        let needs = &self.room().needs;
        let mut transaction = state::begin_write(&needs.state).await?;
        state::channels::put(&mut transaction, &needs.secrets, row).await.map_err(|error| match error {
            state::channels::Error::State(sqlx::Error::Database(inner)) if inner.is_unique_violation() => {
                Error::Conflict { reason: format!("there is a channel named {} already", row.name) }
            }
            other => other.into(),
        })?;
        record(event).await?;
        transaction.commit().await?;
        self.changed();
        Ok(())
    }
}

fn name_of(draft: &ChannelDraft) -> Result<String, Error> {
    let name = draft.name.trim();
    if name.is_empty() {
        return Err(Error::invalid("/name", "a channel needs a name"));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(Error::invalid("/name", format!("at most {NAME_CHARS_MAX} characters")));
    }
    Ok(name.to_owned())
}

fn entity(row: &Row) -> Entity<'_> {
    Entity { kind: "channel", id: &row.id, name: &row.name }
}

fn hidden_change() -> Value {
    json!({"field": "settings.secret", "old": api::notify::SECRET_SHOWN, "new": api::notify::SECRET_SHOWN})
}

/// The channel as its events tell it.
fn told(row: &Row) -> Value {
    json!({"name": row.name, "kind": row.kind().name(), "enabled": row.enabled, "settings": settings::shown(&row.settings)})
}

fn used_by(rules: &[Rule], id: &str) -> Vec<String> {
    let uses = |rule: &&Rule| rule.recipients.iter().any(|recipient| recipient.channel.0 == id);
    rules.iter().filter(uses).map(|rule| rule.name.clone()).collect()
}

fn shown(row: &Row, rules: &[Rule]) -> Channel {
    Channel {
        id: row.id.clone(),
        name: row.name.clone(),
        kind: row.kind(),
        settings: settings::shown(&row.settings),
        enabled: row.enabled,
        created_at: state::time_text(row.created_at),
        updated_at: state::time_text(row.updated_at),
        last_ok_at: row.last_ok_at.map(state::time_text),
        last_error: row.last_error.clone(),
        last_error_at: row.last_error_at.map(state::time_text),
        used_by: used_by(rules, &row.id),
    }
}

/// Puts the signing secret where the mask is.
fn reveal(mut channel: Channel, settings: &Settings) -> Channel {
    if let Settings::Webhook(hook) = settings {
        channel.settings["secret"] = json!(hook.secret);
    }
    channel
}
