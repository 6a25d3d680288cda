//! Reading again what was set aside, after the mapping was mended.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use api::set_aside::Replayed;
use futures::future::join_all;
use sqlx::SqlitePool;

use super::intake::{Intake, IntakeError, Refusal, Sender};
use crate::append::{self, Admitted, Door};
use crate::state::set_aside::{self, Pick, SetAside, Still};

/// Records of one call; the caller asks again for more.
const RECORDS_MAX: u64 = 10_000;
/// Records that are read, appended and settled together.
const STEP: u32 = 200;
/// How often a full trail is waited for.
const TRIES_MAX: u32 = 20;

/// What a replay works with.
#[derive(Clone)]
pub struct Replayer {
    pub intake: Arc<Intake>,
    pub door: Door,
    pub pool: SqlitePool,
}

/// What became of one record.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub id: i64,
    pub became: Became,
}

#[derive(Debug, Clone)]
pub enum Became {
    /// Events, the first at `position`.
    Events { position: u64 },
    /// The mapping leaves it out on purpose.
    LeftOut,
    /// It is still not understood.
    Refused(Refusal),
}

impl Replayer {
    /// Replays open records, at most 10,000, and counts.
    pub async fn count(&self, pick: &Pick, by: &str, now_ms: i64) -> Result<Replayed, IntakeError> {
        let mut done = Replayed::default();
        let through = set_aside::size(&self.pool, pick).await?.1;
        let finished = self
            .run(pick, through, by, now_ms, &mut |outcomes| {
                for outcome in outcomes {
                    match outcome.became {
                        Became::Events { .. } | Became::LeftOut => done.replayed += 1,
                        Became::Refused(_) => done.still_set_aside += 1,
                    }
                }
                let enough = done.replayed + done.still_set_aside >= RECORDS_MAX;
                if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .await?;
        done.more = !finished;
        Ok(done)
    }

    /// Replays open records up to the id `through`, step by step; `told` hears of each step and may stop after it.
    /// Answers whether all were reached. A record is settled after its events are on disk: a crash in between appends
    /// nothing twice, since the events carry the record's number as their batch key.
    pub async fn run(
        &self,
        pick: &Pick,
        through: i64,
        by: &str,
        now_ms: i64,
        told: &mut (dyn FnMut(Vec<Outcome>) -> ControlFlow<()> + Send),
    ) -> Result<bool, IntakeError> {
        let mut after = i64::MIN;
        loop {
            let records = set_aside::open_after(&self.pool, pick, after, through, STEP).await?;
            let Some(last) = records.last() else { return Ok(true) };
            after = last.id;
            let outcomes = self.step(records, by, now_ms).await?;
            if told(outcomes).is_break() {
                let rest = set_aside::open_after(&self.pool, pick, after, through, 1).await?;
                return Ok(rest.is_empty());
            }
        }
    }

    async fn step(&self, records: Vec<SetAside>, by: &str, now_ms: i64) -> Result<Vec<Outcome>, IntakeError> {
        let intake = self.intake.clone();
        let read = tokio::task::spawn_blocking(move || {
            let read = records.into_iter().map(|record| {
                let sender = Sender {
                    source: (record.source != "events").then(|| record.source.clone()),
                    provider: "replay".to_owned(),
                    peer: record.peer.as_deref().and_then(|peer| peer.parse().ok()),
                    ..Sender::default()
                };
                let events = intake.reread(&sender, &record.record)?;
                Ok::<_, IntakeError>((record, events))
            });
            read.collect::<Result<Vec<_>, _>>()
        })
        .await
        .map_err(|_| IntakeError::Broken)??;

        // All of a step wait for the disk together.
        let appended = join_all(read.into_iter().map(|(record, events)| async move {
            let became = match events {
                Err(refusal) => Became::Refused(refusal),
                Ok(events) if events.is_empty() => Became::LeftOut,
                Ok(events) => Became::Events { position: self.append(&record, events).await? },
            };
            Ok::<_, append::Error>((record, became))
        }))
        .await;
        // What went well is settled, whatever became of the others.
        let mut failed = None;
        let mut read = Vec::with_capacity(appended.len());
        for one in appended {
            match one {
                Ok(one) => read.push(one),
                Err(error) => failed = Some(error),
            }
        }
        let settled: Vec<i64> = read
            .iter()
            .filter(|(_, became)| !matches!(became, Became::Refused(_)))
            .map(|(record, _)| record.id)
            .collect();
        let (count, bytes) = set_aside::settle(&self.pool, &settled, "replayed", now_ms, by, None).await?;
        self.intake.settled(count, bytes);
        let still: Vec<Still<'_>> = read
            .iter()
            .filter_map(|(record, became)| match became {
                Became::Refused((code, reason, field)) => {
                    Some(Still { id: record.id, source: &record.source, code, reason, field: field.as_deref() })
                }
                Became::Events { .. } | Became::LeftOut => None,
            })
            .collect();
        set_aside::explain(&self.pool, &still).await?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(read.into_iter().map(|(record, became)| Outcome { id: record.id, became }).collect()),
        }
    }

    async fn append(&self, record: &SetAside, events: Vec<Admitted>) -> Result<u64, append::Error> {
        let mut tries = 0;
        loop {
            match self.door.append(events.clone(), Some(replay_tag(record.id, &record.record))).await {
                Ok(positions) => return Ok(positions.first),
                Err(append::Error::Busy { retry_after }) if tries < TRIES_MAX => {
                    tries += 1;
                    tokio::time::sleep(retry_after.clamp(Duration::from_millis(50), Duration::from_secs(2))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn replay_tag(id: i64, record: &[u8]) -> trail::Tag {
    use sha2::{Digest, Sha256};
    let mut tag = trail::Tag { key: [0; 16], body: [0; 16] };
    tag.key.copy_from_slice(&Sha256::digest(format!("replay\0{id}").as_bytes())[..16]);
    tag.body.copy_from_slice(&Sha256::digest(record)[..16]);
    tag
}
