//! What the rules remember, and what they decided.
//!
//! A batch is one statement each: the rows travel as one JSON array.

use rules::{Evicted, Fingerprint, Memory, MemoryChange, RuleId};
use sqlx::{FromRow, SqliteConnection, SqlitePool};

/// Why a rule told of an event, or did not.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Decision {
    pub position: i64,
    pub rule_id: String,
    pub rule_name: String,
    /// `send` or `held`.
    pub verdict: String,
    /// In words.
    pub why: String,
    pub at: i64,
}

/// All that the rules remember.
pub async fn load(pool: &SqlitePool) -> sqlx::Result<Memory> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT rule_id, fingerprint, slot FROM rule_memory").fetch_all(pool).await?;
    let decode = |column: &str, error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: error,
    };
    rows.into_iter()
        .map(|(rule, fingerprint, slot)| {
            Ok(MemoryChange {
                rule: RuleId(rule),
                fingerprint: fingerprint.parse::<Fingerprint>().map_err(|error| decode("fingerprint", error.into()))?,
                slot: serde_json::from_str(&slot).map_err(|error| decode("slot", error.into()))?,
            })
        })
        .collect()
}

/// Stores what changed. Of several changes of one slot the last one counts.
pub async fn remember<'a>(
    connection: &mut SqliteConnection,
    changes: impl Iterator<Item = &'a MemoryChange>,
) -> sqlx::Result<()> {
    let encode = |error: serde_json::Error| sqlx::Error::Encode(error.into());
    let mut last = std::collections::HashMap::<(&RuleId, Fingerprint), &MemoryChange>::new();
    for change in changes {
        last.insert((&change.rule, change.fingerprint), change);
    }
    if last.is_empty() {
        return Ok(());
    }
    let rows: Vec<[String; 3]> = last
        .into_values()
        .map(|change| Ok([change.rule.0.clone(), change.fingerprint.to_string(), serde_json::to_string(&change.slot)?]))
        .collect::<Result<_, _>>()
        .map_err(encode)?;
    sqlx::query(
        "INSERT INTO rule_memory (rule_id, fingerprint, slot) \
         SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each($1) WHERE true \
         ON CONFLICT (rule_id, fingerprint) DO UPDATE SET slot = excluded.slot",
    )
    .bind(serde_json::to_string(&rows).map_err(encode)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes what was forgotten.
pub async fn forget(connection: &mut SqliteConnection, evicted: &[Evicted]) -> sqlx::Result<()> {
    for slot in evicted {
        sqlx::query("DELETE FROM rule_memory WHERE rule_id = $1 AND fingerprint = $2")
            .bind(&slot.rule.0)
            .bind(slot.fingerprint.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Writes decisions down. One that is known stays as it is.
pub async fn decided(connection: &mut SqliteConnection, decisions: &[Decision]) -> sqlx::Result<()> {
    if decisions.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> =
        decisions.iter().map(|d| (d.position, &d.rule_id, &d.rule_name, &d.verdict, &d.why, d.at)).collect();
    sqlx::query(
        "INSERT INTO decisions (position, rule_id, rule_name, verdict, why, at) \
         SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), \
         json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]') FROM json_each($1) WHERE true \
         ON CONFLICT (position, rule_id) DO NOTHING",
    )
    .bind(serde_json::to_string(&rows).map_err(|error| sqlx::Error::Encode(error.into()))?)
    .execute(connection)
    .await?;
    Ok(())
}

/// What was decided about the event at `position`.
pub async fn decisions(pool: &SqlitePool, position: u64) -> sqlx::Result<Vec<Decision>> {
    sqlx::query_as("SELECT * FROM decisions WHERE position = $1 ORDER BY rule_name LIMIT 1000")
        .bind(position.cast_signed())
        .fetch_all(pool)
        .await
}

/// Forgets decisions about events before `position`, a bounded number at a time. Says how many.
pub async fn prune(pool: &SqlitePool, before: i64, count: u32) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "DELETE FROM decisions WHERE (position, rule_id) IN \
         (SELECT position, rule_id FROM decisions ORDER BY position LIMIT $2) AND at < $1",
    )
    .bind(before)
    .bind(count)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets the oldest decisions beyond `kept`.
pub async fn prune_to(pool: &SqlitePool, kept: u32) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "DELETE FROM decisions WHERE position < (SELECT position FROM decisions ORDER BY position DESC LIMIT 1 OFFSET $1)",
    )
    .bind(kept)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use rules::Slot;

    #[tokio::test]
    async fn what_is_remembered_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let pool = crate::state::open(&dir.path().join("state.sqlite")).await.unwrap();
        let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let change = |rule: &str, print: u8, held: u64| MemoryChange {
            rule: RuleId(rule.to_owned()),
            fingerprint: Fingerprint([print; 16]),
            slot: Slot { sent_at: at, sent_position: 1, held_before: 0, held, last_position: 2, last_at: at },
        };
        let changes = [change("a", 1, 1), change("a", 1, 2), change("a", 2, 0), change("b'\"", 1, 7)];
        let mut connection = pool.acquire().await.unwrap();
        remember(&mut connection, changes.iter()).await.unwrap();
        remember(&mut connection, [change("a", 2, 9)].iter()).await.unwrap();
        let memory = load(&pool).await.unwrap();
        assert_eq!(memory.len(), 3);
        let held = |rule: &str, print| memory.get(&RuleId(rule.to_owned()), &Fingerprint([print; 16])).unwrap().held;
        assert_eq!((held("a", 1), held("a", 2), held("b'\"", 1)), (2, 9, 7));

        let gone = Evicted { rule: RuleId("a".to_owned()), fingerprint: Fingerprint([1; 16]), held: 0 };
        forget(&mut connection, &[gone]).await.unwrap();
        assert_eq!(load(&pool).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_decision_is_kept_once_and_for_its_event() {
        let dir = tempfile::tempdir().unwrap();
        let pool = crate::state::open(&dir.path().join("state.sqlite")).await.unwrap();
        let decision = |position, why: &str| Decision {
            position,
            rule_id: "r".to_owned(),
            rule_name: "R \"x\" ж".to_owned(),
            verdict: "held".to_owned(),
            why: why.to_owned(),
            at: position,
        };
        let mut connection = pool.acquire().await.unwrap();
        decided(&mut connection, &[decision(1, "one"), decision(2, "two")]).await.unwrap();
        decided(&mut connection, &[decision(1, "again")]).await.unwrap();
        assert_eq!(decisions(&pool, 1).await.unwrap(), [decision(1, "one")]);
        assert_eq!(prune(&pool, 2, 10).await.unwrap(), 1);
        assert!(decisions(&pool, 1).await.unwrap().is_empty());
        decided(&mut connection, &[decision(7, "x"), decision(8, "y"), decision(9, "z")]).await.unwrap();
        assert_eq!(prune_to(&pool, 10).await.unwrap(), 0);
        assert_eq!(prune_to(&pool, 1).await.unwrap(), 2);
        assert_eq!(decisions(&pool, 9).await.unwrap().len(), 1);
    }
}
