//! What goes wrong with the database, in words that tell the operator what to do.

use crate::service::ports::StoreError;

/// Primary result codes of SQLite (<https://www.sqlite.org/rescode.html>); the extended ones carry them in the low byte.
fn advice(code: u32) -> Option<&'static str> {
    match code & 0xff {
        3 | 14 => {
            Some("it cannot be opened: check that the state directory exists and belongs to the user doorward runs as")
        }
        5 | 6 => Some("another process holds it locked: stop the other program that has it open (a backup, `sqlite3`)"),
        8 => Some("it is read-only: check the mount and the owner of the state directory"),
        10 => Some("its disk reports errors: look at the kernel log, then restore the state directory to a good disk"),
        11 => Some("it is damaged: stop doorward and restore the state directory from the last backup"),
        13 => Some("its disk is full: free space under the state directory, then try again"),
        26 => Some("it is not a doorward database any more: stop doorward and restore the state directory"),
        _ => None,
    }
}

/// The error in words: what to do where we know it, and what SQLite said.
pub(super) fn explain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => {
            "it did not answer in time: its disk is too slow or another process holds it locked".to_owned()
        }
        sqlx::Error::PoolClosed => "it is closed: doorward is stopping".to_owned(),
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse().ok());
            match code.and_then(advice) {
                Some(advice) => format!("{advice} ({})", database.message()),
                None => database.message().to_owned(),
            }
        }
        other => other.to_string(),
    }
}

/// As the port says it.
pub(super) fn unavailable(error: &sqlx::Error) -> StoreError {
    StoreError::Unavailable(explain(error))
}

/// As [`unavailable`], but a violated uniqueness is [`StoreError::Taken`].
pub(super) fn taken_or_unavailable(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(database) if database.is_unique_violation() => StoreError::Taken,
        other => unavailable(other),
    }
}

/// A row that says something we never wrote. `what` names the row and never quotes more than its identifier.
pub(super) fn damaged(what: &str, problem: &str) -> StoreError {
    StoreError::Unavailable(format!(
        "{what} is not what doorward wrote ({problem}): somebody or something changed the database; restore it from the last \
         backup, and compare with the audit log"
    ))
}
