//! When a grant ends, its running commands end, on the target too: expiry, give back, revocation, the client killed, the
//! bastion killed, the bastion stopped.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::bastion::{Bastion, PATIENCE, came, eventually};

/// A `sleep` of this test's own length on `target`, seen running.
fn sleeping(bastion: &Bastion, target: &str, seconds: u32) -> Child {
    let child = bastion
        .ssh("alice", &[&format!("{target}@bastion"), &format!("sleep {seconds}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ssh");
    eventually("the sleep", || is_running(seconds));
    child
}

/// Whether a program `sleep SECONDS` runs on this machine (not a wrapper that mentions it).
fn is_running(seconds: u32) -> bool {
    let output = Command::new("pgrep").args(["-fx", &format!("/usr/bin/sleep {seconds}")]).output().expect("pgrep");
    output.status.success()
}

/// Waits for the end of `sleep SECONDS`, and for every process whose command line mentions it.
fn gone(seconds: u32, within: Duration) {
    let patience = Instant::now();
    let mentions = || {
        let output = Command::new("pgrep").args(["-fa", &format!("sleep.? .?{seconds}")]).output().expect("pgrep");
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.contains("pgrep")).count()
    };
    while is_running(seconds) || mentions() > 0 {
        assert!(patience.elapsed() < within, "sleep {seconds} is still there after {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A length of sleep that no other test uses.
fn unique(offset: u32) -> u32 {
    2000 + offset * 20 + std::process::id() % 17
}

#[test]
fn what_runs_ends_when_the_grant_is_given_back_or_revoked() {
    let bastion = Bastion::start();
    for (n, target) in ["web-1", "here"].into_iter().enumerate() {
        for (m, end) in ["done", "revoke"].into_iter().enumerate() {
            let grant = bastion.grant("ops", target, "30m");
            let seconds = unique((2 * n + m) as u32);
            let child = sleeping(&bastion, target, seconds);
            let ended = match end {
                "done" => bastion.run("alice", &["bastion", "done", &grant]),
                _ => bastion.run("bob", &["bastion", "revoke", &grant, "suspicious"]),
            };
            assert_eq!(ended.code, 0, "{ended:?}");
            gone(seconds, PATIENCE);
            let came = came(&child.wait_with_output().expect("ssh"));
            assert_eq!(came.code, 124, "{end} on {target}: {came:?}");
            assert!(came.err.starts_with("doorward:"), "{came:?}");
            assert_eq!(bastion.run("alice", &[&format!("{target}@bastion"), "id -un"]).code, 126);
        }
    }
    bastion.verify();
}

#[test]
fn what_runs_ends_when_the_grant_expires() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10s");
    let seconds = unique(10);
    let child = sleeping(&bastion, "web-1", seconds);
    gone(seconds, PATIENCE);
    let came = came(&child.wait_with_output().expect("ssh"));
    assert_eq!(came.code, 124, "{came:?}");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126);
}

#[test]
fn what_runs_ends_when_the_client_is_killed() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1,here", "30m");
    for (n, target) in ["web-1", "here"].into_iter().enumerate() {
        let seconds = unique(20 + n as u32);
        let mut child = sleeping(&bastion, target, seconds);
        child.kill().expect("kill");
        child.wait().expect("wait");
        gone(seconds, PATIENCE);
    }
    eventually("the entries", || bastion.entries("command-finished").len() == 2);
    bastion.verify();
}

#[test]
fn what_runs_ends_when_the_bastion_is_killed_and_the_log_says_so_afterwards() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1,here", "30m");
    let (far, near) = (unique(30), unique(31));
    let children = [sleeping(&bastion, "web-1", far), sleeping(&bastion, "here", near)];
    bastion.kill();
    gone(far, PATIENCE);
    gone(near, PATIENCE);
    for child in children {
        assert_ne!(came(&child.wait_with_output().expect("ssh")).code, 0);
    }
    bastion.serve();
    eventually("an entry each", || bastion.entries("command-outcome-unknown").len() == 2);
    let again = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!(again.code, 0, "grants live on: {again:?}");
    bastion.verify();
}

#[test]
fn a_stopping_bastion_lets_what_runs_finish_within_its_bound_and_ends_the_rest() {
    let setup = support::bastion::Setup { top: "drain = \"3s\"\n".to_owned(), ..support::bastion::Setup::default() };
    let mut bastion = Bastion::with(setup);
    bastion.grant("ops", "web-1", "30m");
    let (short, long) = (2, unique(40));
    let finishes = sleeping(&bastion, "web-1", short);
    let ends = sleeping(&bastion, "web-1", long);
    bastion.stop();
    gone(long, PATIENCE);
    let (finishes, ends) =
        (came(&finishes.wait_with_output().expect("ssh")), came(&ends.wait_with_output().expect("ssh")));
    assert_eq!(finishes.code, 0, "{finishes:?}");
    assert_eq!(ends.code, 124, "{ends:?}");
    assert_eq!(bastion.entries("command-finished").len(), 2);
    assert_eq!(bastion.entries("stop").len(), 1);
    bastion.verify();
}

#[test]
fn a_role_that_is_narrowed_acts_at_once_and_one_that_is_widened_gives_nothing_new() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);

    let role = support::bastion::ROLE;
    let wider = format!("{role}\n[[command]]\nrun = \"/usr/bin/uptime\"\n");
    bastion.reload_with_role("ops", &wider);
    let denied = bastion.run("alice", &["web-1@bastion", "uptime"]);
    assert_eq!(denied.code, 126, "{denied:?}");
    assert!(denied.err.contains("request ops"), "a new request would give it: {denied:?}");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0, "what both have still runs");

    // A target that came after the approval, and that the role now names, was not approved.
    let targets = bastion.dir().join("targets.toml");
    let text = std::fs::read_to_string(&targets).expect("targets.toml");
    let (_, web_1) = text.split_once("[web-1]").expect("web-1");
    let web_1 = web_1.split("\n[").next().expect("its table");
    std::fs::write(&targets, format!("{text}\n[web-2]{web_1}\n")).expect("targets.toml");
    bastion.reload_with_role("ops", &wider.replace("\"web-1\", \"here\"", "\"web-*\", \"here\""));
    let added = bastion.run("alice", &["web-2@bastion", "id -un"]);
    assert_eq!(added.code, 126, "{added:?}");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);

    // A target of the role that she did not ask for was not approved either.
    let here = bastion.run("alice", &["here@bastion", "id -un"]);
    assert_eq!(here.code, 126, "{here:?}");

    let narrower = role.replace("[[command]]\nrun = \"/usr/bin/id -un\"\n", "");
    assert_ne!(narrower, role);
    bastion.reload_with_role("ops", &narrower);
    let denied = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!(denied.code, 126, "{denied:?}");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "printf x"]).out, "x");

    // Another account is neither narrower nor wider: nothing runs as it.
    bastion.reload_with_role("ops", &role.replace("run_as      = \"ops\"", "run_as      = \"root\""));
    assert_eq!(bastion.run("alice", &["web-1@bastion", "printf x"]).code, 126);

    // A broken file changes nothing and is named.
    let reloads = bastion.entries("reload").len();
    bastion.reload_with_role("ops", "description = [");
    let refused = bastion.entries("reload").pop().expect("the entry");
    assert!(bastion.entries("reload").len() > reloads && !refused["data"]["refused"].is_null(), "{refused}");
    bastion.verify();
}

#[test]
fn who_loses_the_right_to_ask_for_a_role_loses_what_runs_and_every_next_command() {
    let role = support::bastion::ROLE;
    let (before, rest) = role.split_once("[request]").expect("a section");
    let (_, rules) = rest.split_once("[[command]]").expect("a rule");
    let changes = [role.replace("user:alice", "user:dave"), format!("{before}[[command]]{rules}")];
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    for (n, changed) in changes.iter().enumerate() {
        let seconds = unique(50 + n as u32);
        let child = sleeping(&bastion, "web-1", seconds);
        bastion.reload_with_role("ops", changed);
        gone(seconds, PATIENCE);
        let ended = came(&child.wait_with_output().expect("ssh"));
        assert_eq!(ended.code, 124, "{ended:?}");
        assert!(ended.err.contains("no longer ask"), "{ended:?}");
        let denied = bastion.run("alice", &["web-1@bastion", "id -un"]);
        assert_eq!(denied.code, 126, "{denied:?}");
        assert!(denied.err.contains("you may no longer ask for ops") && denied.err.contains(" roles`"), "{denied:?}");
        // The grant was not ended: what comes back, comes back.
        bastion.reload_with_role("ops", role);
        assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    }
    bastion.verify();
}

#[test]
fn a_reload_that_would_need_a_restart_changes_nothing_and_names_the_key() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let before = bastion.entries("start").pop().expect("the entry")["data"]["policy"].clone();
    let (settings, profile) = (bastion.dir().join("doorward.toml"), bastion.dir().join("certs/session.toml"));
    let (plain, shipped) = (read(&settings), read(&profile));
    let harmless = support::bastion::ROLE.replace("/usr/bin/id -un", "/usr/bin/id -u");
    let elsewhere = support::bastion::ROLE.replace("user:alice", "user:dave");
    let changes = [
        ("name", plain.replace("bastion.test", "other.test"), shipped.clone()),
        ("port", format!("port = 9\n{plain}"), shipped.clone()),
        ("[limits] max_sessions", format!("{plain}\n[limits]\nmax_sessions = 9\n"), shipped.clone()),
        ("[limits] recordings_mib", format!("{plain}\n[limits]\nrecordings_mib = 9\n"), shipped.clone()),
        ("[limits] recorded_mib", format!("{plain}\n[limits]\nrecorded_mib = 9\n"), shipped.clone()),
        ("certs/session.toml", plain.clone(), with_another_validity(&shipped)),
    ];
    for (key, changed, certificates) in changes {
        std::fs::write(&settings, changed).expect("settings");
        std::fs::write(&profile, certificates).expect("a profile");
        bastion.reload_with_role("ops", &elsewhere);
        let entry = bastion.entries("reload").pop().expect("the entry");
        let refused = entry["data"]["refused"].as_str().unwrap_or_default();
        assert!(refused.contains("restart") && refused.contains(key), "{key}: {entry}");
        assert_eq!(entry["data"]["policy"], before, "{key}: the digest of what is in force");
        assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0, "{key}: nothing was taken over");
    }
    std::fs::write(&settings, format!("{plain}\n[requests]\npending_per_user = 3\n")).expect("settings");
    std::fs::write(&profile, shipped).expect("a profile");
    bastion.reload_with_role("ops", &harmless);
    let entry = bastion.entries("reload").pop().expect("the entry");
    assert!(entry["data"]["refused"].is_null() && entry["data"]["policy"] != before, "{entry}");
    // With a restart the rest takes effect too.
    std::fs::write(&settings, format!("{plain}\n[limits]\nmax_sessions = 9\n")).expect("settings");
    bastion.stop();
    bastion.serve();
    bastion.verify();
}

#[test]
fn the_entry_of_each_decision_has_the_digest_of_the_policy_that_it_was_made_under() {
    const DECISIONS: [&str; 7] =
        ["requested", "approved", "denied", "activated", "certificate-issued", "command-allowed", "command-denied"];
    let bastion = Bastion::start();
    let decide = || {
        let id = bastion.request("ops", "web-1", "30m");
        assert_eq!(bastion.run("bob", &["bastion", "deny", &id, "not now"]).code, 0);
        bastion.grant("ops", "web-1", "30m");
        assert_eq!(bastion.run("alice", &["bastion", "cert"]).code, 0);
        assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
        assert_eq!(bastion.run("alice", &["web-1@bastion", "id -nope"]).code, 126);
        assert_eq!(bastion.run("alice", &["bastion", "done"]).code, 0);
    };
    decide();
    let first = bastion.entries("start").pop().expect("the entry")["data"]["policy"].clone();
    let counts = DECISIONS.map(|kind| bastion.entries(kind).len());
    for kind in DECISIONS {
        let entries = bastion.entries(kind);
        assert!(!entries.is_empty() && entries.iter().all(|entry| entry["policy"] == first), "{kind}: {entries:?}");
    }
    bastion.reload_with_role("ops", &format!("{}\n# another digest\n", support::bastion::ROLE));
    let second = bastion.entries("reload").pop().expect("the entry")["data"]["policy"].clone();
    assert!(first != second && second.as_str().is_some_and(|digest| digest.len() == 64), "{second}");
    decide();
    for (kind, before) in DECISIONS.iter().zip(counts) {
        let entries = bastion.entries(kind).split_off(before);
        assert!(!entries.is_empty() && entries.iter().all(|entry| entry["policy"] == second), "{kind}: {entries:?}");
    }
    bastion.verify();
}

#[test]
fn a_role_is_used_under_its_conditions_alone_and_what_runs_when_they_lapse_ends() {
    let with = |when: &str| support::bastion::ROLE.replace("[request]", &format!("[when]\n{when}\n[request]"));
    let roles = vec![("ops".to_owned(), with("networks = [\"10.0.0.0/8\"]"))];
    let bastion = Bastion::with(support::bastion::Setup { roles, ..support::bastion::Setup::default() });
    let id = bastion.request("ops", "web-1", "30m");
    bastion.approve(&id);
    let said = "ops may be used from 10.0.0.0/8; this comes from 127.0.0.1";
    let denied = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert!(denied.code == 126 && denied.err.contains(said) && denied.err.contains("has not begun"), "{denied:?}");
    let cert = bastion.run("alice", &["bastion", "cert"]);
    assert!(cert.code == 1 && cert.err.contains(said), "{cert:?}");
    assert_eq!(bastion.entries("activated").len(), 0, "its time does not run");

    let ends = chrono::Utc::now() + chrono::TimeDelta::seconds(15);
    let ends = ends.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let here =
        format!("networks = [\"::ffff:127.0.0.0/104\"]\nnot_after = {ends}\nmax_sessions = 1\nsame_source = true");
    bastion.reload_with_role("ops", &with(&here));
    assert_eq!(bastion.run("alice", &["bastion", "done", &id.replacen("r-", "g-", 1)]).code, 0);
    bastion.grant("ops", "web-1", "30m");
    let seconds = unique(60);
    let child = sleeping(&bastion, "web-1", seconds);
    let second = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert!(second.code == 126 && second.err.contains("for 1 command at a time; 1 runs now"), "{second:?}");
    gone(seconds, Duration::from_secs(40));
    let ended = came(&child.wait_with_output().expect("ssh"));
    let said = format!("ops may be used until {ends}");
    assert!(ended.code == 124 && ended.err.contains(&format!("ended: {said}")), "{ended:?}");
    let finished = bastion.entries("command-finished").pop().expect("the entry");
    assert_eq!(finished["data"]["ended_by"], "lapsed-not-after", "{finished}");
    let after = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert!(after.code == 126 && after.err.contains(&said), "{after:?}");
    bastion.verify();
}

#[test]
fn a_running_command_is_told_what_its_user_lost_by_a_reload_and_runs_on() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    // Long enough for the slowest machine, and an end for a test that waits in vain.
    let seconds = 40 + std::process::id() % 17;
    let mut child = sleeping(&bastion, "web-1", seconds);
    bastion.reload_with_role("ops", &support::bastion::ROLE.replace("[[command]]\nrun = \"/usr/bin/id -un\"\n", ""));
    let mut lines = BufReader::new(child.stderr.take().expect("its error")).lines().map_while(Result::ok);
    let told = lines.find(|line| line.contains("of ops gives less")).expect("a line about it");
    assert!(told.starts_with("doorward: since ") && told.contains("`id -un`, is gone"), "{told}");
    assert!(is_running(seconds), "what it runs is still allowed");
    let next = bastion.run("alice", &["web-1@bastion", "printf x"]);
    assert!(next.code == 0 && next.err.contains("`id -un`, is gone"), "the next command says it as well: {next:?}");
    let after = bastion.run("alice", &["web-1@bastion", "printf x"]);
    assert!(after.code == 0 && after.err.is_empty(), "once: {after:?}");
    child.kill().expect("kill");
    child.wait().expect("wait");
    gone(seconds, PATIENCE);
    bastion.verify();
}

/// Has each of `who` sign the set as it is, in the place of those who signed before.
fn sign(bastion: &Bastion, who: &[&str]) {
    let (home, signatures) = (bastion.home(), bastion.dir().join("signatures"));
    let _ = std::fs::remove_dir_all(&signatures);
    std::fs::create_dir(&signatures).expect("a directory");
    let text = Command::new(support::bastion::DOORWARD).arg("to-sign").arg(bastion.dir()).output().expect("doorward");
    assert!(text.status.success(), "{text:?}");
    for name in who {
        let file = home.join("policy.txt");
        std::fs::write(&file, &text.stdout).expect("a file");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", "doorward-policy", "-f"]).arg(home.join(name)).arg(&file);
        assert!(keygen.stdin(Stdio::null()).status().expect("ssh-keygen").success());
        std::fs::rename(home.join("policy.txt.sig"), signatures.join(format!("{name}.sig"))).expect("a signature");
    }
}

#[test]
fn a_reload_takes_over_a_set_with_the_signatures_of_those_in_force_and_no_other() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let settings = bastion.dir().join("doorward.toml");
    let plain = read(&settings);
    let key = |who: &str| read(&bastion.home().join(format!("{who}.pub"))).trim().to_owned();
    let (bob, carol, mallory) = (key("bob"), key("carol"), key("mallory"));
    let with = |keys: &[&str], needed: usize, serial: u32| {
        format!("{plain}\n[policy]\nsigners = {keys:?}\nneeded = {needed}\nserial = {serial}\n")
    };
    let role = support::bastion::ROLE;
    let narrow = role.replace("[[command]]\nrun = \"/usr/bin/id -un\"\n", "");
    let mut in_force = bastion.entries("start").pop().expect("the entry")["data"]["policy"].clone();
    // Who signs, what [policy] says, the role, and why it is refused.
    let first = with(&[&bob, &carol], 2, 1);
    let next = with(&[&bob, &carol], 2, 2);
    let other = with(&[&mallory], 1, 2);
    let rows: [(&[&str], &str, &str, Option<&str>); 8] = [
        (&[], &first, role, Some("needs the signatures of 2")),
        (&["bob", "mallory"], &first, role, Some("has 1")),
        (&["bob", "carol"], &first, role, None),
        (&["bob", "carol"], &first, &narrow, Some("another set with serial 1")),
        (&["bob"], &next, &narrow, Some("has 1")),
        (&["mallory"], &other, &narrow, Some("the signers in force until now")),
        (&[], &plain, &narrow, Some("[policy] is gone")),
        (&["carol", "bob"], &next, &narrow, None),
    ];
    for (who, settings_text, role, refused) in rows {
        std::fs::write(&settings, settings_text).expect("settings");
        std::fs::write(bastion.dir().join("roles/ops.toml"), role).expect("the role");
        if settings_text.contains("[policy]") {
            sign(&bastion, who);
        }
        // Who runs knows who signs; the file is for the next start.
        let _ = std::fs::remove_file(bastion.dir().join("state/policy.json"));
        bastion.reload_with_role("ops", role);
        let entry = bastion.entries("reload").pop().expect("the entry");
        match refused {
            Some(why) => {
                assert!(entry["data"]["refused"].as_str().is_some_and(|said| said.contains(why)), "{why}: {entry}");
                assert_eq!(entry["data"]["policy"], in_force, "{why}: the last good set stays");
                assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0, "{why}");
            }
            None => {
                assert!(entry["data"]["refused"].is_null() && entry["data"]["policy"] != in_force, "{entry}");
                in_force = entry["data"]["policy"].clone();
            }
        }
    }
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126, "the narrower role is in force");
    // A restart does not shake the signers off.
    std::fs::write(&settings, &plain).expect("settings");
    bastion.stop();
    assert!(bastion.serve_refused().contains("[policy] is gone"));
    bastion.verify();
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

fn with_another_validity(profile: &str) -> String {
    let (before, rest) = profile.split_once("validity").expect("a validity");
    let (_, after) = rest.split_once('\n').expect("more lines");
    format!("{before}validity = \"1h\"\n{after}")
}
