//! A role file of any content, and anything else under the name of one: precise errors, no crash, no wait, nothing half-loaded.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use doorward::config::load;
use doorward::domain::{Diagnostic, Severity};

use super::{Set, is};

const HEAD: &str = "targets = [\"*\"]\nrun_as = \"ops\"\n";

/// The findings of a set in which `roles/bad.toml` is this; a reader that does not come back fails the test.
fn findings_of(bytes: &[u8]) -> Vec<Diagnostic> {
    let set = Set::new();
    fs::write(set.path("roles/bad.toml"), bytes).expect("a role");
    let (sender, answer) = mpsc::channel();
    let dir = set.dir();
    // As small a stack as a reload has.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let thread = thread.spawn(move || sender.send(load(dir).map(|_| ()))).expect("a thread");
    let loaded = answer.recv_timeout(Duration::from_secs(300)).expect("the reader came back");
    thread.join().expect("the reader did not panic").expect("it was heard");
    loaded.expect_err("the set is refused")
}

#[track_caller]
fn assert_finds(what: &str, bytes: &[u8], place: &str, parts: &[&str]) {
    let findings = findings_of(bytes);
    let shown = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n");
    let found = findings.iter().any(|finding| is(finding, Severity::Error, place, parts));
    assert!(found, "{what}: wanted at {place}: {parts:?}; found:\n{shown}");
    assert!(findings.len() <= 100 && shown.len() < 200_000, "{what}: {} findings", findings.len());
    let clean = |c: char| c == '\n' || !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
    assert!(shown.chars().all(clean), "{what}: {shown:?}");
}

#[test]
fn bytes_that_are_no_text_are_named_with_their_place() {
    let utf_16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for (what, bytes, place, part) in [
        ("no UTF-8", [HEAD.as_bytes(), b"# caf\xe9\n"].concat(), "roles/bad.toml:3:6", "0xe9"),
        ("half a character", [HEAD.as_bytes(), b"a = \"\xe2\x82"].concat(), "roles/bad.toml:3:6", "not UTF-8"),
        ("UTF-16 with a mark", utf_16(&format!("\u{feff}{HEAD}")), "roles/bad.toml", "UTF-16"),
        ("UTF-16 without", utf_16(HEAD), "roles/bad.toml", "UTF-16"),
        ("NUL", [HEAD.as_bytes(), b"description = \"a\0b\"\n"].concat(), "roles/bad.toml:3:17", "NUL"),
        ("binary", vec![0; 5000], "roles/bad.toml", "UTF-16"),
        ("a key of another kind", b"\x7fELF\x02\x01\xff".to_vec(), "roles/bad.toml:1:7", "0xff"),
    ] {
        assert_finds(what, &bytes, place, &[part]);
    }
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_are_harmless() {
    let set = Set::new();
    let text = set.read("roles/host-status.toml");
    set.write("roles/host-status.toml", &format!("\u{feff}{}", text.replace('\n', "\r\n")));
    let loaded = load(set.dir()).unwrap_or_else(|findings| panic!("{findings:#?}"));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    // And places are still right.
    set.write("roles/host-status.toml", &format!("\u{feff}run_az = 1\r\n{}", text.replace('\n', "\r\n")));
    let findings = load(set.dir()).expect_err("an unknown key");
    let finding = findings.iter().find(|finding| finding.message.contains("run_az")).expect("it is named");
    assert_eq!(finding.line_column(), Some((1, 1)));
    assert_eq!(finding.end_line_column(), Some((1, 7)));
    assert_eq!(finding.line_text().map(|line| line.trim_start_matches('\u{feff}')), Some("run_az = 1"));
}

#[test]
fn depth_and_length_of_any_size_are_errors_like_any_other() {
    let with = |rest: String| format!("{HEAD}{rest}").into_bytes();
    for (what, bytes, place, part) in [
        ("a dotted key", with(format!("{}b = 1", "a.".repeat(500_000))), "roles/bad.toml:3:1", "nested too deep"),
        ("a header", with(format!("[{}b]\n", "a.".repeat(500_000))), "roles/bad.toml:3:1", "nested too deep"),
        ("open lists", with(format!("a = {}", "[".repeat(1_000_000))), "roles/bad.toml:3:85", "nested too deep"),
        (
            "tables",
            with(format!("a = {}1{}", "{a=".repeat(200_000), "}".repeat(200_000))),
            "roles/bad.toml:3:245",
            "nested too deep",
        ),
        ("too long", with("#".repeat(1 << 20)), "roles/bad.toml", "longer than 1024 KiB"),
        ("a long key", with(format!("{} = 1", "k".repeat(1_000_000))), "roles/bad.toml:3:1", "no key `kkk"),
        ("many keys", with((0..80_000).map(|n| format!("k{n} = 1\n")).collect()), "roles/bad.toml:3:1", "no key `k0`"),
        ("junk", with("]\n".repeat(400_000)), "roles/bad.toml:3:1", ""),
        (
            "a long text",
            with(format!("description = \"{}\"", "x".repeat(900_000))),
            "roles/bad.toml:3:15",
            "at most 500 bytes",
        ),
        (
            "many rules",
            with("[[command]]\nrun = \"/bin/a\"\n".repeat(30_000)),
            "roles/bad.toml",
            "at most 200 commands",
        ),
        ("open text", with("description = \"abc\n".to_owned()), "roles/bad.toml:3:", ""),
    ] {
        if let Some(line) = place.strip_suffix(':') {
            let findings = findings_of(&bytes);
            assert!(
                findings.iter().any(|finding| finding.line_column().is_some_and(|(at, _)| at == 3)),
                "{what} {line}: {findings:?}"
            );
            continue;
        }
        // Where the list of rules begins is for the reader of the language to say.
        if what == "many rules" {
            assert!(findings_of(&bytes).iter().any(|finding| finding.message.contains(part)), "{what}");
            continue;
        }
        assert_finds(what, &bytes, place, &[part]);
    }
}

#[test]
fn wrong_types_and_things_that_are_there_twice_are_named_with_their_place() {
    let rule = "[[command]]\nrun = \"/usr/bin/id\"\n";
    let rows: &[(&str, String, &str, &str)] = &[
        ("a number for a text", format!("description = 1\n{HEAD}{rule}"), ":1:15", "text"),
        ("a text for a list", format!("targets = \"*\"\nrun_as = \"ops\"\n{rule}"), ":1:11", "list"),
        ("a list for a text", format!("targets = [\"*\"]\nrun_as = [\"ops\"]\n{rule}"), ":2:10", "text"),
        ("a date", format!("targets = [\"*\"]\nrun_as = 1979-05-27\n{rule}"), ":2:10", "text"),
        ("a list in a list", format!("targets = [[\"*\"]]\nrun_as = \"ops\"\n{rule}"), ":1:12", "text"),
        ("a text for a table", format!("{HEAD}request = \"all\"\n{rule}"), ":3:11", "table"),
        ("a number for a flag", format!("{HEAD}{rule}sudo = 1\n"), ":5:8", "true or false"),
        ("not a number", format!("{HEAD}{rule}max_output = nan\n"), ":5:14", "whole number"),
        ("a table for rules", format!("{HEAD}[command]\nrun = \"/usr/bin/id\"\n"), ":3:", "list of tables"),
        ("a key twice", format!("{HEAD}run_as = \"ops\"\n{rule}"), ":3:1", "for the second time"),
        (
            "a table twice",
            format!("{HEAD}[request]\neligible = [\"user:a\"]\n[request]\n{rule}"),
            ":5:",
            "for the second time",
        ),
        (
            "a value twice",
            format!("{HEAD}{rule}[[command]]\nrun = \"/bin/a {{x}}\"\nwhere.x = {{ one_of = [\"a\", \"a\"] }}\n"),
            ":7:28",
            "twice",
        ),
        (
            "a parameter twice",
            format!("{HEAD}[[command]]\nrun = \"/bin/a {{x}} {{x}}\"\nwhere.x = {{ one_of = [\"a\"] }}\n"),
            ":4:",
            "",
        ),
        ("an unknown key", format!("{HEAD}{rule}sdo = true\n"), ":5:1", "no key `sdo`"),
        ("a key of control characters", format!("{HEAD}\"\\u001b[2J\" = 1\n{rule}"), ":3:1", "no key"),
        ("a key that turns the line", format!("{HEAD}\"\u{202e}x\" = 1\n{rule}"), ":3:1", "no key"),
    ];
    for (what, text, place, part) in rows {
        let findings = findings_of(text.as_bytes());
        let shown = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n");
        assert!(shown.contains(&format!("roles/bad.toml{place}")) && shown.contains(part), "{what}: {shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{what}: {shown:?}");
    }
}

#[test]
fn expressions_that_are_wrong_or_explode_are_refused_with_their_place() {
    let of = |pattern: &str| {
        format!("{HEAD}[[command]]\nrun = \"/usr/bin/id {{x}}\"\nwhere.x = {{ pattern = '{pattern}' }}\n").into_bytes()
    };
    for (pattern, part) in [
        ("[a-z", "unclosed"),
        ("a**{", ""),
        ("(a", "unclosed"),
        (")(", ""),
        ("(?i)a", "inline flags"),
        ("(?=a)", ""),
        (r"\1", ""),
        ("((((a{100}){100}){100}){100})", ""),
        ("a{4294967295}", ""),
        (r"(\w{255}){255}", ""),
        (&"(".repeat(400), ""),
        (&format!("{}a{}", "(".repeat(200), ")".repeat(200)), ""),
    ] {
        assert_finds(pattern, &of(pattern), "roles/bad.toml:5:23", &["`pattern`", part]);
    }
    let ticket = format!(
        "{HEAD}[request]\neligible = [\"user:alice\"]\napprovals = 0\nticket = '(a'\n[[command]]\nrun = \"/usr/bin/id\"\n"
    );
    assert_finds("a ticket", ticket.as_bytes(), "roles/bad.toml:6:10", &["`ticket`"]);
    // Each is small; together they would fill the memory.
    let parameters = |rule: usize| -> String {
        let names: Vec<String> = (0..50).map(|n| format!("{{p{n}}}")).collect();
        let kinds: String = (0..50).map(|n| format!("where.p{n} = {{ pattern = 'a{rule}b{n}' }}\n")).collect();
        format!("[[command]]\nrun = \"/bin/a {}\"\n{kinds}", names.join(" "))
    };
    let many: String = (0..20).map(parameters).collect();
    let findings = findings_of(format!("{HEAD}{many}").as_bytes());
    assert!(findings.iter().any(|finding| finding.message.contains("at most 500 expressions")), "{findings:?}");
}

#[test]
fn a_file_name_that_is_no_role_name_is_named_and_shown_safely() {
    let rows: &[(&[u8], &str, &str, Severity)] = &[
        (b"-x.toml", "roles/-x.toml", "role name", Severity::Error),
        (b"a b.toml", "roles/a b.toml", "role name", Severity::Error),
        ("ä.toml".as_bytes(), "roles/ä.toml", "role name", Severity::Error),
        (b"a+b.toml", "roles/a+b.toml", "role name", Severity::Error),
        (&[b'a'; 70], "roles/", "not read", Severity::Warning),
        (b"\x1b[2J.toml", "roles/\x1b[2J.toml", "role name", Severity::Error),
        ("\u{202e}x.toml".as_bytes(), "roles/\u{202e}x.toml", "role name", Severity::Error),
        (b"a\n.toml", "roles/a\n.toml", "role name", Severity::Error),
        (b"\xff\xfe.toml", "roles/", "not UTF-8", Severity::Error),
        (b"host-status.TOML", "roles/host-status.TOML", "not read", Severity::Warning),
        (b"Host-Status.toml", "roles/host-status.toml", "upper and lower case", Severity::Error),
    ];
    for (name, place, part, severity) in rows {
        let set = Set::new();
        let text = set.read("roles/host-status.toml");
        fs::write(set.path("roles").join(OsStr::from_bytes(name)), text).expect("a file");
        let findings = set.findings();
        let found = findings.iter().any(|finding| {
            finding.severity == *severity && finding.file.starts_with(place) && finding.message.contains(part)
        });
        assert!(found, "{name:?}: {findings:?}");
        for finding in &findings {
            let shown = finding.to_string();
            assert!(!shown.contains(['\u{1b}', '\u{202e}']) && !shown.contains("a\n.toml"), "{shown:?}");
        }
    }
    // A dot inside and capitals are a name.
    let set = Set::new();
    set.write("roles/Web.v2.toml", &set.read("roles/host-status.toml"));
    assert!(load(set.dir()).is_ok());
}

#[test]
fn what_stands_for_the_directory_of_roles_is_looked_at_before_it_is_believed() {
    type Make = fn(&Set);
    let moved = |set: &Set| fs::rename(set.path("roles"), set.root.path().join("moved")).expect("it moves");
    let rows: &[(&str, Make, Option<&str>)] = &[
        ("nothing", |_| {}, Some("does not exist")),
        ("a file", |set| fs::write(set.path("roles"), "x").expect("a file"), Some("no directory")),
        (
            "a pipe",
            |set| nix::unistd::mkfifo(&set.path("roles"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe"),
            Some("no directory"),
        ),
        ("a loop", |set| symlink("roles", set.path("roles")).expect("a link"), Some("cannot be read")),
        ("a link to nothing", |set| symlink("gone", set.path("roles")).expect("a link"), Some("does not exist")),
        (
            "a link to a checkout",
            |set| symlink(set.root.path().join("moved"), set.path("roles")).expect("a link"),
            None,
        ),
        (
            "a link to where others write",
            |set| {
                fs::set_permissions(set.root.path().join("moved"), fs::Permissions::from_mode(0o777)).expect("a mode");
                symlink(set.root.path().join("moved"), set.path("roles")).expect("a link");
            },
            Some("others than its owner may write"),
        ),
    ];
    for (what, make, message) in rows {
        let set = Set::new();
        moved(&set);
        make(&set);
        let answer = load(set.dir());
        match (message, answer) {
            (None, Ok(_)) => {}
            (Some(message), Err(findings)) => {
                let found = findings.iter().any(|finding| is(finding, Severity::Error, "roles/", &[message]));
                assert!(found, "{what}: {findings:?}");
            }
            (_, other) => panic!("{what}: {other:?}"),
        }
    }
}

/// `doorward` with these words as somebody whom modes bind: root too, without its privileges.
fn as_nobody_special(set: &Set, words: &[&str]) -> (i32, String) {
    let program = env!("CARGO_BIN_EXE_doorward");
    let mut command = if nix::unistd::Uid::effective().is_root() {
        let mut without = Command::new("setpriv");
        without.args(["--bounding-set=-all", "--inh-caps=-all", program]);
        without
    } else {
        Command::new(program)
    };
    let output = command.args(words).current_dir(set.root.path()).output().expect("doorward runs");
    let shown = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit code"), String::from_utf8(shown).expect("text"))
}

#[test]
fn what_may_not_be_read_is_named_and_the_rest_is_neither_used_nor_guessed_at() {
    let rows: &[(&str, u32, &[&str], &[&str])] = &[
        ("roles/host-status.toml", 0o000, &["--> roles/host-status.toml\n", "this file cannot be read"], &["roles, "]),
        ("roles", 0o000, &["--> roles/\n", "this directory cannot be read"], &["there is no role here", "web-1"]),
        // Its names can be read, and none of its files.
        ("roles", 0o444, &["--> roles/web-restart.toml\n", "--> roles/host-status.toml\n"], &["there is no role here"]),
        ("users.toml", 0o000, &["--> users.toml\n"], &["nobody", "alice"]),
        ("doorward.toml", 0o000, &["--> doorward.toml\n"], &["`name`"]),
        ("keys/session_ca", 0o000, &["--> keys/session_ca\n"], &[]),
    ];
    for (file, mode, said, unsaid) in rows {
        let set = Set::new();
        let before = fs::metadata(set.path(file)).expect("it is there").permissions();
        set.mode(file, *mode);
        let (code, shown) = as_nobody_special(&set, &["check", "b"]);
        fs::set_permissions(set.path(file), before).expect("the old mode");
        let parts = ["Permission denied", "run doorward as the owner of DIR", "this set would not be used"];
        for part in parts.iter().chain(*said) {
            assert!(code == 1 && shown.contains(part), "{file} {mode:o}: {code}, no {part:?} in:\n{shown}");
        }
        for part in *unsaid {
            assert!(!shown.contains(part), "{file} {mode:o}: {part:?} in:\n{shown}");
        }
        assert_eq!(as_nobody_special(&set, &["check", "b"]).0, 0, "{file}: only its mode was wrong");
    }
    // And what is asked of a set, and of one file alone.
    let set = Set::new();
    set.mode("roles/web-restart.toml", 0o000);
    let asked: &[&[&str]] = &[&["can", "b", "alice"], &["test", "b"], &["check", "b/roles/web-restart.toml"]];
    for words in asked {
        let (code, shown) = as_nobody_special(&set, words);
        let place = if words[0] == "check" { "b/roles/web-restart.toml" } else { "roles/web-restart.toml" };
        let named = shown.contains(&format!("--> {place}\n")) && shown.contains("Permission denied");
        assert!(code == 1 && named && !shown.contains("host-status  "), "{words:?}: {code}\n{shown}");
    }
}

/// A file may live elsewhere, as in a checkout, but not where others could put another in its place.
#[test]
fn a_link_is_as_good_as_the_directory_that_it_leads_to() {
    for (mode, good) in [(0o755, true), (0o775, false), (0o777, false), (0o1777, true)] {
        let set = Set::new();
        let elsewhere = set.root.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("a directory");
        fs::rename(set.path("roles/host-status.toml"), elsewhere.join("x.toml")).expect("it moves");
        symlink(elsewhere.join("x.toml"), set.path("roles/host-status.toml")).expect("a link");
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(mode)).expect("a mode");
        let findings = load(set.dir()).err().unwrap_or_default();
        let named = findings.iter().any(|finding| {
            is(finding, Severity::Error, "roles/host-status.toml", &["this link leads to", "others", "chmod go-w"])
        });
        assert_eq!((findings.is_empty(), named), (good, !good), "{mode:o}: {findings:?}");
    }
}

/// Ten thousand roles are read, and nothing of them is worth a word. A debug build takes its time, so it reads fewer.
#[test]
fn thousands_of_roles_are_one_policy() {
    let roles = if cfg!(debug_assertions) { 1_500 } else { 10_000 };
    let size = super::policy::Size { roles, targets: 400, users: 0, tiers: 40 };
    let set = Set::new();
    super::policy::write(&set.dir(), size, |_| String::new());
    let text = set.read("users.toml");
    let groups: Vec<String> = (0..40).map(|tier| format!("\"admins-{tier}\"")).collect();
    let text = text.replace("\"admins\"", &groups.join(", ")).replace("\"approvers\"", "\"leads\"");
    set.write("users.toml", &text);
    let loaded = load(set.dir()).unwrap_or_else(|findings| panic!("{}", findings[0]));
    assert_eq!(loaded.snapshot.roles.len(), roles);
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings[0]);
    let role = &loaded.snapshot.roles[&"role-01499".parse().expect("a name")];
    assert_eq!(loaded.snapshot.reach_of(role).len(), 10);
    // One of them is wrong: none is used.
    set.append("roles/role-00777.toml", "\nx = 1\n");
    let findings = load(set.dir()).expect_err("an error");
    assert!(findings.iter().all(|finding| &*finding.file == "roles/role-00777.toml"), "{findings:?}");
}
