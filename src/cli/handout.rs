//! What the operator hands round, so that nobody has to trust on first use: lines for `ssh_config` and `known_hosts`.

use russh::keys::PublicKey;

/// Where people reach the bastion.
#[derive(Debug)]
pub(super) struct Door<'a> {
    pub(super) name: &'a str,
    pub(super) alias: &'a str,
    pub(super) port: u16,
}

/// The block for `~/.ssh/config`, the same for everybody: who somebody is follows from the key, not from the login name.
pub(super) fn ssh_config(door: &Door<'_>) -> String {
    let Door { name, alias, port } = door;
    let port = if *port == 22 { String::new() } else { format!("    Port {port}\n") };
    format!(
        "Host {alias}
    HostName {name}
{port}    IdentityFile ~/.ssh/id_ed25519
    IdentitiesOnly yes
    CertificateFile ~/.ssh/doorward-cert.pub
    ForwardAgent no"
    )
}

/// The line for `~/.ssh/known_hosts`. Never a bare `*`: the host CA speaks for the bastion alone.
pub(super) fn known_hosts(door: &Door<'_>, host_ca: &PublicKey) -> Option<String> {
    let bastion = if door.port == 22 { door.name.to_owned() } else { format!("[{}]:{}", door.name, door.port) };
    let key = PublicKey::from(host_ca.key_data().clone()).to_openssh().ok()?;
    Some(format!("@cert-authority {bastion} {}", key.trim()))
}
