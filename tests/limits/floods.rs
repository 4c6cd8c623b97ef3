//! Thousands of strangers who stall, drip a byte now and then or speak nonsense, and honest users among them.
//!
//! The deadline of the handshake is set so long that it helps nobody: without room for newcomers, the first hundred strangers
//! would keep everybody out for ten minutes.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::client::{descriptors, knock_from, limited};
use crate::support::bastion::Bastion;

/// Strangers in one flood; each test has two.
const STRANGERS: usize = 5_000;
/// How many of them this process keeps open at once.
const AT_ONCE: usize = 400;
/// Bytes by which the bastion may be larger after a flood than before it: what the allocator keeps of the largest crowd, whose
/// size the limits bound (about 50 kB for each of 100 connections, in the arenas of several threads).
const SLACK: u64 = 16 << 20;

/// One stranger: does what its number says, and stays until the bastion closes the connection or `patience` is over.
async fn stranger(number: usize, source: Ipv4Addr, port: u16, patience: Duration) -> bool {
    let Ok(mut stream) = knock_from(source, port).await else { return false };
    let stay = async {
        let mut bytes = [0; 1024];
        let nonsense: [&[u8]; 4] = [
            b"GET / HTTP/1.1\r\nHost: bastion\r\n\r\n",
            &[0xff; 3000],
            b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"SSH-2.0-x\r\n\0\0\x01\x0c\x0a\x14aaaaaaaaaaaaaaaa\0\0\0\x7f",
        ];
        match number % 3 {
            0 => {}
            1 => {
                for byte in b"SSH-2.0-drip_drip_drip_drip_drip_drip_drip\r\n" {
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            _ => {
                let _ = stream.write_all(nonsense[number / 3 % nonsense.len()]).await;
            }
        }
        while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    };
    let _ = tokio::time::timeout(patience, stay).await;
    true
}

/// A flood in the background: `AT_ONCE` strangers stand at any time until all have been, and then until told to go.
struct Flood {
    came: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Flood {
    fn of(port: u16, source: fn(usize) -> Ipv4Addr) -> Self {
        let (came, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&came), Arc::clone(&over));
        let task = tokio::spawn(async move {
            let mut standing = JoinSet::new();
            for number in 0.. {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                while standing.len() >= AT_ONCE {
                    // Who was cut is replaced at once; who stands goes after a while, so that others come.
                    let _ = standing.join_next().await;
                }
                let count = Arc::clone(&count);
                standing.spawn(async move {
                    if stranger(number, source(number), port, Duration::from_secs(20)).await {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
                // At most two hundred a second: a room that only the deadline empties would be full after half a second.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            standing.shutdown().await;
        });
        Self { came, over, task }
    }

    /// Honest logins of all users, one after the other, until all strangers have been; then ends the flood. A login that is
    /// made room for by another newcomer is tried again, as a person would.
    async fn among_honest_users(self, bastion: &Bastion, most_tries: usize) -> usize {
        let patience = Instant::now();
        let mut logins = 0;
        while logins < 20 || self.came.load(Ordering::Relaxed) < STRANGERS {
            let who = ["alice", "bob", "carol", "dave"][logins % 4];
            let honest = || bastion.run(who, &["-o", "BindAddress=127.0.0.1", "bastion", "whoami"]);
            let came = tokio::task::block_in_place(|| (0..most_tries).map(|_| honest()).find(|came| came.code == 0));
            let came = came.unwrap_or_else(|| panic!("{who} was kept out {most_tries} times, login {logins}"));
            assert!(came.out.contains(who), "{came:?}");
            logins += 1;
            let came = self.came.load(Ordering::Relaxed);
            assert!(patience.elapsed() < Duration::from_secs(600), "only {came} strangers came in ten minutes");
        }
        self.over.store(true, Ordering::Relaxed);
        self.task.await.expect("the flood");
        logins
    }
}

/// Memory that the bastion alone has, in bytes.
fn memory(bastion: &Bastion) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", bastion.pid())).expect("its status");
    let line = text.lines().find(|line| line.starts_with("RssAnon:")).expect("its memory");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kib << 10
}

/// Waits until the bastion has hardly more descriptors open than `before` (a few for the database, which come and go), and
/// gives its memory.
fn calm(bastion: &Bastion, before: usize) -> u64 {
    let patience = Instant::now();
    while descriptors(bastion) > before + 8 {
        assert!(patience.elapsed() < Duration::from_secs(60), "{} descriptors, {before} before", descriptors(bastion));
        std::thread::sleep(Duration::from_millis(100));
    }
    memory(bastion)
}

/// Two floods of strangers from where `source` says; honest users need at most `most_tries`.
async fn two_floods(source: fn(usize) -> Ipv4Addr, most_tries: usize) {
    let _ = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, most, most));
    let bastion = limited("handshake_deadline = \"10m\"");
    bastion.grant("ops", "web-1", "30m");
    let open = descriptors(&bastion);
    let (mut after, before) = (Vec::new(), calm(&bastion, open));
    for _ in 0..2 {
        let flood = Flood::of(bastion.port, source);
        let logins = flood.among_honest_users(&bastion, most_tries).await;
        after.push(calm(&bastion, open));
        let _ = writeln!(std::io::stderr(), "{logins} logins; {before} bytes before, {after:?} after");
    }
    assert!(after[0] < before + SLACK, "{before} bytes before, {after:?} after");
    assert!(after[1] < after[0] + SLACK / 4, "a second flood takes more: {after:?}");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    // What they did to the log: its rate, and not a line each.
    bastion.caught_up();
    let entries = bastion.entries("authentication-failed").len();
    assert!(entries < 120 * 12, "{entries} entries of {} strangers", 2 * STRANGERS);
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_strangers_from_one_address_keep_nobody_waiting() {
    two_floods(|_| Ipv4Addr::new(127, 0, 0, 2), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_strangers_from_as_many_addresses_keep_nobody_out() {
    let source = |number: usize| Ipv4Addr::from(0x7f10_0000_u32 + u32::try_from(number % 60_000).unwrap_or(0));
    two_floods(source, 40).await;
}
