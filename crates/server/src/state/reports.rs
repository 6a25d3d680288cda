//! Reports that people made for themselves. The built-in ones are files.

use api::report::{Column, Definition, Order};
use sqlx::{FromRow, SqliteConnection, SqlitePool};

use super::time_text;

#[derive(FromRow)]
struct Row {
    id: String,
    title: String,
    heading: String,
    description: String,
    filter: String,
    columns: String,
    newest: bool,
    span: String,
    created_at: i64,
    updated_at: i64,
    updated_by: String,
}

impl TryFrom<Row> for Definition {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let columns: Vec<Column> =
            serde_json::from_str(&row.columns).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            id: row.id,
            title: row.title,
            group: row.heading,
            description: row.description,
            builtin: false,
            filter: row.filter,
            columns,
            available_columns: Vec::new(),
            order: if row.newest { Order::Desc } else { Order::Asc },
            range: row.span,
            created_at: Some(time_text(row.created_at)),
            updated_at: Some(time_text(row.updated_at)),
            updated_by: Some(row.updated_by),
        })
    }
}

pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<Definition>> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT * FROM reports ORDER BY heading, title LIMIT 1000").fetch_all(pool).await?;
    rows.into_iter().map(Definition::try_from).collect()
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<Definition>> {
    let row: Option<Row> =
        sqlx::query_as("SELECT * FROM reports WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(Definition::try_from).transpose()
}

pub async fn count(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM reports").fetch_one(connection).await
}

/// Writes a report, new or changed. The one who did it and when stand in it.
pub async fn put(connection: &mut SqliteConnection, report: &Definition, by: &str, now: i64) -> sqlx::Result<()> {
    let columns = serde_json::to_string(&report.columns).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO reports (id, title, heading, description, filter, columns, newest, span, created_at, updated_at, updated_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10) ON CONFLICT (id) DO UPDATE SET title = $2, heading = $3, \
         description = $4, filter = $5, columns = $6, newest = $7, span = $8, updated_at = $9, updated_by = $10",
    )
    .bind(&report.id)
    .bind(&report.title)
    .bind(&report.group)
    .bind(&report.description)
    .bind(&report.filter)
    .bind(columns)
    .bind(report.order == Order::Desc)
    .bind(&report.range)
    .bind(now)
    .bind(by)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM reports WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}
