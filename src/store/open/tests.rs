use std::fs;

use tempfile::TempDir;

use super::*;
use crate::domain::Timestamp;
use crate::service::ports::{Store as _, StoreError};
use crate::store::SqliteStore;

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state").join("state.db");
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn refused(path: &Path) -> OpenError {
    match SqliteStore::open(path).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// Runs `sql` on the file as another program would.
async fn meddle(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn files_are_the_owners_alone_and_writes_are_synced() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.witness_time(Timestamp::from_secs(1)).await.unwrap();
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    let mut transaction = store.begin().await.unwrap();
    let rows = [("PRAGMA synchronous", "2"), ("PRAGMA foreign_keys", "1"), ("PRAGMA journal_mode", "wal")];
    for (sql, wanted) in rows {
        let row = sqlx::query(sql).fetch_one(&mut *transaction).await.unwrap();
        let found = row_text(&row);
        assert_eq!(found, wanted, "{sql}");
    }
}

fn row_text(row: &sqlx::sqlite::SqliteRow) -> String {
    use sqlx::Row as _;
    row.try_get::<i64, _>(0).map(|number| number.to_string()).or_else(|_| row.try_get::<String, _>(0)).unwrap()
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let error = sqlx::query("DELETE FROM counters").execute(&store.read).await.unwrap_err();
    assert!(explain(&error).contains("read-only"), "{error}");
}

#[tokio::test]
async fn what_others_could_read_or_change_is_refused_with_the_command_to_type() {
    let (_folder, path) = place();
    SqliteStore::open(&path).await.unwrap().close().await;
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let error = refused(&path).await.to_string();
    assert!(error.contains("chmod 600") && error.contains("0640"), "{error}");

    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o770)).unwrap();
    let error = refused(&path).await.to_string();
    assert!(error.contains("chmod 700"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_was() {
    for content in [
        &b"not a database, but long enough to have a header of one hundred bytes: .........................."[..],
        b"x",
    ] {
        let (_folder, path) = place();
        DirBuilder::new().mode(0o700).create(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_was() {
    for sql in ["CREATE TABLE theirs (x)", "PRAGMA application_id = 1", "PRAGMA application_id = 5; CREATE TABLE t (x)"]
    {
        let (_folder, path) = place();
        DirBuilder::new().mode(0o700).create(path.parent().unwrap()).unwrap();
        meddle(&path, sql).await;
        let before = fs::read(&path).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Foreign { .. }), "{sql}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{sql}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_as_it_was() {
    for sql in ["PRAGMA user_version = 3", "PRAGMA user_version = 2000000000", "PRAGMA user_version = -1"] {
        let (_folder, path) = place();
        SqliteStore::open(&path).await.unwrap().close().await;
        meddle(&path, sql).await;
        let before = fs::read(&path).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Newer { .. }), "{sql}: {error}");
        assert!(error.to_string().contains("newer doorward"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{sql}");
    }
}

#[tokio::test]
async fn many_starts_at_once_migrate_once() {
    let (_folder, path) = place();
    DirBuilder::new().mode(0o700).create(path.parent().unwrap()).unwrap();
    fs::write(&path, b"").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let options = SqliteConnectOptions::new().filename(&path).busy_timeout(BUSY);
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let (options, path) = (options.clone(), path.clone());
            tokio::spawn(async move {
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                migrate(&mut connection, &path).await.unwrap();
                number(&mut connection, "PRAGMA user_version").await.unwrap()
            })
        })
        .collect();
    for start in starts {
        assert_eq!(usize::try_from(start.await.unwrap()), Ok(MIGRATIONS.len()));
    }
}

#[tokio::test]
async fn a_damaged_database_says_what_to_do() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.close().await;
    // Every page but the first, which holds the header and the schema.
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let error = store.witness_time(Timestamp::from_secs(1)).await.unwrap_err();
    assert!(error.to_string().contains("damaged") && error.to_string().contains("backup"), "{error}");
}

#[tokio::test]
async fn a_lock_of_another_process_is_named_and_the_store_recovers() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    // The default wait is made short here: what matters is what is said after it.
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 50").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();

    let mut other = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = store.witness_time(Timestamp::from_secs(1)).await.unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    lock.rollback().await.unwrap();
    assert_eq!(store.witness_time(Timestamp::from_secs(1)).await.unwrap(), Timestamp::from_secs(1));
}

/// A full disk as SQLite reports it (a cap on the pages of the file gives the same error code). It undoes the transaction by
/// itself, behind sqlx's back.
#[tokio::test]
async fn a_full_disk_is_named_and_the_store_recovers() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    for _again in 0..3 {
        let mut transaction = store.begin().await.unwrap();
        sqlx::query("PRAGMA max_page_count = 1").execute(&mut *transaction).await.unwrap();
        let fill = sqlx::query("INSERT INTO counters (name, value) VALUES ($1, 1)").bind("x".repeat(100_000));
        let error = fill.execute(&mut *transaction).await.unwrap_err();
        assert!(explain(&error).contains("disk is full"), "{error}");
        drop(transaction);
        store.reserve_serials(1).await.unwrap();
    }
}

/// What a caller who hung up had begun is undone, and the next one is not disturbed.
#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("UPDATE counters SET value = 100").execute(&mut *transaction).await.unwrap();
    drop(transaction);
    assert_eq!(store.reserve_serials(1).await.unwrap().get(), 1);
}

#[tokio::test]
async fn a_closed_store_answers_and_a_counter_that_was_tampered_with_gives_no_serial() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    for sql in [
        "UPDATE counters SET value = 0 WHERE name = 'next_serial'",
        "UPDATE counters SET value = -5 WHERE name = 'next_serial'",
        "UPDATE counters SET value = 9223372036854775807 WHERE name = 'next_serial'",
        "UPDATE counters SET value = 'seven' WHERE name = 'next_serial'",
        "DELETE FROM counters",
    ] {
        let mut transaction = store.begin().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        let answer = store.reserve_serials(1).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{sql}: {answer:?}");
    }
    store.close().await;
    assert!(matches!(store.reserve_serials(1).await, Err(StoreError::Unavailable(_))));
}
