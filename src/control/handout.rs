//! What people put into their own files, so that nobody has to trust on first use: lines for `ssh_config` and `known_hosts`.
//! `setup` prints them for whoever asks, `doorward init` for the operator to hand round.

use crate::domain::UserName;

/// Where people reach the bastion.
#[derive(Debug)]
pub struct Door<'a> {
    /// The bastion's own host name, as its certificate says it.
    pub name: &'a str,
    /// What people type after `ssh`.
    pub alias: &'a str,
    /// The port they connect to.
    pub port: u16,
    /// What follows a target's name: `jea` in `web-1.jea`.
    pub suffix: &'a str,
    /// Whether a connection to a target proves the key again.
    pub key_inside: bool,
}

/// The two blocks for `~/.ssh/config`: the bastion, and every target that there is or will be. A connection to a target proves
/// nothing more unless the bastion insists, so no key is offered there and no security key asks to be touched again.
///
/// It is for somebody whose key is in `~/.ssh` under the name `key`. Without `user` it is the same for everybody: who somebody
/// is follows from the key, not from the login name.
#[must_use]
pub fn ssh_config(door: &Door<'_>, user: Option<&UserName>, key: &str) -> String {
    let Door { name, alias, port, suffix, key_inside } = door;
    let port = if *port == 22 { String::new() } else { format!("    Port {port}\n") };
    // The login name says where; theirs goes here so that `ssh bastion VERB` does not send a name that looks like a target.
    let user = user.map_or_else(String::new, |user| format!("    User {user}\n"));
    let proof = if *key_inside {
        format!("IdentityFile ~/.ssh/{key}\n    IdentitiesOnly yes")
    } else {
        "PubkeyAuthentication no".to_owned()
    };
    format!(
        "Host {alias}\n    HostName {name}\n{port}{user}    IdentityFile ~/.ssh/{key}\n    IdentitiesOnly yes\n\
         \x20   CertificateFile ~/.ssh/doorward-cert.pub\n    ForwardAgent no\n\
         Host *.{suffix}\n    ProxyJump {alias}\n    {proof}\n    ForwardAgent no\n"
    )
}

/// The line for `~/.ssh/known_hosts`, with the names as `ssh` looks them up: the bastion's own with its port, those of targets
/// on theirs, which is always 22. `host_ca` is `ssh-ed25519 AAAA…`. Never a bare `*`, nor a target's name without the suffix:
/// the host CA speaks for the bastion and what it answers for, and not for a machine that happens to be called the same.
#[must_use]
pub fn known_hosts(door: &Door<'_>, host_ca: &str) -> String {
    let Door { name, port, suffix, .. } = door;
    let host = if *port == 22 { (*name).to_owned() } else { format!("[{name}]:{port}") };
    format!("@cert-authority {host},*.{suffix} {}\n", host_ca.trim())
}
