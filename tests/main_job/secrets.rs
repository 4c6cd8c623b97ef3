//! A value of a parameter with `secret = true` goes to the target and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::support::bastion::{Bastion, ROLE, Setup};
use super::support::sshd::text;

const SECRET: &str = "Xyzzy-Plugh-77";
const OTHER: &str = "Frotz-Rezrov-88";

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() { files_below(&entry, found) } else { found.push(entry) }
    }
}

/// The files under `dir` that hold `value`.
fn holding(dir: &Path, value: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    files_below(dir, &mut files);
    assert!(files.len() > 10, "DIR was read: {files:?}");
    files.retain(|path| {
        let bytes = fs::read(path).expect("a file");
        bytes.windows(value.len()).any(|window| window.eq_ignore_ascii_case(value.as_bytes()))
    });
    files
}

#[test]
fn a_secret_value_reaches_the_target_and_is_in_no_log_recording_database_or_message_to_others() {
    let there = tempfile::tempdir().expect("a directory");
    fs::set_permissions(there.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let file = there.path().join("known");
    fs::write(&file, format!("{SECRET}\n{OTHER}\n")).expect("a file for the target");
    let role = ROLE.split("[[command]]").next().expect("the head").replace("approvals    = 1", "approvals    = 0");
    let role = format!(
        "{role}[[command]]\nalias = \"known {{word}}\"\nrun = \"/usr/bin/grep -c -F --regexp={{word}} {}\"\n\
         where.word = {{ pattern = '[A-Za-z0-9-]+', secret = true }}\n",
        text(&file)
    );
    let roles = vec![("ops".to_owned(), role)];
    // Everything that anybody may ever switch on.
    let wrap = Box::new(|mut command: std::process::Command| {
        command.env("DOORWARD_LOG", "trace");
        command
    });
    let mut bastion = Bastion::with(Setup { roles, wrap, ..Setup::default() });
    let key = bastion.dir().join("keys/digest_key");
    assert_eq!(key.metadata().expect("init made it").permissions().mode() & 0o777, 0o600);

    let asked = bastion.run("alice", &["bastion", "request ops --on web-1 --for 10m --no-wait --reason INC-4711"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    let run = |line: &str| bastion.run("alice", &["web-1@bastion", line]);
    for (value, line) in [(SECRET, "known VALUE"), (SECRET, "grep -c -F --regexp=VALUE FILE"), (OTHER, "known VALUE")] {
        let ran = run(&line.replace("VALUE", value).replace("FILE", text(&file)));
        assert_eq!((ran.code, ran.out.as_str()), (0, "1\n"), "the target got the value: {ran:?}");
    }
    // Near misses, questions, and the wrong door.
    for line in ["known VALUE twice", "grep -c -F --regexp=VALUE /etc/passwd", "gerp --regexp=VALUE", "known VALUE; ls"]
    {
        let denied = run(&line.replace("VALUE", SECRET));
        assert_eq!(denied.code, 126, "{denied:?}");
    }
    let may = bastion.run("alice", &["bastion", &format!("why web-1 known {SECRET}")]);
    assert_eq!(may.code, 0, "{may:?}");
    let wrong = bastion.run("alice", &["bastion", &format!("known {SECRET}")]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert_ne!(bastion.run("alice", &["nowhere@bastion", &format!("known {SECRET}")]).code, 0);

    let controls = bastion.eventual_entries_with("control", 2, |entry| text_of(entry, "line").contains("known"));
    let allowed = bastion.entries("command-allowed");
    let placeholder = |at: usize| {
        let line = text_of(&allowed[at], "typed");
        let (_, digits) = line.split_once("secret:").unwrap_or_else(|| panic!("{line}"));
        assert!(digits.len() >= 16 && digits.as_bytes()[..16].iter().all(u8::is_ascii_hexdigit), "{line}");
        format!("secret:{}", &digits[..16])
    };
    let (first, again, other) = (placeholder(0), placeholder(1), placeholder(2));
    assert_eq!(first, again, "the same value");
    assert_ne!(first, other, "another value");
    assert_eq!(text_of(&allowed[0], "typed"), format!("known {first}"));
    let argv = allowed[0]["data"]["argv"].as_array().expect("argv");
    let withheld = argv.iter().position(|word| *word == format!("--regexp={first}").as_str());
    assert_eq!(allowed[0]["data"]["withheld"], serde_json::json!([withheld.expect("the placeholder")]));
    let denied = bastion.entries("command-denied");
    assert_eq!(denied.len(), 4, "{denied:#?}");
    for entry in &denied {
        assert!(entry["data"]["withheld"] == true && text_of(entry, "line").contains("secret:"), "{entry}");
    }
    assert_eq!(text_of(&controls[0], "line"), format!("why web-1 known {first}"));

    let found = bastion.run("carol", &["bastion", "audit search --user alice --limit 100"]);
    assert!(found.code == 0 && found.out.contains(&first) && !found.out.contains(SECRET), "{found:?}");
    let pending = bastion.run("alice", &["bastion", "status"]);
    assert!(!pending.out.contains(SECRET) && !pending.err.contains(SECRET), "{pending:?}");
    bastion.verify();
    bastion.stop();
    for value in [SECRET, OTHER] {
        assert_eq!(holding(&bastion.dir(), value), Vec::<PathBuf>::new(), "{value}");
        let said = bastion.server_log();
        assert!(said.contains("DEBUG") || said.contains("TRACE"), "it said all it can");
        let line = said.lines().find(|line| line.contains(value));
        assert_eq!(line, None, "standard error");
    }
    let recordings = bastion.dir().join("state/recordings");
    assert_eq!(
        holding(&bastion.dir(), &first).iter().filter(|path| path.starts_with(&recordings)).count(),
        2,
        "headers"
    );
}

fn text_of<'a>(entry: &'a serde_json::Value, field: &str) -> &'a str {
    entry["data"][field].as_str().unwrap_or_else(|| panic!("{entry}"))
}
