//! The log on that disk: whatever moment the power fails in, what was released is there.

use super::*;

/// Memory: nothing here is about a real disk.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

fn open_fragile(dir: &Path, disk: &Fragile) -> Result<Arc<Log>, OpenError> {
    let disk = Box::new(disk.clone());
    super::super::open::open(dir, ORIGIN, key(), Arc::new(Ticks::default()), quick(), disk).map(|(log, _)| log)
}

/// Decisions and endings on that disk, in segments of about three entries; the decisions that were released, in order.
async fn at_work(dir: &Path, disk: &Fragile) -> Vec<(u64, String)> {
    let mut released = Vec::new();
    let Ok(log) = open_fragile(dir, disk) else { return released };
    for number in 0..5 {
        log.append_later(revoked(format!("ending {number} {}", "x".repeat(60))));
        let text = format!("decision {number} {}", "x".repeat(100));
        disk.inside.lock().unwrap().asked += 1;
        if let Ok(committed) = log.append(said(&text)).await {
            released.push((committed.sequence(), text));
            disk.inside.lock().unwrap().released = released.len();
        }
        // A disk that failed is mended meanwhile.
        for _ in 0..200 {
            if log.health().condition == Condition::Working {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    log.close();
    released
}

/// Opens what a power failure left, and checks that everything released by then is there, that it can be written to, and that
/// the next start finds nothing to repair.
fn survives(what: &str, left: &BTreeMap<String, Vec<u8>>, released: &[(u64, String)], asked: usize) {
    let dir = place();
    for (name, bytes) in left {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let opened = super::super::open(dir.path(), ORIGIN, key(), Arc::new(Ticks::default()), quick());
    let (log, opened) = opened.unwrap_or_else(|error| panic!("{what}: {error}\n{:?}", left.keys()));
    log.close();
    drop(log);
    let found = texts(dir.path());
    for (sequence, text) in released {
        assert_eq!(found.get(usize::try_from(*sequence).unwrap()), Some(text), "{what}: a released entry");
    }
    let decisions: Vec<_> = found.iter().filter(|text| text.starts_with("decision")).collect();
    assert!(decisions.len() <= asked, "{what}: more than was asked for: {decisions:?}");
    let repaired = found.iter().filter(|text| *text == "log-repaired").count();
    assert!(repaired >= opened.moved_aside.len(), "{what}: what was put aside is not in the log");
    let (_log, again) = open_folder(dir.path());
    assert_eq!((again.moved_aside.len(), again.entries), (0, found.len() as u64), "{what}: not quiet afterwards");
}

/// Every moment of a run from that step on, in several states each that a power failure could leave.
fn all_moments_survive(what: &str, disk: &Fragile, released: &[(u64, String)], from: u64, lots: u64) -> usize {
    let mut seen = HashSet::new();
    let moments = std::mem::take(&mut disk.inside.lock().unwrap().moments);
    for moment in moments.into_iter().skip_while(|moment| moment.step < from) {
        for lot in 0..lots {
            let left = moment.after_power_failure(lot);
            let mut hash = DefaultHasher::new();
            (&left, moment.released).hash(&mut hash);
            if seen.insert(hash.finish()) {
                let what = format!("{what}, power lost at step {}, lot {lot}", moment.step);
                survives(&what, &left, &released[..moment.released], moment.asked);
            }
        }
    }
    seen.len()
}

impl Moment {
    fn after_power_failure(&self, lot: u64) -> BTreeMap<String, Vec<u8>> {
        let mut left = self.model.after_power_failure(lot * 7 + self.step);
        left.retain(|name, _| name != "reserve" && name != "lock");
        left
    }
}

#[tokio::test]
async fn after_a_power_failure_at_any_step_all_that_was_released_is_there() {
    let (dir, disk) = fresh(None);
    let released = at_work(dir.path(), &disk).await;
    assert_eq!(released.len(), 5);
    let states = all_moments_survive("nothing failed", &disk, &released, 0, 6);
    assert!(states > 80, "only {states} different states");
}

#[tokio::test]
async fn a_disk_that_failed_before_the_power_did_loses_nothing_that_was_released() {
    let (mut refused, mut steps) = (0, 0);
    for at in 0_u64.. {
        // Each step fails in one of these ways; the next one in another.
        let ways = [Harm::Nothing, Harm::Done, Harm::Full, Harm::Slow];
        let harm = ways[usize::try_from(at * 3 % 4).unwrap()];
        let (dir, disk) = fresh(Some((at, harm)));
        let released = at_work(dir.path(), &disk).await;
        refused += 5 - released.len();
        assert!(harm != Harm::Slow || released.len() == 5, "slow is not broken: step {at}");
        steps = disk.inside.lock().unwrap().step;
        // What comes long after the fault is as without it.
        disk.inside.lock().unwrap().moments.truncate(usize::try_from(at).unwrap() + 10);
        all_moments_survive(&format!("{harm:?} at step {at}"), &disk, &released, at, 1);
        if steps <= at {
            break;
        }
    }
    assert!(refused > 10, "only {refused} decisions were refused: the faults hit nothing");
    assert!(steps > 40, "only {steps} steps");
}

#[tokio::test]
async fn a_power_failure_while_a_torn_tail_is_put_aside_loses_neither_the_log_nor_the_tail() {
    let (dir, disk) = fresh(None);
    let released = at_work(dir.path(), &disk).await;
    let mut segments: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    segments.sort();
    let (last, torn) = (segments.pop().unwrap(), b"{\"torn\":\"tail\"}\n{\"to");
    let whole = std::fs::read(&last).unwrap();
    std::fs::write(&last, [&whole[..], torn].concat()).unwrap();
    let disk = Fragile::new(dir.path(), None);
    open_fragile(dir.path(), &disk).unwrap().close();
    let moments = disk.inside.lock().unwrap().moments.clone();
    for moment in moments {
        for lot in 0..4 {
            let left = moment.after_power_failure(lot);
            let what = format!("power lost at step {}, lot {lot}", moment.step);
            assert!(left.values().any(|bytes| bytes.ends_with(torn)), "{what}: the tail is lost: {:?}", left.keys());
            survives(&what, &left, &released, 5);
        }
    }
}

fn fresh(harm: Option<(u64, Harm)>) -> (tempfile::TempDir, Fragile) {
    let dir = place();
    let disk = Fragile::new(dir.path(), harm);
    (dir, disk)
}
