//! Certificates a second (h): our signer in this process beside `ssh-keygen -s`, a process a certificate, which is how
//! OpenSSH signs. Both use an ed25519 key from a file, and make the certificate of one command.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use doorward::ca::profile::{Kind, Profile, TargetFacts};
use doorward::ca::signer::{KeyFileSigner, TargetCa, generate_key_file};
use doorward::domain::CommandIdentity;
use doorward::domain::{CommandId, GrantId, Serial, SessionId, Timestamp};
use russh::keys::{Algorithm, PrivateKey};

use crate::plan::Plan;
use crate::report::{Aim, Report, Row};
use crate::stats::{Samples, alternate};
use crate::support::sshd::new_key;
use crate::world::World;

const LINE: &str =
    "exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 '/usr/bin/systemctl' 'restart' 'nginx'";

/// (h)
///
/// # Errors
/// When a certificate cannot be signed.
pub fn certificates(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let (ca, key) = (world.home().join("signing_ca"), world.home().join("signing_key"));
    generate_key_file(&ca, "signing").map_err(|error| error.to_string())?;
    new_key(&key);
    let authority = authority(&ca)?;
    let (ours, theirs) = alternate(plan.rounds, || in_process(plan, &authority), || keygen(plan, &ca, &key))?;
    report.add(Row {
        letter: "h",
        what: "certificates signed, each for a new key".to_owned(),
        unit: "1/s",
        ours: Samples(ours),
        theirs: Some(("ssh-keygen -s", Samples(theirs))),
        aim: Some(Aim::RatioAtLeast(50.0)),
    });
    Ok(())
}

fn authority(ca: &Path) -> Result<TargetCa, String> {
    let signer = KeyFileSigner::open(ca).map_err(|error| error.to_string())?;
    let profile = Profile::parse(Kind::Target, &Arc::from("target.toml"), &Arc::from(Kind::Target.shipped()));
    let profile = profile.map_err(|_| "the shipped profile does not load".to_owned())?;
    Ok(TargetCa::new(Box::new(signer), profile))
}

/// As for every command: a new key, and its certificate.
fn in_process(plan: &Plan, authority: &TargetCa) -> Result<f64, String> {
    let identity = CommandIdentity {
        user: "alice".parse().map_err(|_| "a name")?,
        grant: GrantId::from_bits(1),
        session: SessionId::from_bits(2),
        command: CommandId::from_bits(3),
    };
    let (target, account) = ("web-1".parse().map_err(|_| "a name")?, "ops".parse().map_err(|_| "a name")?);
    let (begun, mut signed) = (Instant::now(), 0_u32);
    while begun.elapsed() < plan.lasting {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(|error| error.to_string())?;
        let request = TargetFacts {
            serial: Serial::new(u64::from(signed) + 1).ok_or("no serial")?,
            identity: &identity,
            target: &target,
            account: &account,
            bastion: "bastion.example.com",
            key: key.public_key(),
            force_command: LINE,
            source_address: std::net::Ipv4Addr::LOCALHOST.into(),
            at: Timestamp::from(chrono::Utc::now()),
            pty: false,
        };
        std::hint::black_box(authority.issue(&request).map_err(|error| error.to_string())?);
        signed += 1;
    }
    Ok(f64::from(signed) / begun.elapsed().as_secs_f64())
}

fn keygen(plan: &Plan, ca: &Path, key: &Path) -> Result<f64, String> {
    let begun = Instant::now();
    for serial in 1..=plan.keygens {
        let mut keygen = Command::new("ssh-keygen");
        keygen.arg("-q").arg("-s").arg(ca).args([
            "-I",
            "doorward:alice:g-1:s-2:c-3",
            "-n",
            "web-1/ops@bastion.example.com",
        ]);
        keygen.args(["-V", "-30s:+60s", "-z", &serial.to_string(), "-O", "clear"]);
        keygen.args(["-O", &format!("force-command={LINE}"), "-O", "source-address=127.0.0.1/32"]);
        let status = keygen.arg(key.with_extension("pub")).stdin(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => {}
            other => return Err(format!("ssh-keygen -s: {other:?}")),
        }
    }
    Ok(plan.keygens as f64 / begun.elapsed().as_secs_f64())
}
