//! With the real `ssh-keygen -Y sign`, on a real DIR.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::cli::{Screen, run_on};
use crate::config::{Loaded, load, load_policy, load_under};
use crate::domain::Severity;

mod security_key;

struct Set {
    root: tempfile::TempDir,
}

fn keygen(words: &[&str], within: &Path) {
    let made = Command::new("ssh-keygen").args(words).current_dir(within).output().unwrap();
    assert!(made.status.success(), "{words:?}: {}", String::from_utf8_lossy(&made.stderr));
}

impl Set {
    /// A DIR without signers, and the keys of those who may become some.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for (name, kind) in [("alice", "ed25519"), ("bob", "ecdsa"), ("carol", "ed25519"), ("mallory", "ed25519")] {
            keygen(&["-q", "-t", kind, "-N", "", "-C", name, "-f", name], root.path());
        }
        let set = Self { root };
        let alice = format!("alice={}", set.root.path().join("alice.pub").display());
        let dir = set.dir().into_os_string();
        let words = ["doorward", "init"].map(OsString::from).into_iter().chain([dir]);
        let rest = ["--name", "bastion.example.com", "--port", "2222", "--user", &alice].map(OsString::from);
        let (screen, said) = Screen::collecting();
        assert_eq!(run_on(words.chain(rest), screen), 0, "{}", said.text());
        fs::create_dir(set.dir().join("signatures")).unwrap();
        set
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("b")
    }

    fn key(&self, name: &str) -> String {
        fs::read_to_string(self.root.path().join(format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// Writes `[policy]` in the place of what stands there.
    fn policy(&self, names: &[&str], needed: usize, serial: u64) {
        let path = self.dir().join("doorward.toml");
        let text = fs::read_to_string(&path).unwrap();
        let bare = text.split("\n[policy]").next().unwrap();
        let keys: Vec<String> = names.iter().map(|name| format!("{:?}", self.key(name))).collect();
        let policy = format!("\n[policy]\nsigners = [{}]\nneeded = {needed}\nserial = {serial}\n", keys.join(", "));
        fs::write(path, format!("{bare}{policy}")).unwrap();
    }

    fn signature(&self, file: &str) -> PathBuf {
        self.dir().join("signatures").join(file)
    }

    fn sign_for(&self, name: &str, file: &str, namespace: &str, text: &str) {
        let root = self.root.path();
        fs::write(root.join("policy.txt"), text).unwrap();
        let _ = fs::remove_file(root.join("policy.txt.sig"));
        keygen(&["-q", "-Y", "sign", "-n", namespace, "-f", name, "policy.txt"], root);
        fs::rename(root.join("policy.txt.sig"), self.signature(file)).unwrap();
    }

    /// Has each of them sign the set as it is now.
    fn sign(&self, names: &[&str]) {
        let text = load_policy(self.dir()).unwrap().to_sign;
        for name in names {
            self.sign_for(name, &format!("{name}.sig"), NAMESPACE, &text);
        }
    }

    /// Says something else in a file of the set.
    fn change(&self) {
        let path = self.dir().join("users.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}# changed\n")).unwrap();
    }

    fn load(&self) -> Result<Loaded, String> {
        load(self.dir()).map_err(|found| {
            let errors = found.iter().filter(|finding| finding.severity == Severity::Error);
            errors.map(|one| format!("{} {}\n", one.message, one.help.clone().unwrap_or_default())).collect()
        })
    }

    fn warnings(&self) -> String {
        let all = |found: Vec<Diagnostic>| found.iter().map(|one| format!("{}: {}\n", one.file, one.message)).collect();
        match load(self.dir()) {
            Ok(loaded) => all(loaded.warnings),
            Err(found) => all(found),
        }
    }

    /// What `serve` does with a set that it takes over.
    fn serve(&self) -> InForce {
        let paths = Paths::new(self.dir());
        let before = InForce::read(&paths).unwrap();
        let after = before.after(&self.load().unwrap());
        after.write(&paths).unwrap();
        after
    }
}

fn says(result: Result<Loaded, String>, part: &str) {
    let said = result.map(|_| ()).unwrap_err();
    assert!(said.contains(part), "{part:?} is not in:\n{said}");
}

#[test]
fn a_set_is_used_when_enough_signers_signed_exactly_it_and_not_before() {
    let set = Set::new();
    set.load().unwrap();
    set.policy(&["alice", "bob", "carol"], 2, 1);
    says(set.load(), "needs the signatures of 2 of its [policy] signers, and has 0 nobody has signed; alice (SHA256:");
    set.sign(&["alice"]);
    says(set.load(), "and has 1 alice (SHA256:");
    // The same key once more, in another file.
    fs::copy(set.signature("alice.sig"), set.signature("again.sig")).unwrap();
    says(set.load(), "and has 1 ");
    assert!(set.warnings().contains("signed in another file already, and counts once"), "{}", set.warnings());
    fs::remove_file(set.signature("again.sig")).unwrap();
    // ed25519 and ecdsa.
    set.sign(&["bob"]);
    set.load().unwrap();
    // Any file of the set, one byte.
    set.change();
    says(set.load(), "has 0 ");
    assert!(set.warnings().contains("signed something else: this set was changed since"), "{}", set.warnings());
    set.sign(&["bob", "carol"]);
    set.load().unwrap();
}

#[test]
fn what_is_no_such_signature_is_named_and_does_not_count() {
    let set = Set::new();
    set.policy(&["alice", "bob"], 2, 1);
    set.sign(&["alice"]);
    let text = load_policy(set.dir()).unwrap().to_sign;
    let whole = || {
        set.sign_for("bob", "x.sig", NAMESPACE, &text);
        fs::read_to_string(set.signature("x.sig")).unwrap()
    };
    let file = set.signature("x.sig");
    type Row<'a> = (&'static str, Box<dyn Fn() + 'a>, &'static str);
    let rows: Vec<Row<'_>> = vec![
        ("namespace", Box::new(|| set.sign_for("bob", "x.sig", "file", &text)), "is for `file` and not for"),
        ("stranger", Box::new(|| set.sign_for("mallory", "x.sig", NAMESPACE, &text)), "which is no signer here"),
        (
            "other text",
            Box::new(|| set.sign_for("bob", "x.sig", NAMESPACE, &text.replace("serial 1", "serial 2"))),
            "signed something else",
        ),
        ("empty", Box::new(|| fs::write(&file, "").unwrap()), "this is not a signature"),
        (
            "rubbish",
            Box::new(|| {
                fs::write(&file, "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n").unwrap();
            }),
            "this is not a signature",
        ),
        (
            "half",
            Box::new(|| {
                let text = whole();
                fs::write(&file, &text[..text.len() / 2]).unwrap();
            }),
            "this is not a signature",
        ),
        ("long", Box::new(|| fs::write(&file, "x".repeat(LONGEST_SIGNATURE + 1)).unwrap()), "is longer than"),
        ("huge", Box::new(|| fs::write(&file, "x".repeat(2 << 20)).unwrap()), "is longer than"),
        ("folder", Box::new(|| fs::create_dir(&file).unwrap()), "not a regular file"),
        ("endless", Box::new(|| symlink("/dev/zero", &file).unwrap()), "not a regular file"),
        ("nowhere", Box::new(|| symlink("/nowhere/at/all", &file).unwrap()), "does not exist"),
        (
            "name",
            Box::new(|| {
                whole();
                fs::rename(&file, set.signature("x.txt")).unwrap();
            }),
            "whose name ends in `.sig`",
        ),
    ];
    for (what, make, expected) in rows {
        make();
        says(set.load(), "has 1 alice");
        let warnings = set.warnings();
        assert!(warnings.contains(expected) && warnings.contains("signatures/x."), "{what}: {warnings}");
        let _ = fs::remove_file(&file).or_else(|_| fs::remove_dir(&file));
    }
    // Each changed byte of a good one.
    let good = whole();
    set.load().unwrap();
    for at in (40..good.len() - 40).step_by(31) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        fs::write(&file, &bytes).unwrap();
        if bytes != good.as_bytes() {
            says(set.load(), "has 1 alice");
        }
    }
    // A link to a good one is as good.
    fs::write(set.root.path().join("elsewhere"), &good).unwrap();
    fs::remove_file(&file).unwrap();
    symlink(set.root.path().join("elsewhere"), &file).unwrap();
    set.load().unwrap();
}

#[test]
fn the_signers_in_force_decide_who_signs_next_and_an_old_set_does_not_come_back() {
    let set = Set::new();
    set.policy(&["alice", "bob"], 2, 5);
    set.sign(&["alice", "bob"]);
    let old = fs::read_to_string(set.dir().join("doorward.toml")).unwrap();
    let kept = |name: &str| fs::read(set.signature(name)).unwrap();
    let (alice_old, bob_old) = (kept("alice.sig"), kept("bob.sig"));
    set.serve();
    // The same set at the next start.
    set.load().unwrap();
    // Others cannot name themselves.
    set.policy(&["mallory", "carol"], 2, 6);
    set.sign(&["mallory", "carol"]);
    says(set.load(), "needs the signatures of 2 of the signers in force until now, and has 0");
    // Nor can the old ones alone put people in who have not signed.
    set.policy(&["mallory", "carol"], 2, 6);
    fs::remove_file(set.signature("mallory.sig")).unwrap();
    set.sign(&["alice", "bob", "carol"]);
    says(set.load(), "needs the signatures of 2 of its [policy] signers, and has 1");
    // Nor does it help to leave [policy] out, at a restart or without one, signed or not.
    let bare = old.split("\n[policy]").next().unwrap().to_owned();
    fs::write(set.dir().join("doorward.toml"), &bare).unwrap();
    set.sign(&["alice", "bob"]);
    says(set.load(), "[policy] is gone");
    // Another set with the same serial, well signed.
    set.policy(&["alice", "bob"], 2, 5);
    set.change();
    set.sign(&["alice", "bob"]);
    says(set.load(), "another set with serial 5 was in force");
    // The way it goes: both sign, with the next serial; now carol is one of them.
    set.policy(&["alice", "carol"], 2, 6);
    set.sign(&["alice", "bob", "carol"]);
    let in_force = set.serve();
    // The old set with its old signatures.
    fs::write(set.dir().join("doorward.toml"), &old).unwrap();
    let users = fs::read_to_string(set.dir().join("users.toml")).unwrap();
    fs::write(set.dir().join("users.toml"), users.replace("# changed\n", "")).unwrap();
    fs::write(set.signature("alice.sig"), alice_old).unwrap();
    fs::write(set.signature("bob.sig"), bob_old).unwrap();
    says(set.load(), "serial 5 is older than 6, which was in force");
    // A bastion that runs remembers who is in force, whatever happens to its state.
    fs::remove_file(set.dir().join("state/policy.json")).unwrap();
    assert!(load_under(set.dir(), &in_force).is_err());
    // Started anew without its state it takes any set that its own signers signed: the threat model says so.
    set.load().unwrap();
    in_force.write(&Paths::new(set.dir())).unwrap();
    // Giving it up is a change like any other.
    set.policy(&[], 0, 7);
    says(set.load(), "needs the signatures of 2 of the signers in force until now");
    set.sign(&["alice", "carol"]);
    set.serve();
    fs::write(set.dir().join("doorward.toml"), &bare).unwrap();
    set.load().unwrap();
    set.policy(&["mallory"], 1, 7);
    set.sign(&["mallory"]);
    says(set.load(), "another set with serial 7 was in force");
}

#[test]
fn a_policy_that_protects_nothing_or_a_state_that_cannot_be_read_is_an_error() {
    let set = Set::new();
    let path = set.dir().join("doorward.toml");
    let bare = fs::read_to_string(&path).unwrap();
    let key = |name| format!("{:?}", set.key(name));
    let rows = [
        (format!("signers = [{}]\nneeded = 2\nserial = 1", key("alice")), "2 of 1 signers can never be met"),
        (
            format!("signers = [{}]\nneeded = 0\nserial = 1", key("alice")),
            "0 of 1 signers can never be met, or protects",
        ),
        (format!("signers = [{0}, {0}]\nneeded = 2\nserial = 1", key("alice")), "this key is listed twice"),
        (format!("signers = [{}]\nneeded = 1", key("alice")), "`signers`, `needed` and `serial`, and one is missing"),
        ("signers = [\"ssh-rsa AAAA\"]\nneeded = 1\nserial = 1".to_owned(), "RSA keys are not supported"),
        (format!("signers = [{}]\nneeded = 1\nserial = 0", key("alice")), "`serial` is a whole number from 1"),
        (format!("signers = [{}]\nneeded = 1\nserial = 1\nquorum = 1", key("alice")), "unknown key `quorum`"),
    ];
    for (policy, expected) in rows {
        fs::write(&path, format!("{bare}\n[policy]\n{policy}\n")).unwrap();
        says(set.load(), expected);
    }
    fs::write(&path, &bare).unwrap();
    set.policy(&["alice"], 1, 1);
    set.sign(&["alice"]);
    assert!(set.warnings().contains("one person alone changes the policy"));
    set.serve();
    let state = set.dir().join("state/policy.json");
    let good = fs::read_to_string(&state).unwrap();
    for bad in [
        "",
        "{}",
        &good.replace("\"version\": 1", "\"version\": 2"),
        &good.replace("\"needed\": 1", "\"needed\": 0"),
        &good.replace("ssh-ed25519", "ssh-dss"),
        &good.replacen('{', "{\"more\": 1,", 1),
    ] {
        fs::write(&state, bad).unwrap();
        says(set.load(), "this says who has to sign, and cannot be read");
    }
    fs::write(&state, &good).unwrap();
    set.load().unwrap();
}
