//! What was settled for the whole organization: one JSON value per name.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Sqlite, SqliteConnection};

/// The value of that name; a value that can't be read is an error, not a default.
pub async fn get<T: DeserializeOwned>(connection: &mut SqliteConnection, name: &str) -> sqlx::Result<Option<T>> {
    let text: Option<String> = sqlx::query_scalar::<Sqlite, String>("SELECT value FROM settings WHERE name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))).transpose()
}

pub async fn set<T: Serialize + Sync>(connection: &mut SqliteConnection, name: &str, value: &T) -> sqlx::Result<()> {
    let text = serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(text)
    .execute(connection)
    .await?;
    Ok(())
}
