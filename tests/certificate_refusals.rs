//! Every certificate that `docs/certificates.md` refuses, made with `ssh-keygen` and the bastion's own session CA, presented with the
//! stock `ssh`: none opens a target with its own right, the log says why, and whoever presented it reads what to do.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;

use support::bastion::{Bastion, Setup};
use support::certificates::sign;

/// A bastion that believes presented certificates alone, so that a refused one opens nothing at all.
fn strict() -> Bastion {
    let top = "require_presented_certificate = true\n".to_owned();
    let bastion = Bastion::with(Setup { top, ..Setup::default() });
    bastion.grant("ops", "web-1", "30m");
    bastion
}

/// Presents what `ssh-keygen -s ca` makes of alice's key with these options.
fn present(bastion: &Bastion, ca: &Path, options: &[&str]) {
    let certificate = sign(ca, &bastion.home().join("alice"), options);
    fs::remove_file(bastion.home().join("alice-cert.pub")).expect("the implicit certificate");
    fs::write(bastion.home().join("alice.presented"), certificate).expect("the certificate");
}

/// The last reason for which a certificate was refused, from the log.
fn refusals(bastion: &Bastion) -> Vec<String> {
    let what = |entry: &serde_json::Value| entry["data"]["what"].as_str().map(str::to_owned);
    bastion.entries("refused").iter().filter_map(what).filter(|what| what.contains("certificate")).collect()
}

/// A copy of the session CA that the test may read.
fn session_ca(bastion: &Bastion) -> std::path::PathBuf {
    let copy = bastion.home().join("session_ca");
    if !copy.exists() {
        fs::copy(bastion.dir().join("keys/session_ca"), &copy).expect("the session CA");
        std::os::unix::fs::chown(&copy, Some(nix::unistd::geteuid().as_raw()), None).expect("chown");
    }
    copy
}

#[test]
fn a_certificate_that_says_anything_wrong_opens_no_target_and_the_log_says_what() {
    let bastion = strict();
    let ca = session_ca(&bastion);
    let foreign = support::bastion::another_key(bastion.home(), "foreign");
    let granted = bastion.entries("certificate-issued").pop().expect("an issued certificate");
    let grant = granted["data"]["grants"][0].as_str().expect("its grant");
    let grants = format!("critical:grants@doorward={grant}");
    let (id, who) = ("doorward:alice:k-00000000", "alice@bastion.test");
    let now = ["-V", "-1m:+10m"];
    let rows: &[(&str, &Path, Vec<&str>, Option<&str>)] = &[
        ("foreign CA", &foreign, vec!["-I", id, "-n", who, "-z", "9", "-O", &grants], Some("not the session CA")),
        ("no principal", &ca, vec!["-I", id, "-z", "9", "-O", &grants], Some("0 principals")),
        (
            "two principals",
            &ca,
            vec!["-I", id, "-n", "alice@bastion.test,bob@bastion.test", "-z", "9", "-O", &grants],
            Some("2 principals"),
        ),
        (
            "another user",
            &ca,
            vec!["-I", "doorward:bob:k-00000000", "-n", "bob@bastion.test", "-z", "9", "-O", &grants],
            Some("not enrolled for bob"),
        ),
        (
            "nobody",
            &ca,
            vec!["-I", id, "-n", "nobody@bastion.test", "-z", "9", "-O", &grants],
            Some("not a current user"),
        ),
        ("a login name", &ca, vec!["-I", id, "-n", "alice", "-z", "9", "-O", &grants], Some("not a current user")),
        (
            "another bastion",
            &ca,
            vec!["-I", id, "-n", "alice@other.test", "-z", "9", "-O", &grants],
            Some("not a current user"),
        ),
        (
            "unknown option",
            &ca,
            vec!["-I", id, "-n", who, "-z", "9", "-O", &grants, "-O", "critical:x@y=z"],
            Some("x@y"),
        ),
        (
            "forced command",
            &ca,
            vec!["-I", id, "-n", who, "-z", "9", "-O", &grants, "-O", "force-command=id"],
            Some("force-command"),
        ),
        (
            "other address",
            &ca,
            vec!["-I", id, "-n", who, "-z", "9", "-O", &grants, "-O", "source-address=10.9.8.7/32"],
            Some("may not be used from"),
        ),
        ("no grants", &ca, vec!["-I", id, "-n", who, "-z", "9"], Some("grants@doorward")),
        (
            "garbled grants",
            &ca,
            vec!["-I", id, "-n", who, "-z", "9", "-O", "critical:grants@doorward=*"],
            Some("grants@doorward"),
        ),
        ("serial 0", &ca, vec!["-I", id, "-n", who, "-z", "0", "-O", &grants], Some("serial is 0")),
        ("other key ID", &ca, vec!["-I", "root", "-n", who, "-z", "9", "-O", &grants], Some("key ID")),
        // Everything right, and never issued: refused when it is used, because its serial is not on file.
        ("not on file", &ca, vec!["-I", id, "-n", who, "-z", "999999", "-O", &grants], None),
    ];
    for (name, ca, options, reason) in rows {
        // What the row before was told twice, at each door.
        bastion.caught_up();
        let before = refusals(&bastion).len();
        let options: Vec<&str> = options.iter().copied().chain(now).collect();
        present(&bastion, ca, &options);
        let target = bastion.run("alice", &["web-1@bastion", "id -un"]);
        assert_eq!((target.code, target.out.as_str()), (126, ""), "{name}: {target:?}");
        assert!(target.err.contains("ssh bastion cert >"), "{name}: what to type: {target:?}");
        let control = bastion.run("alice", &["bastion", "whoami"]);
        assert_eq!(control.code, 0, "{name}: the enrolled key still opens the verbs: {control:?}");
        if let Some(reason) = reason {
            support::bastion::eventually(name, || refusals(&bastion).len() > before);
            let logged = refusals(&bastion).pop().expect("an entry");
            assert!(logged.contains(reason), "{name}: {logged}");
            assert!(target.err.contains("certificate you presented does not count"), "{name}: {target:?}");
        }
    }
    assert!(bastion.entries("command-allowed").is_empty(), "nothing ran");
    bastion.verify();
}

#[test]
fn dates_and_types_that_the_library_refuses_first_leave_the_plain_key_alone() {
    let bastion = strict();
    let ca = session_ca(&bastion);
    let (id, who) = ("doorward:alice:k-00000000", "alice@bastion.test");
    for (name, options) in [
        ("expired", vec!["-I", id, "-n", who, "-z", "9", "-V", "-20m:-1m"]),
        ("not yet valid", vec!["-I", id, "-n", who, "-z", "9", "-V", "+10m:+20m"]),
        ("host certificate", vec!["-h", "-I", id, "-n", who, "-z", "9", "-V", "-1m:+10m"]),
    ] {
        present(&bastion, &ca, &options);
        let target = bastion.run("alice", &["web-1@bastion", "id -un"]);
        assert_eq!((target.code, target.out.as_str()), (126, ""), "{name}: {target:?}");
        let control = bastion.run("alice", &["bastion", "whoami"]);
        assert!(control.code == 0 && control.out.contains("alice"), "{name}: {control:?}");
    }
    assert!(bastion.entries("command-allowed").is_empty());
}

#[test]
fn a_superseded_certificate_and_one_whose_grant_is_over_open_nothing() {
    let bastion = strict();
    let presented = bastion.home().join("alice.presented");
    let first = bastion.run("alice", &["bastion", "cert"]);
    fs::write(&presented, &first.out).expect("the certificate");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);

    // A second grant: the certificate that covers both takes the place of the first.
    bastion.grant("ops", "here", "30m");
    let denied = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!(denied.code, 126, "{denied:?}");
    assert!(denied.err.contains("later certificate") && denied.err.contains("ssh bastion cert >"), "{denied:?}");
    let second = bastion.run("alice", &["bastion", "cert"]);
    assert_ne!(first.out, second.out);
    fs::write(&presented, &second.out).expect("the certificate");
    for target in ["web-1@bastion", "here@bastion"] {
        assert_eq!(bastion.run("alice", &[target, "id -un"]).code, 0, "{target}");
    }

    // The certificate lives on, its grants do not.
    let grants = bastion.run("alice", &["bastion", "status"]).out;
    for id in grants.split_whitespace().filter(|word| word.starts_with("g-") || word.starts_with("r-")) {
        bastion.run("alice", &["bastion", "done", id]);
    }
    for target in ["web-1@bastion", "here@bastion"] {
        assert_eq!(bastion.run("alice", &[target, "id -un"]).code, 126, "{target}");
    }
    bastion.verify();
}
