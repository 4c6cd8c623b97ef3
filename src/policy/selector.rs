//! Which targets a role is for: `web-*`, `label:tier=web,env=prod`. A list is OR, commas inside are AND.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::domain::TargetName;

use super::parameter::matches_glob;

/// The `targets` of a role. The default means no target.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TargetSelector {
    any_of: Vec<Entry>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Entry {
    /// A name, with `*` for any run of characters.
    Name(String),
    /// Every one of these labels with exactly this value.
    Labels(Vec<(String, String)>),
}

/// Why a text names no targets. `Display` says what to write.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SelectorError {
    /// Not a name, with or without `*`.
    #[error("`{0}` is no target name; write a name, a name with `*` such as `web-*`, or `label:KEY=VALUE,KEY=VALUE`")]
    Name(String),
    /// Not `KEY=VALUE` after `label:`.
    #[error("`{0}` is no label; write `label:KEY=VALUE`, and a comma between labels that must all be there")]
    Label(String),
}

impl TargetSelector {
    /// Whether a target of this name with these labels is meant.
    #[must_use]
    pub fn matches(&self, name: &TargetName, labels: &BTreeMap<String, String>) -> bool {
        self.any_of.iter().any(|entry| match entry {
            Entry::Name(glob) => matches_glob(glob, name.as_str()),
            Entry::Labels(all) => all.iter().all(|(key, value)| labels.get(key) == Some(value)),
        })
    }

    /// The entries as they are written.
    pub(super) fn entries(&self) -> Vec<String> {
        let written = |entry: &Entry| match entry {
            Entry::Name(name) => name.clone(),
            Entry::Labels(all) => {
                let all: Vec<String> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("label:{}", all.join(","))
            }
        };
        self.any_of.iter().map(written).collect()
    }

    /// Adds one entry of the list.
    pub(super) fn push(&mut self, entry: &str) -> Result<(), SelectorError> {
        self.any_of.push(entry.parse()?);
        Ok(())
    }
}

/// As written, the entries joined by `, `.
impl fmt::Display for TargetSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = |entry: &Entry| match entry {
            Entry::Name(glob) => glob.clone(),
            Entry::Labels(all) => {
                let labels: Vec<String> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("label:{}", labels.join(","))
            }
        };
        f.write_str(&self.any_of.iter().map(entry).collect::<Vec<_>>().join(", "))
    }
}

impl FromStr for Entry {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let Some(labels) = text.strip_prefix("label:") else {
            // `*` alone stands for any character of a name, so what is left must be a name.
            let valid = text.len() <= TargetName::MAX_LEN && text.replace('*', "a").parse::<TargetName>().is_ok();
            let error = || SelectorError::Name(text.to_owned());
            return valid.then(|| Self::Name(text.to_owned())).ok_or_else(error);
        };
        let label = |part: &str| match part.split_once('=') {
            Some((key, value)) if is_label(key) && is_label(value) => Ok((key.to_owned(), value.to_owned())),
            _ => Err(SelectorError::Label(part.to_owned())),
        };
        labels.split(',').map(|part| label(part.trim())).collect::<Result<_, _>>().map(Self::Labels)
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_or_and_commas_are_and() {
        let labels: BTreeMap<_, _> =
            [("tier", "web"), ("env", "prod")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for (entries, name, expected) in [
            (&["web-*"][..], "web-1", true),
            (&["web-*"], "web-", true),
            (&["web-*"], "xweb-1", false),
            (&["*-1"], "web-1", true),
            (&["w*b-*1"], "web-11", true),
            (&["*"], "db", true),
            (&["web"], "web-1", false),
            (&["db", "web-1"], "web-1", true),
            (&["label:tier=web,env=prod"], "x", true),
            (&["label:tier=web, env=prod"], "x", true),
            (&["label:tier=web,env=test"], "x", false),
            (&["label:tier=web,rack=1"], "x", false),
            (&[], "x", false),
        ] {
            let mut selector = TargetSelector::default();
            entries.iter().for_each(|entry| selector.push(entry).unwrap());
            assert_eq!(selector.matches(&name.parse().unwrap(), &labels), expected, "{entries:?} {name}");
        }
    }

    #[test]
    fn what_names_no_target_is_refused() {
        for entry in
            ["", "Web-1", "web-1,web-2", "web 1", "-x", "label:", "label:tier", "label:=x", "label:a=*", "web-?"]
        {
            assert!(TargetSelector::default().push(entry).is_err(), "{entry:?}");
        }
    }
}
