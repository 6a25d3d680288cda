//! Removals of events: what each is about, how far it is, and which positions it emptied.

use std::collections::BTreeMap;

use api::retention::{RemovalKind, RemovalState};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, Sqlite, SqliteConnection, SqlitePool};

/// A removal as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    pub id: String,
    pub kind: RemovalKind,
    pub state: RemovalState,
    /// Name; none for the daily run.
    pub asked_by: Option<String>,
    pub asked_by_id: Option<String>,
    pub asked_at: i64,
    pub reason: String,
    /// Of the trail when it was asked for; what came later is not touched.
    pub size: u64,
    /// Positions below this one were looked at.
    pub looked: u64,
    /// The policies as they were; of an erasure none.
    pub lanes: Lanes,
    pub tally: Tally,
    pub removed: u64,
    pub bytes_freed: u64,
    /// How often it was resumed.
    pub tries: i64,
    /// Who called it off, while it still runs.
    pub stop_by: Option<String>,
    /// Of the event that tells of it.
    pub position: Option<u64>,
    pub ended_at: Option<i64>,
    pub ended_by: Option<String>,
    pub error: Option<String>,
}

impl Removal {
    /// One that is to be counted, in a trail of `size` events.
    pub fn to_count(id: String, kind: RemovalKind, asked_at: i64, size: u64) -> Self {
        Self {
            id,
            kind,
            state: RemovalState::Counting,
            asked_by: None,
            asked_by_id: None,
            asked_at,
            reason: String::new(),
            size,
            looked: 0,
            lanes: Lanes::default(),
            tally: Tally::default(),
            removed: 0,
            bytes_freed: 0,
            tries: 0,
            stop_by: None,
            position: None,
            ended_at: None,
            ended_by: None,
            error: None,
        }
    }
}

/// The policies of one retention, each with how far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes {
    /// Policies and holds as they were when it was asked for; see [`Reached::epoch`].
    pub epoch: u64,
    pub lanes: Vec<Lane>,
}

/// A policy and what it has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    pub category: String,
    pub keep: String,
    pub keep_seconds: i64,
    /// What came in before, in milliseconds since 1970, is past its time.
    pub before: i64,
    /// Everything below this position was dealt with by an earlier run.
    pub from: u64,
    /// The first position of this policy that has its time still before it.
    pub young: Option<u64>,
    /// It has come to where everything is too young.
    pub done: bool,
}

/// How far the policies have come, kept between two runs, so that a daily run reads a day and not the whole trail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Counts the changes after which everything has to be looked at anew: of policies, and of holds that end.
    pub epoch: u64,
    /// By category of the policy: below this position all that is past its time is removed or held.
    pub positions: BTreeMap<String, u64>,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub entries: u64,
    pub bytes: u64,
    pub first: Option<u64>,
    pub last: Option<u64>,
    pub categories: BTreeMap<String, u64>,
    /// Events by the id of the hold that keeps them.
    pub held: BTreeMap<String, u64>,
    pub protected: u64,
    /// Some of the positions.
    pub samples: Vec<u64>,
}

/// Which positions of a stretch.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Step {
    pub removal_id: String,
    /// The first position of the stretch.
    pub base: i64,
    pub picks: Vec<u8>,
    pub entries: i64,
}

impl FromRow<'_, SqliteRow> for Removal {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let unknown = |column: &str, value: &str| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: format!("{value} is not known here").into(),
        };
        let unreadable = |error: serde_json::Error| sqlx::Error::Decode(error.into());
        let number = |column: &str| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        let kind: String = row.try_get("kind")?;
        let state: String = row.try_get("state")?;
        Ok(Self {
            id: row.try_get("id")?,
            kind: RemovalKind::from_name(&kind).ok_or_else(|| unknown("kind", &kind))?,
            state: RemovalState::from_name(&state).ok_or_else(|| unknown("state", &state))?,
            asked_by: row.try_get("asked_by")?,
            asked_by_id: row.try_get("asked_by_id")?,
            asked_at: row.try_get("asked_at")?,
            reason: row.try_get("reason")?,
            size: number("size")?,
            looked: number("looked")?,
            lanes: serde_json::from_str(row.try_get("lanes")?).map_err(unreadable)?,
            tally: serde_json::from_str(row.try_get("tally")?).map_err(unreadable)?,
            removed: number("removed")?,
            bytes_freed: number("bytes_freed")?,
            tries: row.try_get("tries")?,
            stop_by: row.try_get("stop_by")?,
            position: row.try_get::<Option<i64>, _>("position")?.map(i64::cast_unsigned),
            ended_at: row.try_get("ended_at")?,
            ended_by: row.try_get("ended_by")?,
            error: row.try_get("error")?,
        })
    }
}

/// Adds a removal, to be counted.
pub async fn add(connection: &mut SqliteConnection, removal: &Removal) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO removals (id, kind, state, asked_by, asked_by_id, asked_at, reason, size, looked, lanes, tally) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&removal.id)
    .bind(removal.kind.name())
    .bind(removal.state.name())
    .bind(&removal.asked_by)
    .bind(&removal.asked_by_id)
    .bind(removal.asked_at)
    .bind(&removal.reason)
    .bind(removal.size.cast_signed())
    .bind(removal.looked.cast_signed())
    .bind(json(&removal.lanes)?)
    .bind(json(&removal.tally)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<Removal>> {
    sqlx::query_as("SELECT * FROM removals WHERE id = $1").bind(id).fetch_optional(connection).await
}

/// The newest removals of a kind.
pub async fn newest(pool: &SqlitePool, kind: RemovalKind, count: u32) -> sqlx::Result<Vec<Removal>> {
    sqlx::query_as("SELECT * FROM removals WHERE kind = $1 ORDER BY id DESC LIMIT $2")
        .bind(kind.name())
        .bind(count)
        .fetch_all(pool)
        .await
}

/// The oldest in that state.
pub async fn next(pool: &SqlitePool, state: RemovalState) -> sqlx::Result<Option<Removal>> {
    sqlx::query_as("SELECT * FROM removals WHERE state = $1 ORDER BY id LIMIT 1")
        .bind(state.name())
        .fetch_optional(pool)
        .await
}

/// Those of a kind that are neither over nor refused.
pub async fn open(connection: &mut SqliteConnection, kind: RemovalKind) -> sqlx::Result<Vec<Removal>> {
    sqlx::query_as(
        "SELECT * FROM removals WHERE kind = $1 AND state IN ('counting', 'ready', 'running', 'failed') ORDER BY id",
    )
    .bind(kind.name())
    .fetch_all(connection)
    .await
}

/// Writes down how far the counting has come, with the step it found. Says whether it is still wanted.
pub async fn counted(transaction: &mut SqliteConnection, removal: &Removal, step: Option<&Step>) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE removals SET looked = $2, lanes = $3, tally = $4, state = $5 WHERE id = $1 AND state = 'counting'",
    )
    .bind(&removal.id)
    .bind(removal.looked.cast_signed())
    .bind(json(&removal.lanes)?)
    .bind(json(&removal.tally)?)
    .bind(removal.state.name())
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(step) = step {
        sqlx::query("INSERT INTO removal_steps (base, removal_id, picks, entries) VALUES ($1, $2, $3, $4)")
            .bind(step.base)
            .bind(&step.removal_id)
            .bind(&step.picks)
            .bind(step.entries)
            .execute(transaction)
            .await?;
    }
    Ok(true)
}

/// Begins to remove what was counted, or what is left of it.
pub async fn begin(connection: &mut SqliteConnection, id: &str, reason: &str, tries: i64) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE removals SET state = 'running', reason = $2, tries = $3, ended_at = NULL, ended_by = NULL, error = NULL, \
         stop_by = NULL WHERE id = $1",
    )
    .bind(id)
    .bind(reason)
    .bind(tries)
    .execute(connection)
    .await?;
    Ok(())
}

/// Asks a running removal to stop after what it is at.
pub async fn ask_to_stop(connection: &mut SqliteConnection, id: &str, by: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE removals SET stop_by = $2 WHERE id = $1 AND state = 'running'")
        .bind(id)
        .bind(by)
        .execute(connection)
        .await?;
    Ok(())
}

/// Who asked it to stop.
pub async fn stop_by(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<String>> {
    let by: Option<Option<String>> =
        sqlx::query_scalar::<Sqlite, Option<String>>("SELECT stop_by FROM removals WHERE id = $1")
            .bind(id)
            .fetch_optional(pool)
            .await?;
    Ok(by.flatten())
}

/// What ends a removal.
#[derive(Debug, Clone, Default)]
pub struct End<'a> {
    pub position: Option<u64>,
    pub at: i64,
    pub by: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// Ends it in `state`. Steps that were not carried out are forgotten, except of one that can be resumed.
pub async fn end(connection: &mut SqliteConnection, id: &str, state: RemovalState, end: &End<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE removals SET state = $2, position = coalesce($3, position), ended_at = $4, ended_by = $5, error = $6, \
         stop_by = NULL WHERE id = $1",
    )
    .bind(id)
    .bind(state.name())
    .bind(end.position.map(u64::cast_signed))
    .bind(end.at)
    .bind(end.by)
    .bind(end.error)
    .execute(&mut *connection)
    .await?;
    if state != RemovalState::Failed {
        sqlx::query("DELETE FROM removal_steps WHERE removal_id = $1 AND done = 0")
            .bind(id)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Deletes one that came to nothing.
pub async fn drop(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM removals WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// The next steps to carry out.
pub async fn steps_to_do(pool: &SqlitePool, id: &str, count: u32) -> sqlx::Result<Vec<Step>> {
    sqlx::query_as(
        "SELECT removal_id, base, picks, entries FROM removal_steps WHERE removal_id = $1 AND done = 0 ORDER BY base LIMIT $2",
    )
    .bind(id)
    .bind(count)
    .fetch_all(pool)
    .await
}

/// Steps that are gone from the trail and not yet from the index.
pub async fn steps_to_forget(pool: &SqlitePool, id: &str, count: u32) -> sqlx::Result<Vec<Step>> {
    sqlx::query_as(
        "SELECT removal_id, base, picks, entries FROM removal_steps WHERE removal_id = $1 AND done = 1 ORDER BY base LIMIT $2",
    )
    .bind(id)
    .bind(count)
    .fetch_all(pool)
    .await
}

/// Writes down that the index forgot these steps.
pub async fn forgotten(transaction: &mut SqliteConnection, id: &str, steps: &[Step]) -> sqlx::Result<()> {
    for step in steps {
        sqlx::query("UPDATE removal_steps SET done = 2 WHERE removal_id = $1 AND base = $2")
            .bind(id)
            .bind(step.base)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}

/// The steps that were carried out, after that base.
pub async fn steps_done(pool: &SqlitePool, id: &str, after: i64, count: u32) -> sqlx::Result<Vec<Step>> {
    sqlx::query_as(
        "SELECT removal_id, base, picks, entries FROM removal_steps \
         WHERE removal_id = $1 AND done > 0 AND base > $2 ORDER BY base LIMIT $3",
    )
    .bind(id)
    .bind(after)
    .bind(count)
    .fetch_all(pool)
    .await
}

/// Replaces what a step picks: a hold was placed after it was counted.
pub async fn repick(connection: &mut SqliteConnection, step: &Step) -> sqlx::Result<()> {
    sqlx::query("UPDATE removal_steps SET picks = $3, entries = $4 WHERE removal_id = $1 AND base = $2 AND done = 0")
        .bind(&step.removal_id)
        .bind(step.base)
        .bind(&step.picks)
        .bind(step.entries)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes down that steps are gone from the trail.
pub async fn carried_out(
    transaction: &mut SqliteConnection,
    id: &str,
    steps: &[Step],
    bytes_freed: u64,
) -> sqlx::Result<()> {
    let mut entries = 0;
    for step in steps {
        entries += step.entries;
        sqlx::query("UPDATE removal_steps SET done = 1 WHERE removal_id = $1 AND base = $2")
            .bind(id)
            .bind(step.base)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("UPDATE removals SET removed = removed + $2, bytes_freed = bytes_freed + $3 WHERE id = $1")
        .bind(id)
        .bind(entries)
        .bind(bytes_freed.cast_signed())
        .execute(transaction)
        .await?;
    Ok(())
}

/// Writes down a count that holds have changed.
pub async fn retally(connection: &mut SqliteConnection, id: &str, tally: &Tally) -> sqlx::Result<()> {
    sqlx::query("UPDATE removals SET tally = $2 WHERE id = $1").bind(id).bind(json(tally)?).execute(connection).await?;
    Ok(())
}

/// The removals that took something out of the stretch at `base`, with what they picked there; the newest first.
pub async fn of_stretch(pool: &SqlitePool, base: i64) -> sqlx::Result<Vec<Step>> {
    sqlx::query_as(
        "SELECT removal_id, base, picks, entries FROM removal_steps WHERE base = $1 ORDER BY removal_id DESC LIMIT 10000",
    )
    .bind(base)
    .fetch_all(pool)
    .await
}

fn json(value: &impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_removal_goes_on_where_it_stood() {
        let dir = tempfile::tempdir().unwrap();
        let pool = crate::state::open(&dir.path().join("state.sqlite")).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let mut removal =
            Removal { reason: "daily".into(), ..Removal::to_count("r1".into(), RemovalKind::Retention, 5, 70_000) };
        add(&mut connection, &removal).await.unwrap();
        let step = |base| Step { removal_id: "r1".into(), base, picks: vec![1, 2], entries: 3 };
        removal.looked = 65_536;
        removal.tally.entries = 3;
        assert!(counted(&mut connection, &removal, Some(&step(0))).await.unwrap());
        removal.state = RemovalState::Ready;
        assert!(counted(&mut connection, &removal, Some(&step(65_536))).await.unwrap());
        assert!(!counted(&mut connection, &removal, None).await.unwrap(), "it is counted already");
        assert_eq!(find(&mut connection, "r1").await.unwrap(), Some(removal.clone()));

        begin(&mut connection, "r1", "why", 0).await.unwrap();
        assert_eq!(next(&pool, RemovalState::Running).await.unwrap().unwrap().reason, "why");
        carried_out(&mut connection, "r1", &[step(0)], 10).await.unwrap();
        let left = steps_to_do(&pool, "r1", 10).await.unwrap();
        assert_eq!(left.iter().map(|step| step.base).collect::<Vec<_>>(), [65_536]);
        ask_to_stop(&mut connection, "r1", "ada").await.unwrap();
        assert_eq!(stop_by(&pool, "r1").await.unwrap().as_deref(), Some("ada"));
        let over = End { position: Some(9), at: 7, by: Some("ada"), error: None };
        end(&mut connection, "r1", RemovalState::Cancelled, &over).await.unwrap();
        let found = find(&mut connection, "r1").await.unwrap().unwrap();
        assert_eq!((found.removed, found.bytes_freed, found.position), (3, 10, Some(9)));
        assert!(steps_to_do(&pool, "r1", 10).await.unwrap().is_empty());
        assert_eq!(of_stretch(&pool, 0).await.unwrap().len(), 1);
        assert!(of_stretch(&pool, 65_536).await.unwrap().is_empty());
    }
}
