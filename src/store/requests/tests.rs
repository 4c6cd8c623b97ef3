use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::*;
use crate::domain::{Digest, Timestamp};
use crate::grant::Scope;
use crate::service::ports::Store;
use crate::store::SqliteStore;

/// Room for everything.
const ANY: OpenLimit = OpenLimit { waiting: usize::MAX, all: usize::MAX };

async fn store() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
    (folder, store)
}

fn pending() -> AccessRequest {
    AccessRequest {
        id: RequestId::from_bits(7),
        user: "alice".parse().unwrap(),
        role: "web-restart".parse().unwrap(),
        role_text: "run_as = \"ops\"".to_owned(),
        role_digest: Digest::of(b"run_as = \"ops\""),
        scope: Scope {
            targets: [("web-1".parse().unwrap(), "ops".parse().unwrap())].into(),
            duration: Duration::from_secs(60),
        },
        reason: "stuck".to_owned(),
        ticket: None,
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        filed: Timestamp::from_secs(1),
        approvals_needed: 1,
        approvals: Vec::new(),
        state: State::Pending { lapses: Timestamp::from_secs(100) },
    }
}

/// What is asked at every command must cost the same however much is over: SQLite has to answer it from the indexes that hold
/// the open requests alone, in their order, without sorting.
#[tokio::test]
async fn open_requests_are_found_without_reading_the_closed_ones() {
    let (_folder, store) = store().await;
    let alice = Some("alice".parse().unwrap());
    let role = Some("web-restart".parse().unwrap());
    let rows = [
        (RequestQuery { open: true, ..Default::default() }, "requests_open"),
        (RequestQuery { open: true, user: alice.clone(), ..Default::default() }, "requests_open_by_user"),
        (RequestQuery { open: true, user: alice.clone(), role: role.clone(), limit: 3 }, "requests_open_by_user"),
        (RequestQuery::default(), "requests_by_time"),
        (RequestQuery { user: alice, ..Default::default() }, "requests_by_user"),
        (RequestQuery { role, ..Default::default() }, "requests_by_role"),
    ];
    let after = Some((Timestamp::from_secs(1), RequestId::from_bits(7)));
    let rows = rows.map(|(query, index)| (format!("{query:?}"), select(&query).into_string(), index)).into_iter();
    let page = ("a page of open ones".to_owned(), open_page(after).into_string(), "requests_open");
    for (query, sql, index) in rows.chain([page]) {
        // The parameters have no values here; the plan does not depend on them.
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let lines: Vec<String> = sqlx::raw_sql(AssertSqlSafe(explain))
            .fetch_all(&store.read)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get("detail"))
            .collect();
        let plan = lines.join("; ");
        assert!(plan.contains(&format!("USING INDEX {index}")), "{query}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{query}: {plan}");
    }
}

/// The document keeps what the columns say; a row that was edited by hand is refused by name, and stays refused.
#[tokio::test]
async fn a_row_that_was_tampered_with_is_an_error_that_names_it() {
    let edits = [
        "UPDATE requests SET document = '{'",
        "UPDATE requests SET document = ''",
        "UPDATE requests SET document = x'ff00'",
        "UPDATE requests SET document = replace(document, 'alice', 'bob')",
        "UPDATE requests SET document = replace(document, 'web-restart', '../x')",
        "UPDATE requests SET document = replace(document, '127.0.0.1', 'nowhere')",
        "UPDATE requests SET document = replace(document, '\"secs\":60', '\"secs\":-1')",
        "UPDATE requests SET document = replace(document, '\"secs\":60,\"nanos\":0', '\"secs\":18446744073709551615,\"nanos\":4000000000')",
        "UPDATE requests SET user_name = 'mallory'",
        "UPDATE requests SET state = 'active'",
        "UPDATE requests SET filed = 'yesterday'",
        "UPDATE requests SET version = 'one'",
        "UPDATE requests SET role_name = x'00'",
    ];
    for edit in edits {
        let (_folder, store) = store().await;
        store.insert_request(&pending(), ANY).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        sqlx::raw_sql(edit).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();

        let one = store.request(&pending().id).await;
        let all = store.requests(&RequestQuery::default()).await;
        for error in [one.unwrap_err(), all.unwrap_err()] {
            let StoreError::Unavailable(text) = &error else { panic!("{edit}: {error:?}") };
            assert!(text.contains("r-000007"), "{edit}: {text}");
        }
    }
}

#[tokio::test]
async fn a_request_cannot_turn_into_another_one() {
    let (_folder, store) = store().await;
    store.insert_request(&pending(), ANY).await.unwrap();
    let stored = store.request(&pending().id).await.unwrap().unwrap();
    let others = [
        AccessRequest { id: RequestId::from_bits(8), ..pending() },
        AccessRequest { user: "mallory".parse().unwrap(), ..pending() },
        AccessRequest { role: "root".parse().unwrap(), ..pending() },
        AccessRequest { role_digest: Digest::of(b""), ..pending() },
        AccessRequest { filed: Timestamp::from_secs(2), ..pending() },
    ];
    for other in others {
        assert!(matches!(store.replace_request(&stored, &other).await, Err(StoreError::Unavailable(_))), "{other:?}");
    }
    assert_eq!(store.request(&pending().id).await.unwrap().unwrap().version, 1);
}
