//! Which identity each way of showing a key or certificate gives, at the control door and at the target door, and what the
//! user reads. The stock `ssh` offers them all.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::bastion::{Bastion, Came, another_key, came};
use support::sshd::{keygen, text};

/// `ssh` as alice with exactly these identity options.
fn ssh(bastion: &Bastion, host: &str, line: &str, options: &[String]) -> Came {
    let home = bastion.home().display();
    let port = bastion.port.to_string();
    let mut ssh = Command::new("ssh");
    // ssh takes the first value of an option.
    for option in options {
        ssh.arg("-o").arg(option);
    }
    ssh.args(["-F", "/dev/null", "-p", &port, "-o", "HostKeyAlias=bastion.test", "-o", "BatchMode=yes"]);
    ssh.args(["-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]);
    ssh.arg("-o").arg(format!("UserKnownHostsFile={home}/known_hosts"));
    ssh.env_remove("SSH_AUTH_SOCK").arg(format!("{host}@127.0.0.1")).arg(line);
    came(&ssh.output().expect("ssh"))
}

fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", text(path))
}

/// The newest `connection` entry: how this connection was identified. To be asked after a command on a target: the decision's
/// entry is waited for, and the connection's stands before it.
fn certificate_of_last_connection(bastion: &Bastion) -> Option<String> {
    let entry = bastion.entries("connection").pop().expect("a connection entry");
    assert_eq!(entry["user"], "alice", "{entry}");
    entry["data"]["certificate"].as_str().map(str::to_owned)
}

#[test]
fn every_way_to_show_a_key_or_certificate_gives_the_expected_identity() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let home = bastion.home().to_owned();
    let key = home.join("alice");
    let plain = option("IdentityFile", &key);

    // Without a presented certificate, the one on file for the proved key counts.
    let on_file = ssh(&bastion, "web-1", "id -un", std::slice::from_ref(&plain));
    assert_eq!(on_file.code, 0, "{on_file:?}");
    assert_eq!(bastion.entries("command-allowed").pop().expect("entry")["data"]["presented"], false);
    assert_eq!(certificate_of_last_connection(&bastion), None);
    assert_eq!(ssh(&bastion, "alice", "whoami", std::slice::from_ref(&plain)).code, 0);

    // Presented by CertificateFile: offered before the plain key.
    let printed = ssh(&bastion, "alice", "cert", std::slice::from_ref(&plain));
    assert_eq!(printed.code, 0, "{printed:?}");
    let good = home.join("good-cert.pub");
    fs::write(&good, &printed.out).expect("the certificate");
    let presented = vec![plain.clone(), option("CertificateFile", &good)];
    let ran = ssh(&bastion, "web-1", "id -un", &presented);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(bastion.entries("command-allowed").pop().expect("entry")["data"]["presented"], true);
    assert!(certificate_of_last_connection(&bastion).is_some_and(|id| id.starts_with("k-")));
    let who = ssh(&bastion, "alice", "whoami", &presented);
    assert!(who.code == 0 && who.out.contains("and certificate k-"), "{who:?}");

    // An implicit KEY-cert.pub is offered after the plain key, which is taken: the one on file counts.
    let copy = home.join("copy");
    fs::copy(&key, &copy).expect("a copy of the key");
    fs::copy(home.join("alice.pub"), home.join("copy.pub")).expect("a copy of the key");
    fs::write(home.join("copy-cert.pub"), &printed.out).expect("the certificate");
    let implicit = ssh(&bastion, "web-1", "id -un", &[option("IdentityFile", &copy)]);
    assert_eq!(implicit.code, 0, "{implicit:?}");
    assert_eq!(certificate_of_last_connection(&bastion), None);
    let control = ssh(&bastion, "alice", "whoami", &[option("IdentityFile", &copy)]);
    assert!(control.code == 0 && control.out.contains("no certificate was presented"), "{control:?}");

    // An empty or missing file falls through to the plain key.
    let empty = home.join("empty-cert.pub");
    fs::write(&empty, "").expect("an empty file");
    for file in [&empty, &home.join("missing-cert.pub")] {
        let came = ssh(&bastion, "web-1", "id -un", &[plain.clone(), option("CertificateFile", file)]);
        assert_eq!(came.code, 0, "{came:?}");
        let control = ssh(&bastion, "alice", "whoami", &[plain.clone(), option("CertificateFile", file)]);
        assert!(control.code == 0 && control.out.contains("no certificate was presented"), "{control:?}");
    }

    // A foreign or expired certificate does not count; the plain key still does, and the log says why.
    let ca = another_key(&home, "foreign_ca");
    for (name, validity) in [("foreign", "-1m:+10m"), ("expired", "-20m:-10m")] {
        let public = home.join(format!("{name}.pub"));
        fs::copy(home.join("alice.pub"), &public).expect("the public key");
        let id = "doorward:alice:k-00000000";
        let ca = text(&ca);
        let options = ["-q", "-s", ca, "-I", id, "-n", "alice@bastion.test", "-V", validity, "-z", "7", text(&public)];
        keygen(&options);
        let file = option("CertificateFile", &home.join(format!("{name}-cert.pub")));
        let control = ssh(&bastion, "alice", "whoami", &[plain.clone(), file.clone()]);
        assert_eq!(control.code, 0, "{name}: {control:?}");
        let target = ssh(&bastion, "web-1", "id -un", &[plain.clone(), file.clone()]);
        assert_eq!(target.code, 0, "{name}: the certificate on file counts: {target:?}");
        if name == "foreign" {
            assert!(target.err.contains("certificate you presented does not count"), "{target:?}");
        }
        assert_eq!(certificate_of_last_connection(&bastion), None, "{name}");
    }

    // From an agent: key and certificate together; ssh offers the certificate.
    let agent = Agent::start(&home);
    agent.add(&copy);
    let socket = option("IdentityAgent", &agent.socket);
    let options = vec![socket, "IdentitiesOnly=no".to_owned(), "IdentityFile=none".to_owned()];
    let from_agent = ssh(&bastion, "web-1", "id -un", &options);
    assert_eq!(from_agent.code, 0, "{from_agent:?}");
    let control = ssh(&bastion, "alice", "whoami", &options);
    assert!(control.code == 0 && control.out.contains("alice"), "{control:?}");
    bastion.verify();
}

#[test]
fn with_require_presented_certificate_only_a_presented_one_opens_a_target() {
    let setup = support::bastion::Setup {
        top: "require_presented_certificate = true\n".to_owned(),
        ..support::bastion::Setup::default()
    };
    let bastion = Bastion::with(setup);
    bastion.grant("ops", "web-1", "30m");
    let plain = option("IdentityFile", &bastion.home().join("alice"));
    let denied = ssh(&bastion, "web-1", "id -un", std::slice::from_ref(&plain));
    assert_eq!(denied.code, 126, "{denied:?}");
    assert!(denied.err.contains("ssh bastion cert >"), "what to type: {denied:?}");
    let printed = ssh(&bastion, "alice", "cert", std::slice::from_ref(&plain));
    let good = bastion.home().join("good-cert.pub");
    fs::write(&good, &printed.out).expect("the certificate");
    let ran = ssh(&bastion, "web-1", "id -un", &[plain, option("CertificateFile", &good)]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// A stock `ssh-agent` of the test's own.
struct Agent {
    child: std::process::Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn start(home: &Path) -> Self {
        let socket = home.join("agent.sock");
        let mut agent = Command::new("ssh-agent");
        agent.args(["-D", "-a", text(&socket)]).stdout(std::process::Stdio::null());
        let child = agent.spawn().expect("ssh-agent");
        support::bastion::eventually("the agent's socket", || socket.exists());
        Self { child, socket }
    }

    fn add(&self, key: &Path) {
        let output = Command::new("ssh-add").arg(key).env("SSH_AUTH_SOCK", &self.socket).output().expect("ssh-add");
        assert!(output.status.success(), "{}", support::sshd::shown(&output));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
