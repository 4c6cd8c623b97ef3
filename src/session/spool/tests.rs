use std::time::Duration;

use super::*;

fn limits(folder: &std::path::Path, budget: &Arc<Budget>) -> SpoolLimits {
    let budget = Arc::clone(budget);
    SpoolLimits { memory: 1000, waiting: 200_000, segment: 10_000, folder: folder.to_owned(), keep_free: 0, budget }
}

fn wide() -> Arc<Budget> {
    Budget::new(u64::MAX, None)
}

fn data(from: usize, count: usize) -> Bytes {
    (from..from + count).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect()
}

async fn rest(reader: &mut SpoolReader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = reader.next().await {
        all.extend_from_slice(&piece);
    }
    all
}

#[tokio::test]
async fn a_writer_never_waits_for_the_reader_and_the_order_is_kept() {
    let folder = tempfile::tempdir().expect("folder");
    let budget = Budget::new(1_000_000, None);
    let (mut writer, mut reader) = spool(limits(folder.path(), &budget));
    let mut sent = 0;
    let mut got = Vec::new();
    // Through every change between memory and files, with the reader a varying way behind.
    for round in 0..400 {
        let count = 1 + round * 37 % 3000;
        writer.push(data(sent, count)).await;
        sent += count;
        while writer.shared.lock().share.held() > if round % 50 == 0 { 0 } else { 60_000 } {
            got.extend_from_slice(&reader.next().await.expect("a piece"));
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0, "the files have no name");
    writer.finish();
    writer.push(data(0, 10)).await;
    got.extend(rest(&mut reader).await);
    assert!(got == data(0, sent), "{} of {sent} bytes, or other bytes", got.len());
    assert_eq!((reader.overflow(), budget.used()), (None, 0));
}

#[tokio::test]
async fn memory_stays_below_its_mark_and_read_files_are_dropped() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut writer, mut reader) = spool(limits(folder.path(), &wide()));
    for step in 0..150 {
        writer.push(data(step * 1000, 1000)).await;
        assert!(writer.shared.lock().in_memory <= 1000);
    }
    assert_eq!(writer.shared.lock().pieces.len(), 1 + 15, "one piece in memory, segments of 10 kB");
    for _ in 0..5 {
        reader.next().await.expect("a piece");
    }
    assert!(writer.shared.lock().pieces.len() < 15);
}

#[tokio::test]
async fn over_a_cap_the_stream_ends_instead_of_having_a_hole() {
    let folder = tempfile::tempdir().expect("folder");
    let user = Budget::new(50_000, None);
    let full = crate::session::budget::OWN + 50_000;
    for (waiting, cap) in [(20_000, "command"), (u64::MAX, "user")] {
        let (mut writer, mut reader) = spool(SpoolLimits { waiting, ..limits(folder.path(), &user) });
        while !reader.overflowed() {
            writer.push(data(0, 1000)).await;
        }
        writer.push(data(0, 1)).await;
        assert_eq!(reader.next().await, None, "{cap}");
        assert!(reader.overflow().is_some_and(|why| why.contains("more input")), "{cap}");
        let held = writer.shared.lock().share.held();
        assert!(held <= waiting.min(full) && held + 1000 > waiting.min(full), "{cap}: {held}");
        drop((writer, reader));
        assert_eq!(user.used(), 0, "{cap}");
    }
}

#[tokio::test]
async fn the_space_that_the_audit_log_needs_is_left_free() {
    let folder = tempfile::tempdir().expect("folder");
    for already in [false, true] {
        let (mut writer, mut reader) = spool(limits(folder.path(), &wide()));
        writer.push(data(0, 1000)).await;
        if already {
            writer.push(data(1000, 1)).await;
        }
        // The disk fills up, by whomever.
        writer.limits.keep_free = u64::MAX;
        assert_eq!(reader.overflow(), None);
        writer.push(data(1001, 1)).await;
        assert!(reader.overflow().is_some_and(|why| why.contains("free on the disk")), "in a file: {already}");
        assert_eq!(reader.next().await, None);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_and_ends_the_input() {
    let (mut writer, mut reader) = spool(limits("/proc/no-such".as_ref(), &wide()));
    writer.push(data(0, 1000)).await;
    assert!(!reader.overflowed());
    writer.push(data(1000, 1)).await;
    assert_eq!(reader.next().await, None);
    assert!(reader.overflow().is_some_and(|why| why.contains("cannot be kept")));
}

#[tokio::test]
async fn a_cancelled_read_loses_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut writer, mut reader) = spool(limits(folder.path(), &wide()));
    let reading = tokio::spawn(async move {
        let mut got = Vec::new();
        loop {
            tokio::select! {
                biased;
                piece = reader.next() => match piece {
                    Some(piece) => got.extend_from_slice(&piece),
                    None => return got,
                },
                () = tokio::time::sleep(Duration::from_micros(50)) => {}
            }
        }
    });
    for step in 0..100 {
        writer.push(data(step * 1500, 1500)).await;
        tokio::task::yield_now().await;
    }
    drop(writer);
    let got = reading.await.expect("reader");
    assert!(got == data(0, 150_000), "{} bytes, or other bytes", got.len());
}

#[tokio::test]
async fn nothing_waits_for_a_reader_that_takes_no_more() {
    let folder = tempfile::tempdir().expect("folder");
    let budget = Budget::new(1_000_000, None);
    for drops in [false, true] {
        let (mut writer, mut reader) = spool(limits(folder.path(), &budget));
        for step in 0..100 {
            writer.push(data(step * 1000, 1000)).await;
        }
        assert_eq!(budget.used(), 100_000 - crate::session::budget::OWN);
        let kept = if drops {
            drop(reader);
            None
        } else {
            reader.close();
            assert_eq!(reader.next().await, None);
            Some(reader)
        };
        assert_eq!(budget.used(), 0, "its room is free for others");
        writer.push(data(0, 100_000)).await;
        assert_eq!((budget.used(), writer.shared.lock().pieces.len()), (0, 0));
        assert!(kept.is_none_or(|reader| !reader.overflowed()));
    }
}

#[tokio::test]
async fn what_others_have_waiting_ends_nobody_who_has_little() {
    let folder = tempfile::tempdir().expect("folder");
    let all = Budget::new(50_000, None);
    let (mut greedy, greedy_end) = spool(SpoolLimits { waiting: u64::MAX, ..limits(folder.path(), &all) });
    for _ in 0..115 {
        greedy.push(data(0, 1000)).await;
    }
    assert!(!greedy_end.overflowed() && all.used() > 49_000, "{}", all.used());
    // Commands and connections inside connections, one after the other, for as long as they like.
    let (mut modest, mut modest_end) = spool(SpoolLimits { waiting: u64::MAX, ..limits(folder.path(), &all) });
    for round in 0..100 {
        modest.push(data(round, 32_000)).await;
        modest.push(data(round, 32_000)).await;
        for _ in 0..2 {
            let mut got = 0;
            while got < 32_000 {
                got += modest_end.next().await.expect("a piece").len();
            }
        }
    }
    modest.finish();
    assert_eq!((modest_end.next().await, modest_end.overflow()), (None, None));
}
