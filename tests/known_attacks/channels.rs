//! Other channels: file transfer, subsystems, forwards, the agent, a target's start-up files, a hijacked socket.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::bastion::{Bastion, Came, came};
use crate::support::master::Master;

/// A stock tool that works over `ssh -F alice.conf`.
fn tool(bastion: &Bastion, name: &str, arguments: &[&str]) -> Came {
    let mut command = Command::new(name);
    command.arg("-F").arg(bastion.home().join("alice.conf")).args(arguments);
    came(&command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null()).output().expect(name))
}

#[test]
fn ovh_cve_2023_45140_open_bastion_287_file_transfer_goes_through_the_same_gate() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let file = bastion.home().join("payload");
    fs::write(&file, "payload").expect("a file");
    let landed = bastion.home().join("landed");
    let (from, to) = (file.display().to_string(), format!("web-1@bastion:{}", landed.display()));
    let back = format!("web-1@bastion:{}", file.display());
    let mine = bastion.home().join("mine").display().to_string();
    for (name, arguments) in [
        ("scp", vec![from.as_str(), to.as_str()]),
        ("scp", vec!["-O", from.as_str(), to.as_str()]),
        ("scp", vec![back.as_str(), mine.as_str()]),
        ("scp", vec!["-O", back.as_str(), mine.as_str()]),
        ("sftp", vec!["-b", "/dev/null", "web-1@bastion"]),
    ] {
        let came = tool(&bastion, name, &arguments);
        assert_ne!(came.code, 0, "{name} {arguments:?}: {came:?}");
    }
    for line in ["scp -t /tmp/x", "scp -f /etc/passwd", "rsync --server . /tmp", "internal-sftp", "git-upload-pack x"] {
        assert_eq!(bastion.run("alice", &["web-1@bastion", line]).code, 126, "{line}");
    }
    assert!(!landed.exists() && !bastion.home().join("mine").exists());
    assert!(bastion.entries("command-allowed").is_empty());
    assert_eq!(bastion.sshd.log().matches("Accepted publickey").count(), 0, "nobody logged in to the target");
    bastion.verify();
}

#[test]
fn agent_forwarding_is_never_available_to_a_target_or_to_the_bastion() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let role = |name: &str| bastion.run("alice", &["-A", "web-1@bastion", &format!("printf {name}")]);
    assert_eq!(role("x").code, 0);
    assert!(!bastion.sshd.log().contains("auth-agent-req"), "{}", bastion.sshd.log());
}

#[test]
fn a_targets_start_up_files_do_not_take_part() {
    // `ssh/rc` of the account, and ForceCommand-like environment files, are read by sshd for other sessions; not for ours.
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let came = bastion.run("alice", &["web-1@bastion", "printf plain"]);
    assert_eq!((came.code, came.out.as_str(), came.err.as_str()), (0, "plain", ""));
    let config = fs::read_to_string(bastion.sshd.dir().join("sshd_config")).expect("the target's configuration");
    assert!(config.contains("PermitUserRC no"), "what `target enroll` prints is what the test target has");
}

#[test]
fn a_control_socket_in_other_hands_runs_nothing_but_the_role_and_is_logged_as_its_owner() {
    // Whoever can open alice's ControlMaster socket is alice, as with any ssh; what they can do is what her role can do.
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let master = Master::open(&bastion, "alice", "web-1@bastion", &[]);
    for line in ["sh", "cat /etc/shadow", "id -un; sh", ""] {
        let came = bastion.run("mallory", &master.through(&["web-1@bastion", line]));
        assert!(came.out.is_empty() || line.is_empty(), "{line:?}: {came:?}");
        assert!(came.code != 0 || line.is_empty(), "{line:?}: {came:?}");
    }
    assert_eq!(bastion.run("mallory", &master.through(&["web-1@bastion", "id -un"])).code, 0);
    let allowed = bastion.entries("command-allowed");
    assert_eq!(allowed.len(), 1);
    assert_eq!(allowed[0]["user"], "alice");
}
