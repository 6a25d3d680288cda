//! What was told: deliveries, decisions, and sending again.

use api::notify::{Attempt, Decision, Delivery, DeliveryDetail, DeliveryHead, EventNotifications, MailEvent};
use event::Event;
use serde_json::json;

use super::{Error, Notify, Recorder, message, recipients};
use crate::changes::Entity;
use crate::state;
use crate::state::channels::Settings;
use crate::state::deliveries::{Attachment, Delivery as Row, Message, NewDelivery, Wanted, identity_at_random};

const RESEND_MAX: usize = 1_000;
const TO_MAX: usize = 50;

impl Notify {
    /// Deliveries, newest first, and where the next page begins.
    pub async fn deliveries(&self, wanted: &Wanted) -> Result<(Vec<Delivery>, Option<String>), Error> {
        let more = Wanted { limit: wanted.limit + 1, ..wanted.clone() };
        let mut rows = state::deliveries::list(&self.room().needs.state, &more).await?;
        let whole = rows.len() <= wanted.limit as usize;
        rows.truncate(wanted.limit as usize);
        let next = if whole { None } else { rows.last().map(|row| row.seq.to_string()) };
        Ok((rows.into_iter().map(shown).collect(), next))
    }

    /// One delivery with all its attempts.
    pub async fn delivery(&self, id: &str) -> Result<DeliveryDetail, Error> {
        let pool = &self.room().needs.state;
        let row = state::deliveries::get(pool, id).await?;
        let row = row.ok_or_else(|| Error::NotFound { what: "delivery", id: id.to_owned() })?;
        let attempts = state::deliveries::attempts(pool, id).await?;
        let attempts = attempts.into_iter().map(|attempt| Attempt {
            at: state::time_text(attempt.at),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            status: attempt.status,
            answer: attempt.answer,
            request: attempt.request,
        });
        Ok(DeliveryDetail { text: row.message.text.clone(), attempts: attempts.collect(), head: head(row) })
    }

    /// Puts deliveries back into the queue. Answers how many.
    pub async fn resend(&self, ids: &[String], record: Recorder<'_>) -> Result<u64, Error> {
        if ids.is_empty() || ids.len() > RESEND_MAX {
            return Err(Error::invalid("/ids", format!("1 to {RESEND_MAX} deliveries")));
        }
        let room = self.room();
        let mut transaction = state::begin_write(&room.needs.state).await?;
        let resent = state::deliveries::resend(&mut transaction, ids, room.now_ms()).await?;
        if resent > 0 {
            let name = if let [one] = ids { one.clone() } else { format!("{resent} deliveries") };
            let change = json!({"field": "state", "old": null, "new": "waiting"});
            let mut event = Entity { kind: "delivery", id: ids.first().map_or("", String::as_str), name: &name }
                .event("entity.updated", vec![change]);
            event["event"]["reason"] = json!("sent again on demand");
            event["labels"] = json!({"delivery_ids": ids.iter().take(100).cloned().collect::<Vec<_>>()});
            record(event).await?;
        }
        transaction.commit().await?;
        room.needs.bell.ring();
        Ok(resent)
    }

    /// What the event at `position` caused, and what it did not, and why.
    pub async fn of_event(&self, position: u64) -> Result<EventNotifications, Error> {
        let pool = &self.room().needs.state;
        let deliveries = state::deliveries::of_position(pool, position).await?.into_iter().map(shown).collect();
        let decisions = state::memory::decisions(pool, position).await?.into_iter().map(|decision| Decision {
            rule_id: decision.rule_id,
            rule_name: decision.rule_name,
            verdict: decision.verdict,
            why: decision.why,
            at: state::time_text(decision.at),
        });
        Ok(EventNotifications { deliveries, decisions: decisions.collect() })
    }

    /// Sends the event at `position` to people by email. Answers to how many.
    pub async fn mail_event(
        &self,
        position: u64,
        request: &MailEvent,
        attachments: Vec<Attachment>,
        record: Recorder<'_>,
    ) -> Result<u64, Error> {
        let room = self.room();
        if request.to.is_empty() || request.to.len() > TO_MAX {
            return Err(Error::invalid("/to", format!("1 to {TO_MAX} recipients")));
        }
        for (index, to) in request.to.iter().enumerate() {
            if let Some(reason) = recipients::refuse(api::notify::ChannelKind::Email, to) {
                return Err(Error::invalid(format!("/to/{index}"), reason));
            }
        }
        let channels = state::channels::all(&room.needs.state, &room.needs.secrets).await?;
        let channel = channels
            .into_iter()
            .filter(|channel| matches!(channel.settings, Settings::Email(_)) && channel.enabled)
            .find(|channel| request.channel.as_ref().is_none_or(|wanted| *wanted == channel.id))
            .ok_or_else(|| Error::invalid("/channel", "there is no email channel that is switched on"))?;
        let trail = room.needs.door.trail().clone();
        let entry = tokio::task::spawn_blocking(move || trail.get(position)).await;
        let entry = entry
            .map_err(|error| Error::GivenUp(error.to_string()))?
            .map_err(|error| Error::GivenUp(error.to_string()))?;
        let entry = entry.filter(|entry| !entry.is_empty());
        let entry = entry.ok_or_else(|| Error::NotFound { what: "event", id: position.to_string() })?;
        let event = Event::read(&entry).map_err(|error| Error::GivenUp(error.to_string()))?;
        let told = Message { attachments, ..message::of_event(room.frame(), &event, position, None, 0) };
        let users = state::users::all(&room.needs.state).await?;
        let to = recipients::resolve(&channel, &request.to, &users);
        let deliveries: Vec<NewDelivery> = to
            .iter()
            .map(|recipient| NewDelivery {
                id: identity_at_random(),
                rule_id: None,
                channel_id: channel.id.clone(),
                channel_name: channel.name.clone(),
                kind: channel.kind(),
                recipient: recipient.clone(),
                message: told.clone(),
            })
            .collect();
        let mut transaction = state::begin_write(&room.needs.state).await?;
        let queued = state::deliveries::insert(&mut transaction, &deliveries, room.now_ms()).await?;
        let id = position.to_string();
        let mut event = Entity { kind: "event", id: &id, name: &told.title }.event("audit.exported", Vec::new());
        event["event"]["reason"] = json!(format!("event {position} sent by email to {}", to.join(", ")));
        record(event).await?;
        transaction.commit().await?;
        room.needs.bell.ring();
        Ok(queued)
    }
}

fn shown(row: Row) -> Delivery {
    let attempts = row.tries;
    Delivery { head: head(row), attempts }
}

fn head(row: Row) -> DeliveryHead {
    DeliveryHead {
        id: row.id,
        rule_id: row.rule_id,
        rule_name: row.rule_name,
        channel_id: row.channel_id,
        channel_name: row.channel_name,
        kind: row.kind,
        recipient: row.recipient,
        state: row.state,
        next_try_at: row.next_try_at.map(state::time_text),
        created_at: state::time_text(row.created_at),
        subject: row.subject,
        position: row.position,
        held_before: row.held_before,
        last_answer: row.last_answer,
    }
}
