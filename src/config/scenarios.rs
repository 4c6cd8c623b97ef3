//! Files of scenarios: who types what where, and what should come of it. Read against a set that has loaded; what they are held
//! against is [`crate::service::asking`]'s.
//!
//! A person or a machine may be made up, by its groups or labels alone, so that a role can be tested before anybody has it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use crate::domain::{Diagnostic, GroupName, Person, RoleName, TargetName, Timestamp, UserName};
use crate::inventory::{Reach, Target};
use crate::policy::{DENIALS, Role};
use crate::service::Snapshot;

use super::source::{self, Source};
use super::table::{Placed, Table, parse};

/// The most scenarios of one file.
const MOST: usize = 10_000;
/// Somebody, or a machine, that is made up and has no name.
const SOMEBODY: &str = "somebody";
const SOMEWHERE: &str = "somewhere";
/// Why a line that is not plain words is denied, whatever is held.
pub const NOT_WORDS: &str = "not-plain-words";

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called; empty if unsaid.
    pub name: String,
    /// Who types.
    pub person: Person,
    /// Where.
    pub target: Target,
    /// The roles that are held together; `None`: every role that the person may ask for, each by itself.
    pub roles: Option<Vec<Arc<Role>>>,
    /// What is typed.
    pub command: String,
    /// When; `None` if unsaid.
    pub at: Option<Timestamp>,
    /// From which address; `None` if unsaid, and then it is not known.
    pub source: Option<IpAddr>,
    /// From which address the roles were asked for; that of the command, if unsaid.
    pub asked_from: Option<IpAddr>,
    /// What should come of it.
    pub expect: Expect,
    /// Where that stands.
    pub place: Place,
}

/// What should come of a scenario.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expect {
    /// It is allowed; by this rule, if one is named.
    Allow(Option<RuleName>),
    /// It is denied; for this reason (a word of [`DENIALS`] or [`NOT_WORDS`]), if one is named.
    Deny(Option<&'static str>),
}

/// `web-restart:2`, or `2` for whichever role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleName {
    /// The role; `None`: any.
    pub role: Option<RoleName>,
    /// The rule, from 1 in file order.
    pub number: usize,
}

impl FromStr for RuleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, number) = text.rsplit_once(':').map_or((None, text), |(role, number)| (Some(role), number));
        let role = role.map(|role| role.parse::<RoleName>().map_err(|error| error.to_string())).transpose()?;
        match number.parse::<usize>() {
            Ok(number) if number > 0 => Ok(Self { role, number }),
            _ => Err("a rule is named by its role and its number in the file, from 1".to_owned()),
        }
    }
}

/// A time as operators write it: RFC 3339.
#[derive(Clone, Copy, Debug)]
pub struct Instant(pub Timestamp);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = chrono::DateTime::parse_from_rfc3339(text);
        time.map(|time| Self(time.to_utc().into())).map_err(|_| "write a time as 2026-01-31T09:00:00Z".to_owned())
    }
}

/// The places of a scenario in its file.
#[derive(Clone, Debug)]
pub struct Place {
    source: Source,
    command: Range<usize>,
    expect: Range<usize>,
    /// Of `rule` or `reason`, if one of them is there.
    more: Option<Range<usize>>,
}

impl Place {
    /// A finding about what was typed; `column` (characters from 1) and `length` say where in it.
    #[must_use]
    pub fn of_command(&self, typed: &str, at: Option<(usize, usize)>, message: impl Into<String>) -> Diagnostic {
        let inside = at.and_then(|(column, length)| self.inside(typed, column, length));
        self.source.error_at(inside.unwrap_or_else(|| self.command.clone()), message)
    }

    /// A finding about the rule or reason that is expected.
    #[must_use]
    pub fn of_rule_or_reason(&self, message: impl Into<String>) -> Diagnostic {
        self.source.error_at(self.more.clone().unwrap_or_else(|| self.expect.clone()), message)
    }

    /// The file, and the line on which the command stands.
    #[must_use]
    pub fn file_line(&self) -> (Arc<str>, usize) {
        let before = self.source.text.get(..self.command.start).unwrap_or_default();
        (Arc::clone(&self.source.name), before.matches('\n').count() + 1)
    }

    /// Bytes of the file, if what was typed stands there as it is. What lies past its end is the quote after it.
    fn inside(&self, typed: &str, column: usize, length: usize) -> Option<Range<usize>> {
        let inner = self.command.start + 1..self.command.end.saturating_sub(1);
        if self.source.text.get(inner.clone()) != Some(typed) {
            return None;
        }
        let offset = |characters: usize| typed.char_indices().nth(characters).map_or(typed.len(), |(at, _)| at);
        let (from, to) = (offset(column.saturating_sub(1)), offset(column.saturating_sub(1).saturating_add(length)));
        Some(inner.start + from..(inner.start + to).max(inner.start + from + 1))
    }
}

/// The files that are read if none is named: `DIR/tests/*.toml`, each with what it is called in messages. None, if that directory
/// does not exist.
///
/// # Errors
/// The directory cannot be read.
pub fn default_files(dir: &Path) -> Result<Vec<(std::path::PathBuf, String)>, Vec<Diagnostic>> {
    let tests = dir.join("tests");
    if !tests.exists() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    let names = super::roles::files_of(&tests, "tests", &mut out);
    if !out.is_empty() {
        return Err(out);
    }
    let named = names.into_iter().filter(|name| name.ends_with(".toml"));
    Ok(named.map(|name| (tests.join(&name), format!("tests/{name}"))).collect())
}

/// Reads the scenarios of `path`, called `name` in messages, against `snapshot`. Every problem goes to `out`; what could be read
/// comes back.
pub fn scenarios(path: &Path, name: &str, snapshot: &Snapshot, out: &mut Vec<Diagnostic>) -> Vec<Scenario> {
    let file = match source::read(path, name) {
        Ok(file) => file,
        Err(finding) => {
            out.push(finding);
            return Vec::new();
        }
    };
    let Some(parsed) = parse(&file, out) else { return Vec::new() };
    let mut whole = Table::new(&file, parsed.get_ref(), "");
    let listed = whole.get("scenario");
    whole.finish(out);
    let Some(listed) = listed else { return Vec::new() };
    let Some(items) = listed.get_ref().as_array().filter(|items| items.len() <= MOST) else {
        let message = format!("`scenario` is a list of at most {MOST} tables");
        out.push(file.error_at(listed.span(), message).help("write [[scenario]] above each"));
        return Vec::new();
    };
    let reader = Reader { file: &file, snapshot };
    items.iter().filter_map(|item| reader.scenario(item, out)).collect()
}

struct Reader<'a> {
    file: &'a Source,
    snapshot: &'a Snapshot,
}

impl Reader<'_> {
    /// `None` if something is wrong with it.
    fn scenario(&self, item: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<Scenario> {
        let Some(table) = item.get_ref().as_table() else {
            out.push(
                self.file.error_at(item.span(), "a scenario is a table").help("write [[scenario]] above its keys"),
            );
            return None;
        };
        let before = out.len();
        let mut table = Table::new(self.file, table, "[[scenario]]");
        let name = table.string("name", out).map(|text| text.value.to_owned()).unwrap_or_default();
        let person = self.person(&mut table, &item.span(), out);
        let target = self.target(&mut table, &item.span(), out);
        let roles = self.roles(&mut table, out);
        let command = self.required(&mut table, "command", "\"systemctl restart nginx\"", &item.span(), out);
        let expect = self.expect(&mut table, &item.span(), out);
        let at = table.parsed::<Instant>("at", "at = \"2026-01-31T09:00:00Z\"", out).map(|instant| instant.value.0);
        let source = table.parsed::<IpAddr>("source", "source = \"10.0.0.5\"", out).map(|address| address.value);
        let asked_from = table.parsed::<IpAddr>("asked_from", "asked_from = \"10.0.0.5\"", out);
        let asked_from = asked_from.map(|address| address.value).or(source);
        table.finish(out);
        let (command, (expect, expect_place, more)) = (command?, expect?);
        let place = Place { source: self.file.clone(), command: command.span, expect: expect_place, more };
        let (person, target, command) = (person?, target?, command.value);
        let scenario = Scenario { name, person, target, roles, command, at, source, asked_from, expect, place };
        (out.len() == before).then_some(scenario)
    }

    fn required(
        &self,
        table: &mut Table<'_, '_>,
        key: &'static str,
        example: &str,
        place: &Range<usize>,
        out: &mut Vec<Diagnostic>,
    ) -> Option<Placed<String>> {
        if table.get(key).is_none() {
            let message = format!("this scenario has no `{key}`");
            out.push(self.file.error_at(place.clone(), message).help(format!("write {key} = {example}")));
            return None;
        }
        table.string(key, out).map(|text| Placed { value: text.value.to_owned(), span: text.span })
    }

    /// `user` of users.toml, or somebody who is made up of `groups`.
    fn person(&self, table: &mut Table<'_, '_>, place: &Range<usize>, out: &mut Vec<Diagnostic>) -> Option<Person> {
        let made_up = table.get("groups").is_some();
        let groups: BTreeSet<GroupName> =
            table.all_parsed("groups", "groups = [\"admins\"]", out).into_iter().map(|group| group.value).collect();
        let named = table.get("user").is_some();
        let user = table.parsed::<UserName>("user", "user = \"alice\"", out);
        match (user, made_up) {
            (Some(user), false) => {
                let known = self.snapshot.person(&user.value);
                if known.is_none() {
                    let message = format!("there is no user {} in users.toml", user.value);
                    let help = "write `groups = […]` beside it for somebody who is made up";
                    out.push(self.file.error_at(user.span, message).help(help));
                }
                known
            }
            (Some(user), true) if self.snapshot.person(&user.value).is_some() => {
                let message = format!("{} is in users.toml, and has the groups that stand there", user.value);
                out.push(self.file.error_at(user.span, message).help("take `groups` out, or write another name"));
                None
            }
            (Some(user), true) => Some(Person { name: user.value, groups }),
            (None, true) if !named => Some(Person { name: SOMEBODY.parse().ok()?, groups }),
            (None, _) if named => None,
            (None, _) => {
                let message = "this scenario does not say who types";
                let help = "write user = \"alice\", or groups = [\"admins\"] for somebody of these groups";
                out.push(self.file.error_at(place.clone(), message).help(help));
                None
            }
        }
    }

    /// `target` of targets.toml, or a machine that is made up of `labels` and has every account.
    fn target(&self, table: &mut Table<'_, '_>, place: &Range<usize>, out: &mut Vec<Diagnostic>) -> Option<Target> {
        let made_up = table.get("labels").is_some();
        let labels = table.texts("labels", "labels = { tier = \"web\" }", out);
        let labels = labels.iter().map(|(key, value)| (key.value.to_owned(), value.value.to_owned())).collect();
        let named = table.get("target").is_some();
        let target = table.parsed::<TargetName>("target", "target = \"web-1\"", out);
        let of_roles = || self.snapshot.roles.values().map(|role| (role.run_as().clone(), role.run_as().clone()));
        let machine = |name| Target { name, labels, run_as: of_roles().collect(), reach: Reach::Local };
        match (target, made_up) {
            (Some(target), false) => {
                let known = self.snapshot.inventory.target(&target.value).cloned();
                if known.is_none() {
                    let message = format!("there is no target {} in targets.toml", target.value);
                    let help = "write `labels = {…}` beside it for a machine that is made up";
                    out.push(self.file.error_at(target.span, message).help(help));
                }
                known
            }
            (Some(target), true) if self.snapshot.inventory.target(&target.value).is_some() => {
                let message = format!("{} is in targets.toml, and has the labels that stand there", target.value);
                out.push(self.file.error_at(target.span, message).help("take `labels` out, or write another name"));
                None
            }
            (Some(target), true) => Some(machine(target.value)),
            (None, true) if !named => Some(machine(SOMEWHERE.parse().ok()?)),
            (None, _) if named => None,
            (None, _) => {
                let message = "this scenario does not say where";
                let help = "write target = \"web-1\", or labels = { tier = \"web\" } for a machine with these labels";
                out.push(self.file.error_at(place.clone(), message).help(help));
                None
            }
        }
    }

    fn roles(&self, table: &mut Table<'_, '_>, out: &mut Vec<Diagnostic>) -> Option<Vec<Arc<Role>>> {
        table.get("roles")?;
        let mut roles = Vec::new();
        for name in table.all_parsed::<RoleName>("roles", "roles = [\"web-restart\"]", out) {
            match self.snapshot.roles.get(&name.value) {
                Some(role) => roles.push(Arc::clone(role)),
                None => {
                    let message = format!("there is no role {}", name.value);
                    out.push(self.file.error_at(name.span, message).help("a role is named as its file is"));
                }
            }
        }
        Some(roles)
    }

    /// What is expected, its place, and the place of `rule` or `reason`.
    fn expect(
        &self,
        table: &mut Table<'_, '_>,
        place: &Range<usize>,
        out: &mut Vec<Diagnostic>,
    ) -> Option<(Expect, Range<usize>, Option<Range<usize>>)> {
        let rule = table.parsed::<RuleName>("rule", "rule = \"web-restart:1\"", out);
        let reason = table.string("reason", out).and_then(|text| {
            let known = DENIALS.iter().copied().chain([NOT_WORDS]);
            let found = known.clone().find(|word| *word == text.value);
            if found.is_none() {
                let help = format!("a reason is one of {}", known.collect::<Vec<_>>().join(", "));
                out.push(self.file.error_at(text.span.clone(), "no denial has this reason").help(help));
            }
            found.map(|value| Placed { value, span: text.span })
        });
        let expect = self.required(table, "expect", "\"allow\" or \"deny\"", place, out)?;
        let more = rule.as_ref().map(|rule| &rule.span).or(reason.as_ref().map(|reason| &reason.span)).cloned();
        let surplus = |key: &str, span: &Range<usize>| {
            self.file.error_at(span.clone(), format!("`{key}` has no place beside expect = \"{}\"", expect.value))
        };
        match expect.value.as_str() {
            "allow" => {
                out.extend(reason.map(|reason| surplus("reason", &reason.span)));
                Some((Expect::Allow(rule.map(|rule| rule.value)), expect.span, more))
            }
            "deny" => {
                out.extend(rule.map(|rule| surplus("rule", &rule.span)));
                Some((Expect::Deny(reason.map(|reason| reason.value)), expect.span, more))
            }
            _ => {
                out.push(self.file.error_at(expect.span, "`expect` is \"allow\" or \"deny\""));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
