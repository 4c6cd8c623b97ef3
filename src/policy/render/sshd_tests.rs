//! The end of a command through a real `sshd` with a forced command, as on a target.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{Execution, RenderError, Vector, render};

/// An `sshd` on a free port of loopback, for the user who runs the test; ends with the value.
struct Sshd {
    server: Child,
    port: u16,
    home: tempfile::TempDir,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn key(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}

impl Sshd {
    /// Forces `line` on whoever logs in.
    fn forcing(line: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        key(&path("host"));
        key(&path("user"));
        // As root, sshd insists on its directory for privilege separation; a user needs none.
        let _ = fs::create_dir_all("/run/sshd");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin prohibit-password\nAuthorizedKeysFile {}\n",
            path("host").display(),
            path("keys").display()
        );
        fs::write(path("config"), config).unwrap();
        let log = fs::File::create(path("log")).unwrap();
        let server =
            Command::new("/usr/sbin/sshd").args(["-D", "-e", "-f"]).arg(path("config")).stderr(log).spawn().unwrap();
        let sshd = Self { server, port, home };
        sshd.force(line);
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "sshd does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        sshd
    }

    /// Forces another line from the next login on.
    fn force(&self, line: &str) {
        let path = |name: &str| self.home.path().join(name);
        let public = fs::read_to_string(path("user.pub")).unwrap();
        // authorized_keys reads `\"` in an option as a quote and leaves every other backslash alone.
        fs::write(path("keys"), format!("restrict,command=\"{}\" {public}", line.replace('"', "\\\""))).unwrap();
    }

    fn client(&self) -> Child {
        Command::new("ssh")
            .args(["-F", "none", "-T", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"])
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-p",
                &self.port.to_string(),
            ])
            .arg("-i")
            .arg(self.home.path().join("user"))
            .args(["127.0.0.1", "something else"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs to the end with the input open all the time, as the bastion keeps it.
    fn run(&self) -> (Output, Duration) {
        let started = Instant::now();
        let mut client = self.client();
        let input = client.stdin.take();
        let output = client.wait_with_output().unwrap();
        drop(input);
        (output, started.elapsed())
    }
}

fn line(script: &str, mark: &str, longest: u64) -> String {
    rendered(script, mark, longest, false)
}

fn rendered(script: &str, mark: &str, longest: u64, stdin: bool) -> String {
    let vector = Vector::Made(["/bin/sh", "-c", script, mark].map(str::to_owned).into());
    let longest = Duration::from_secs(longest);
    let execution = Execution { vector: &vector, sudo: false, environment: &[], stdin, longest };
    render(&execution).unwrap().line
}

/// Processes with `mark` among their arguments, apart from what this test itself started.
fn running(mark: &str) -> Vec<String> {
    let listed = Command::new("ps").args(["-eo", "pid=,stat=,args="]).output().unwrap();
    let shown = String::from_utf8_lossy(&listed.stdout).into_owned();
    shown.lines().filter(|line| line.contains(mark) && !line.contains("sshd:")).map(str::to_owned).collect()
}

/// How long what ends is waited for, whatever else the machine does: far below what it would last by its own deadline, or for ever.
const PATIENCE: Duration = Duration::from_secs(30);

fn gone(mark: &str) {
    let started = Instant::now();
    while !running(mark).is_empty() {
        assert!(started.elapsed() < PATIENCE, "still there: {:#?}", running(mark));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Text that no other process has among its arguments.
fn mark(name: &str) -> String {
    format!("doorward-test-{name}-{}", std::process::id())
}

#[test]
fn status_output_and_error_come_back_whole_and_at_once() {
    let mark = mark("whole");
    let sshd = Sshd::forcing(&line("head -c 1000000 /dev/zero; echo \"it's err\" >&2; exit 7", &mark, 60));
    let (output, took) = sshd.run();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(7), 1_000_000), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "it's err\n");
    assert!(took < Duration::from_secs(5), "{took:?}");
    gone(&mark);
}

#[test]
fn the_deadline_ends_it_on_the_target() {
    let mark = mark("deadline");
    let (output, took) = Sshd::forcing(&line("sleep 300; sleep 300", &mark, 1)).run();
    assert_eq!(output.status.code(), Some(124), "{output:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    gone(&mark);
}

#[test]
fn a_lost_client_ends_the_program_its_children_and_the_watcher() {
    for (name, script) in [
        ("polite", "sleep 300 & echo up; sleep 300"),
        ("stubborn", "trap '' TERM ALRM HUP; echo up; sleep 300; sleep 300"),
    ] {
        for kill in [true, false] {
            let mark = mark(&format!("{name}-{kill}"));
            let sshd = Sshd::forcing(&line(script, &mark, 120));
            let mut client = sshd.client();
            let mut up = [0; 3];
            client.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
            assert!(!running(&mark).is_empty());
            // Either the client is gone altogether, or only its input: both are end-of-file on the channel.
            if kill {
                client.kill().unwrap();
            }
            drop(client.stdin.take());
            gone(&mark);
            let _ = client.kill();
            client.wait().unwrap();
        }
    }
}

#[test]
fn with_its_input_open_output_and_status_come_back_at_once_and_the_watcher_goes() {
    let mark = mark("reads");
    let script = "head -c 1000000 /dev/zero; read x; echo \"$x\" >&2; cat; exit 7";
    let sshd = Sshd::forcing(&rendered(script, &mark, 60, true));
    let started = Instant::now();
    let mut client = sshd.client();
    std::io::Write::write_all(client.stdin.as_mut().unwrap(), b"first\nrest").unwrap();
    // End-of-file is data: the program reads it and goes on.
    drop(client.stdin.take());
    let output = client.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(7), 1_000_004), "{:?}", output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "first\n");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    gone(&mark);
}

#[test]
fn with_its_input_open_a_lost_connection_ends_the_program_and_its_children() {
    for (name, script) in [
        ("reader", "echo up; sleep 300 & sleep 300"),
        ("deaf", "trap '' TERM ALRM HUP; echo up; sleep 300; sleep 300"),
        ("cat", "echo up; cat >/dev/null; sleep 300"),
    ] {
        let mark = mark(&format!("parent-{name}"));
        let sshd = Sshd::forcing(&rendered(script, &mark, 120, true));
        let mut client = sshd.client();
        let mut up = [0; 3];
        client.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
        // Only its input is over: it goes on.
        drop(client.stdin.take());
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!running(&mark).is_empty(), "{name}");
        client.kill().unwrap();
        client.wait().unwrap();
        gone(&mark);
    }
}

#[test]
fn with_its_input_open_the_deadline_ends_it_on_the_target() {
    let mark = mark("reads-deadline");
    let (output, took) = Sshd::forcing(&rendered("sleep 300; sleep 300", &mark, 1, true)).run();
    assert_eq!(output.status.code(), Some(124), "{output:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    gone(&mark);
}

/// The line that prints `words`, a NUL behind each.
fn printing(words: &[String]) -> Result<String, RenderError> {
    let program = ["/usr/bin/printf", "%s\\0"].map(str::to_owned);
    let vector = Vector::Made(program.into_iter().chain(words.to_vec()).collect());
    let longest = Duration::from_secs(60);
    render(&Execution { vector: &vector, sudo: false, environment: &[], stdin: false, longest })
        .map(|rendered| rendered.line)
}

/// Random vectors and three long ones, each through a login of its own: what the program gets is what was decided.
#[test]
fn any_vector_arrives_exactly_through_sshd_or_is_refused() {
    let word = prop_oneof![
        1 => Just(String::new()),
        3 => "['\"\\\\$`!*?\\[\\]{}();&|<>~#=^%@+, -]{1,12}",
        2 => "\\PC{1,8}",
        1 => "[ -~]{1,40}",
    ];
    let control = prop::sample::select(vec!["\n", "a\nb", "\0", "\r", "\u{9b}"]);
    let sshd = Sshd::forcing("true");
    let arrives = |words: &[String]| {
        sshd.force(&printing(words).unwrap());
        let (output, _) = sshd.run();
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let came: Vec<&str> = text.strip_suffix('\0').unwrap().split('\0').collect();
        assert_eq!(came, words);
    };
    let config = ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() };
    let vectors = (prop::collection::vec(word, 1..8), control);
    let came = TestRunner::new(config).run(&vectors, |(mut words, control)| {
        arrives(&words);
        words.push(control.to_owned());
        prop_assert_eq!(printing(&words), Err(RenderError::Control));
        Ok(())
    });
    came.unwrap();
    for words in [vec!["'".repeat(7_000)], vec!["é".repeat(14_000)], vec![String::new(); 9_000]] {
        arrives(&words);
    }
}
