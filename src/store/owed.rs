//! Entries that the audit log may not have yet. They are kept as JSON, in the order of their numbers.

use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};

use crate::audit::event::AuditEvent;
use crate::domain::text::excerpt;
use crate::service::ports::{OwedEntry, RequestQuery, StoreError};

use super::failure::{damaged, unavailable};

/// Keeps `event` and gives its number. Numbers come from a counter, so that one which was forgotten never names another.
pub(super) async fn keep(connection: &mut SqliteConnection, event: &AuditEvent) -> Result<i64, StoreError> {
    let failed = |error| StoreError::Unavailable(format!("an entry of the audit log cannot be written down: {error}"));
    let text = serde_json::to_string(event).map_err(failed)?;
    let sql = "UPDATE counters SET value = value + 1 WHERE name = 'next_owed' RETURNING value - 1 AS id";
    let row = sqlx::query(sql).fetch_optional(&mut *connection).await.map_err(|error| unavailable(&error))?;
    let row = row.ok_or_else(|| damaged("the counter of owed entries", "it is missing"))?;
    let id: i64 = row.try_get("id").map_err(|error| damaged("the counter of owed entries", &error.to_string()))?;
    sqlx::query("INSERT INTO owed_entries (id, event) VALUES ($1, $2)")
        .bind(id)
        .bind(text)
        .execute(connection)
        .await
        .map_err(|error| unavailable(&error))?;
    Ok(id)
}

pub(super) async fn forget(connection: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    let gone = sqlx::query("DELETE FROM owed_entries WHERE id = $1").bind(id).execute(connection).await;
    gone.map(|_| ()).map_err(|error| unavailable(&error))
}

pub(super) async fn all(pool: &SqlitePool) -> Result<Vec<OwedEntry>, StoreError> {
    let rows = sqlx::query("SELECT id, event FROM owed_entries ORDER BY id LIMIT $1")
        .bind(i64::try_from(RequestQuery::MOST).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
        .map_err(|error| unavailable(&error))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let id: i64 = row.try_get("id").map_err(|error| damaged("an owed entry's number", &error.to_string()))?;
        let what = format!("owed entry {id}");
        let text: String = row.try_get("event").map_err(|error| damaged(&what, &error.to_string()))?;
        let event = serde_json::from_str(&text).map_err(|error| damaged(&what, &excerpt(&error.to_string(), 200)))?;
        Ok(OwedEntry { id, event })
    };
    rows.iter().map(read).collect()
}
