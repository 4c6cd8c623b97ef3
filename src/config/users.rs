//! `users.toml`: who may connect, with which keys, in which groups.

use std::collections::BTreeMap;
use std::ops::Range;

use ipnet::IpNet;
use russh::keys::HashAlg;

use crate::domain::text::excerpt;
use crate::domain::{Diagnostic, GroupName, UserName};
use crate::identity::{Directory, Fingerprint, User};

use super::keys::{on_security_key, public_key};
use super::source::Source;
use super::table::{Table, parse};

/// All that `users.toml` says.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) directory: Directory,
    /// Where each user's name stands.
    pub(super) places: BTreeMap<UserName, Range<usize>>,
    /// Whether all users and their groups are known; else who is missing may only be misspelt.
    pub(super) whole: bool,
}

const NOT_YET: &[(&str, &str)] = &[
    ("service", "this build knows people alone; take the key out"),
    ("certificate_authority", "this build trusts keys alone; list the user's keys"),
    ("totp", "this build has no second factor; take the key out"),
    ("mfa", "this build has no second factor; take the key out"),
    ("age", "this build does not seal recordings; take the key out"),
    ("expires", "this build does not end an enrolment by itself; remove the user when the time has come"),
];

/// Reads `users.toml`. Every problem goes to `out`.
pub(super) fn read(source: &Source, out: &mut Vec<Diagnostic>) -> Read {
    let mut read = Read::default();
    let Some(parsed) = parse(source, out) else { return read };
    read.whole = true;
    let mut users = Vec::new();
    let mut owners = BTreeMap::new();
    for (key, value) in parsed.get_ref() {
        let name: UserName = match key.get_ref().parse() {
            Ok(name) => name,
            Err(error) => {
                out.push(source.error_at(key.span(), error.to_string()).help("for example [alice]"));
                read.whole = false;
                continue;
            }
        };
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`{name}` is a user, and a user is a table");
            out.push(source.error_at(key.span(), message).help(format!("write [{name}] above its keys and groups")));
            read.whole = false;
            continue;
        };
        let mut table = Table::new(source, table, format!("[{name}]"));
        let (user, groups_known) = read_user(&name, &key.span(), &mut table, source, &mut owners, out);
        users.push(user);
        table.not_yet(NOT_YET, out);
        // An unknown key may be `groups` misspelt.
        let before = out.len();
        table.finish(out);
        read.whole &= groups_known && out.len() == before;
        read.places.insert(name, key.span());
    }
    names_differ_in_more_than_case(&read.places, source, out);
    read.directory = Directory::new(users);
    read
}

fn read_user(
    name: &UserName,
    place: &Range<usize>,
    table: &mut Table<'_, '_>,
    source: &Source,
    owners: &mut BTreeMap<Fingerprint, UserName>,
    out: &mut Vec<Diagnostic>,
) -> (User, bool) {
    let before = out.len();
    let mut keys = Vec::new();
    for text in table.strings("keys", out) {
        let key = match public_key(text.value) {
            Ok(key) => key,
            Err(problem) => {
                out.push(source.error_at(text.span, problem.message).help(problem.help));
                continue;
            }
        };
        if on_security_key(&key) {
            let message = "this build does not check that a security key was touched: it counts as a plain key";
            out.push(source.warning_at(Some(text.span.clone()), message).code("people/security-key"));
        }
        match owners.insert(key.fingerprint(HashAlg::Sha256), name.clone()) {
            None => keys.push(key),
            Some(owner) => {
                let whose = if owner == *name { "listed twice".to_owned() } else { format!("also {owner}'s") };
                let message = format!("this key is {whose}; a key says who somebody is, so it has one owner");
                out.push(source.error_at(text.span, message).help("give each person a key of their own"));
            }
        }
    }
    if keys.is_empty() && out.len() == before {
        let message = format!("{name} has no key and cannot connect");
        let finding = source.warning_at(Some(place.clone()), message).code("people/no-key");
        out.push(finding.help(format!("doorward user key add DIR {name} FILE")));
    }
    let before = out.len();
    let groups = table.all_parsed::<GroupName>("groups", "groups = [\"web-admins\"]", out);
    let groups_known = out.len() == before;
    let networks = table.strings("networks", out);
    let user = User {
        name: name.clone(),
        keys,
        groups: groups.into_iter().map(|group| group.value).collect(),
        team: table.parsed::<GroupName>("team", "team = \"web\"", out).map(|team| team.value),
        networks: networks.into_iter().filter_map(|text| network(&text, source, out)).collect(),
    };
    (user, groups_known)
}

fn network(text: &super::table::Placed<&str>, source: &Source, out: &mut Vec<Diagnostic>) -> Option<IpNet> {
    let net = text.value.parse::<IpNet>().or_else(|_| text.value.parse::<std::net::IpAddr>().map(IpNet::from));
    let Ok(net) = net else {
        let message = format!("`{}` is not a network", excerpt(text.value, 60));
        out.push(source.error_at(text.span.clone(), message).help("for example \"10.0.0.0/8\" or \"192.0.2.7\""));
        return None;
    };
    // A peer counts by its IPv4 address however it connected, so a network in this form would shut its user out.
    if let IpNet::V6(mapped) = net
        && let (Some(within), Some(bits)) = (mapped.addr().to_ipv4_mapped(), mapped.prefix_len().checked_sub(96))
    {
        let message = format!("{net} is an IPv4 network in the form of IPv6, in which no client is ever seen");
        out.push(source.error_at(text.span.clone(), message).help(format!("write \"{within}/{bits}\"")));
        return None;
    }
    if net.trunc() != net {
        let message = format!("{net} has bits set beyond its prefix");
        out.push(source.error_at(text.span.clone(), message).help(format!("write \"{}\"", net.trunc())));
    }
    Some(net)
}

/// `Alice` and `alice` in a log or an approval would be taken for one person.
fn names_differ_in_more_than_case(
    places: &BTreeMap<UserName, Range<usize>>,
    source: &Source,
    out: &mut Vec<Diagnostic>,
) {
    let mut seen: BTreeMap<String, &UserName> = BTreeMap::new();
    for (name, place) in places {
        if let Some(other) = seen.insert(name.as_str().to_ascii_lowercase(), name) {
            let message = format!("{name} and {other} differ only in upper and lower case");
            out.push(source.error_at(place.clone(), message).help("give one of them another name"));
        }
    }
}
