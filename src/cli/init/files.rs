//! The texts that `init` writes and says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;
use sha2::Digest as _;

use crate::cli::CliError;
use crate::cli::input::{key_line, read_key};
use crate::domain::UserName;
use crate::domain::toml_text::{list, quoted};

/// `NAME=FILE` as typed.
pub(super) type Member = (UserName, String);

/// Each person's groups and key lines.
pub(super) type People = BTreeMap<UserName, (BTreeSet<&'static str>, BTreeSet<String>)>;

pub(super) fn member(text: &str) -> Result<Member, String> {
    let (name, file) = text.split_once('=').ok_or("write NAME=FILE, as in alice=alice.pub")?;
    Ok((name.parse().map_err(|error| format!("{error}"))?, file.to_owned()))
}

/// Reads everybody's keys. Somebody who is named twice is one person.
pub(super) fn people(named: &[(&'static str, &Vec<Member>)]) -> Result<People, CliError> {
    let mut people = People::new();
    for (group, members) in named {
        for (name, file) in *members {
            let line = key_line(&read_key(file)?)?;
            let (groups, keys) = people.entry(name.clone()).or_default();
            groups.insert(group);
            keys.insert(line);
        }
    }
    Ok(people)
}

pub(super) fn settings(name: &str, alias: &str, port: u16, listen: &[SocketAddr]) -> String {
    let port = match listen.first() {
        Some(address) if address.port() == port => String::new(),
        _ => format!(
            "port   = {port}                   # what people reach; something leads from there to the address above\n"
        ),
    };
    let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
    format!(
        "# The bastion. `doorward check DIR` reads every file here; `doorward reload DIR` puts a change into force.
name   = {name}
listen = {listen}
{port}
[rights]
# They read, replay and verify what happened. Approving needs the right to approve besides.
reviewers = [\"group:{reviewers}\"]

[names]
alias  = {alias}      # people type: ssh {alias_plain} …
suffix = \"jea\"          # what may follow a target's name: ssh web-1.jea@{alias_plain} …
",
        name = quoted(name),
        listen = list(listen.iter().map(String::as_str)),
        alias = quoted(alias),
        alias_plain = alias,
        reviewers = crate::config::shipped::REVIEWERS,
    )
}

pub(super) fn users(people: &People) -> String {
    let mut text =
        "# Who may connect. `doorward user add DIR NAME --key FILE --group GROUP` adds somebody.\n".to_owned();
    for (name, (groups, keys)) in people {
        let table = quoted(name.as_str());
        let table = if name.as_str().contains('.') { table } else { name.to_string() };
        text.push_str(&format!(
            "\n[{table}]\nkeys   = {}\ngroups = {}\n",
            list(keys.iter().map(String::as_str)),
            list(groups.iter().copied())
        ));
    }
    text
}

pub(super) const TARGETS: &str = "# Which machines there are. `doorward target add DIR NAME ADDRESS --scan` adds one.
#
# [web-1]
# address  = \"10.0.0.11:22\"
# labels   = { tier = \"web\", env = \"prod\" }         # what roles select by
# host_key = \"ssh-ed25519 AAAA…\"                    # how it is recognised; never on first use
# # or, for machines with host certificates: host_ca = \"ssh-ed25519 AAAA…\" and host_name = \"web-1.example.com\"
# run_as   = { ops = \"ops\" }                        # a role's word for an account -> the account there
";

pub(super) const GITIGNORE: &str =
    "# Private keys and what changes while the bastion runs do not belong in git.\n/keys/\n/state/\n";

/// C2SP signed-note, "Verifier keys": NAME+HASH+BASE64, where the hash is the first four bytes of SHA-256 over the name, a
/// newline, and the key with its algorithm byte (1 for Ed25519) before it.
pub(super) fn verifier_key(name: &str, key: &PublicKey) -> Option<String> {
    let KeyData::Ed25519(key) = key.key_data() else { return None };
    let mut typed = vec![1_u8];
    typed.extend_from_slice(&key.0);
    let hash = sha2::Sha256::new().chain_update(name).chain_update(b"\n").chain_update(&typed).finalize();
    let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{name}+{hash}+{}", STANDARD.encode(typed)))
}

/// What [`next_steps`] tells of.
pub(super) struct Next<'a> {
    pub(super) dir: &'a str,
    pub(super) alias: &'a str,
    pub(super) users: usize,
    pub(super) roles: usize,
    pub(super) low_port: bool,
    pub(super) ssh_config: &'a str,
    pub(super) known_hosts: &'a str,
}

pub(super) fn next_steps(next: &Next<'_>) -> String {
    let Next { dir, alias, users, roles, ssh_config, known_hosts, .. } = next;
    let port = if next.low_port {
        "\n   A port below 1024 needs the right to bind it: AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit."
    } else {
        ""
    };
    format!(
        "{dir} is ready: {users} users, {roles} roles, no target yet. What comes next:

1. Add a target, and put on it what the second command prints:

    doorward target add {dir} web-1 10.0.0.11 --scan --label tier=web
    doorward target enroll {dir} web-1

2. Start the bastion, as an ordinary user:

    doorward serve {dir}
{port}
3. Hand these lines round. For ~/.ssh/config:

{ssh_config}

   For ~/.ssh/known_hosts, so that nobody has to trust on first use:

{known_hosts}

4. Then whoever is in the group `{admins}` types (nobody has to approve this one):

    ssh {alias} request host-status
    ssh web-1@{alias} uptime",
        admins = crate::config::shipped::ADMINS,
    )
}
