//! What `docs/changing-policy.md` shows is what the program says: every line after `$` is run, in order, on a real directory with
//! a real log, and what it prints is compared with what stands there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a failed step is a failed test"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use doorward::audit::event::{AllowedCommand, AuditEvent, What};
use doorward::audit::log::{self, LogOptions};
use doorward::ca::signer::open_signing_key;
use doorward::config::{Paths, log_origin};
use doorward::domain::{CertificateId, Clock, CommandId, Digest, GrantId, Timestamp};
use doorward::service::ports::AuditLog as _;

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        chrono::Utc::now().into()
    }
}

/// Runs `line` in `root`; exit code and everything it printed.
fn sh(root: &Path, line: &str) -> (i32, String) {
    let bin = Path::new(env!("CARGO_BIN_EXE_doorward")).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{{ {line}\n}} 2>&1")]).current_dir(root).env("PATH", path);
    let ran = shell.output().unwrap();
    (ran.status.code().unwrap(), String::from_utf8(ran.stdout).unwrap())
}

fn edit(path: &Path, pairs: &[(&str, &str)]) {
    let mut text = fs::read_to_string(path).unwrap();
    for (old, new) in pairs {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    fs::write(path, text).unwrap();
}

/// `b` is served, `new` is a checkout with a change, and in the log of `b` alice has typed a few lines.
async fn world(root: &Path) {
    for name in ["alice", "bob", "carol", "host"] {
        assert_eq!(sh(root, &format!("ssh-keygen -q -t ed25519 -N '' -C {name} -f {name}")).0, 0);
    }
    let init = "doorward init b --name bastion.example.com --port 2222 --user alice=alice.pub --approver bob=bob.pub \
                --reviewer carol=carol.pub && doorward target add b web-1 192.0.2.11 --label tier=web --host-key host.pub \
                && cp -r b new && rm -r new/keys new/state";
    let (code, said) = sh(root, init);
    assert_eq!(code, 0, "{said}");
    let role = root.join("new/roles/web-restart.toml");
    edit(
        &role,
        &[
            ("\"1h\"", "\"2h\""),
            ("{ one_of = [\"nginx\", \"php-fpm\"] }", "{ one_of = [\"nginx\", \"haproxy\"] }"),
            ("int = [1, 5000]", "int = [1, 500]"),
            ("    \"sudo -n systemctl restart php-fpm\",\n", ""),
        ],
    );
    fs::remove_file(root.join("new/roles/disk-space.toml")).unwrap();
    let paths = Paths::new(root.join("b"));
    let key = open_signing_key(&paths.log_key()).unwrap();
    let origin = log_origin("bastion.example.com");
    let (log, _) = log::open(&paths.audit(), &origin, key, Arc::new(Now), LogOptions::default()).unwrap();
    let typed = [
        (true, "systemctl restart nginx"),
        (true, "systemctl restart php-fpm"),
        (false, "systemctl restart haproxy"),
        (true, "systemctl restart php-fpm"),
        (true, "tail -n 1000 /var/log/nginx/access.log"),
        (true, "tail -n 100 /var/log/nginx/access.log"),
        (false, "systemctl restart sshd"),
    ];
    for (number, (allowed, line)) in (1..).zip(typed) {
        let command = CommandId::from_bits(number);
        let what = match allowed {
            true => What::CommandAllowed(AllowedCommand {
                command,
                role: "web-restart".parse().unwrap(),
                rule: 1,
                grants: vec![GrantId::from_bits(1)],
                certificate: CertificateId::from_bits(1),
                presented: false,
                account: "ops".parse().unwrap(),
                typed: line.to_owned(),
                argv: Vec::new(),
                digest: Digest::of(b"line"),
                policy: Digest::of(b"policy"),
                deadline: Timestamp::from_secs(0),
                withheld: Vec::new(),
            }),
            false => What::CommandDenied {
                command,
                line: line.to_owned(),
                reason: "no role allows it".to_owned(),
                withheld: false,
            },
        };
        let event = AuditEvent {
            user: Some("alice".parse().unwrap()),
            target: Some("web-1".parse().unwrap()),
            ..AuditEvent::of(what)
        };
        drop(log.append(event).await.unwrap());
    }
    log.close();
}

/// Digests and fingerprints are others each time.
fn steady(text: &str) -> String {
    let fingerprint = regex::Regex::new("SHA256:[A-Za-z0-9+/]{43}").unwrap();
    let digest = regex::Regex::new("[0-9a-f]{64}").unwrap();
    let short = regex::Regex::new("digest [0-9a-f]{4}").unwrap();
    let text = fingerprint.replace_all(text, "SHA256:…");
    short.replace_all(&digest.replace_all(&text, "…"), "digest …").into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_page_on_changes_shows_is_what_the_program_says() {
    let root = tempfile::tempdir().unwrap();
    world(root.path()).await;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/changing-policy.md");
    let text = fs::read_to_string(page).unwrap();
    let (mut now, mut commands) = (String::new(), 0);
    for (number, piece) in text.split("```").enumerate() {
        let shown = piece.strip_prefix("console\n").filter(|_| number % 2 == 1);
        let Some(shown) = shown else {
            now.push_str(if number == 0 { "" } else { "```" });
            now.push_str(piece);
            continue;
        };
        now.push_str("```console\n");
        for command in shown.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let (_, said) = sh(root.path(), command);
            now.push_str(&format!("$ {command}\n{}", steady(&said)));
            commands += 1;
        }
    }
    assert!(commands > 8, "{commands}");
    if now != text {
        let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join("changing-policy.md");
        fs::write(&actual, &now).unwrap();
        panic!("the page differs from what the program says; see {}\n{now}", actual.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_of_diff_and_what_if_tell_same_different_and_trouble_apart() {
    let root = tempfile::tempdir().unwrap();
    world(root.path()).await;
    let role = "roles/web-restart.toml";
    // Narrower in one thing alone.
    let narrow = root.path().join("narrow.toml");
    fs::copy(root.path().join("b").join(role), &narrow).unwrap();
    edit(&narrow, &[("int = [1, 5000]", "int = [1, 500]")]);
    let rows = [
        ("doorward diff b b", 0, "no difference\n"),
        ("doorward diff b b --json", 0, "\"changes\":[]"),
        ("doorward diff b new", 1, "Widened:"),
        ("doorward diff b new --fail-on-widening", 1, "Narrowed:"),
        (&format!("doorward diff b/{role} narrow.toml"), 1, "{n} may be a whole number from 1 to 500 now"),
        (&format!("doorward diff b/{role} narrow.toml --fail-on-widening"), 0, "0 widened, 1 narrowed"),
        (&format!("doorward diff narrow.toml b/{role} --fail-on-widening"), 1, "1 widened, 0 narrowed"),
        (&format!("doorward diff b/{role} b/{role}"), 0, "no difference"),
        (&format!("doorward diff b b/{role}"), 2, "compare two directories"),
        ("doorward diff b nowhere", 2, "nowhere"),
        ("doorward diff b/users.toml b/users.toml", 2, "users.toml"),
        ("doorward diff b", 2, "NEW"),
        ("doorward what-if b b", 0, "0 of 7 answers would change"),
        ("doorward what-if b new", 1, "4 of 7 answers would change"),
        ("doorward what-if b new --since 1ns", 0, "0 of 0 answers would change"),
        ("doorward what-if b new --json", 1, "\"verified\":true"),
        ("doorward what-if b new --unverified --json", 1, "\"verified\":false"),
        ("doorward what-if b nowhere", 2, "nowhere"),
    ];
    for (line, code, part) in rows {
        let (found, said) = sh(root.path(), line);
        assert_eq!(found, code, "{line}\n{said}");
        assert!(said.contains(part), "{line}: {part:?} is not in\n{said}");
    }
    // A log that was changed is not asked.
    let mut segments = fs::read_dir(root.path().join("b/state/audit")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segments.find(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("php-fpm"))).unwrap();
    edit(&segment, &[("restart php-fpm", "restart php-fmp")]);
    let (code, said) = sh(root.path(), "doorward what-if b new");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the log does not verify: entry 1 was changed"), "{said}");
}
