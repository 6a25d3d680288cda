//! Reading again what was set aside, after the mapping was mended.

use std::sync::Arc;

use api::sources::Replayed;
use sqlx::SqlitePool;

use super::intake::{Intake, IntakeError, Sender};
use crate::append::Door;
use crate::state::set_aside::{self, SetAside};

/// Records of one call; the caller asks again for more.
const RECORDS_MAX: u64 = 10_000;

/// Replays open records: those named, or all of one source.
pub async fn replay(
    intake: &Arc<Intake>,
    door: &Door,
    pool: &SqlitePool,
    ids: &[i64],
    source: Option<&str>,
    by: &str,
    now_ms: i64,
) -> Result<Replayed, IntakeError> {
    let mut done = Replayed::default();
    for id in ids {
        if let Some(record) = set_aside::one(pool, *id).await?.filter(|record| record.state == "open") {
            one(intake, door, pool, record, by, now_ms, &mut done).await?;
        }
    }
    let Some(source) = source else { return Ok(done) };
    let mut after = 0;
    loop {
        let page = set_aside::open_after(pool, source, after, 500).await?;
        let Some(last) = page.last() else { return Ok(done) };
        after = last.id;
        for record in page {
            one(intake, door, pool, record, by, now_ms, &mut done).await?;
        }
        if done.replayed + done.still_set_aside >= RECORDS_MAX {
            done.more = true;
            return Ok(done);
        }
    }
}

async fn one(
    intake: &Arc<Intake>,
    door: &Door,
    pool: &SqlitePool,
    record: SetAside,
    by: &str,
    now_ms: i64,
    done: &mut Replayed,
) -> Result<(), IntakeError> {
    let source = (record.source != "events").then(|| record.source.clone());
    let sender = Sender {
        source,
        provider: "replay".to_owned(),
        peer: record.peer.as_deref().and_then(|peer| peer.parse().ok()),
        ..Sender::default()
    };
    let (reader, bytes) = (intake.clone(), record.record.clone());
    let read = tokio::task::spawn_blocking(move || reader.reread(&sender, &bytes))
        .await
        .map_err(|_| IntakeError::Broken)??;
    match read {
        Ok(events) => {
            // The batch key is the record's number: a crash between the two writes appends nothing twice.
            let tag = replay_tag(record.id, &record.record);
            if !events.is_empty() {
                door.append(events, Some(tag)).await?;
            }
            set_aside::settle(pool, record.id, "replayed", now_ms, by, None).await?;
            intake.settled(1, record.record.len() as u64);
            done.replayed += 1;
        }
        Err((code, reason, field)) => {
            set_aside::explain(pool, record.id, code, &reason, field.as_deref()).await?;
            done.still_set_aside += 1;
        }
    }
    Ok(())
}

fn replay_tag(id: i64, record: &[u8]) -> trail::Tag {
    use sha2::{Digest, Sha256};
    let mut tag = trail::Tag { key: [0; 16], body: [0; 16] };
    tag.key.copy_from_slice(&Sha256::digest(format!("replay\0{id}").as_bytes())[..16]);
    tag.body.copy_from_slice(&Sha256::digest(record)[..16]);
    tag
}
