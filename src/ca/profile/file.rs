//! Reads a profile from its file, with a message for each thing that is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::Algorithm;
use serde::Deserialize;
use toml::Spanned;

use crate::domain::Diagnostic;

use super::{Kind, Profile};

/// Key types that can be certified at all: those that russh verifies as built.
const KEY_TYPES: [&str; 6] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    validity: Spanned<String>,
    skew: Spanned<String>,
    key_types: Spanned<Vec<Spanned<String>>>,
    critical_options: Spanned<Vec<String>>,
    extensions: Vec<Spanned<String>>,
}

impl Kind {
    /// The profile as shipped: what `init` writes to `certs/`.
    #[must_use]
    pub fn shipped(self) -> &'static str {
        match self {
            Self::Session => include_str!("../../../certs/session.toml"),
            Self::Target => include_str!("../../../certs/target.toml"),
            Self::Host => include_str!("../../../certs/host.toml"),
        }
    }

    /// The file as the operator names it.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Session => "certs/session.toml",
            Self::Target => "certs/target.toml",
            Self::Host => "certs/host.toml",
        }
    }

    /// The options that make this kind what it is. The file repeats them for its reader; it cannot leave one out.
    fn critical_options(self) -> &'static [&'static str] {
        match self {
            Self::Session => &["grants@doorward", "source-address"],
            Self::Target => &["force-command", "source-address"],
            Self::Host => &[],
        }
    }

    /// What the file may permit. No forwarding of any sort is among it, for any kind.
    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Session | Self::Target => &["permit-pty"],
            Self::Host => &[],
        }
    }

    /// The longest validity that still makes sense of the word short-lived.
    fn longest(self) -> Duration {
        match self {
            Self::Session => 366 * DAY,
            Self::Target => Duration::from_secs(600),
            Self::Host => 31 * DAY,
        }
    }
}

impl Profile {
    /// Reads the profile of `kind` from `source`, the text of `file`.
    ///
    /// # Errors
    /// Everything that is wrong with it: bad TOML, unknown keys, unknown key types, options that the kind must have or may not.
    pub fn parse(kind: Kind, file: &Arc<str>, source: &Arc<str>) -> Result<Self, Vec<Diagnostic>> {
        let raw: Raw = toml::from_str(source).map_err(|error| {
            let found = Diagnostic::error(file, source, error.message());
            vec![match error.span() {
                Some(span) => found.at(span),
                None => found,
            }]
        })?;
        let mut reader = Reader { file, source, found: Vec::new() };
        let second = Duration::from_secs(1);
        let profile = Self {
            kind,
            validity: reader.span_of_time(&raw.validity, second, kind.longest()),
            skew: reader.span_of_time(&raw.skew, Duration::ZERO, Duration::from_secs(3600)),
            key_types: reader.key_types(&raw.key_types),
            extensions: reader.extensions(kind, &raw.extensions),
        };
        reader.critical_options(kind, &raw.critical_options);
        if reader.found.is_empty() { Ok(profile) } else { Err(reader.found) }
    }
}

struct Reader<'a> {
    file: &'a Arc<str>,
    source: &'a Arc<str>,
    found: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn report<T>(&mut self, at: &Spanned<T>, message: String, help: String) {
        self.found.push(Diagnostic::error(self.file, self.source, message).at(at.span()).help(help));
    }

    fn span_of_time(&mut self, text: &Spanned<String>, least: Duration, most: Duration) -> Duration {
        let time = humantime::parse_duration(text.get_ref()).ok();
        // Certificates count whole seconds.
        if let Some(time) = time.filter(|time| (least..=most).contains(time) && time.subsec_nanos() == 0) {
            return time;
        }
        let (least, most) = (humantime::format_duration(least), humantime::format_duration(most));
        self.report(
            text,
            format!("{:?} is no time from {least} to {most}", text.get_ref()),
            "write whole seconds, minutes, hours or days, for example \"60s\"".to_owned(),
        );
        Duration::ZERO
    }

    fn key_types(&mut self, listed: &Spanned<Vec<Spanned<String>>>) -> Vec<Algorithm> {
        let known = KEY_TYPES.join(", ");
        if listed.get_ref().is_empty() {
            self.report(listed, "no key could be certified".to_owned(), format!("list some of {known}"));
        }
        let mut types = Vec::new();
        for name in listed.get_ref() {
            match Algorithm::new(name.get_ref()) {
                Ok(algorithm) if KEY_TYPES.contains(&name.get_ref().as_str()) => types.push(algorithm),
                _ => self.report(
                    name,
                    format!("keys of the type {:?} cannot be certified", name.get_ref()),
                    format!("these can: {known}"),
                ),
            }
        }
        types
    }

    fn extensions(&mut self, kind: Kind, listed: &[Spanned<String>]) -> BTreeSet<String> {
        let allowed = kind.extensions();
        for name in listed.iter().filter(|name| !allowed.contains(&name.get_ref().as_str())) {
            let help = if allowed.is_empty() { "leave the list empty".to_owned() } else { allowed.join(", ") };
            self.report(name, format!("this kind of certificate cannot permit {:?}", name.get_ref()), help);
        }
        listed.iter().map(|name| name.get_ref().clone()).collect()
    }

    fn critical_options(&mut self, kind: Kind, listed: &Spanned<Vec<String>>) {
        let given: BTreeSet<&str> = listed.get_ref().iter().map(String::as_str).collect();
        let wanted: BTreeSet<&str> = kind.critical_options().iter().copied().collect();
        if given != wanted || listed.get_ref().len() != wanted.len() {
            let line = format!("critical_options = {:?}", kind.critical_options());
            self.report(listed, "this kind of certificate always has its own critical options".to_owned(), line);
        }
    }
}
