//! When backups are made, for whom they are encrypted, and how many are kept.

use api::backup::{BackupOverview, BackupSettings};
use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::backup::Error;
use super::masterkey;
use crate::access::Subject;
use crate::app::App;
use crate::changes::Entity;
use crate::state;

const NAME: &str = "backup";
const FULL_EVERY_MAX: u32 = 100;
const KEEP_MAX: u32 = 10_000;
const TEXT_CHARS_MAX: usize = 100;

/// What is kept of them in the state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    #[serde(flatten)]
    pub settings: BackupSettings,
    /// Since when the schedule is as it is, milliseconds: nothing from before it is due.
    #[serde(default)]
    pub since: i64,
}

/// A schedule that can be used.
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Reads a cron expression and the zone its clock hangs in.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, Error> {
        let invalid = |pointer, reason: String| Error::Invalid { pointer, reason };
        if cron.chars().count() > TEXT_CHARS_MAX || zone.chars().count() > TEXT_CHARS_MAX {
            return Err(invalid("/cron", format!("at most {TEXT_CHARS_MAX} characters")));
        }
        let parsed: Cron = cron.parse().map_err(|error| {
            invalid("/cron", format!("{cron:?} is no cron expression (minute hour day month weekday): {error}"))
        })?;
        let zone = TimeZone::get(zone).map_err(|_| {
            invalid("/zone", format!("{zone:?} is no time zone that this system knows, as Europe/Zurich"))
        })?;
        Ok(Self { cron: parsed, zone })
    }

    /// The first moment after `after` that it names.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = Zoned::new(after, self.zone.clone());
        self.cron.find_next_occurrence(&after, false).ok().map(|at| at.timestamp())
    }
}

impl Kept {
    /// When the next backup is due, when the last one of the schedule was started at `last`.
    pub fn due(&self, last: Option<Timestamp>) -> Option<Timestamp> {
        if !self.settings.scheduled || self.settings.recipient.is_none() {
            return None;
        }
        let since = Timestamp::from_millisecond(self.since).unwrap_or(Timestamp::UNIX_EPOCH);
        let anchor = last.filter(|last| *last > since).unwrap_or(since);
        Schedule::parse(&self.settings.cron, &self.settings.zone).ok()?.next(anchor)
    }
}

pub async fn kept(app: &App) -> Result<Kept, Error> {
    let mut connection = app.state.acquire().await?;
    Ok(state::settings::get(&mut connection, NAME).await?.unwrap_or_default())
}

pub async fn get(app: &App) -> Result<BackupOverview, Error> {
    let kept = kept(app).await?;
    let next = kept.due(last_scheduled(app).await?);
    Ok(BackupOverview {
        fingerprint: kept.settings.recipient.as_deref().map(masterkey::fingerprint),
        next_at: next.map(|at| at.max(app.clock.now()).to_string()),
        folder: app.backups.folder().display().to_string(),
        settings: kept.settings,
    })
}

/// When the schedule last started one.
pub async fn last_scheduled(app: &App) -> Result<Option<Timestamp>, Error> {
    let last = state::backups::last_started(&app.state, "scheduled").await?;
    Ok(last.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
}

pub async fn set(app: &App, subject: &Subject, mut new: BackupSettings) -> Result<BackupOverview, Error> {
    let invalid = |pointer, reason: String| Err(Error::Invalid { pointer, reason });
    if let Some(text) = &new.recipient {
        let recipient = masterkey::recipient(text)
            .map_err(|error| Error::Invalid { pointer: "/recipient", reason: error.to_string() })?;
        new.recipient = Some(recipient.to_string());
    }
    Schedule::parse(&new.cron, &new.zone)?;
    if new.scheduled && new.recipient.is_none() {
        return invalid("/recipient", "without a master key no backup can be made".to_owned());
    }
    if !(1..=FULL_EVERY_MAX).contains(&new.full_every) {
        return invalid("/full_every", format!("from 1, each, to {FULL_EVERY_MAX}"));
    }
    if new.keep > KEEP_MAX {
        return invalid("/keep", format!("at most {KEEP_MAX}, or 0 for all"));
    }
    let mut transaction = state::begin_write(&app.state).await?;
    let old: Kept = state::settings::get(&mut transaction, NAME).await?.unwrap_or_default();
    let entity = Entity { kind: "backup_settings", id: NAME, name: "backups" };
    let Some(event) = entity.updated(&json!(old.settings), &json!(new), &[]) else {
        drop(transaction);
        return get(app).await;
    };
    let when = |settings: &BackupSettings| (settings.scheduled, settings.cron.clone(), settings.zone.clone());
    let since = if when(&old.settings) == when(&new) { old.since } else { app.clock.now().as_millisecond() };
    state::settings::set(&mut transaction, NAME, &Kept { settings: new, since }).await?;
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.backups.rescheduled();
    get(app).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_clock_hangs_in_its_zone() {
        for (cron, zone, after, wanted) in [
            ("30 2 * * *", "UTC", "2026-11-21T02:30:00Z", "2026-11-22T02:30:00Z"),
            ("30 2 * * *", "Europe/Zurich", "2026-07-01T12:00:00Z", "2026-07-02T00:30:00Z"),
            ("30 2 * * *", "Europe/Zurich", "2026-12-01T12:00:00Z", "2026-12-02T01:30:00Z"),
            ("0 0 * * MON", "America/New_York", "2026-11-21T00:00:00Z", "2026-11-23T05:00:00Z"),
            ("*/5 * * * * *", "UTC", "2026-11-21T00:00:01Z", "2026-11-21T00:00:05Z"),
        ] {
            assert_eq!(Schedule::parse(cron, zone).unwrap().next(at(after)), Some(at(wanted)), "{cron} {zone}");
        }
        for (cron, zone) in [("", "UTC"), ("61 * * * *", "UTC"), ("* * * * *", "Mars/Olympus"), ("a b c d e", "UTC")] {
            assert!(Schedule::parse(cron, zone).is_err(), "{cron} {zone}");
        }
    }

    #[test]
    fn nothing_is_due_from_before_the_schedule() {
        let settings = BackupSettings {
            recipient: Some("age1".into()),
            scheduled: true,
            cron: "0 * * * *".into(),
            ..BackupSettings::default()
        };
        let kept = Kept { settings, since: at("2026-11-21T10:30:00Z").as_millisecond() };
        assert_eq!(kept.due(None), Some(at("2026-11-21T11:00:00Z")));
        assert_eq!(kept.due(Some(at("2026-11-20T11:00:00Z"))), Some(at("2026-11-21T11:00:00Z")));
        // The server was down from noon on: what was missed is due once.
        assert_eq!(kept.due(Some(at("2026-11-21T12:00:00.2Z"))), Some(at("2026-11-21T13:00:00Z")));
        let off = Kept { settings: BackupSettings { scheduled: false, ..kept.settings.clone() }, ..kept };
        assert_eq!(off.due(None), None);
    }
}
