//! `[[file]]` and `[[forward]]`: read and judged, and served by no door of this build.

use crate::domain::text::excerpt;
use crate::policy::lint;
use crate::policy::parameter::{Hosts, Kind, Parameter, PathPattern, Within};
use crate::policy::transfer::{Direction, FileRule, ForwardRule};

use super::reader::{Fields, Reader, Value};

/// The most of each that a role has.
const MOST: usize = 100;
/// How many bytes a file may have if its role does not say: 1 GiB.
const DEFAULT_SIZE: u64 = 1 << 30;

/// The `[[file]]` of a role; `None` if one of them could not be read.
pub(super) fn files(reader: &mut Reader, fields: &Fields<'_>) -> Option<Vec<FileRule>> {
    tables(reader, fields, "file", file)
}

/// The `[[forward]]` of a role; `None` if one of them could not be read.
pub(super) fn forwards(reader: &mut Reader, fields: &Fields<'_>) -> Option<Vec<ForwardRule>> {
    tables(reader, fields, "forward", forward)
}

fn tables<T>(
    reader: &mut Reader,
    fields: &Fields<'_>,
    key: &str,
    read: impl Fn(&mut Reader, &Value<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(value) = fields.value(key) else { return Some(Vec::new()) };
    let Some(list) = value.get_ref().as_array() else {
        let help = format!("write `[[{key}]]`, once for each");
        reader.error_with_help(Some(value.span()), format!("`{key}` is a list of tables"), help);
        return None;
    };
    if list.len() > MOST {
        let help = "put several into one by `*`, or into another role";
        reader.error_with_help(Some(value.span()), format!("a role has at most {MOST} `[[{key}]]`"), help);
        return None;
    }
    let found: Vec<Option<T>> = list.iter().map(|one| read(reader, one)).collect();
    found.into_iter().collect()
}

fn file(reader: &mut Reader, value: &Value<'_>) -> Option<FileRule> {
    let table = reader.table(value, "`[[file]]`")?;
    let fields = reader.fields(table, Some(value.span()), "`[[file]]`", &["get", "put", "max_size"], &[]);
    let max_size = fields.value("max_size").map_or(Some(DEFAULT_SIZE), |value| reader.number(value, "max_size"));
    let (direction, key) = match (fields.value("get"), fields.value("put")) {
        (Some(_), None) => (Direction::Get, "get"),
        (None, Some(_)) => (Direction::Put, "put"),
        _ => {
            let help = "write `get = \"/var/log/*.log\"`, or `put`, in a `[[file]]` of its own";
            reader.error_with_help(Some(value.span()), "`[[file]]` has `get` or `put`, one of them", help);
            return None;
        }
    };
    let text = reader.text(&fields, key, 1000)?;
    match PathPattern::new(&text.value) {
        Ok(pattern) => {
            if let Some((code, message, help)) = lint::of_file(&text.value) {
                reader.finding(text.span, false, code, message, help);
            }
            let path = Parameter::new(Kind::Path(pattern), false, false);
            Some(FileRule { direction, path, max_size: max_size? })
        }
        Err(error) => {
            let help = format!("write an absolute path: `{key} = \"/var/log/nginx/*.log\"`");
            reader.error_with_help(text.span, format!("`{key}`: {error}"), help);
            None
        }
    }
}

fn forward(reader: &mut Reader, value: &Value<'_>) -> Option<ForwardRule> {
    let table = reader.table(value, "`[[forward]]`")?;
    let fields = reader.fields(table, Some(value.span()), "`[[forward]]`", &["to"], &[]);
    let help = "write `to = \"db-*.example.com:5432\"`, `to = \"10.0.0.0/24:8000-8099\"` or `to = \"[fd00::1]:443\"`";
    if fields.value("to").is_none() {
        reader.error_with_help(Some(value.span()), "`[[forward]]` needs `to`", help);
        return None;
    }
    let text = reader.text(&fields, "to", 300)?;
    match destination(&text.value) {
        Ok((host, ports)) => Some(ForwardRule { written: text.value, host, ports }),
        Err(why) => {
            reader.error_with_help(text.span, format!("`to`: {why}"), help);
            None
        }
    }
}

/// `HOST:PORT` or `HOST:FROM-TO`; the host is a name, perhaps with `*`, an address or a network.
fn destination(written: &str) -> Result<(Parameter, (u16, u16)), String> {
    let (host, ports) = written.rsplit_once(':').ok_or("a port is missing")?;
    let (low, high) = ports.split_once('-').unwrap_or((ports, ports));
    let port = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        plain.then(|| text.parse::<u16>().ok()).flatten().ok_or_else(|| format!("`{}` is no port", excerpt(text, 20)))
    };
    let ports = (port(low)?, port(high)?);
    if ports.0 > ports.1 {
        return Err(format!("no port is at least {} and at most {}", ports.0, ports.1));
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if bare.is_none() && host.contains(':') {
        return Err("an IPv6 address stands in brackets".to_owned());
    }
    let kind = match Within::of(&[bare.unwrap_or(host).to_owned()]) {
        Ok(within) => Kind::Ip(within),
        Err(why) if bare.is_some() || host.contains('/') => return Err(why),
        Err(_) => Kind::Host(Hosts::of(&[host.to_owned()], Within::default())?),
    };
    Ok((Parameter::new(kind, false, false), ports))
}
