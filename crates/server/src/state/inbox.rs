//! The inbox in the console.
//!
//! A line has an audience: one user or one role. Administrators and auditors see every line, members those
//! that are for them. Reading is one's own; acknowledging and deleting are for everyone.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, SqliteConnection, SqlitePool};

use super::deliveries::Message;

/// A line, as one user sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Item {
    pub seq: i64,
    pub id: String,
    pub audience: String,
    pub at: i64,
    pub subject: String,
    pub text: String,
    pub severity: i64,
    pub position: Option<i64>,
    pub acknowledged_at: Option<i64>,
    pub acknowledged_by: Option<String>,
    pub read_at: Option<i64>,
}

/// Who looks, and so what is seen.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub user_id: String,
    pub user_name: String,
    pub role: String,
    /// Administrators and auditors.
    pub sees_all: bool,
}

/// Which lines are meant.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    Ids(&'a [String]),
    All,
}

/// Puts a line in, once for each delivery.
pub async fn insert(
    pool: &SqlitePool,
    id: &str,
    audience: &str,
    message: &Message,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO inbox (id, audience, at, subject, text, severity, position) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(id)
    .bind(audience)
    .bind(now.as_millisecond())
    .bind(&message.subject)
    .bind(&message.text)
    .bind(message.severity)
    .bind(message.position.map(u64::cast_signed))
    .execute(pool)
    .await?;
    Ok(())
}

/// Empties the lines about events that were removed.
pub async fn forget(connection: &mut SqliteConnection, positions: &[u64]) -> sqlx::Result<()> {
    let positions = serde_json::to_string(positions).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query("UPDATE inbox SET subject = $2, text = $2 WHERE position IN (SELECT value FROM json_each($1))")
        .bind(positions)
        .bind(super::deliveries::FORGOTTEN)
        .execute(connection)
        .await?;
    Ok(())
}

/// Which positions from `from` up to `to` lines tell of.
pub async fn quoted(connection: &mut SqliteConnection, from: u64, to: u64) -> sqlx::Result<Vec<u64>> {
    let rows: Vec<i64> =
        sqlx::query_scalar::<Sqlite, i64>("SELECT position FROM inbox WHERE position >= $1 AND position < $2")
            .bind(from.cast_signed())
            .bind(to.cast_signed())
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(i64::cast_unsigned).collect())
}

/// The lines that `viewer` may see, as the rest of a `WHERE`.
fn visible(query: &mut sqlx::QueryBuilder<Sqlite>, viewer: &Viewer) {
    if viewer.sees_all {
        query.push("1");
        return;
    }
    query.push("inbox.audience IN (").push_bind(format!("user:{}", viewer.user_name));
    query.push(", ").push_bind(format!("role:{}", viewer.role)).push(")");
}

fn selected(query: &mut sqlx::QueryBuilder<Sqlite>, selection: Selection<'_>) -> sqlx::Result<()> {
    if let Selection::Ids(ids) = selection {
        let ids = serde_json::to_string(ids).map_err(|error| sqlx::Error::Encode(error.into()))?;
        query.push(" AND inbox.id IN (SELECT value FROM json_each(").push_bind(ids).push("))");
    }
    Ok(())
}

/// Newest first, older than `before`.
pub async fn list(
    pool: &SqlitePool,
    viewer: &Viewer,
    unread: bool,
    before: Option<i64>,
    limit: u32,
) -> sqlx::Result<Vec<Item>> {
    let mut query = sqlx::QueryBuilder::<Sqlite>::new(
        "SELECT inbox.*, reads.at AS read_at FROM inbox LEFT JOIN inbox_reads AS reads \
         ON reads.seq = inbox.seq AND reads.user_id = ",
    );
    query.push_bind(&viewer.user_id).push(" WHERE inbox.seq < ").push_bind(before.unwrap_or(i64::MAX)).push(" AND ");
    visible(&mut query, viewer);
    if unread {
        query.push(" AND reads.at IS NULL");
    }
    query.push(" ORDER BY inbox.seq DESC LIMIT ").push_bind(limit);
    query.build_query_as().fetch_all(pool).await
}

/// How many `viewer` has not read.
pub async fn unread(pool: &SqlitePool, viewer: &Viewer) -> sqlx::Result<u64> {
    let mut query = sqlx::QueryBuilder::<Sqlite>::new("SELECT count(*) FROM inbox WHERE ");
    visible(&mut query, viewer);
    query.push(" AND NOT EXISTS (SELECT 1 FROM inbox_reads WHERE inbox_reads.seq = inbox.seq AND user_id = ");
    query.push_bind(&viewer.user_id).push(")");
    let count: i64 = query.build_query_scalar().fetch_one(pool).await?;
    Ok(count.cast_unsigned())
}

/// Marks as read, for `viewer` alone and only what they may see.
pub async fn read(pool: &SqlitePool, viewer: &Viewer, selection: Selection<'_>, now: i64) -> sqlx::Result<u64> {
    let mut query = sqlx::QueryBuilder::<Sqlite>::new("INSERT INTO inbox_reads (seq, user_id, at) SELECT inbox.seq, ");
    query.push_bind(&viewer.user_id).push(", ").push_bind(now).push(" FROM inbox WHERE ");
    visible(&mut query, viewer);
    selected(&mut query, selection)?;
    query.push(" ON CONFLICT (seq, user_id) DO NOTHING");
    Ok(query.build().execute(pool).await?.rows_affected())
}

/// Acknowledges for everyone; the first one who does so is kept.
pub async fn acknowledge(pool: &SqlitePool, viewer: &Viewer, selection: Selection<'_>, now: i64) -> sqlx::Result<u64> {
    let mut query = sqlx::QueryBuilder::<Sqlite>::new("UPDATE inbox SET acknowledged_at = ");
    query
        .push_bind(now)
        .push(", acknowledged_by = ")
        .push_bind(&viewer.user_name)
        .push(" WHERE acknowledged_at IS NULL AND ");
    visible(&mut query, viewer);
    selected(&mut query, selection)?;
    Ok(query.build().execute(pool).await?.rows_affected())
}

/// Deletes for everyone; answers what is gone.
pub async fn delete(
    connection: &mut SqliteConnection,
    viewer: &Viewer,
    selection: Selection<'_>,
) -> sqlx::Result<Vec<(String, String)>> {
    let mut query = sqlx::QueryBuilder::<Sqlite>::new("DELETE FROM inbox WHERE ");
    visible(&mut query, viewer);
    selected(&mut query, selection)?;
    query.push(" RETURNING id, subject");
    query.build_query_as().fetch_all(connection).await
}

/// Forgets lines older than `before`.
pub async fn prune(connection: &mut SqliteConnection, before: i64) -> sqlx::Result<u64> {
    let done = sqlx::query("DELETE FROM inbox WHERE at < $1").bind(before).execute(connection).await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::deliveries::example;

    fn viewer(name: &str, role: &str) -> Viewer {
        Viewer {
            user_id: format!("id-{name}"),
            user_name: name.to_owned(),
            role: role.to_owned(),
            sees_all: role != "member",
        }
    }

    async fn subjects(pool: &SqlitePool, viewer: &Viewer) -> Vec<String> {
        list(pool, viewer, false, None, 100).await.unwrap().into_iter().map(|item| item.id).collect()
    }

    #[tokio::test]
    async fn members_see_and_touch_only_what_is_for_them() {
        let dir = tempfile::tempdir().unwrap();
        let pool = crate::state::open(&dir.path().join("state.sqlite")).await.unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        for (id, audience) in [("a", "user:mia"), ("b", "role:administrator"), ("c", "role:member"), ("d", "user:noa")]
        {
            insert(&pool, id, audience, &example(), now).await.unwrap();
            insert(&pool, id, audience, &example(), now).await.unwrap();
        }
        let (admin, mia) = (viewer("ada", "administrator"), viewer("mia", "member"));
        assert_eq!(subjects(&pool, &admin).await, ["d", "c", "b", "a"]);
        assert_eq!(subjects(&pool, &mia).await, ["c", "a"]);

        // By id, what one may not see is not touched.
        let all = ["a", "b", "c", "d"].map(str::to_owned);
        assert_eq!(read(&pool, &mia, Selection::Ids(&all), 1).await.unwrap(), 2);
        assert_eq!(acknowledge(&pool, &mia, Selection::Ids(&all), 1).await.unwrap(), 2);
        assert_eq!(unread(&pool, &mia).await.unwrap(), 0);
        assert_eq!(unread(&pool, &admin).await.unwrap(), 4, "reading is one's own");
        let seen = list(&pool, &admin, true, None, 100).await.unwrap();
        assert_eq!(seen[3].acknowledged_by.as_deref(), Some("mia"), "acknowledging is for everyone");

        let gone = delete(&mut pool.acquire().await.unwrap(), &mia, Selection::All).await.unwrap();
        assert_eq!(gone.len(), 2);
        assert_eq!(subjects(&pool, &admin).await, ["d", "b"], "deleted is gone for everyone");
        assert_eq!(list(&pool, &admin, false, Some(4), 1).await.unwrap()[0].id, "b");
    }
}
