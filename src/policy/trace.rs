//! How a rule takes a line, word by word, and where in its file the rule stands. For people who ask why; nothing is decided here.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::domain::TargetName;

use super::observe::NO_RULE;
use super::pattern::Part;
use super::role::Role;
use super::rule::{Rule, after_sudo};
use super::words::{Word, Words};

/// A line as a rule reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trace {
    /// Every word of the line, in order.
    pub words: Vec<TracedWord>,
    /// Whether it was read by the rule's `alias`.
    pub alias: bool,
}

/// A word, and what it is in the rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TracedWord {
    /// The word, without the quoting it was typed in.
    pub text: String,
    /// Where it begins: characters of the line, from 1.
    pub column: usize,
    /// What it is.
    pub part: Part,
}

impl Role {
    /// How rule `number` (from 1, in file order) takes `words`; `None` if it does not allow them.
    #[must_use]
    pub fn trace(&self, number: usize, words: &Words) -> Option<Trace> {
        self.rule(number)?.trace(words.as_slice())
    }

    /// Rule `number` (from 1, in file order); `None` for [`NO_RULE`].
    #[must_use]
    pub fn rule(&self, number: usize) -> Option<&Rule> {
        self.rules.get(number.checked_sub(1)?)
    }

    /// The first rule that holds on `target` and allows `words`, from 1 in file order; [`NO_RULE`] if it observes them, `None` if
    /// none does.
    #[must_use]
    pub fn first_allowing(&self, target: &TargetName, words: &Words) -> Option<usize> {
        if self.observes() {
            return self.takes_on(target, words).then_some(NO_RULE);
        }
        let allows = |(_, rule): &(usize, &Rule)| rule.is_for(target) && rule.allows(words.as_slice());
        self.rules_for(words).find(allows).map(|(number, _)| number)
    }

    /// The bytes of [`Self::text`] in which each rule's `run` stands, in file order: what to point an operator to.
    #[must_use]
    pub fn rule_places(&self) -> Vec<Range<usize>> {
        // It parsed when the role was loaded; if it did not, there is no place to name.
        let Ok(document) = DeTable::parse(&self.text) else { return Vec::new() };
        let tables = document.get_ref().get("command").and_then(|value| value.get_ref().as_array());
        let run = |table: &DeValue<'_>| table.as_table()?.get("run").map(toml::Spanned::span);
        tables.map(|tables| tables.iter().filter_map(|table| run(table.get_ref())).collect()).unwrap_or_default()
    }

    /// The line of the role's file, from 1, in which each rule's `run` stands, in file order.
    #[must_use]
    pub fn rule_lines(&self) -> Vec<usize> {
        let line =
            |place: Range<usize>| self.text.get(..place.start).map_or(0, |before| before.matches('\n').count()) + 1;
        self.rule_places().into_iter().map(line).collect()
    }
}

impl Rule {
    /// As [`Rule::vector`], for people.
    fn trace(&self, words: &[Word]) -> Option<Trace> {
        if !self.allows(words) {
            return None;
        }
        let (_, rest) = after_sudo(words);
        let by_run = self.run.trace(&self.parameters, rest);
        let (parts, alias) = match by_run {
            Some(parts) => (parts, false),
            None => {
                let alias = self.alias.as_ref()?;
                (alias.pattern.trace(&alias.parameters, rest)?, true)
            }
        };
        let sudo = std::iter::repeat_n(Part::Sudo, words.len().saturating_sub(rest.len()));
        let traced =
            |(word, part): (&Word, Part)| TracedWord { text: word.text().to_owned(), column: word.column(), part };
        Some(Trace { words: words.iter().zip(sudo.chain(parts)).map(traced).collect(), alias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = r#"targets = ["*"]
run_as = "ops"
[[command]]
run = "/usr/bin/systemctl restart {unit}"
sudo = true
where.unit = { one_of = ["nginx", "php-fpm"] }
[[command]]
run = "/usr/bin/tail [-n {lines}] {file}"
where.lines = { int = [1, 9] }
where.file = { path = "/var/log/*.log" }
[[command]]
run = "/usr/bin/cat --lines={n} {files...} [-x] [-y]"
where.n = { int = [1, 9] }
where.files = { one_of = ["a", "b"], max = 3 }
[[command]]
alias = "web {signal}"
run = "/usr/sbin/nginx -s {signal}"
where.signal = { one_of = ["reload"] }
"#;

    fn role() -> Role {
        Role::parse("web".parse().unwrap(), "roles/web.toml", ROLE).unwrap().0
    }

    /// `COLUMN word=what`, for each word.
    fn shown(number: usize, line: &str) -> Option<String> {
        let words = Words::split(line.as_bytes()).unwrap();
        let trace = role().trace(number, &words)?;
        let one = |word: &TracedWord| {
            let part = match &word.part {
                Part::Sudo => "sudo".to_owned(),
                Part::Program(path) => path.clone(),
                Part::Literal => "literal".to_owned(),
                Part::Value { name, value, allowed } => format!("{{{name}}}:{value}:{allowed}"),
            };
            format!("{} {}={part}", word.column, word.text)
        };
        Some(trace.words.iter().map(one).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn every_word_of_an_allowed_line_is_something_in_the_rule() {
        let rows = [
            (
                1,
                "sudo -n systemctl  restart nginx",
                Some(
                    "1 sudo=sudo; 6 -n=sudo; 9 systemctl=/usr/bin/systemctl; 20 restart=literal; 28 nginx={unit}:nginx:nginx or php-fpm",
                ),
            ),
            (1, "systemctl restart sshd", None),
            (
                2,
                "tail '/var/log/a.log'",
                Some("1 tail=/usr/bin/tail; 6 /var/log/a.log={file}:/var/log/a.log:a path like /var/log/*.log"),
            ),
            (2, "sudo tail /var/log/a.log", None),
            (
                2,
                "/usr/bin/tail -n 5 /var/log/a.log",
                Some(
                    "1 /usr/bin/tail=/usr/bin/tail; 15 -n=literal; 18 5={lines}:5:a whole number from 1 to 9; 20 /var/log/a.log={file}:/var/log/a.log:a path like /var/log/*.log",
                ),
            ),
            (
                3,
                "cat --lines=7 a b -y -x",
                Some(
                    "1 cat=/usr/bin/cat; 5 --lines=7={n}:7:a whole number from 1 to 9; 15 a={files}:a:a or b; 17 b={files}:b:a or b; 19 -y=literal; 22 -x=literal",
                ),
            ),
            (4, "web reload", Some("1 web=literal; 5 reload={signal}:reload:reload")),
            (4, "nginx -s reload", Some("1 nginx=/usr/sbin/nginx; 7 -s=literal; 10 reload={signal}:reload:reload")),
            (0, "web reload", None),
            (5, "web reload", None),
        ];
        for (number, line, wanted) in rows {
            assert_eq!(shown(number, line).as_deref(), wanted, "{number}: {line}");
        }
    }

    #[test]
    fn a_rule_is_found_in_its_file() {
        assert_eq!(role().rule_lines(), [4, 8, 12, 17]);
        let places = role().rule_places();
        assert_eq!(&ROLE[places[0].clone()], "\"/usr/bin/systemctl restart {unit}\"");
    }
}
