//! The suite itself. `open` gives a store on the same data each time it is called.

use super::*;

pub(super) async fn a_request_comes_back_as_it_was_filed<F: Future<Output = Arc<dyn Store>>>(open: impl Fn() -> F) {
    let store = open().await;
    for (number, (state, _)) in every_state().into_iter().enumerate() {
        let filed = request(number as u64, "alice", "web-restart", i64::MAX - 1, state);
        store.insert_request(&filed, ANY).await.unwrap();
        let stored = store.request(&filed.id).await.unwrap().unwrap();
        assert_eq!((stored.value, stored.version), (filed, 1));
    }
}

pub(super) async fn an_identifier_is_taken_once<F: Future<Output = Arc<dyn Store>>>(open: impl Fn() -> F) {
    let store = open().await;
    let tries = (0..16).map(|n| {
        let store = Arc::clone(&store);
        let user = if n % 2 == 0 { "alice" } else { "erin" };
        tokio::spawn(async move { store.insert_request(&request(5, user, "web-restart", n, pending()), ANY).await })
    });
    let mut filed = 0;
    for outcome in tries.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            Ok(()) => filed += 1,
            Err(StoreError::Taken) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(filed, 1);
    assert_eq!(store.requests(&RequestQuery::default()).await.unwrap().len(), 1);
}

pub(super) async fn of_many_changes_at_once_one_wins_and_the_others_know<F: Future<Output = Arc<dyn Store>>>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    let filed = request(1, "alice", "web-restart", 1, pending());
    store.insert_request(&filed, ANY).await.unwrap();
    // Everybody adds one approval, reading again whenever somebody was faster: all of them must be there in the end.
    let approvers = (0..16_u8).map(|n| {
        let (store, id) = (Arc::clone(&store), filed.id.clone());
        tokio::spawn(async move {
            let mut beaten = 0_u32;
            loop {
                let before = store.request(&id).await.unwrap().unwrap();
                let mut after = before.value.clone();
                let by = format!("approver{n}").parse().unwrap();
                after.approvals.push(Approval { by, at: Timestamp::from_secs(1), digest: Digest::of(b"") });
                match store.replace_request(&before, &after).await {
                    Ok(()) => return beaten,
                    Err(StoreError::Changed) => beaten += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
        })
    });
    let mut beaten = 0;
    for approver in approvers.collect::<Vec<_>>() {
        beaten += approver.await.unwrap();
    }
    let last = store.request(&filed.id).await.unwrap().unwrap();
    let people: BTreeSet<_> = last.value.approvals.iter().map(|approval| approval.by.clone()).collect();
    assert_eq!((people.len(), last.version), (16, 17), "beaten {beaten} times");

    // An old version never wins, even if the value is the same again.
    let mut old = last.clone();
    store.replace_request(&last, &last.value).await.unwrap();
    assert!(matches!(store.replace_request(&old, &old.value).await, Err(StoreError::Changed)));
    old.version = 99;
    assert!(matches!(store.replace_request(&old, &old.value).await, Err(StoreError::Changed)));
}

pub(super) async fn an_unknown_request_is_not_there_and_cannot_be_changed<F: Future<Output = Arc<dyn Store>>>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    let ghost = request(404, "alice", "web-restart", 1, pending());
    assert!(store.request(&ghost.id).await.unwrap().is_none());
    let before = doorward::service::ports::Stored { version: 1, value: ghost.clone() };
    assert!(matches!(store.replace_request(&before, &ghost).await, Err(StoreError::Changed)));
    assert!(store.requests(&RequestQuery::default()).await.unwrap().is_empty());
    assert!(store.certificate(Serial::new(u64::MAX).unwrap()).await.unwrap().is_none());
    assert!(store.certificate(Serial::new(1).unwrap()).await.unwrap().is_none());
    assert!(store.certificate_of_key("' OR 1=1 --").await.unwrap().is_none());
}

pub(super) async fn queries_give_what_matches_newest_first<F: Future<Output = Arc<dyn Store>>>(open: impl Fn() -> F) {
    let store = open().await;
    let mut all = Vec::new();
    let mut number = 0;
    for user in ["alice", "erin"] {
        for role in ["web-restart", "db-read"] {
            for (state, _) in every_state() {
                number += 1;
                // Filed out of order, and some in the same microsecond.
                let filed = i64::try_from(number * 7 % 20).unwrap();
                all.push(request(number, user, role, filed, state));
            }
        }
    }
    for request in &all {
        store.insert_request(request, ANY).await.unwrap();
    }
    let is_open = |request: &AccessRequest| every_state().iter().any(|(state, open)| *state == request.state && *open);
    for user in [None, Some("alice"), Some("nobody")] {
        for role in [None, Some("db-read")] {
            for open in [false, true] {
                for limit in [0, 1, 5] {
                    let query = RequestQuery {
                        user: user.map(|name| name.parse().unwrap()),
                        role: role.map(|name| name.parse().unwrap()),
                        open,
                        limit,
                    };
                    let mut wanted: Vec<_> = all
                        .iter()
                        .filter(|request| user.is_none_or(|name| request.user.as_str() == name))
                        .filter(|request| role.is_none_or(|name| request.role.as_str() == name))
                        .filter(|request| !open || is_open(request))
                        .collect();
                    wanted.sort_by_key(|request| std::cmp::Reverse((request.filed, request.id.to_string())));
                    wanted.truncate(if limit == 0 { usize::MAX } else { limit });
                    let found = store.requests(&query).await.unwrap();
                    let found: Vec<_> = found.iter().map(|stored| &stored.value).collect();
                    assert_eq!(found, wanted, "{query:?}");
                }
            }
        }
    }
}

pub(super) async fn a_query_is_bounded<F: Future<Output = Arc<dyn Store>>>(open: impl Fn() -> F) {
    let store = open().await;
    let most = RequestQuery::MOST;
    for number in 0..=u64::try_from(most).unwrap() {
        let filed = i64::try_from(number).unwrap();
        store.insert_request(&request(number, "alice", "web-restart", filed, pending()), ANY).await.unwrap();
    }
    for limit in [0, most, usize::MAX] {
        let found = store.requests(&RequestQuery { limit, ..RequestQuery::default() }).await.unwrap();
        assert_eq!(found.len(), most, "limit {limit}");
        assert_eq!(found[0].value.filed, Timestamp::from_micros(i64::try_from(most).unwrap()));
    }
}

pub(super) async fn open_requests_come_oldest_first_and_none_is_hidden_by_newer_ones<
    F: Future<Output = Arc<dyn Store>>,
>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    let mut wanted = Vec::new();
    for number in 0..u64::try_from(RequestQuery::MOST).unwrap() + 30 {
        let (state, is_open) = every_state()[usize::try_from(number % 7).unwrap() % 4].clone();
        // Three of them in each microsecond: a page may end between them.
        let one = request(number, "alice", "web-restart", i64::try_from(number / 3).unwrap(), state);
        store.insert_request(&one, ANY).await.unwrap();
        wanted.extend(is_open.then_some(one.id));
    }
    for number in 5000..5200 {
        let one = request(number, "erin", "web-restart", 5000, pending());
        store.insert_request(&one, ANY).await.unwrap();
        wanted.push(one.id);
    }
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.open_requests(after).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= RequestQuery::MOST);
        after = Some((last.value.filed, last.value.id.clone()));
        found.extend(page.into_iter().map(|stored| stored.value.id));
        pages += 1;
    }
    assert_eq!((found, pages), (wanted, 2));
}

pub(super) async fn of_many_filed_at_once_only_so_many_find_room<F: Future<Output = Arc<dyn Store>>>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    let limit = OpenLimit { waiting: 10, all: 60 };
    let over = State::Withdrawn { at: Timestamp::from_secs(1) };
    store.insert_request(&request(100, "alice", "web-restart", 1, over), limit).await.unwrap();
    store.insert_request(&request(101, "erin", "web-restart", 1, pending()), limit).await.unwrap();
    let filings = (0..40).map(|number| {
        let store = Arc::clone(&store);
        let one = request(number, "alice", "web-restart", 1, pending());
        tokio::spawn(async move { store.insert_request(&one, limit).await })
    });
    let mut filed = 0;
    for filing in filings.collect::<Vec<_>>() {
        match filing.await.unwrap() {
            Ok(()) => filed += 1,
            Err(StoreError::Full(10)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(filed, 10);
    assert_eq!(store.open_requests(None).await.unwrap().len(), 11);
}

pub(super) async fn active_ones_have_a_limit_of_their_own<F: Future<Output = Arc<dyn Store>>>(open: impl Fn() -> F) {
    let store = open().await;
    let limit = OpenLimit { waiting: 2, all: 4 };
    let at = Timestamp::from_secs;
    let active = State::Active { window: Window { start: at(1), end: at(2) } };
    let approved = State::Approved { at: at(1), activate_by: at(2) };
    let rows = [(active.clone(), None), (active.clone(), None), (active, None), (approved, None), (pending(), Some(4))];
    for (number, (state, full)) in rows.into_iter().enumerate() {
        let outcome = store.insert_request(&request(number as u64, "alice", "web-restart", 1, state), limit).await;
        match full {
            None => outcome.unwrap(),
            Some(count) => assert!(matches!(outcome, Err(StoreError::Full(open)) if open == count), "{outcome:?}"),
        }
    }
}

fn ended(request: &AccessRequest, why: &str) -> AuditEvent {
    let what = What::Ended { why: why.to_owned(), text: "it's \"bad\" \u{202e}\n$1 ' OR 1=1 --".to_owned() };
    AuditEvent { grant: Some((&request.id).into()), user: Some(request.user.clone()), ..AuditEvent::of(what) }
}

pub(super) async fn a_change_and_the_entry_it_owes_are_stored_together_or_not_at_all<
    F: Future<Output = Arc<dyn Store>>,
>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    let filed = request(1, "alice", "web-restart", 1, pending());
    store.insert_request(&filed, ANY).await.unwrap();
    let before = store.request(&filed.id).await.unwrap().unwrap();
    let after = AccessRequest { state: State::Withdrawn { at: Timestamp::from_secs(3) }, ..filed.clone() };
    let tries = (0..16).map(|n| {
        let (store, before, after) = (Arc::clone(&store), before.clone(), after.clone());
        let owed = ended(&after, &n.to_string());
        tokio::spawn(async move { store.replace_request_owing(&before, &after, &owed).await.map(|id| (id, owed)) })
    });
    let mut won = Vec::new();
    for outcome in tries.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            Ok(pair) => won.push(pair),
            Err(StoreError::Changed) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let owed: Vec<_> = store.owed_entries().await.unwrap().into_iter().map(|one| (one.id, one.event)).collect();
    assert_eq!((won.len(), &owed), (1, &won));
    let stored = store.request(&filed.id).await.unwrap().unwrap();
    assert_eq!((stored.value, stored.version), (after, 2));
}

pub(super) async fn owed_entries_survive_restarts_in_their_order_until_they_are_written<
    F: Future<Output = Arc<dyn Store>>,
>(
    open: impl Fn() -> F,
) {
    let mut given = Vec::new();
    for round in 0..12 {
        let store = open().await;
        let filed = request(round, "alice", "web-restart", 1, pending());
        store.insert_request(&filed, ANY).await.unwrap();
        let before = store.request(&filed.id).await.unwrap().unwrap();
        let after = AccessRequest { state: State::Withdrawn { at: Timestamp::from_secs(3) }, ..filed };
        let owed = ended(&after, "given-back");
        given.push((store.replace_request_owing(&before, &after, &owed).await.unwrap(), owed));
    }
    let store = open().await;
    let owed = async |store: &Arc<dyn Store>| -> Vec<_> {
        store.owed_entries().await.unwrap().into_iter().map(|one| (one.id, one.event)).collect()
    };
    assert_eq!(owed(&store).await, given);
    for gone in [11, 4, 0] {
        let (id, _) = given.remove(gone);
        store.entry_written(id).await.unwrap();
        store.entry_written(id).await.unwrap();
        assert_eq!(owed(&open().await).await, given);
    }
}

pub(super) async fn a_certificate_supersedes_the_earlier_ones_of_its_key<F: Future<Output = Arc<dyn Store>>>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    for (serial, key) in [(1, "SHA256:a"), (2, "SHA256:b"), (3, "SHA256:a"), (5, "SHA256:a")] {
        store.file_certificate(&certificate(serial, key)).await.unwrap();
    }
    let current = store.certificate_of_key("SHA256:a").await.unwrap().unwrap();
    assert_eq!(format!("{current:?}"), format!("{:?}", certificate(5, "SHA256:a")));
    assert_eq!(store.certificate_of_key("SHA256:b").await.unwrap().unwrap().serial.get(), 2);
    assert!(store.certificate_of_key("SHA256:A").await.unwrap().is_none(), "fingerprints are told apart by case");
    for (serial, superseded) in [(1, true), (2, false), (3, true), (5, false)] {
        let found = store.certificate(Serial::new(serial).unwrap()).await.unwrap().unwrap();
        assert_eq!(found.superseded, superseded, "serial {serial}");
    }
    assert!(store.certificate(Serial::new(4).unwrap()).await.unwrap().is_none());
}

pub(super) async fn a_certificate_that_is_refused_supersedes_nothing<F: Future<Output = Arc<dyn Store>>>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    store.file_certificate(&certificate(1, "SHA256:a")).await.unwrap();
    let same_serial = CertificateRecord { id: CertificateId::from_bits(77), ..certificate(1, "SHA256:a") };
    let same_id = CertificateRecord { id: CertificateId::from_bits(1), ..certificate(2, "SHA256:a") };
    for taken in [same_serial, same_id] {
        assert!(matches!(store.file_certificate(&taken).await, Err(StoreError::Taken)), "{taken:?}");
    }
    let never_ours = CertificateRecord { serial: Serial::new(u64::MAX).unwrap(), ..certificate(3, "SHA256:a") };
    assert!(matches!(store.file_certificate(&never_ours).await, Err(StoreError::Unavailable(_))));
    let current = store.certificate_of_key("SHA256:a").await.unwrap().unwrap();
    assert_eq!((current.serial.get(), current.superseded), (1, false));
}

pub(super) async fn of_certificates_filed_at_once_exactly_one_counts<F: Future<Output = Arc<dyn Store>>>(
    open: impl Fn() -> F,
) {
    let store = open().await;
    let filings = (1..=32).map(|serial| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.file_certificate(&certificate(serial, "SHA256:a")).await.unwrap() })
    });
    for filing in filings.collect::<Vec<_>>() {
        filing.await.unwrap();
    }
    let mut current = Vec::new();
    for serial in 1..=32 {
        let found = store.certificate(Serial::new(serial).unwrap()).await.unwrap().unwrap();
        current.extend((!found.superseded).then_some(found.serial));
    }
    assert_eq!(current, [store.certificate_of_key("SHA256:a").await.unwrap().unwrap().serial]);
}

pub(super) async fn serials_are_unique_over_tasks_and_restarts<F: Future<Output = Arc<dyn Store>>>(
    open: impl Fn() -> F,
) {
    let mut given = BTreeSet::new();
    let mut highest = 0;
    for _restart in 0..3 {
        let store = open().await;
        let tasks = (0..64_u32).map(|n| {
            let store = Arc::clone(&store);
            let count = n % 4;
            tokio::spawn(async move { (store.reserve_serials(count).await.unwrap().get(), count.max(1)) })
        });
        let mut reached = highest;
        for task in tasks.collect::<Vec<_>>() {
            let (first, count) = task.await.unwrap();
            for serial in first..first + u64::from(count) {
                assert!(serial > highest && given.insert(serial), "serial {serial} was given before");
                reached = reached.max(serial);
            }
        }
        highest = reached;
    }
}

pub(super) async fn the_highest_time_never_goes_back<F: Future<Output = Arc<dyn Store>>>(open: impl Fn() -> F) {
    let at = Timestamp::from_secs;
    let store = open().await;
    for (now, highest) in [(at(-5), at(-5)), (at(10), at(10)), (at(3), at(10)), (at(11), at(11)), (at(0), at(11))] {
        assert_eq!(store.witness_time(now).await.unwrap(), highest);
    }
    drop(store);
    let store = open().await;
    assert_eq!(store.witness_time(at(1)).await.unwrap(), at(11));
    let tasks = (0..32).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { (n, store.witness_time(at(n)).await.unwrap()) })
    });
    for task in tasks.collect::<Vec<_>>() {
        let (n, highest) = task.await.unwrap();
        assert!(highest >= at(n.max(11)), "{n}: {highest}");
    }
    assert_eq!(store.witness_time(at(0)).await.unwrap(), at(31));
}

pub(super) async fn everything_survives_a_restart<F: Future<Output = Arc<dyn Store>>>(open: impl Fn() -> F) {
    let filed = request(1, "alice", "web-restart", 1, pending());
    {
        let store = open().await;
        store.insert_request(&filed, ANY).await.unwrap();
        store.file_certificate(&certificate(1, "SHA256:a")).await.unwrap();
    }
    let store = open().await;
    assert_eq!(store.request(&filed.id).await.unwrap().unwrap().value, filed);
    assert_eq!(store.certificate_of_key("SHA256:a").await.unwrap().unwrap().id, CertificateId::from_bits(1));
}
