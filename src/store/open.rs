//! Opens the database: makes it when there is none, checks that it is ours, brings it up to date, refuses what it does not know.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::failure::explain;

/// "DOOR": how SQLite files of ours are told from those of others (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x444f_4f52;

/// How every SQLite file begins (<https://www.sqlite.org/fileformat.html>, "The Database Header").
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Each migration is applied once, in one transaction, in this order. `PRAGMA user_version` is how many have been.
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_requests_and_certificates.sql"), include_str!("migrations/0002_owed_entries.sql")];

/// How long a statement waits for a lock of another process.
const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);
/// Readers do not wait for the writer (WAL), only for each other.
const READERS: u32 = 4;

/// Why the database was not opened. Says what the operator can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder or the file cannot be made or looked at.
    #[error("{path} cannot be used: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner could read or change it.
    #[error(
        "{path} has mode {mode:04o}, so others could read or change who is granted what: run `chmod {wanted:o} {path}`",
        path = path.display()
    )]
    Permissions {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it should be.
        wanted: u32,
    },
    /// The file is something else, or damaged at its very beginning.
    #[error("{path} is not a database: move it away to start with an empty one, or restore it from a backup", path = path.display())]
    NotADatabase {
        /// Which.
        path: PathBuf,
    },
    /// A database of another program.
    #[error(
        "{path} is a database of another program (application_id {found:#x}, ours is {ours:#x}): check the path",
        path = path.display(),
        ours = APPLICATION_ID
    )]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Its application_id.
        found: i64,
    },
    /// A newer doorward has written it, so that reading it would be guessing.
    #[error(
        "{path} was written by a newer doorward (format {found}, this one knows up to {known}): install that version again, \
         or restore the backup from before the upgrade",
        path = path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format this build knows.
        known: usize,
    },
    /// SQLite cannot open or change it.
    #[error("{path} cannot be opened: {reason}", path = path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// In words.
        reason: String,
    },
}

/// The two ways to the database.
pub(super) struct Pools {
    /// One connection: writers queue here instead of fighting for SQLite's lock.
    pub(super) write: SqlitePool,
    /// For queries alone (`query_only`).
    pub(super) read: SqlitePool,
}

pub(super) async fn open(path: &Path) -> Result<Pools, OpenError> {
    prepare_file(path)?;
    let database = |error: &sqlx::Error| refuse(path, error);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .disable_statement_logging();

    // Look first, with nothing that writes: another program's database must come out of this as it went in.
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| database(&error))?;
    let outcome = match recognise(&mut connection, path).await {
        Ok(()) => migrate(&mut connection, path).await,
        Err(error) => Err(error),
    };
    let closed = connection.close().await;
    outcome?;
    closed.map_err(|error| database(&error))?;

    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        // SQLite undoes a transaction by itself when the disk is full, sqlx 0.9 then still counts it as open and would refuse
        // every later one: such a connection is replaced.
        .before_acquire(|connection, _| {
            let clean = !connection.is_in_transaction();
            Box::pin(async move { Ok(clean) })
        })
        .connect_with(options.clone().journal_mode(SqliteJournalMode::Wal))
        .await
        .map_err(|error| database(&error))?;
    let read = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(|error| database(&error))?;
    Ok(Pools { write, read })
}

/// Makes folder and file with tight modes, or checks the modes they have. SQLite gives its `-wal` and `-shm` files the mode of
/// the database.
fn prepare_file(path: &Path) -> Result<(), OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::File { path, source }
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // The mode asked for went through the umask, which may have taken from the owner's rights too.
        Ok(file) => file.set_permissions(Permissions::from_mode(0o600)).map_err(failed(path))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut head = Vec::new();
            let file = fs::File::open(path).map_err(failed(path))?;
            file.take(MAGIC.len() as u64).read_to_end(&mut head).map_err(failed(path))?;
            // SQLite takes a file of a few bytes for an empty database and would write over it.
            if !head.is_empty() && head != MAGIC {
                return Err(OpenError::NotADatabase { path: path.to_owned() });
            }
        }
        Err(error) => return Err(failed(path)(error)),
    }
    // Whoever can write to the folder can put another file in the database's place; seeing its name gives nothing.
    for (path, forbidden, wanted) in [(folder, 0o022, 0o700), (path, 0o077, 0o600)] {
        let mode = fs::metadata(path).map_err(failed(path))?.permissions().mode() & 0o7777;
        if mode & forbidden != 0 {
            return Err(OpenError::Permissions { path: path.to_owned(), mode, wanted });
        }
    }
    Ok(())
}

fn refuse(path: &Path, error: &sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match error {
        // SQLITE_NOTADB
        sqlx::Error::Database(database) if database.code().as_deref() == Some("26") => OpenError::NotADatabase { path },
        other => OpenError::Database { path, reason: explain(other) },
    }
}

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_one(connection).await
}

/// Ours or empty; anything else is refused.
async fn recognise(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let database = |error: sqlx::Error| refuse(path, &error);
    let found = number(connection, "PRAGMA application_id").await.map_err(database)?;
    let things = number(connection, "SELECT COUNT(*) FROM sqlite_master").await.map_err(database)?;
    if found != APPLICATION_ID && !(found == 0 && things == 0) {
        return Err(OpenError::Foreign { path: path.to_owned(), found });
    }
    Ok(())
}

/// Applies the migrations that the database has not seen.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let database = |error: sqlx::Error| refuse(path, &error);
    loop {
        // The number is read inside the transaction: of two processes that start at once, one migrates and the other sees it.
        let mut step = connection.begin_with("BEGIN IMMEDIATE").await.map_err(database)?;
        let found = number(&mut step, "PRAGMA user_version").await.map_err(database)?;
        let done = match usize::try_from(found) {
            Ok(done) if done <= MIGRATIONS.len() => done,
            _ => return Err(OpenError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() }),
        };
        let Some(script) = MIGRATIONS.get(done) else {
            return step.rollback().await.map_err(database);
        };
        sqlx::raw_sql(*script).execute(&mut *step).await.map_err(database)?;
        // A PRAGMA takes no parameters; both values are numbers of ours.
        let mark = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", done + 1);
        sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut *step).await.map_err(database)?;
        step.commit().await.map_err(database)?;
    }
}

#[cfg(test)]
mod tests;
