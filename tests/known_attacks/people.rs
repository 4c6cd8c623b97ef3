//! Who said yes, and who may know? Approvals by the wrong person, verbs without the check that others had, answers that tell.

use std::process::Stdio;

use crate::support::bastion::{Bastion, came, eventually};

#[test]
fn warpgate_tickets_nobody_says_yes_to_themselves() {
    let bastion = Bastion::start();
    let id = bastion.request("ops", "web-1", "10m");
    let pending = bastion.run("bob", &["bastion", "pending"]).out;
    let digest = pending.split_once(&format!("approve {id} ")).expect("what to type").1;
    let digest = digest.split_whitespace().next().expect("a digest");
    let own = bastion.run("alice", &["bastion", "approve", &id, digest]);
    assert_eq!(own.code, 1, "{own:?}");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126);
    assert!(bastion.entries("approved").is_empty());
}

/// Every verb that only some may use, as it would be typed to do something.
const RESTRICTED: &[&str] = &[
    "pending",
    "pending --json",
    "approve ID 0000",
    "deny ID no",
    "grants",
    "grants --json",
    "revoke GRANT no",
    "audit search",
    "audit search --json",
    "audit verify",
    "sessions",
    "watch s-00000000",
    "replay s-00000000",
    "kill s-00000000",
    "lock alice",
    "unlock alice",
    "status ID",
    "withdraw ID",
    "done GRANT",
];

#[test]
fn warpgate_cve_2026_63330_step_ca_go_2025_4181_every_verb_asks_who_is_there() {
    let bastion = Bastion::start();
    let pending = bastion.request("ops", "here", "10m");
    let grant = bastion.grant("ops", "web-1", "10m");
    for verb in RESTRICTED {
        let real = verb.replace("ID", &pending).replace("GRANT", &grant);
        let made_up = verb.replace("ID", "r-000000").replace("GRANT", "g-000000");
        let (real, made_up) = (bastion.run("dave", &["bastion", &real]), bastion.run("dave", &["bastion", &made_up]));
        assert!(real.code != 0 || real.out.is_empty() || real.out.contains(":[]"), "{verb}: {real:?}");
        let plain = |text: &str| text.replace(&pending, "r-000000").replace(&grant, "g-000000");
        assert_eq!((real.code, plain(&real.out), plain(&real.err)), (made_up.code, made_up.out, made_up.err), "{verb}");
        assert!(!real.out.contains("alice") && !real.err.contains("INC-4711"), "{verb}: {real:?}");
    }
    // Nothing of all this did anything.
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    let status = bastion.run("alice", &["bastion", &format!("status {pending}")]);
    assert!(status.out.contains("waits for approval"), "{status:?}");
}

#[test]
fn sudo_rs_cve_2025_46717_listing_ones_rights_tells_nothing_of_others() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    for line in ["roles", "roles --json", "targets", "targets --json", "status", "help", "whoami"] {
        let came = bastion.run("dave", &["bastion", line]);
        for secret in ["web-1", "ops", "alice", "INC-4711"] {
            assert!(!came.out.contains(secret) && !came.err.contains(secret), "{line}: {secret} in {came:?}");
        }
    }
    for (asked, made_up) in [("why web-1 id -un", "why web-9 id -un"), ("roles ops", "roles no-such")] {
        let (asked, made_up) = (bastion.run("dave", &["bastion", asked]), bastion.run("dave", &["bastion", made_up]));
        let plain = |text: &str| text.replace("web-9", "web-1").replace("no-such", "ops");
        assert_eq!((asked.code, plain(&asked.err)), (made_up.code, plain(&made_up.err)), "{asked:?}");
        assert_eq!(asked.out, made_up.out);
    }
}

#[test]
fn warpgate_ghsa_xm63_while_an_approval_is_awaited_no_channel_is_open() {
    let bastion = Bastion::start();
    let socket = bastion.home().join("master");
    let control = format!("ControlPath={}", socket.display());
    let mut asking = bastion.ssh(
        "alice",
        &[
            "-o",
            "ControlMaster=yes",
            "-o",
            &control,
            "bastion",
            "request ops --on web-1 --for 10m --reason INC-4711 wait",
        ],
    );
    let mut asking = asking.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    eventually("the request", || bastion.entries("requested").len() == 1);
    eventually("the master connection", || socket.exists());
    let port = bastion.sshd.port;
    for to in [format!("127.0.0.1:{port}"), "web-1:22".to_owned(), "web-1.jea:22".to_owned()] {
        let mut forward = bastion.ssh("alice", &["-o", &control, "-W", &to, "bastion"]);
        let came = came(&forward.stdin(Stdio::piped()).output().expect("ssh"));
        assert!(!came.out.contains("OpenSSH"), "the target answered: {came:?}");
    }
    let ran = bastion.run("alice", &["-o", &control, "web-1@bastion", "id -un"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(!bastion.sshd.log().contains("Connection from"), "{}", bastion.sshd.log());
    let _ = asking.kill();
    let _ = asking.wait();
}

#[test]
fn homoglyphs_and_bidi_controls_do_not_change_what_an_approver_reads() {
    let bastion = Bastion::start();
    for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{1b}', '\u{7f}', '\u{ad}'] {
        let line = format!("request ops --on web-1 --for 10m --no-wait --reason INC-1 pdf{hidden}gnp.exe");
        let asked = bastion.run("alice", &["bastion", &line]);
        assert!(asked.code == 1 || asked.code == 2, "{hidden:?}: {asked:?}");
        assert!(asked.err.contains("character"), "{hidden:?}: {asked:?}");
        assert!(!asked.err.contains(hidden), "{hidden:?}: {asked:?}");
    }
    // A name that only looks like a role's is not a role: Cyrillic and full-width letters are other letters.
    for name in ["оps", "ｏｐｓ", "ops\u{301}"] {
        let asked = bastion.run("alice", &["bastion", &format!("request {name} --on web-1 --reason INC-1 x")]);
        assert!(asked.code != 0 && asked.out.is_empty(), "{name}: {asked:?}");
    }
    let pending = bastion.run("bob", &["bastion", "pending"]);
    assert_eq!(pending.out, "", "nothing of all that waits for him: {pending:?}");
}
