//! `setup [config|known-hosts]`: the lines for the client's own files, exactly as they belong there. Nothing is printed
//! that this build does not answer.

use crate::control::Caller;
use crate::control::arguments::Arguments;
use crate::control::outcome::Answer;
use russh::keys::{Algorithm, EcdsaCurve};

pub(super) fn run(caller: &Caller<'_>, arguments: &Arguments) -> Answer {
    match arguments.text("FILE") {
        Ok("config") => Answer::out(config(caller)),
        Ok("known-hosts") => Answer::out(known_hosts(caller)),
        _ => Answer::out(overview(caller.alias())),
    }
}

fn overview(alias: &str) -> String {
    format!(
        "Two files on your machine; each command prints only the lines that belong there:\n\
         \x20 ssh {alias} setup config >> ~/.ssh/config\n\
         \x20 ssh {alias} setup known-hosts >> ~/.ssh/known_hosts\n\
         Then `ssh {alias} help` lists the verbs, and `ssh TARGET@{alias} COMMAND` runs a command on a target.\n"
    )
}

fn config(caller: &Caller<'_>) -> String {
    let settings = &caller.snapshot.settings;
    let (user, key) = (&caller.person.name, default_key(&caller.session.user.key.algorithm()));
    // The login name says where; yours goes here so that `ssh bastion VERB` does not send a name that looks like a target.
    let port = match caller.context.port {
        22 => String::new(),
        port => format!("    Port {port}\n"),
    };
    format!(
        "Host {alias}\n    HostName {name}\n{port}    User {user}\n    IdentityFile ~/.ssh/{key}\n    IdentitiesOnly yes\n\
         \x20   CertificateFile ~/.ssh/doorward-cert.pub\n    ForwardAgent no\n",
        alias = settings.alias,
        name = settings.name,
    )
}

/// The file that `ssh-keygen` writes by default for a key of this kind: right for most, and easily seen where it is not.
fn default_key(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rsa { .. } => "id_rsa",
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 | EcdsaCurve::NistP384 | EcdsaCurve::NistP521 } => "id_ecdsa",
        Algorithm::SkEcdsaSha2NistP256 => "id_ecdsa_sk",
        Algorithm::SkEd25519 => "id_ed25519_sk",
        _ => "id_ed25519",
    }
}

/// One line; the name with its port as `ssh` looks it up when the port is not 22.
fn known_hosts(caller: &Caller<'_>) -> String {
    let name = &caller.snapshot.settings.name;
    let host = match caller.context.port {
        22 => name.clone(),
        port => format!("[{name}]:{port}"),
    };
    format!("@cert-authority {host} {}\n", caller.context.host_ca.trim())
}
