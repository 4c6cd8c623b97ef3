//! In whose name it answers: host certificates, known_hosts and what `setup` prints, and one refusal for every other name.

use std::fs;
use std::process::Stdio;

use russh::{ChannelOpenFailure, Error};

use crate::inside::STDIO;
use crate::support::bastion::{Bastion, Setup, came};
use crate::support::client::proven;

#[test]
fn the_host_certificate_is_for_that_target_alone() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let named = |alias: &str| {
        let alias = format!("HostKeyAlias={alias}");
        bastion.run("alice", &["-J", "bastion", "-o", &alias, "web-1", "id -un"])
    };
    for own in ["web-1", "web-1.jea"] {
        let ran = named(own);
        assert_eq!(ran.code, 0, "{own}: {ran:?}");
    }
    // The client trusts the authority for these names too, and still does not take one target for another.
    for other in ["here", "here.jea", "web-2.jea", "bastion.test"] {
        let refused = named(other);
        assert_eq!((refused.code, refused.out.as_str()), (255, ""), "{other}: {refused:?}");
        assert!(refused.err.contains("Certificate invalid: name is not a listed principal"), "{other}: {refused:?}");
    }
    // Nor the bastion for a target.
    let bastion_as_target = bastion.run("alice", &["-o", "HostKeyAlias=web-1.jea", "bastion", "whoami"]);
    assert_eq!(bastion_as_target.code, 255, "{bastion_as_target:?}");
}

/// `setup` is what people have: its lines, as printed, are the whole configuration of the stock client here. Only what a test
/// cannot have follows them: a key in the home directory, and known_hosts there.
#[test]
fn the_lines_that_setup_prints_are_all_that_the_stock_client_needs() {
    let named_localhost = Setup {
        prepare: Box::new(|dir| {
            let path = dir.join("doorward.toml");
            let text = fs::read_to_string(&path).expect("settings");
            fs::write(path, text.replace("name = \"bastion.test\"", "name = \"localhost\"")).expect("settings");
        }),
        ..Setup::default()
    };
    let bastion = Bastion::with(named_localhost);
    for file in ["alice.conf", "bob.conf", "known_hosts"] {
        let path = bastion.home().join(file);
        let text = fs::read_to_string(&path).expect("a file of the client");
        fs::write(path, text.replace("bastion.test", "localhost")).expect("a file of the client");
    }
    let (config, known) = (bastion.home().join("printed.conf"), bastion.home().join("printed.known"));
    let printed = |file: &str| {
        let printed = bastion.run("alice", &["bastion", "setup", file]);
        assert_eq!((printed.code, printed.err.as_str()), (0, ""), "{printed:?}");
        printed.out
    };
    let here = bastion.home().display();
    let rest = format!(
        "Host *\n  IdentityFile {here}/alice\n  UserKnownHostsFile {here}/printed.known\n  GlobalKnownHostsFile /dev/null\n  \
         StrictHostKeyChecking yes\n  BatchMode yes\n  LogLevel ERROR\n"
    );
    fs::write(&config, printed("config") + &rest).expect("a configuration");
    fs::write(&known, printed("known-hosts")).expect("known_hosts");
    bastion.grant("ops", "here", "30m");
    let ssh = |words: &[&str]| {
        let mut ssh = std::process::Command::new("ssh");
        ssh.arg("-F").arg(&config).args(words).env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        came(&ssh.output().expect("ssh"))
    };
    for words in [&["bastion", "whoami"][..], &["here.jea", "printf yes"], &["here@bastion", "printf yes"]] {
        let ran = ssh(words);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}: {ran:?}");
    }
    // Without the suffix the name is not among those that the authority speaks for, and ssh does not go on.
    let refused = ssh(&["-J", "bastion", "here", "printf yes"]);
    assert_eq!((refused.code, refused.out.as_str()), (255, ""), "{refused:?}");
    assert!(refused.err.contains("Host key verification failed"), "{refused:?}");
    let ran = ssh(&["-J", "bastion", "-o", "HostKeyAlias=here.jea", "here", "printf yes"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "yes"), "{ran:?}");
}

/// A role of dave's for a target that alice has nothing to do with.
const OTHERS: &str = r#"
description = "Of others"
targets     = ["here"]
run_as      = "ops"
[request]
eligible     = ["user:dave"]
approvers    = ["user:bob"]
max_duration = "1h"
[[command]]
run = "/usr/bin/id -un"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_theirs_is_refused_in_the_same_words_as_what_does_not_exist() {
    let ops = crate::support::bastion::ROLE.replace("targets     = [\"web-1\", \"here\"]", "targets     = [\"web-1\"]");
    let roles = vec![("ops".to_owned(), ops), ("others".to_owned(), OTHERS.to_owned())];
    let bastion = Bastion::with(Setup { roles, ..Setup::default() });
    let long = "x".repeat(5000);
    let names = [
        ("here", 22),
        ("here.jea", 22),
        ("nowhere", 22),
        ("web-1", 23),
        ("web-1", 0),
        ("here", 23),
        ("web-1.jea.jea", 22),
        ("ops+web-1", 22),
        ("bastion", 22),
        ("localhost", 22),
        ("127.0.0.1", u32::from(bastion.sshd.port)),
        ("web-1\n\u{1b}[2J", 22),
        ("", 22),
        (&long, 22),
    ];
    let alice = proven(&bastion, "alice").await;
    for (name, port) in names {
        let refused = alice.channel_open_direct_tcpip(name, port, STDIO.0, STDIO.1).await.map(|_| ());
        let Err(Error::ChannelOpenFailure(failure)) = refused else { panic!("{name}: {refused:?}") };
        assert_eq!(failure, ChannelOpenFailure::AdministrativelyProhibited, "{name}");
    }
    let told: Vec<String> = bastion
        .eventual_entries("refused", names.len())
        .iter()
        .map(|entry| entry["data"]["what"].as_str().expect("text").to_owned())
        .collect();
    assert_eq!(told.len(), names.len(), "{told:?}");
    assert!(
        told.contains(&"direct-tcpip to here:22".to_owned()) && told.contains(&"direct-tcpip to web-1:23".to_owned())
    );
    assert!(told.iter().all(|what| what.len() < 200 && !what.contains(['\n', '\u{1b}'])), "{told:?}");
    bastion.caught_up();
    assert!(bastion.entries("forward").is_empty());
    // Those to whom it belongs are answered; and what the stock client says of the others does not tell them apart.
    let dave = bastion.run("dave", &["-J", "bastion", "here", "id -un"]);
    assert_eq!(dave.code, 126, "{dave:?}");
    let stock = |host: &str| bastion.run("alice", &["-o", "LogLevel=INFO", "-W", host, "bastion"]);
    let (theirs, unknown) = (stock("here:22"), stock("nowhere:22"));
    assert_eq!((theirs.code, &theirs.err), (unknown.code, &unknown.err));
    assert!(theirs.code != 0 && theirs.err.contains("open failed: administratively prohibited"), "{theirs:?}");
    bastion.verify();
}
