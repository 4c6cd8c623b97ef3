//! Sends bytes that look random through a command and compares what comes back with what went in, without keeping either.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::support::bastion::{Bastion, Setup};

/// One mebibyte.
pub(crate) const MIB: u64 = 1024 * 1024;

/// A size in a release build; a debug build encrypts about fifty times slower and gets a sixteenth.
pub(crate) const fn scaled(bytes: u64) -> u64 {
    if cfg!(debug_assertions) { bytes / 16 } else { bytes }
}

/// How long anything here may take before it counts as hung. Nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A role whose commands move data both ways, out alone, in alone, or not at all.
pub(crate) const ROLE: &str = r#"
description = "Bulk data"
targets     = ["web-1", "here"]
run_as      = "ops"

[request]
eligible     = ["user:alice"]
approvers    = ["user:bob"]
approvals    = 1
max_duration = "8h"
reason       = "required"

[[command]]
run = "/usr/bin/cat"
stdin = true
max_output = 68719476736

[[command]]
run = "/usr/bin/sha256sum"
stdin = true

[[command]]
run = "/usr/bin/sleep {seconds}"
stdin = true
where.seconds = { int = [1, 3600] }

[[command]]
run = "/usr/bin/head -c {bytes} /dev/zero"
where.bytes = { int = [0, 17179869184] }
max_output = 68719476736

[[command]]
run = "/usr/bin/dash EXITS {code}"
where.code = { int = [0, 255] }
"#;

/// A bastion with [`ROLE`] granted to alice on both targets. `limits` are more lines of `[limits]`, `target` of the OpenSSH
/// target's configuration.
pub(crate) fn bastion(limits: &str, target: &str) -> Bastion {
    let role = ROLE.replace("EXITS", &exits());
    let setup = Setup {
        roles: vec![("bulk".to_owned(), role)],
        tables: format!("[limits]\nrecordings_mib = 65536\n{limits}\n"),
        target: target.to_owned(),
        ..Setup::default()
    };
    let bastion = Bastion::with(setup);
    bastion.grant("bulk", "web-1,here", "8h");
    bastion
}

/// The script that ends with the exit code it is given.
pub(crate) fn exits() -> String {
    let script = std::env::temp_dir().join(format!("doorward-exits-{}", std::process::id()));
    if !script.exists() {
        std::fs::write(&script, "exit \"$1\"\n").expect("a script");
    }
    script.to_str().expect("a UTF-8 path").to_owned()
}

/// The same bytes for the same seed, without end (xorshift64*).
pub(crate) struct Noise {
    state: u64,
    block: Vec<u8>,
    at: usize,
}

impl Noise {
    /// The stream of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, block: vec![0; 64 * 1024], at: 64 * 1024 }
    }

    fn refill(&mut self) {
        for word in self.block.chunks_exact_mut(8) {
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            word.copy_from_slice(&self.state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
        }
        self.at = 0;
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.block.len() {
            self.refill();
        }
        let count = buffer.len().min(self.block.len() - self.at);
        buffer[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// How fast the user takes what comes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reader {
    /// At once.
    Fast,
    /// With pauses, the first of them long enough for the buffers on the way to fill.
    Slow,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Round {
    /// The exit code; -1 for a signal.
    pub(crate) code: i32,
    /// How many bytes came back as they went in.
    pub(crate) same: u64,
    /// Whether a byte came back that had not gone in there.
    pub(crate) differs: bool,
    /// What stood on standard error.
    pub(crate) errors: String,
    /// Whether it had to be ended.
    pub(crate) hung: bool,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Round {
    /// Panics unless exactly `size` bytes came back and all is well.
    pub(crate) fn assert_whole(&self, size: u64, what: &str) {
        let well = self.code == 0 && self.same == size && !self.differs && !self.hung && self.errors.is_empty();
        assert!(well, "{what}: {size} bytes went in, and {self:?}");
    }
}

/// Sends `size` bytes of `seed` through `command` and compares. After `patience` it is ended and counts as hung.
pub(crate) fn round_trip(mut command: Command, size: u64, seed: u64, reader: Reader, patience: Duration) -> Round {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    let (mut stdin, mut stdout) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
    let mut stderr = child.stderr.take().expect("stderr");
    let writer = std::thread::spawn(move || {
        // The other side may have ended before; what came back says so.
        let _ = std::io::copy(&mut Noise::new(seed).take(size), &mut stdin);
        let _ = stdin.flush();
    });
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let child = Arc::new(Mutex::new(child));
    let (done, hung) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let watchdog = {
        let (child, done, hung) = (Arc::clone(&child), Arc::clone(&done), Arc::clone(&hung));
        std::thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                if began.elapsed() > patience {
                    hung.store(true, Ordering::SeqCst);
                    let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        })
    };
    let (mut same, mut differs) = (0_u64, false);
    let (mut expected, mut wanted, mut came) = (Noise::new(seed), vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut next_pause = if reader == Reader::Slow { 0 } else { u64::MAX };
    loop {
        if same >= next_pause {
            std::thread::sleep(Duration::from_millis(if same == 0 { 1500 } else { 100 }));
            next_pause = same + (size / 10).max(1);
        }
        let Ok(count @ 1..) = stdout.read(&mut came) else { break };
        expected.read_exact(&mut wanted[..count]).expect("noise");
        if wanted[..count] != came[..count] {
            differs = true;
            break;
        }
        same += count as u64;
    }
    drop(stdout);
    let code = loop {
        if let Some(status) = child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().expect("its status") {
            break status.code().unwrap_or(-1);
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = began.elapsed();
    done.store(true, Ordering::SeqCst);
    let _ = (watchdog.join(), writer.join());
    let errors = errors.join().expect("standard error");
    Round { code, same, differs, errors, hung: hung.load(Ordering::SeqCst), took }
}

/// The most memory the bastion has had so far, in bytes (`VmHWM`).
pub(crate) fn peak_memory(bastion: &Bastion) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bastion.pid())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
