//! Reads a file of scenarios against a set: every problem is a finding with its place.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::{Expect, Instant, NOT_WORDS, Place, RuleName, Scenario};
use crate::config::source::{self, Source, Trust};
use crate::config::table::{Placed, Table, parse};
use crate::domain::{Diagnostic, GroupName, Person, RoleName, TargetName, UserName};
use crate::inventory::{Reach, Target};
use crate::policy::{DENIALS, Role};
use crate::service::Snapshot;

/// The most scenarios of one file.
const MOST: usize = 10_000;
/// Somebody, or a machine, that is made up and has no name.
const SOMEBODY: &str = "somebody";
const SOMEWHERE: &str = "somewhere";

/// Reads the scenarios of `path`, called `name` in messages, against `snapshot`. Every problem goes to `out`; what could be read
/// comes back.
pub fn scenarios(path: &Path, name: &str, snapshot: &Snapshot, out: &mut Vec<Diagnostic>) -> Vec<Scenario> {
    let file = match source::read(path, name, Trust::Copy) {
        Ok(file) => file,
        Err(finding) => {
            out.push(*finding);
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
