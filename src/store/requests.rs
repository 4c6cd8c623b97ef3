//! Requests: the whole of one as a JSON document, beside it the columns that are asked for.

use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, SqliteConnection};

use crate::domain::text::excerpt;
use crate::domain::{RequestId, Timestamp, UserName};
use crate::grant::{AccessRequest, State};
use crate::service::ports::{OpenLimit, RequestQuery, StoreError, Stored};

use super::failure::{damaged, taken_or_unavailable, unavailable};

const COLUMNS: &str = "SELECT id, user_name, role_name, state, filed, version, document FROM requests";

/// The very words of the partial indexes: SQLite uses those only for a condition that it finds in the query as it stands.
const OPEN: &str = "state IN ('pending', 'approved', 'active')";

/// The word for a state in its column; the same as in the document.
fn word(state: &State) -> &'static str {
    match state {
        State::Pending { .. } => "pending",
        State::Approved { .. } => "approved",
        State::Active { .. } => "active",
        State::Ended { .. } => "ended",
        State::Denied { .. } => "denied",
        State::Withdrawn { .. } => "withdrawn",
        State::Lapsed { .. } => "lapsed",
    }
}

fn document(request: &AccessRequest) -> Result<String, StoreError> {
    let failed = |error| StoreError::Unavailable(format!("request {} cannot be written down: {error}", request.id));
    serde_json::to_string(request).map_err(failed)
}

/// Whether `user` may file one more. Counts in the caller's transaction, which holds the lock of the only writer.
pub(super) async fn have_room(
    connection: &mut SqliteConnection,
    user: &UserName,
    limit: OpenLimit,
) -> Result<(), StoreError> {
    let mut count = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) AS open, ");
    count.push("COALESCE(SUM(CASE WHEN state = 'active' THEN 1 ELSE 0 END), 0) AS active FROM requests WHERE ");
    count.push(OPEN).push(" AND user_name = ").push_bind(user.as_str().to_owned());
    let row = count.build().fetch_one(connection).await.map_err(|error| unavailable(&error))?;
    let number = |column| {
        let found: i64 = row.try_get(column).map_err(|error| unavailable(&error))?;
        Ok(usize::try_from(found).unwrap_or(usize::MAX))
    };
    let (open, active) = (number("open")?, number("active")?);
    let waiting = open.saturating_sub(active);
    if waiting >= limit.waiting {
        return Err(StoreError::Full(waiting));
    }
    if open >= limit.all { Err(StoreError::Full(open)) } else { Ok(()) }
}

pub(super) async fn insert(connection: &mut SqliteConnection, request: &AccessRequest) -> Result<(), StoreError> {
    let sql = "INSERT INTO requests (id, user_name, role_name, state, filed, version, document) \
               VALUES ($1, $2, $3, $4, $5, 1, $6)";
    sqlx::query(sql)
        .bind(request.id.to_string())
        .bind(request.user.as_str())
        .bind(request.role.as_str())
        .bind(word(&request.state))
        .bind(request.filed.micros())
        .bind(document(request)?)
        .execute(connection)
        .await
        .map_err(|error| taken_or_unavailable(&error))?;
    Ok(())
}

/// Compare-and-set on the version. Who asked, for which role and when never change; their columns are not written again, so a
/// document that says otherwise would be refused when it is read.
pub(super) async fn replace(
    connection: &mut SqliteConnection,
    before: &Stored<AccessRequest>,
    after: &AccessRequest,
) -> Result<(), StoreError> {
    let same = |request: &AccessRequest| {
        (request.id.clone(), request.user.clone(), request.role.clone(), request.filed, request.role_digest)
    };
    if same(&before.value) != same(after) {
        return Err(StoreError::Unavailable(format!("request {} cannot become another one", before.value.id)));
    }
    let sql = "UPDATE requests SET state = $1, document = $2, version = version + 1 WHERE id = $3 AND version = $4";
    let done = sqlx::query(sql)
        .bind(word(&after.state))
        .bind(document(after)?)
        .bind(before.value.id.to_string())
        .bind(before.version)
        .execute(connection)
        .await
        .map_err(|error| unavailable(&error))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Changed) }
}

pub(super) async fn one(pool: &SqlitePool, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
    let mut select = QueryBuilder::<Sqlite>::new(COLUMNS);
    select.push(" WHERE id = ").push_bind(id.to_string());
    let row = select.build().fetch_optional(pool).await.map_err(|error| unavailable(&error))?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn matching(
    pool: &SqlitePool,
    query: &RequestQuery,
) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
    let rows = select(query).build().fetch_all(pool).await.map_err(|error| unavailable(&error))?;
    rows.iter().map(read).collect()
}

pub(super) async fn open_after(
    pool: &SqlitePool,
    after: Option<(Timestamp, RequestId)>,
) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
    let rows = open_page(after).build().fetch_all(pool).await.map_err(|error| unavailable(&error))?;
    rows.iter().map(read).collect()
}

fn open_page(after: Option<(Timestamp, RequestId)>) -> QueryBuilder<Sqlite> {
    let mut select = QueryBuilder::new(COLUMNS);
    select.push(" WHERE ").push(OPEN);
    if let Some((filed, id)) = after {
        select.push(" AND (filed, id) > (").push_bind(filed.micros()).push(", ").push_bind(id.to_string()).push(")");
    }
    let limit = i64::try_from(RequestQuery::MOST).unwrap_or(i64::MAX);
    select.push(" ORDER BY filed, id LIMIT ").push_bind(limit);
    select
}

fn select(query: &RequestQuery) -> QueryBuilder<Sqlite> {
    // The builder writes each database's own placeholders.
    let mut select = QueryBuilder::new(COLUMNS);
    select.push(" WHERE 1 = 1");
    if query.open {
        select.push(" AND ").push(OPEN);
    }
    if let Some(user) = &query.user {
        select.push(" AND user_name = ").push_bind(user.as_str().to_owned());
    }
    if let Some(role) = &query.role {
        select.push(" AND role_name = ").push_bind(role.as_str().to_owned());
    }
    let limit = if query.limit == 0 { RequestQuery::MOST } else { query.limit.min(RequestQuery::MOST) };
    // Two filed in the same microsecond still come in one order.
    select.push(" ORDER BY filed DESC, id DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    select
}

/// A row as the request it was, or an error that names it. Column and document must say the same: whoever edits one with a
/// database tool must not get a request that is found as one thing and acts as another.
fn read(row: &SqliteRow) -> Result<Stored<AccessRequest>, StoreError> {
    let id: String = row.try_get("id").map_err(|error| damaged("a request's identifier", &error.to_string()))?;
    let what = format!("request {}", excerpt(&id, 20));
    let column = |error: sqlx::Error| damaged(&what, &error.to_string());
    let text: String = row.try_get("document").map_err(column)?;
    let value: AccessRequest =
        serde_json::from_str(&text).map_err(|error| damaged(&what, &excerpt(&error.to_string(), 200)))?;
    let columns: (String, String, String, i64) = (
        row.try_get("user_name").map_err(column)?,
        row.try_get("role_name").map_err(column)?,
        row.try_get("state").map_err(column)?,
        row.try_get("filed").map_err(column)?,
    );
    let said = (value.user.to_string(), value.role.to_string(), word(&value.state).to_owned(), value.filed.micros());
    if id != value.id.to_string() || columns != said {
        return Err(damaged(&what, "its columns and its document disagree"));
    }
    Ok(Stored { version: row.try_get("version").map_err(column)?, value })
}

#[cfg(test)]
mod tests;
