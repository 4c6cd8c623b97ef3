//! `[when]`: from where and at which times a role may be used.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use chrono::NaiveDate;
use chrono_tz::Tz;
use ipnet::{IpNet, Ipv4Net};

use crate::domain::text::excerpt;
use crate::policy::when::{Conditions, Hours, Moment, OnLapse};

use super::reader::{Fields, Reader, Text, Value, nearest};

mod hours;

/// Most spans of `hours` and most `networks`; each is looked at for every command.
const MOST: usize = 32;
/// The most that `max_sessions` may be.
const MOST_SESSIONS: u64 = 1000;
const KEYS: [&str; 7] = ["networks", "hours", "not_before", "not_after", "max_sessions", "same_source", "on_lapse"];

/// What is wrong with a text, where in it (bytes), and what to write instead.
struct Wrong {
    at: Range<usize>,
    message: String,
    help: String,
}

impl Wrong {
    fn new(at: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: help.into() }
    }
}

/// The conditions; with any finding they are not to be used.
pub(super) fn read(reader: &mut Reader, value: &Value<'_>) -> Option<Conditions> {
    let table = reader.table(value, "`[when]`")?;
    let fields = reader.fields(table, Some(value.span()), "`[when]`", &KEYS, &[]);
    let conditions = Conditions {
        networks: networks(reader, &fields),
        hours: all_hours(reader, &fields),
        not_before: moment(reader, &fields, "not_before"),
        not_after: moment(reader, &fields, "not_after"),
        max_sessions: max_sessions(reader, &fields),
        same_source: reader.boolean(&fields, "same_source"),
        on_lapse: on_lapse(reader, &fields),
    };
    let stated = KEYS.iter().any(|key| *key != "on_lapse" && *key != "same_source" && fields.value(key).is_some());
    if !stated && conditions.is_empty() {
        let conditions: Vec<&str> = KEYS.into_iter().filter(|key| *key != "on_lapse").collect();
        let help = format!("write one of {}, or take `[when]` out", conditions.join(", "));
        reader.error_with_help(Some(value.span()), "`[when]` without a condition", help);
    }
    if let (Some(first), Some(last)) = (&conditions.not_before, &conditions.not_after)
        && last.at() <= first.at()
    {
        let message = format!("the role could never be used: it ends ({last}) before it begins ({first})");
        reader.error_with_help(fields.span_of("not_after"), message, "write a later `not_after`");
    }
    Some(conditions)
}

fn report(reader: &mut Reader, text: &Text, wrong: Wrong) {
    let place = reader.inside(text, wrong.at.start, wrong.at.len());
    reader.error_with_help(place, wrong.message, wrong.help);
}

/// A list that says something, and not without end.
fn listed(reader: &mut Reader, fields: &Fields<'_>, key: &'static str) -> Vec<Text> {
    let Some(value) = fields.value(key) else { return Vec::new() };
    let entries = match value.get_ref().as_str() {
        Some(_) if key == "hours" => reader.plain(value, key, 200).into_iter().collect(),
        _ => {
            let Some(entries) = reader.texts(value, key) else { return Vec::new() };
            if entries.is_empty() && value.get_ref().as_array().is_some_and(|list| list.is_empty()) {
                let message = format!("an empty `{key}` would mean never or always");
                reader.error_with_help(fields.span_of(key), message, "write at least one, or take the key out");
            }
            entries
        }
    };
    if entries.len() > MOST {
        let message = format!("`{key}` has at most {MOST} entries");
        reader.error_with_help(fields.span_of(key), message, "put some together, or take some out");
        return Vec::new();
    }
    entries
}

fn networks(reader: &mut Reader, fields: &Fields<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in listed(reader, fields, "networks") {
        match network(&text.value) {
            Ok(network) => networks.push(network),
            Err(wrong) => report(reader, &text, wrong),
        }
    }
    networks
}

/// A network or one address. `::ffff:a.b.c.d` is IPv4, as the addresses of clients are; the rest of IPv6 holds no IPv4.
fn network(text: &str) -> Result<IpNet, Wrong> {
    let whole = 0..text.len();
    if let Some(at) = text.find('%') {
        let help = format!("write it without: \"{}\"", excerpt(text.get(..at).unwrap_or_default(), 60));
        let message = "an interface (`%…`) is no part of a network: it means something on one host alone";
        return Err(Wrong::new(at..text.len(), message, help));
    }
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        let message = format!("`{}` is not a network", excerpt(text, 60));
        Wrong::new(whole.clone(), message, "for example \"10.0.0.0/8\", \"2001:db8::/32\" or \"192.0.2.7\"")
    })?;
    if net.trunc() != net {
        let message = format!("{net} has bits set beyond its prefix");
        return Err(Wrong::new(whole, message, format!("write \"{}\"", net.trunc())));
    }
    let IpNet::V6(six) = net else { return Ok(net) };
    let mapped = Ipv6Addr::from([0, 0, 0, 0, 0, 0xffff, 0, 0]);
    match six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96)) {
        Some((address, bits)) => Ipv4Net::new(address, bits)
            .map(IpNet::V4)
            .map_err(|error| Wrong::new(whole, error.to_string(), "for example \"10.0.0.0/8\"")),
        None if six.contains(&mapped) && six.prefix_len() > 0 => {
            let message = format!("{six} would be all IPv4 addresses in the form of IPv6, and more");
            Err(Wrong::new(whole, message, "write \"0.0.0.0/0\" for IPv4, and what is meant of IPv6 beside it"))
        }
        None => Ok(net),
    }
}

fn all_hours(reader: &mut Reader, fields: &Fields<'_>) -> Vec<Hours> {
    let mut read = Vec::new();
    for text in listed(reader, fields, "hours") {
        match hours::parse(&text.value) {
            Ok(hours) => read.push(hours),
            Err(wrong) => report(reader, &text, wrong),
        }
    }
    read
}

/// An instant in RFC 3339, as a text or as TOML writes it, or a day with its zone.
fn moment(reader: &mut Reader, fields: &Fields<'_>, key: &'static str) -> Option<Moment> {
    let value = fields.value(key)?;
    let text = match value.get_ref().as_datetime() {
        Some(datetime) => Text { value: datetime.to_string(), span: Some(value.span()) },
        None => reader.plain(value, key, 100)?,
    };
    match parse_moment(&text.value, key) {
        Ok(moment) => Some(moment),
        Err(wrong) => {
            report(reader, &text, wrong);
            None
        }
    }
}

fn parse_moment(text: &str, key: &str) -> Result<Moment, Wrong> {
    if let Some(moment) = Moment::instant(text) {
        return Ok(moment);
    }
    let whole = 0..text.len();
    let example =
        format!("`{key} = \"2027-01-31T18:00:00+01:00\"`, or a whole day: `{key} = \"2027-01-31 Europe/Berlin\"`");
    let (date, rest) = text.split_once(' ').unwrap_or((text, ""));
    let day = date.parse::<NaiveDate>().ok().filter(|_| date.len() == 10).ok_or_else(|| {
        let unzoned = text.get(..19).is_some_and(|local| local.contains(['T', ' ']) && local.contains(':'));
        let message = if unzoned {
            format!("`{}` does not say in which time zone", excerpt(text, 60))
        } else {
            format!("`{}` is no date", excerpt(text, 60))
        };
        Wrong::new(whole.clone(), message, format!("write {example}"))
    })?;
    let zone = if rest.trim().is_empty() { Tz::UTC } else { zone(rest.trim(), text.len() - rest.trim_start().len())? };
    let begins = if key == "not_after" { Moment::end_of(day, zone) } else { Moment::begin_of(day, zone) };
    begins.ok_or_else(|| Wrong::new(whole, "this day is out of range", format!("write {example}")))
}

/// The IANA time zone of that name, which stands at `start` of its text.
fn zone(name: &str, start: usize) -> Result<Tz, Wrong> {
    name.parse().map_err(|_| {
        let known: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
        let last = |known: &&&str| known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name));
        let same = known.iter().find(|known| known.eq_ignore_ascii_case(name)).or_else(|| known.iter().find(last));
        let help = match same.copied().or_else(|| nearest(name, &known)) {
            Some(meant) => format!("write `{meant}`"),
            None => {
                "write a name of the IANA database such as `Europe/Berlin` or `America/New_York`, or `UTC`".to_owned()
            }
        };
        Wrong::new(start..start + name.len(), format!("there is no time zone `{}`", excerpt(name, 60)), help)
    })
}

fn max_sessions(reader: &mut Reader, fields: &Fields<'_>) -> Option<u32> {
    let number = reader.number(fields.value("max_sessions")?, "max_sessions")?;
    if number == 0 || number > MOST_SESSIONS {
        let message = format!("`max_sessions` is 1 to {MOST_SESSIONS}");
        let help = "write how many commands may run at a time, or take it out for any number";
        reader.error_with_help(fields.span_of("max_sessions"), message, help);
    }
    u32::try_from(number).ok()
}

fn on_lapse(reader: &mut Reader, fields: &Fields<'_>) -> OnLapse {
    let Some(text) = reader.text(fields, "on_lapse", 40) else { return OnLapse::End };
    match text.value.as_str() {
        "end" => OnLapse::End,
        "finish" => OnLapse::Finish,
        _ => {
            let help = "\"end\": a running command is ended; \"finish\": it may run to its own end";
            reader.error_with_help(text.span, "`on_lapse` is \"end\" or \"finish\"", help);
            OnLapse::End
        }
    }
}

#[cfg(test)]
mod tests;
