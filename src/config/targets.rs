//! `targets.toml`: which machines there are, how they are reached and recognised, and which accounts they have.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use crate::domain::{AccountName, Diagnostic, Severity, TargetName};
use crate::inventory::{HostIdentity, Inventory, Reach, SshReach, Target};

use super::address::Address;
use super::keys::public_key;
use super::source::Source;
use super::table::{Placed, Table, nearest, parse};

/// All that `targets.toml` says.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) inventory: Inventory,
    /// Where each target's name stands.
    pub(super) places: BTreeMap<TargetName, Range<usize>>,
    /// What roles can see of each target, also of one that cannot be reached for an error of its own.
    pub(super) seen: Vec<Seen>,
    /// Whether `seen` is all of them with all labels and accounts; else what is missing may only be misspelt.
    pub(super) whole: bool,
}

/// What roles select by.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) name: TargetName,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) run_as: BTreeMap<AccountName, AccountName>,
}

const NOT_YET: &[(&str, &str)] = &[
    ("shell", "this build wants a POSIX shell as the account's login shell; take the key out"),
    ("login_shell", "this build wants a POSIX shell as the account's login shell; take the key out"),
    ("jump", "this build reaches its targets directly; take the key out"),
];

/// Reads `targets.toml`. Every problem goes to `out`. `demo`: whether `local` targets may be here.
pub(super) fn read(source: &Source, demo: bool, out: &mut Vec<Diagnostic>) -> Read {
    let mut read = Read::default();
    let Some(parsed) = parse(source, out) else { return read };
    read.whole = true;
    let mut targets = Vec::new();
    for (key, value) in parsed.get_ref() {
        let name: TargetName = match key.get_ref().parse() {
            Ok(name) => name,
            Err(error) => {
                out.push(source.error_at(key.span(), error.to_string()).help("for example [web-1]"));
                read.whole = false;
                continue;
            }
        };
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`{name}` is a target, and a target is a table");
            out.push(source.error_at(key.span(), message).help(format!("write [{name}] above its address")));
            read.whole = false;
            continue;
        };
        let mut table = Table::new(source, table, format!("[{name}]"));
        let before = out.len();
        let labels = read_labels(&mut table, source, out);
        let run_as = read_accounts(&name, &key.span(), &mut table, source, out);
        read.whole &= out.iter().skip(before).all(|finding| finding.severity != Severity::Error);
        read.seen.push(Seen { name: name.clone(), labels: labels.clone(), run_as: run_as.clone() });
        let reach = read_target(&name, &key.span(), &mut table, (source, demo), out);
        targets.extend(reach.map(|reach| Target { name: name.clone(), labels, run_as, reach }));
        table.not_yet(NOT_YET, out);
        // An unknown key may be `labels` or `run_as` misspelt.
        let before = out.len();
        table.finish(out);
        read.whole &= out.len() == before;
        read.places.insert(name, key.span());
    }
    read.inventory = Inventory::new(targets);
    read
}

fn read_target(
    name: &TargetName,
    place: &Range<usize>,
    table: &mut Table<'_, '_>,
    (source, demo): (&Source, bool),
    out: &mut Vec<Diagnostic>,
) -> Option<Reach> {
    let local = match table.string("kind", out) {
        None => false,
        Some(Placed { value: "ssh", .. }) => false,
        Some(Placed { value: "local", span }) => {
            if !demo {
                let message = "a local target runs commands as the bastion itself, and belongs in a demo alone";
                let help = "write the address and host_key of an OpenSSH server; `doorward demo` makes a demo";
                out.push(source.error_at(span, message).help(help));
            }
            true
        }
        Some(Placed { value, span }) => {
            let help = match nearest(value, &["ssh", "local"]) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "take the key out: an OpenSSH server is meant".to_owned(),
            };
            out.push(source.error_at(span, "this kind of target does not exist").help(help));
            false
        }
    };
    read_reach(name, place, table, source, local, out)
}

fn read_reach(
    name: &TargetName,
    place: &Range<usize>,
    table: &mut Table<'_, '_>,
    source: &Source,
    local: bool,
    out: &mut Vec<Diagnostic>,
) -> Option<Reach> {
    if local {
        for key in ["address", "host_key", "host_ca", "host_name", "from"] {
            if let Some(value) = table.get(key) {
                out.push(source.error_at(value.span(), format!("a local target has no `{key}`")).help("take it out"));
            }
        }
        return Some(Reach::Local);
    }
    let has_address = table.get("address").is_some();
    let address = table.parsed::<Address>("address", "address = \"10.0.0.11:22\"", out);
    let from = table.parsed::<IpAddr>("from", "from = \"192.0.2.1\"", out).map(|from| from.value);
    if !has_address {
        let message = format!("{name} has no `address`");
        out.push(source.error_at(place.clone(), message).help("write address = \"10.0.0.11:22\""));
    }
    let host = address.as_ref().map(|address| address.value.host.as_str());
    let identity = read_identity(name, place, table, (source, host), out);
    let Address { host, port } = address?.value;
    Some(Reach::Ssh(SshReach { host, port, identity: identity?, from }))
}

/// `host_key`, or `host_ca` with the name that the certificate must be for: what `ssh` would look for, which is the host of
/// the address, unless `host_name` says another (as `HostKeyAlias` does for `ssh`).
fn read_identity(
    name: &TargetName,
    place: &Range<usize>,
    table: &mut Table<'_, '_>,
    (source, host): (&Source, Option<&str>),
    out: &mut Vec<Diagnostic>,
) -> Option<HostIdentity> {
    let mut span_of = |key: &'static str| table.get(key).map(toml::Spanned::span);
    let (key_place, ca_place, name_place) = (span_of("host_key"), span_of("host_ca"), span_of("host_name"));
    let pinned = read_key("host_key", table, source, out);
    let authority = read_key("host_ca", table, source, out);
    let named = table.string("host_name", out).and_then(|text| {
        let name = text.value.to_ascii_lowercase();
        let problem = super::settings::host_name(&name).err().filter(|_| name.parse::<IpAddr>().is_err());
        if let Some(why) = &problem {
            out.push(source.error_at(text.span, why.clone()).help("for example host_name = \"web-1.example.com\""));
        }
        problem.is_none().then_some(name)
    });
    match (key_place, ca_place) {
        (Some(_), Some(ca)) => {
            let message = format!("{name} has `host_key` and `host_ca`, and is recognised by one of them only");
            let help = "take one out: a pinned key is the narrower one, a host CA lets keys be replaced";
            out.push(source.error_at(ca, message).help(help));
            None
        }
        (None, None) => {
            let message = format!(
                "{name} has no `host_key` and no `host_ca`: a target is recognised by its key, never on first use"
            );
            let help = "write host_key = \"…\" with the line of /etc/ssh/ssh_host_ed25519_key.pub on that machine";
            out.push(source.error_at(place.clone(), message).help(help));
            None
        }
        (Some(_), None) => {
            if let Some(span) = name_place {
                let message = "`host_name` is the name in a host certificate, and this target has a pinned key";
                out.push(source.error_at(span, message).help("take it out"));
            }
            pinned.map(HostIdentity::Pinned)
        }
        (None, Some(_)) => {
            let name = if name_place.is_some() { named } else { host.map(str::to_ascii_lowercase) };
            Some(HostIdentity::Certified { authority: Box::new(authority?), name: name? })
        }
    }
}

fn read_key(
    key: &'static str,
    table: &mut Table<'_, '_>,
    source: &Source,
    out: &mut Vec<Diagnostic>,
) -> Option<russh::keys::PublicKey> {
    let text = table.string(key, out)?;
    public_key(text.value)
        .map_err(|problem| out.push(source.error_at(text.span, problem.message).help(problem.help)))
        .ok()
}

fn read_labels(table: &mut Table<'_, '_>, source: &Source, out: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    let plain = |text: &str| {
        let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        !text.is_empty() && text.len() <= 64 && text.chars().all(rest)
    };
    let mut labels = BTreeMap::new();
    for (key, value) in table.texts("labels", "labels = { tier = \"web\" }", out) {
        for part in [&key, &value] {
            if !plain(part.value) {
                let message = "labels and their values have 1 to 64 letters, digits, `_`, `-`, `.` and `/`";
                let help = "so that roles can write them in `label:tier=web,env=prod`";
                out.push(source.error_at(part.span.clone(), message).help(help));
            }
        }
        labels.insert(key.value.to_owned(), value.value.to_owned());
    }
    labels
}

fn read_accounts(
    name: &TargetName,
    place: &Range<usize>,
    table: &mut Table<'_, '_>,
    source: &Source,
    out: &mut Vec<Diagnostic>,
) -> BTreeMap<AccountName, AccountName> {
    let example = "run_as = { ops = \"ops\" }";
    let before = out.len();
    let mut accounts = BTreeMap::new();
    for (role, account) in table.texts("run_as", example, out) {
        let here = source.parse::<AccountName>(&account, example, out);
        if let (Some(role), Some(here)) = (source.parse::<AccountName>(&role, example, out), here) {
            if here.value.as_str() == "root" {
                let message =
                    "commands log in as root here, so every command of the role has all rights of the machine";
                let help = "use an account of its own, and `sudo = true` for the commands that need it";
                out.push(source.warning_at(Some(here.span), message).code("account/root").help(help));
            }
            accounts.insert(role.value, here.value);
        }
    }
    if accounts.is_empty() && out.len() == before {
        let message = format!("{name} has no account, so no role can be used there");
        let finding = source.warning_at(Some(place.clone()), message).code("reach/no-account");
        out.push(finding.help(format!("write {example}")));
    }
    accounts
}
