//! Addresses, networks and hosts. One writing for one thing: what some programs read otherwise than others is refused.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::text::excerpt;

use super::{Refusal, found, matches_glob};

/// Longest name of a host, and longest label of it, in bytes (RFC 1035).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The address ranges that a parameter is held to; empty for no bound.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Within(Vec<IpNet>);

impl Within {
    /// Reads `10.0.0.0/8`, or a single address.
    ///
    /// # Errors
    /// What to write instead.
    pub fn of(written: &[String]) -> Result<Self, String> {
        written.iter().map(|one| range(one)).collect::<Result<_, _>>().map(Self)
    }

    fn holds(&self, network: &IpNet) -> bool {
        self.0.is_empty() || self.0.iter().any(|range| range.contains(network))
    }

    /// Whether every address or network that is within this is within `wider`.
    pub(super) fn lies_in(&self, wider: &Self) -> bool {
        wider.0.is_empty() || (!self.0.is_empty() && self.0.iter().all(|range| wider.holds(range)))
    }

    /// Whether some address may lie in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let meet = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
        self.0.is_empty() || other.0.is_empty() || self.0.iter().any(|a| other.0.iter().any(|b| meet(a, b)))
    }
}

/// ` within 10.0.0.0/8 or fd00::/8`, or nothing.
impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        if ranges.is_empty() { Ok(()) } else { write!(f, " within {}", ranges.join(" or ")) }
    }
}

fn range(written: &str) -> Result<IpNet, String> {
    let shown = || excerpt(written, 60);
    let network = match address(written) {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => network(written),
    };
    network.map_err(|why| format!("`{}` is no range of addresses ({why}); write `10.0.0.0/8`", shown()))
}

/// One address in the one way that every program reads alike.
fn address(value: &str) -> Result<IpAddr, Refusal> {
    if value.contains('%') {
        return Err(Refusal::Address("an address here names no interface after `%`"));
    }
    if value.contains(':') && value.contains('.') {
        return Err(Refusal::Address("an address here is IPv4 or IPv6 and not one inside the other"));
    }
    // Four plain numbers for IPv4: some programs read `010` as eight, `127.1` and `2130706433` as 127.0.0.1.
    match value.parse() {
        Ok(IpAddr::V6(six)) if six.to_ipv4_mapped().is_some() => {
            Err(Refusal::Address("this is an IPv4 address in the clothes of IPv6; write it as IPv4"))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(Refusal::Address("this is no IP address: four numbers without leading zeros, or IPv6")),
    }
}

fn network(value: &str) -> Result<IpNet, Refusal> {
    let Some((start, length)) = value.split_once('/') else {
        return Err(Refusal::Address("a network here is ADDRESS/PREFIX, such as 10.0.0.0/8"));
    };
    let start = address(start)?;
    let length = super::int(length).and_then(|length| u8::try_from(length).ok());
    let network = length.and_then(|length| IpNet::new(start, length).ok());
    let Some(network) = network else { return Err(Refusal::Address("that prefix length is none for this address")) };
    // The range of the mapped addresses holds them as well.
    if let IpNet::V6(six) = network
        && six.contains(&std::net::Ipv4Addr::UNSPECIFIED.to_ipv6_mapped())
        && six.prefix_len() > 0
    {
        return Err(Refusal::Address("this holds IPv4 addresses in the clothes of IPv6; write it as IPv4"));
    }
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(Refusal::Address("a network here begins at its first address: 10.0.0.0/8 and not 10.0.0.1/8"))
    }
}

/// Whether `value` is an address within.
pub(super) fn accepts_address(within: &Within, value: &str) -> Result<(), Refusal> {
    found(within.holds(&IpNet::from(address(value)?)))
}

/// Whether `value` is a network that lies whole within.
pub(super) fn accepts_network(within: &Within, value: &str) -> Result<(), Refusal> {
    found(within.holds(&network(value)?))
}

/// Which hosts a `host` parameter may name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hosts {
    /// Names; `*` stands for characters of one label. Empty: any name.
    names: Vec<String>,
    within: Within,
}

impl Hosts {
    /// Hosts of these names (`db-*.example.com`; `.example.com` for every name below it), any if `names` is empty; addresses
    /// within `within`. With names and without `within` no address is allowed.
    ///
    /// # Errors
    /// What to write instead.
    pub fn of(names: &[String], within: Within) -> Result<Self, String> {
        for name in names {
            let plain = name.strip_prefix('.').unwrap_or(name);
            if plain.len() == name.len() && address(name).is_ok() {
                return Err(format!("`{name}` is an address; write `within = [\"{name}\"]` beside `host`"));
            }
            // `*` may stand for any character of a name, so what is left must be a name.
            if name_of_host(&plain.replace('*', "a")).is_err() {
                let shown = excerpt(name, 60);
                return Err(format!("`{shown}` is no name of a host; write `db-*.example.com` or `.example.com`"));
            }
        }
        Ok(Self { names: names.to_vec(), within })
    }

    pub(super) fn accepts(&self, value: &str) -> Result<(), Refusal> {
        if value.contains(':') || address(value).is_ok() {
            let any = self.names.is_empty() || !self.within.0.is_empty();
            return if any { accepts_address(&self.within, value) } else { Err(Refusal::NotAllowed) };
        }
        name_of_host(value)?;
        found(self.names.is_empty() || self.names.iter().any(|name| is_named(name, value)))
    }
}

/// `a host like *.example.com, or an address within 10.0.0.0/8`.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.names.is_empty(), self.within.0.is_empty()) {
            (true, true) => f.write_str("the name or address of a host"),
            (true, false) => write!(f, "the name of a host, or an address{}", self.within),
            (false, true) => write!(f, "a host like {}", self.names.join(" or ")),
            (false, false) => write!(f, "a host like {}, or an address{}", self.names.join(" or "), self.within),
        }
    }
}

/// Whether `value` is a name of DNS that no program takes for an address.
fn name_of_host(value: &str) -> Result<(), Refusal> {
    if value.ends_with('.') {
        return Err(Refusal::Address("a host here has no dot at its end"));
    }
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if value.len() > LONGEST_NAME || !value.split('.').all(label) {
        return Err(Refusal::Address("this is no name of a host: letters, digits, `-` and dots"));
    }
    let last = value.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if number {
        return Err(Refusal::Address(
            "a name that ends in a number is an address to some programs; write that address",
        ));
    }
    Ok(())
}

fn is_named(name: &str, value: &str) -> bool {
    if let Some(above) = name.strip_prefix('.') {
        let below = value.strip_suffix(above).and_then(|rest| rest.strip_suffix('.'));
        return !above.contains('*') && below.is_some_and(|rest| !rest.is_empty());
    }
    let (name, value): (Vec<&str>, Vec<&str>) = (name.split('.').collect(), value.split('.').collect());
    name.len() == value.len() && name.iter().zip(value).all(|(glob, label)| matches_glob(glob, label))
}
