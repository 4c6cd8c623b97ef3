//! Any bytes as command, verb, user name, key or certificate: a clear error, a log entry, and everybody else goes on.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use support::bastion::{Bastion, came, eventually};
use support::sshd::{keygen, text};

#[test]
fn any_bytes_as_command_or_verb_get_a_clear_error_and_an_entry() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let lines: Vec<Vec<u8>> = vec![
        vec![0xff, 0xfe, b'x'],
        b"id\x1b[2J".to_vec(),
        "id \u{202e}nu-".into(),
        b"id 'open".to_vec(),
        b"id \"open".to_vec(),
        b"id \\".to_vec(),
        b" ".to_vec(),
        b"\xc3".to_vec(),
        b"a".repeat(60_000),
        b"'".repeat(30_000),
        b"((((((((((((((((".to_vec(),
        b"id -un\r".to_vec(),
    ];
    let denied_before = bastion.entries("command-denied").len();
    for line in &lines {
        for (host, codes) in [("web-1@bastion", &[126][..]), ("bastion", &[2, 3][..])] {
            let output = bastion.ssh("alice", &[host]).arg(OsStr::from_bytes(line)).output().expect("ssh");
            let came = came(&output);
            let shown = String::from_utf8_lossy(&line[..line.len().min(40)]).into_owned();
            assert!(codes.contains(&came.code), "{host} {shown:?}: {came:?}");
            assert!(came.err.starts_with("doorward:"), "{host} {shown:?}: {came:?}");
            let printable = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
            assert!(came.err.chars().all(printable) && came.out.chars().all(printable), "{host} {shown:?}: {came:?}");
            assert!(came.err.len() < 4000, "{host}: {} bytes of message", came.err.len());
        }
    }
    eventually("an entry each", || bastion.entries("command-denied").len() == denied_before + lines.len());
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    bastion.verify();
}

#[test]
fn any_login_name_is_only_a_name() {
    let bastion = Bastion::start();
    for login in ["root", "a+b+c", "+", "web-9", "ops+web-9", "ä", "x\u{202e}y", &"l".repeat(5000)] {
        let user = format!("User={login}");
        let came = bastion.run("alice", &["-o", &user, "bastion", "whoami"]);
        assert_eq!(came.code, 0, "{login:?}: {came:?}");
        assert!(came.out.contains("alice") && !came.out.contains('\u{202e}'), "{came:?}");
    }
    let mut raw = bastion.ssh("alice", &["-o"]);
    raw.arg(OsStr::from_bytes(b"User=\xff\xfe")).args(["bastion", "whoami"]);
    let refused = came(&raw.output().expect("ssh"));
    assert_eq!(refused.code, 255, "not UTF-8 (RFC 4252 5): {refused:?}");
    assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 0);
    bastion.verify();
}

#[test]
fn garbage_keys_certificates_and_handshakes_leave_the_others_running() {
    use std::io::{Read as _, Write as _};
    let bastion = Bastion::start();
    let sleeping = bastion.ssh("alice", &["bastion", "whoami"]).output().expect("ssh");
    assert!(sleeping.status.success());
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff", b"", &[0; 100_000]]
    {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", bastion.port)).expect("connect");
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("timeout");
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // Mutations of a certificate file: ssh refuses some itself, the rest reach the bastion.
    let home = bastion.home();
    let ca = support::bastion::another_key(home, "ca");
    let options = ["-q", "-s", text(&ca), "-I", "x", "-n", "alice@bastion.test", "-V", "+10m"];
    let mut arguments: Vec<&str> = options.to_vec();
    let public = home.join("alice.pub");
    arguments.push(text(&public));
    keygen(&arguments);
    let certificate = fs::read_to_string(home.join("alice-cert.pub")).expect("a certificate");
    fs::remove_file(home.join("alice-cert.pub")).expect("remove");
    let presented = home.join("alice.presented");
    for (from, to) in [("AAAA", "AAAB"), ("ssh-ed25519-cert", "ssh-ed25519-cerf"), ("g", "h"), ("\n", "")] {
        fs::write(&presented, certificate.replacen(from, to, 1)).expect("a mutation");
        let came = bastion.run("alice", &["bastion", "whoami"]);
        assert_eq!(came.code, 0, "the plain key still counts: {came:?}");
    }
    bastion.verify();
}
