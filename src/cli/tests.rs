//! What the operator reads when something is wrong: each message says where, what, and what to type instead.

use std::fs;

use super::{Screen, run_on};

/// A DIR that nobody served yet, with one user, one target and the roles that `init` ships.
struct Host {
    root: tempfile::TempDir,
}

/// What came: the exit code, and both streams.
#[derive(Debug)]
struct Said {
    code: u8,
    text: String,
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICfWN/pqfLae39D21VgSr4NoJsISNdBWW6fdo+POjJJS alice";
const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMK+x7faQ8/Sh1pht8H1eRVWnv8XXCkE6EMemKPSKw1E";

impl Host {
    fn new() -> Self {
        let host = Self { root: tempfile::tempdir().unwrap() };
        fs::write(host.path("alice.pub"), KEY).unwrap();
        let alice = format!("alice={}", host.path("alice.pub"));
        let made = host.run(&["init", "@d", "--name", "bastion.example.com", "--user", &alice]);
        assert_eq!(made.code, 0, "{made:?}");
        let target =
            format!("\n[web-1]\naddress = \"10.0.0.11:22\"\nhost_key = \"{HOST_KEY}\"\nrun_as = {{ ops = \"ops\" }}\n");
        let targets = fs::read_to_string(host.path("d/targets.toml")).unwrap() + &target;
        fs::write(host.path("d/targets.toml"), targets).unwrap();
        host
    }

    fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_string_lossy().into_owned()
    }

    /// Runs a verb; `@NAME` is the path of that name in the temporary directory.
    fn run(&self, words: &[&str]) -> Said {
        let place = |word: &&str| word.strip_prefix('@').map_or_else(|| (*word).to_owned(), |name| self.path(name));
        let line = std::iter::once("doorward".to_owned()).chain(words.iter().map(place));
        let (screen, collected) = Screen::collecting();
        let code = run_on(line.map(Into::into), screen);
        Said { code, text: collected.text() }
    }
}

impl Said {
    #[track_caller]
    fn has(&self, code: u8, parts: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "{part:?} is not in:\n{}", self.text);
        }
        self
    }
}

#[test]
fn a_directory_that_is_not_there_is_one_finding_with_its_name() {
    let host = Host::new();
    fs::create_dir(host.path("empty")).unwrap();
    for verb in
        [&["check", "@nowhere"][..], &["why", "@nowhere", "alice", "web-1", "id"], &["can", "@nowhere", "alice"]]
    {
        let said = host.run(verb);
        said.has(
            1,
            &["error: this directory does not exist", &host.path("nowhere"), "`doorward init` writes a new one"],
        );
        assert_eq!(said.text.matches("error:").count(), 1, "{}", said.text);
    }
    host.run(&["check", "@empty"]).has(1, &["holds no bastion's files", &host.path("empty"), "1 error, 0 warnings"]);
}

#[test]
fn a_log_that_never_began_is_not_one_that_does_not_verify() {
    let host = Host::new();
    let log = host.path("d/state/audit");
    let asked: [(u8, &[&str]); 3] =
        [(1, &["learn", "@d", "--role", "x"]), (2, &["what-if", "@d", "@d"]), (1, &["audit", "verify", "@d"])];
    for (code, words) in asked {
        let said = host.run(words);
        said.has(code, &["nothing was logged yet in ", &log, "`doorward serve`", "somebody took the log away"]);
    }
    fs::write(host.path("d/state/audit/checkpoint"), "none").unwrap();
    for (code, words) in asked {
        let said = host.run(words);
        said.has(code, &["doorward: the log does not verify: the checkpoint cannot be believed"]);
    }
}

#[test]
fn who_is_asked_for_and_is_not_there_is_named() {
    let host = Host::new();
    let said = host.run(&["learn", "@d", "--role", "x", "--user", "zed", "--target", "web-9"]);
    said.has(1, &["there is no user zed in users.toml now", "there is no target web-9 in targets.toml now"]);
    assert!(
        !host.run(&["learn", "@d", "--role", "x", "--user", "alice", "--target", "web-1"]).text.contains("there is no")
    );
}

/// A key that the bastion cannot change counts, not the one in DIR.
#[test]
fn the_key_of_a_log_is_taken_from_elsewhere_by_whatever_reads_it() {
    let host = Host::new();
    let asked: [&[&str]; 3] = [&["learn", "@d", "--role", "x"], &["what-if", "@d", "@d"], &["audit", "verify", "@d"]];
    for words in asked {
        let own = host.run(words);
        assert!(own.text.contains("the public key is DIR's own; --key with a copy"), "{}", own.text);
        let other = host.run(&[words, &["--key", "@alice.pub"]].concat());
        assert!(other.code > 0 && other.text.contains("alice.pub: "), "{}", other.text);
        assert!(!other.text.contains("DIR's own"), "{}", other.text);
    }
    host.run(&["audit", "verify", "@d/state/audit"]).has(2, &["has no doorward.toml", "--key, a file or its text"]);
}

#[test]
fn the_caret_stands_under_what_is_wrong_wherever_the_line_is_shown() {
    let host = Host::new();
    for words in [["why", "@d", "alice", "web-1", "uptime; id"], ["can", "@d", "--who", "web-1", "uptime; id"]] {
        host.run(&words).has(1, &["not a line of plain words", "\n  uptime; id\n        ^\n"]);
    }
}

const ROLE: &str = "targets = [\"*\"]\nrun_as = \"ops\"\n[request]\neligible = [\"group:admins\"]\napprovals = 0\n";

#[test]
fn two_files_of_a_role_are_compared_with_the_shared_parameters_beside_each() {
    let host = Host::new();
    let shared = |values: &str| format!("[unit]\none_of = [{values}]\n");
    let role = format!("{ROLE}[[command]]\nrun = \"/usr/bin/id {{u}}\"\nwhere.u = {{ use = \"unit\" }}\n");
    for (dir, values) in [("old", "\"a\""), ("new", "\"a\", \"b\"")] {
        fs::create_dir_all(host.path(&format!("{dir}/roles"))).unwrap();
        fs::write(host.path(&format!("{dir}/parameters.toml")), shared(values)).unwrap();
        fs::write(host.path(&format!("{dir}/roles/x.toml")), &role).unwrap();
    }
    let said = host.run(&["diff", "@old/roles/x.toml", "@new/roles/x.toml"]);
    said.has(1, &["Widened:", "1 widened, 0 narrowed, 0 other"]);
    fs::write(host.path("new/parameters.toml"), "[unit]\none_of = 3\n").unwrap();
    host.run(&["diff", "@old/roles/x.toml", "@new/roles/x.toml"]).has(2, &["parameters.toml:2:10"]);
    host.run(&["diff", "@d/users.toml", "@d/users.toml"])
        .has(2, &["users.toml is compared with the rest of its DIR: doorward diff OLD NEW"]);
}

#[test]
fn of_two_directories_a_finding_says_in_which_it_is() {
    let host = Host::new();
    fs::create_dir(host.path("new")).unwrap();
    fs::write(host.path("new/doorward.toml"), "nam = 1\n").unwrap();
    let place = host.path("new/doorward.toml:1:1");
    for verb in ["diff", "what-if"] {
        host.run(&[verb, "@d", "@new"]).has(2, &[&place]);
    }
}

#[test]
fn a_condition_that_wants_an_address_says_how_to_give_one_and_its_role_comes_first() {
    let host = Host::new();
    let role = format!("{ROLE}[when]\nnetworks = [\"10.0.0.0/8\"]\n[[command]]\nrun = \"/usr/bin/w\"\n");
    fs::write(host.path("d/roles/zz.toml"), role).unwrap();
    fs::write(host.path("d/users.toml"), format!("[alice]\nkeys = [\"{KEY}\"]\ngroups = [\"admins\"]\n")).unwrap();
    let said = host.run(&["why", "@d", "alice", "web-1", "w"]);
    said.has(
        1,
        &["where this comes from is not known", "  say from where they come, before COMMAND: --source ADDRESS"],
    );
    let table = said.text.split("ROLE ").nth(1).and_then(|table| table.lines().nth(1)).unwrap();
    assert!(table.starts_with("zz "), "{}", said.text);
    let network = host.run(&["why", "--source", "10.0.0.0/8", "@d", "alice", "web-1", "w"]);
    network.has(2, &["'10.0.0.0/8' for '--source <ADDRESS>': write one address, as 192.0.2.7"]);
    for (source, code) in [("10.1.2.3", 0), ("192.0.2.1", 1)] {
        let said = host.run(&["why", "--source", source, "@d", "alice", "web-1", "w"]);
        assert!(said.code == code && !said.text.contains("--source"), "{}", said.text);
    }
}

#[test]
fn a_file_that_somebody_named_and_is_not_there_is_not_one_that_init_would_write() {
    let host = Host::new();
    for words in [&["test", "@d", "@none.toml"][..], &["check", "@none.toml"]] {
        let said = host.run(words);
        said.has(1, &["this file does not exist", "look at the name"]);
        assert!(!said.text.contains("init"), "{}", said.text);
    }
    fs::remove_file(host.path("d/users.toml")).unwrap();
    host.run(&["check", "@d"]).has(1, &["users.toml", "`doorward init` writes a complete set"]);
}

#[test]
fn one_signature_is_one() {
    let host = Host::new();
    let settings = fs::read_to_string(host.path("d/doorward.toml")).unwrap();
    for (dir, needed) in [("one", 1), ("two", 2)] {
        let policy = format!("[policy]\nsigners = [\"{KEY}\", \"{HOST_KEY}\"]\nneeded = {needed}\nserial = 1\n");
        let copied = std::process::Command::new("cp").args(["-r", &host.path("d"), &host.path(dir)]).status();
        assert!(copied.unwrap().success());
        fs::write(host.path(&format!("{dir}/doorward.toml")), format!("{settings}\n{policy}")).unwrap();
    }
    host.run(&["diff", "@two", "@one"]).has(1, &["a change of the policy needs 1 signature now, before 2"]);
    host.run(&["diff", "@one", "@two"]).has(1, &["a change of the policy needs 2 signatures now, before 1"]);
}
