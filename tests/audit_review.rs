//! A reviewer over ssh: keeps a checkpoint, takes proofs away, and checks them on a machine that knows the public key alone.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::process::Command;

use support::bastion::{Bastion, Came, DOORWARD, came, eventually};

#[test]
fn a_reviewer_takes_proofs_away_and_checks_them_without_the_bastion() {
    let mut bastion = Bastion::start();
    let home = tempfile::tempdir().expect("a home elsewhere");
    let put = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("a file");
    let check = |words: &str| -> Came {
        let mut command = Command::new(DOORWARD);
        command.args(["audit", "check-proof"]).args(words.split(' ')).current_dir(home.path());
        came(&command.output().expect("doorward runs"))
    };
    put("log_key.pub", &fs::read_to_string(bastion.dir().join("certs/log_key.pub")).expect("the public key"));

    let kept = bastion.run("carol", &["bastion", "audit", "checkpoint"]);
    assert_eq!(kept.code, 0, "{}", kept.err);
    put("kept", &kept.out);
    let size = kept.out.lines().nth(1).expect("the size").to_owned();
    // It goes on: entries of all kinds.
    bastion.grant("ops", "web-1", "30m");
    let proof = bastion.run("carol", &["bastion", "audit", "prove", "0"]);
    put("0.tlog-proof", &proof.out);
    let grown = bastion.run("carol", &["bastion", "audit", "consistency", &size]);
    put("grown", &grown.out);
    assert_eq!((proof.code, grown.code), (0, 0), "{}{}", proof.err, grown.err);
    let holds = check("0.tlog-proof --key log_key.pub");
    assert!(holds.code == 0 && holds.out.contains("\"kind\":\"start\""), "{}{}", holds.out, holds.err);
    let holds = check("grown --old kept --key log_key.pub");
    assert!(holds.code == 0 && holds.out.contains("begins with the"), "{}{}", holds.out, holds.err);

    // What is not there, and who is no reviewer.
    let outside = bastion.run("carol", &["bastion", "audit", "prove", "100000"]);
    assert!(outside.code == 3 && outside.err.contains("is not among"), "{}", outside.err);
    let later = bastion.run("carol", &["bastion", "audit", "consistency", "100000"]);
    assert!(later.code == 3 && later.err.contains("rolled back"), "{}", later.err);
    for verb in ["checkpoint", "prove 0", "consistency 1"] {
        let line = format!("audit {verb}");
        let refused = bastion.run("alice", &["bastion", &line]);
        assert!(refused.code == 2 && refused.out.is_empty() && !refused.err.contains("review"), "{}", refused.err);
    }

    // The bastion keeps the tiles by itself, beside the commits, and leaves them complete.
    let audit = bastion.dir().join("state/audit");
    eventually("the first tile", || audit.join("tile/0/000.p").is_dir());
    bastion.stop();
    let dir = bastion.dir();
    let verify = || came(&Command::new(DOORWARD).args(["audit", "verify"]).arg(&dir).output().expect("doorward runs"));
    let verified = verify();
    assert!(verified.code == 0 && !verified.err.contains("tile"), "{}{}", verified.out, verified.err);
    let entries: usize = verified.out.split(' ').next().and_then(|count| count.parse().ok()).expect("how many");
    let tile = audit.join(format!("tile/0/000.p/{entries}"));
    assert_eq!(fs::metadata(&tile).expect("the last tile").len(), 32 * entries as u64);
    // A wrong one is said and stops nothing; the next start makes it right.
    fs::write(&tile, vec![7; 32 * entries]).expect("the tile");
    let verified = verify();
    assert!(verified.code == 0 && verified.err.contains("audit rebuild-tiles"), "{}", verified.err);
    bastion.serve();
    eventually("a right tile", || !verify().err.contains("tile"));
}
