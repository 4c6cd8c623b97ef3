//! `setup [config|known-hosts]`: the lines for the client's own files, exactly as they belong there. Nothing is printed
//! that this build does not answer.

use russh::keys::{Algorithm, EcdsaCurve};

use crate::control::Caller;
use crate::control::arguments::Arguments;
use crate::control::handout::{Door, known_hosts, ssh_config};
use crate::control::outcome::Answer;

pub(super) fn run(caller: &Caller<'_>, arguments: &Arguments) -> Answer {
    let settings = &caller.snapshot.settings;
    let door = Door {
        name: &settings.name,
        alias: &settings.alias,
        port: caller.context.port,
        suffix: &settings.suffix,
        key_inside: settings.require_key_inside,
    };
    match arguments.text("FILE") {
        Ok("config") => {
            let key = default_key(&caller.session.user.key.algorithm());
            Answer::out(ssh_config(&door, Some(&caller.person.name), key))
        }
        Ok("known-hosts") => Answer::out(known_hosts(&door, &caller.context.host_ca)),
        _ => Answer::out(overview(caller.alias(), &settings.suffix)),
    }
}

fn overview(alias: &str, suffix: &str) -> String {
    format!(
        "Two files on your machine; each command prints only the lines that belong there:\n\
         \x20 ssh {alias} setup config >> ~/.ssh/config\n\
         \x20 ssh {alias} setup known-hosts >> ~/.ssh/known_hosts\n\
         Then `ssh {alias} help` lists the verbs, and `ssh TARGET.{suffix} COMMAND` runs a command on a target.\n"
    )
}

/// The file that `ssh-keygen` writes by default for a key of this kind: right for most, and easily seen where it is not.
fn default_key(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 | EcdsaCurve::NistP384 | EcdsaCurve::NistP521 } => "id_ecdsa",
        Algorithm::SkEcdsaSha2NistP256 => "id_ecdsa_sk",
        Algorithm::SkEd25519 => "id_ed25519_sk",
        _ => "id_ed25519",
    }
}
