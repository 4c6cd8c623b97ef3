//! Session certificates on file. Of each key one counts; the others stay, marked as superseded.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};

use crate::domain::text::excerpt;
use crate::domain::{CertificateId, GrantId, Serial, Timestamp, UserName};
use crate::service::ports::{CertificateRecord, StoreError};

use super::failure::{damaged, taken_or_unavailable, unavailable};

/// Serials are handed out from 1 up and fit a BIGINT; one beyond it was never ours.
fn column(serial: Serial) -> Option<i64> {
    i64::try_from(serial.get()).ok()
}

/// Whichever is filed last is the current one of its key, whatever `superseded` says in `certificate`.
pub(super) async fn file(connection: &mut SqliteConnection, certificate: &CertificateRecord) -> Result<(), StoreError> {
    let failed =
        |problem: &str| StoreError::Unavailable(format!("certificate {} cannot be filed: {problem}", certificate.id));
    let serial = column(certificate.serial).ok_or_else(|| failed("its serial is beyond what was ever handed out"))?;
    let grants = serde_json::to_string(&certificate.grants).map_err(|error| failed(&error.to_string()))?;
    sqlx::query("UPDATE certificates SET superseded = TRUE WHERE key_print = $1 AND NOT superseded")
        .bind(&certificate.key)
        .execute(&mut *connection)
        .await
        .map_err(|error| unavailable(&error))?;
    let sql = "INSERT INTO certificates \
               (serial, id, user_name, key_print, grants, issued, valid_before, certificate, superseded) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, FALSE)";
    sqlx::query(sql)
        .bind(serial)
        .bind(certificate.id.to_string())
        .bind(certificate.user.as_str())
        .bind(&certificate.key)
        .bind(grants)
        .bind(certificate.issued.micros())
        .bind(certificate.valid_before.micros())
        .bind(&certificate.text)
        .execute(connection)
        .await
        .map_err(|error| taken_or_unavailable(&error))?;
    Ok(())
}

pub(super) async fn of_serial(pool: &SqlitePool, serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
    let Some(serial) = column(serial) else {
        return Ok(None);
    };
    let row = sqlx::query("SELECT * FROM certificates WHERE serial = $1")
        .bind(serial)
        .fetch_optional(pool)
        .await
        .map_err(|error| unavailable(&error))?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn of_key(pool: &SqlitePool, key: &str) -> Result<Option<CertificateRecord>, StoreError> {
    let row = sqlx::query("SELECT * FROM certificates WHERE key_print = $1 AND NOT superseded")
        .bind(key)
        .fetch_optional(pool)
        .await
        .map_err(|error| unavailable(&error))?;
    row.as_ref().map(read).transpose()
}

/// A row as the certificate it was, or an error that names it.
fn read(row: &SqliteRow) -> Result<CertificateRecord, StoreError> {
    let serial: i64 = row.try_get("serial").map_err(|error| damaged("a certificate's serial", &error.to_string()))?;
    let what = format!("certificate {serial}");
    let column = |error: sqlx::Error| damaged(&what, &error.to_string());
    let bad = |error: &dyn std::fmt::Display| damaged(&what, &excerpt(&error.to_string(), 200));

    let serial = u64::try_from(serial).ok().and_then(Serial::new);
    let id: String = row.try_get("id").map_err(column)?;
    let user: String = row.try_get("user_name").map_err(column)?;
    let grants: String = row.try_get("grants").map_err(column)?;
    Ok(CertificateRecord {
        serial: serial.ok_or_else(|| damaged(&what, "a serial is positive"))?,
        id: id.parse::<CertificateId>().map_err(|error| bad(&error))?,
        user: user.parse::<UserName>().map_err(|error| bad(&error))?,
        key: row.try_get("key_print").map_err(column)?,
        grants: serde_json::from_str::<Vec<GrantId>>(&grants).map_err(|error| bad(&error))?,
        issued: Timestamp::from_micros(row.try_get("issued").map_err(column)?),
        valid_before: Timestamp::from_micros(row.try_get("valid_before").map_err(column)?),
        text: row.try_get("certificate").map_err(column)?,
        superseded: row.try_get("superseded").map_err(column)?,
    })
}
