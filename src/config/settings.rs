//! `doorward.toml`: name, listen addresses, rights, names, requests, limits.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::{Diagnostic, Subject};
use crate::service::Settings;

use super::limits::{self, LimitSettings};
use super::signing::{self, Signers};
use super::source::Source;
use super::table::{Table, parse};

/// What the listener needs of `doorward.toml`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenSettings {
    /// Where to listen; never empty in a loaded configuration.
    pub addresses: Vec<SocketAddr>,
    /// The port that people reach, for the lines we hand out; another than in `addresses` behind a redirect.
    pub public_port: u16,
    /// The networks whose connections begin with a PROXY header.
    pub proxies: Vec<IpNet>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self { addresses: Vec::new(), public_port: 22, proxies: Vec::new() }
    }
}

/// All that `doorward.toml` says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) settings: Settings,
    pub(super) listen: ListenSettings,
    /// What bounds connections, input and recordings.
    pub(super) limits: LimitSettings,
    /// Whether this DIR is a demo's: only there may targets be `local`.
    pub(super) demo: bool,
    /// Who signs, if anybody has to.
    pub(super) signers: Option<Signers>,
    /// Where the reviewers are listed.
    pub(super) reviewers_span: Option<Range<usize>>,
    /// Whether all reviewers and the names of `[names]` are known.
    pub(super) whole: bool,
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

const NOT_YET: &[(&str, &str)] = &[
    ("store", "this build keeps its state in DIR/state; take the key out"),
    ("notification", "this build sends no notifications; approvers follow `pending`"),
    ("notifications", "this build sends no notifications; approvers follow `pending`"),
    ("notify", "this build sends no notifications; approvers follow `pending`"),
    ("identity", "this build knows the users of users.toml alone"),
    ("identity_sources", "this build knows the users of users.toml alone"),
    ("sources", "this build knows the users of users.toml alone"),
    ("mfa", "this build has no second factor; take the key out"),
    ("break_glass", "this build has no break-glass access; take the key out"),
    ("web", "this build has no web console; take the key out"),
    ("recording", "recordings are in DIR/state/recordings, unsealed, in this build; take the key out"),
    ("when", "this build does not enforce networks or hours; take the key out"),
];

/// Reads `doorward.toml`. Every problem goes to `out`; what could not be read has its default.
pub(super) fn read(source: &Source, out: &mut Vec<Diagnostic>) -> Read {
    let mut read = Read {
        settings: Settings::default(),
        listen: ListenSettings::default(),
        limits: LimitSettings::default(),
        demo: false,
        signers: None,
        reviewers_span: None,
        whole: false,
    };
    let Some(parsed) = parse(source, out) else { return read };
    let mut table = Table::new(source, parsed.get_ref(), "");
    read_name(&mut table, source, &mut read, out);
    read_listen(&mut table, source, &mut read, out);
    read_proxies(&mut table, source, &mut read, out);
    if let Some(demo) = table.flag("demo", out) {
        read.demo = demo.value;
    }
    if let Some(flag) = table.flag("require_presented_certificate", out) {
        read.settings.require_presented_certificate = flag.value;
    }
    if let Some(flag) = table.flag("require_key_inside", out) {
        read.settings.require_key_inside = flag.value;
    }
    let prepared = table.number("prepared_connections", 0..=2, out);
    read.settings.prepared_connections = prepared.unwrap_or(read.settings.prepared_connections);
    if let Some(drain) = table.duration("drain", Duration::from_secs(1)..=HOUR, out) {
        read.settings.drain = drain;
    }
    let before = out.len();
    read_sections(&mut table, source, &mut read, out);
    table.not_yet(NOT_YET, out);
    table.finish(out);
    // An unknown key may be one of these misspelt.
    read.whole = out.len() == before;
    read
}

fn read_name(table: &mut Table<'_, '_>, source: &Source, read: &mut Read, out: &mut Vec<Diagnostic>) {
    let example = "name = \"bastion.example.com\"";
    match table.string("name", out) {
        Some(name) => match host_name(name.value) {
            Ok(()) => name.value.clone_into(&mut read.settings.name),
            Err(why) => out.push(source.error_at(name.span, why).help(format!("for example {example}"))),
        },
        None if table.get("name").is_none() => {
            let message = "`name` is missing: certificates are bound to the bastion's own name";
            out.push(source.error(message).help(format!("write {example}")));
        }
        None => {}
    }
}

fn read_listen(table: &mut Table<'_, '_>, source: &Source, read: &mut Read, out: &mut Vec<Diagnostic>) {
    let before = out.len();
    for address in table.strings("listen", out) {
        match address.value.parse::<SocketAddr>() {
            Ok(parsed) if read.listen.addresses.contains(&parsed) => {
                out.push(source.error_at(address.span, format!("{parsed} is listed twice")));
            }
            Ok(parsed) => read.listen.addresses.push(parsed),
            Err(_) => {
                let message = "a listen address is an IP address and a port";
                let help = "for example \"0.0.0.0:2222\" or \"[::]:2222\"";
                out.push(source.error_at(address.span, message).help(help));
            }
        }
    }
    let listens_on = read.listen.addresses.first().map(SocketAddr::port);
    let port = table.number("port", 1..=65_535, out).and_then(|port| u16::try_from(port).ok());
    read.listen.public_port = port.or(listens_on).unwrap_or(read.listen.public_port);
    if read.listen.addresses.is_empty() && out.len() == before {
        let message = "`listen` names no address, so nobody could connect";
        out.push(source.error(message).help("write listen = [\"0.0.0.0:2222\"]"));
    }
}

/// The networks whose word is taken for where a client comes from. Everybody is not a network.
fn read_proxies(table: &mut Table<'_, '_>, source: &Source, read: &mut Read, out: &mut Vec<Diagnostic>) {
    for text in table.strings("proxy_protocol_from", out) {
        let help = "for example \"10.0.0.7/32\" or \"10.0.0.0/24\"";
        match text.value.parse::<IpNet>() {
            Ok(network) if network.prefix_len() == 0 => {
                let message = "everybody could then say where they come from";
                out.push(source.error_at(text.span, message).help(format!("list the proxies alone, {help}")));
            }
            Ok(network) if network.trunc() != network => {
                let message =
                    format!("{network} has bits set beyond its prefix: all of {} would be believed", network.trunc());
                let one = IpNet::from(network.addr());
                let help = format!("write \"{one}\" for that address alone, or \"{}\"", network.trunc());
                out.push(source.error_at(text.span, message).help(help));
            }
            Ok(network) => read.listen.proxies.push(network),
            Err(_) => out.push(source.error_at(text.span, "a network is an address and a length").help(help)),
        }
    }
}

fn read_sections(table: &mut Table<'_, '_>, source: &Source, read: &mut Read, out: &mut Vec<Diagnostic>) {
    if let Some(mut rights) = table.table("rights", out) {
        let listed = rights.all_parsed::<Subject>("reviewers", "\"group:security\"", out);
        read.reviewers_span = listed.first().map(|first| first.span.clone());
        read.settings.reviewers = listed.into_iter().map(|subject| subject.value).collect();
        rights.not_yet(&[("operators", "operators work on the bastion's host; take the key out")], out);
        rights.finish(out);
    }
    if let Some(mut names) = table.table("names", out) {
        for (key, slot) in [("alias", &mut read.settings.alias), ("suffix", &mut read.settings.suffix)] {
            if let Some(name) = names.string(key, out) {
                match host_name(name.value) {
                    Ok(()) => name.value.clone_into(slot),
                    Err(why) => out.push(source.error_at(name.span, why).help(format!("for example \"{slot}\""))),
                }
            }
        }
        names.finish(out);
    }
    if let Some(mut requests) = table.table("requests", out) {
        let minute = Duration::from_secs(60);
        let settings = &mut read.settings;
        settings.lapse = requests.duration("lapse", minute..=30 * DAY, out).unwrap_or(settings.lapse);
        let within = requests.duration("activate_within", minute..=30 * DAY, out);
        settings.activate_within = within.unwrap_or(settings.activate_within);
        let pending = requests.number("pending_per_user", 1..=1000, out);
        settings.pending_per_user = pending.unwrap_or(settings.pending_per_user);
        requests.finish(out);
    }
    if let Some(table) = table.table("policy", out) {
        read.signers = signing::read(table, source, out);
    }
    if let Some(table) = table.table("limits", out) {
        read.limits = limits::read(table, source, out);
    }
}

/// Whether `text` can stand as a host in certificates, `known_hosts` and `ssh_config` without quoting: lower-case letters,
/// digits, `.` and `-`, as RFC 1123 section 2.1 has it, in lower case because `ssh` folds what people type.
///
/// # Errors
/// What is wrong, in words.
pub fn host_name(text: &str) -> Result<(), String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(());
    }
    Err("a host name has lower-case letters, digits and `-`, in parts of 1 to 63 characters separated by `.`"
        .to_owned())
}
