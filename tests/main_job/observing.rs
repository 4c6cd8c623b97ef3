//! From an observe grant to the role that takes its place, as docs/observing.md tells it.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;

use super::support::bastion::{Bastion, DOORWARD, ROLE, Setup, came, eventually, is_root};
use super::support::sshd::{own_account, text};

/// The code blocks of docs/observing.md.
fn blocks() -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observing.md")).expect("the page");
    let inside = page.split("```").skip(1).step_by(2);
    inside.map(|block| block.split_once('\n').map_or_else(String::new, |(_, text)| text.to_owned())).collect()
}

/// The block that begins with this line, without it.
fn block(first: &str) -> String {
    let found = blocks().into_iter().find_map(|block| block.strip_prefix(first).map(str::to_owned));
    found.unwrap_or_else(|| panic!("docs/observing.md has no block that begins with `{first}`"))
}

/// Without what differs from one run to the next: instants, identifiers, digests, the account, the size of the log.
fn plain(text: &str) -> String {
    let mut plain = text.trim().replace(&own_account(), "www-ops");
    for (what, name) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"\b([rg])-[0-9A-Z]{6}\b", "$1-ID"),
        (r"(approve r-ID) [0-9a-f]{4,}", "$1 DIGEST"),
        (r"log of \d+ entries", "log of N entries"),
        (r"\b\d+[smh](?: \d+[sm])? ago", "SOON ago"),
        (r"lapses in [^\n,]+", "lapses in SOON"),
    ] {
        plain = Regex::new(what).expect("an expression").replace_all(&plain, name).into_owned();
    }
    plain.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// `who` approves what `pending` shows them; what it showed.
fn approve(bastion: &Bastion, who: &str, id: &str) -> String {
    let pending = bastion.run(who, &["bastion", "pending"]);
    let (_, rest) = pending.out.split_once(&format!("approve {id} ")).unwrap_or_else(|| panic!("{pending:?}"));
    let came = bastion.run(who, &["bastion", "approve", id, rest.split_whitespace().next().expect("a digest")]);
    assert_eq!(came.code, 0, "{came:?}");
    pending.out
}

fn learn(bastion: &Bastion, role: &str, more: &[&str]) -> String {
    let dir = bastion.dir();
    let mut command = Command::new(DOORWARD);
    command.args(["learn", text(&dir), "--role", role]).args(more);
    if is_root() {
        // DIR is the server's own, and only its owner reads it.
        let owner = fs::metadata(&dir).expect("DIR");
        command.uid(owner.uid()).gid(owner.gid());
    }
    let output = command.output();
    let came = came(&output.expect("doorward learn"));
    let own_key = "doorward: the public key is DIR's own; --key with a copy kept elsewhere proves more\n";
    assert_eq!((came.code, came.err.as_str()), (0, own_key), "{came:?}");
    came.out
}

#[test]
fn what_was_observed_becomes_a_role_under_which_the_same_lines_run() {
    let observe = block("# roles/web-observe.toml\n");
    let observe = observe.replace("group:leads", "user:bob\", \"user:carol").replace("web-admins", "admins");
    let roles = vec![("ops".to_owned(), ROLE.to_owned()), ("web-observe".to_owned(), observe.clone())];
    let mut bastion = Bastion::with(Setup { roles, ..Setup::default() });

    let id = bastion.request("web-observe", "web-1", "2h");
    let pending = approve(&bastion, "bob", &id);
    assert_eq!(plain(&pending), plain(&block("$ ssh bastion pending\n")), "docs/observing.md shows this:\n{pending}");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "uname -s"]).code, 126, "one of two is not enough");
    approve(&bastion, "carol", &id);

    let lines = block("# what alice ran\n");
    for line in lines.lines().filter_map(|line| line.strip_prefix("$ ssh web-1@bastion ")) {
        let line = line.trim_matches('"');
        let ran = bastion.run("alice", &["web-1@bastion", line]);
        assert_eq!(ran.code, if line.contains("nowhere") { 2 } else { 0 }, "{line}: {ran:?}");
    }
    let refused = bastion.run("alice", &["web-1@bastion", "sudo -u root id"]);
    assert_eq!(refused.code, 126, "{refused:?}");
    assert!(refused.err.contains("web-observe cannot observe it"), "{refused:?}");
    let observed = bastion.entries("observed");
    assert_eq!((observed.len(), bastion.entries("command-allowed").len()), (9, 0));
    assert!(observed.iter().all(|entry| entry["data"]["role"] == "web-observe" && entry["data"]["rule"] == 0));
    let in_force = bastion.entries("start").pop().expect("the entry")["data"]["policy"].clone();
    assert!(observed.iter().all(|entry| entry["policy"] == in_force), "{observed:#?}");
    eventually("the ends", || bastion.entries("command-finished").len() == 9);

    let learned = learn(&bastion, "web-observe", &["--since", "14d"]);
    let told = block("$ doorward learn /srv/doorward --role web-observe --since 14d\n");
    assert_eq!(
        plain(&learned),
        plain(&told.replace("group:leads", "user:bob\", \"user:carol").replace("web-admins", "admins")),
        "docs/observing.md shows this:\n{learned}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&learn(&bastion, "web-observe", &["--json", "--exact"])).expect("JSON");
    assert_eq!((&json["covered"]["lines"], &json["lines"]), (&6.into(), &7.into()), "{json}");

    // Saved as it stands, read, asked for: the lines run under its rules, whatever observes besides.
    bastion.reload_with_role("web-learned", &learned);
    let id = bastion.request("web-learned", "web-1", "10m");
    approve(&bastion, "bob", &id);
    approve(&bastion, "carol", &id);
    for line in ["uname -s", "head -n 2 /etc/passwd"] {
        assert_eq!(bastion.run("alice", &["web-1@bastion", line]).code, 0, "{line}");
    }
    let ruled = bastion.entries("command-allowed");
    assert!(ruled.len() == 2 && ruled.iter().all(|entry| entry["data"]["role"] == "web-learned"), "{ruled:#?}");
    assert_eq!(bastion.entries("observed").len(), 9);
    let unused = learn(&bastion, "web-learned", &[]);
    assert!(unused.contains("# there is nothing to add\n"), "{unused}");

    // What runs when the bastion dies is closed by the next start, like any command.
    let mut sleeping = bastion.ssh("alice", &["web-observe+web-1@bastion", "sh -c 'echo up; exec sleep 60'"]);
    let mut sleeping = sleeping.stdout(Stdio::piped()).spawn().expect("ssh");
    sleeping.stdout.as_mut().expect("its output").read_exact(&mut [0; 3]).expect("it runs");
    assert_eq!(bastion.entries("observed").len(), 10);
    bastion.kill();
    sleeping.wait().expect("ssh");
    bastion.serve();
    assert_eq!(bastion.eventual_entries("command-outcome-unknown", 1).len(), 1);
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -gn"]).code, 0, "it serves again, and the grant lives on");

    // Taken out of the file it is over, though it was approved for two hours.
    let rules = observe.replace("observe     = true", "") + "[[command]]\nrun = \"/usr/bin/id -gn\"\n";
    bastion.reload_with_role("web-observe", &rules);
    let over = bastion.run("alice", &["web-1@bastion", "id -gn"]);
    assert_eq!(over.code, 126, "{over:?}");
    bastion.verify();
}
