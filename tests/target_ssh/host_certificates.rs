//! Targets that are recognised by a certificate of their host CA: the right one opens, everything else is refused with its own
//! reason before anything is signed for it. russh checks nothing of a server's certificate, so all of it is ours to show.

use std::path::{Path, PathBuf};

use doorward::inventory::HostIdentity;
use doorward::service::ports::TargetError;
use doorward::target::Deadlines;
use russh::keys::PublicKey;

use crate::support::certificates::{certificate_of, sign};
use crate::support::sshd::{Sshd, keygen, new_key, text};
use crate::workshop::{Wish, Workshop, all, recognised, target};

const NAME: &str = "web-1.example.com";
/// Around any now: two days.
const NOW: &str = "-1d:+1d";

fn public(key: &Path) -> PublicKey {
    let line = std::fs::read_to_string(format!("{}.pub", text(key))).expect("a public key");
    PublicKey::from_openssh(line.trim()).expect("a public key")
}

fn certified_by(authority: &Path) -> HostIdentity {
    HostIdentity::Certified { authority: Box::new(public(authority)), name: NAME.to_owned() }
}

/// A server whose `host_key` is certified by `authority` as `ssh-keygen` has it with these arguments.
fn certified(workshop: &Workshop, authority: &Path, arguments: &[&str]) -> Sshd {
    workshop.sshd_with(|dir| {
        let key = dir.join("host_key");
        sign(authority, &key, &[&["-I", "web-1"], arguments].concat());
        format!("HostCertificate {}\n", certificate_of(&key).display())
    })
}

/// What a command on `sshd` comes to.
async fn outcome(workshop: &Workshop, sshd: &Sshd, identity: HostIdentity) -> Result<String, String> {
    match workshop.start_on(Wish::closed("echo ran"), &recognised(sshd.port, identity)).await {
        Ok(running) => Ok(String::from_utf8(all(running).await.0).expect("UTF-8")),
        Err(TargetError::HostCertificate { problem, .. }) => Err(problem),
        Err(other) => panic!("{other:?}"),
    }
}

struct Authorities {
    dir: tempfile::TempDir,
    ours: PathBuf,
    other: PathBuf,
}

impl Authorities {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (ours, other) = (new_key(&dir.path().join("ours")), new_key(&dir.path().join("other")));
        Self { dir, ours, other }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_a_certificate_of_its_host_ca_for_its_name_runs_commands() {
    let (workshop, authorities) = (Workshop::new(Deadlines::default()), Authorities::new());
    for arguments in [
        &["-h", "-n", NAME, "-V", NOW][..],
        &["-h", "-n", "elsewhere.example.com,web-1.example.com,10.0.0.11", "-V", NOW],
        // Without `-V` it is valid for ever, as most host certificates are.
        &["-h", "-n", NAME],
    ] {
        let sshd = certified(&workshop, &authorities.ours, arguments);
        let ran = outcome(&workshop, &sshd, certified_by(&authorities.ours)).await;
        assert_eq!(ran, Ok("ran\n".to_owned()), "{arguments:?}\n{}", sshd.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ecdsa_host_key_under_an_ecdsa_host_ca_is_as_good() {
    let (workshop, authorities) = (Workshop::new(Deadlines::default()), Authorities::new());
    let authority = authorities.dir.path().join("ecdsa");
    keygen(&["-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", text(&authority)]);
    let sshd = workshop.sshd_with(|dir| {
        let key = dir.join("ecdsa");
        keygen(&["-q", "-t", "ecdsa", "-N", "", "-f", text(&key)]);
        sign(&authority, &key, &["-I", "web-1", "-h", "-n", NAME]);
        format!("HostKey {}\nHostCertificate {}\n", key.display(), certificate_of(&key).display())
    });
    // It has an ed25519 key without a certificate too: the certificate is what is asked for.
    assert_eq!(outcome(&workshop, &sshd, certified_by(&authority)).await, Ok("ran\n".to_owned()), "{}", sshd.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_certificate_is_refused_with_its_own_reason_and_nothing_is_signed() {
    let (workshop, authorities) = (Workshop::new(Deadlines::default()), Authorities::new());
    let (ours, other) = (&authorities.ours, &authorities.other);
    let wrong_ca = format!("signed by {}", public(other).fingerprint(russh::keys::HashAlg::Sha256));
    for (authority, arguments, reason) in [
        (other, &["-h", "-n", NAME, "-V", NOW][..], wrong_ca.as_str()),
        (ours, &["-h", "-n", NAME, "-V", "20200101:20200102"], "expired at 2020-01-0"),
        (ours, &["-h", "-n", NAME, "-V", "+1d:+2d"], "is not valid before"),
        (ours, &["-n", NAME, "-V", NOW], "is a user certificate"),
        (
            ours,
            &["-h", "-n", "web-2.example.com", "-V", NOW],
            "for web-2.example.com, and web-1.example.com was wanted",
        ),
        (ours, &["-h", "-n", "*.example.com", "-V", NOW], "for *.example.com, and web-1.example.com was wanted"),
        (ours, &["-h", "-V", NOW], "names no host"),
        (ours, &["-h", "-n", NAME, "-V", NOW, "-O", "critical:odd@example.com=x"], "critical option `odd@example.com`"),
    ] {
        let sshd = certified(&workshop, authority, arguments);
        let refused = outcome(&workshop, &sshd, certified_by(ours)).await;
        assert!(refused.as_ref().is_err_and(|why| why.contains(reason)), "{arguments:?}: {refused:?}\n{}", sshd.log());
        assert!(workshop.certifier.signed.lock().expect("list").is_empty(), "{arguments:?}");
        assert!(!sshd.log().contains("Accepted"), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_key_does_not_stand_for_a_certificate_nor_a_certificate_for_the_pinned_key() {
    let (workshop, authorities) = (Workshop::new(Deadlines::default()), Authorities::new());
    let plain = workshop.sshd();
    let refused = outcome(&workshop, &plain, certified_by(&authorities.ours)).await.expect_err("refused");
    let shown = public(&plain.dir().join("host_key")).fingerprint(russh::keys::HashAlg::Sha256);
    assert!(refused.starts_with(&format!("it showed the plain key {shown}, and a certificate")), "{refused}");
    // Not even when the CA itself is the host key.
    let refused = outcome(&workshop, &plain, certified_by(&plain.dir().join("host_key"))).await.expect_err("refused");
    assert!(refused.contains("plain key"), "{refused}");
    // A target with both and a pinned key is asked for the key alone.
    let both = certified(&workshop, &authorities.ours, &["-h", "-n", NAME]);
    let running =
        workshop.start_on(Wish::closed("echo ran"), &target(both.port, &both.host_key())).await.expect("pinned");
    assert_eq!(all(running).await.0, b"ran\n");
    let other = public(&authorities.other).to_openssh().expect("a line");
    let refused = workshop.start_on(Wish::closed("true"), &target(both.port, &other)).await.err();
    assert!(matches!(refused, Some(TargetError::HostKey { .. })), "{refused:?}");
}
