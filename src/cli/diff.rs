//! `doorward diff OLD NEW`: what a change of the files gives and takes away, in words.

use std::path::{Path, PathBuf};

use clap::Args;
use russh::keys::PublicKey;
use serde_json::json;

use crate::config::signing::listed;
use crate::config::{self, Loaded, RestartOnly, Signers};
use crate::control::console::json_line;
use crate::domain::wording::plural;
use crate::policy::Role;
use crate::policy::compare::{self, Change, Changes, Direction, Version};
use crate::service::compare::snapshots;

use super::check::no_part;
use super::input::is_there;
use super::{CliError, Screen};

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The directory with doorward.toml as it was, or one role's file
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The directory as it is to be, or that role's file
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Exit code 1 only if something widened, not for every difference
    #[arg(long)]
    fail_on_widening: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Exit codes as `diff` has them: 0 the same, 1 different, 2 trouble.
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let changes = self.changes().map_err(|error| CliError::Trouble(Box::new(error)))?;
        if self.json {
            screen.say(json_line(&as_json(&changes)).trim_end());
        } else {
            show(&changes, screen);
        }
        let failed = match self.fail_on_widening {
            true => count(&changes, Direction::Widened) > 0,
            false => !changes.is_empty(),
        };
        if failed { Err(CliError::Reported) } else { Ok(()) }
    }

    fn changes(&self) -> Result<Vec<Change>, CliError> {
        [&self.old, &self.new].into_iter().try_for_each(|path| is_there(path))?;
        match (self.old.is_dir(), self.new.is_dir()) {
            (true, true) => Ok(configurations(&set_in(&self.old)?, &set_in(&self.new)?)),
            (false, false) => {
                let (old, new) = (role(&self.old)?, role(&self.new)?);
                let plain = |role| Version { role, world: None };
                Ok(told(compare::roles(plain(&old), plain(&new)), old.digest() != new.digest()))
            }
            _ => Err(CliError::Usage("compare two directories, or two files of a role".to_owned())),
        }
    }
}

/// The set in `dir`, to be compared; what is wrong is named with `dir`, because there are two.
pub(super) fn set_in(dir: &Path) -> Result<Loaded, CliError> {
    config::load_policy(dir).map_err(|mut findings| {
        let inside = |name: &str| !Path::new(name).is_absolute() && Path::new(name) != dir;
        for finding in findings.iter_mut().filter(|finding| inside(&finding.file)) {
            finding.file = dir.join(&*finding.file).to_string_lossy().into();
        }
        CliError::Findings(findings)
    })
}

/// One role's file.
fn role(path: &Path) -> Result<Role, CliError> {
    no_part(path, "compared", "diff OLD NEW")?;
    config::role_of(path, &path.to_string_lossy()).map_err(CliError::Findings)
}

/// Everything that changed between two sets.
pub(super) fn configurations(old: &Loaded, new: &Loaded) -> Vec<Change> {
    let mut out = Changes::of("doorward.toml");
    for key in RestartOnly::of(old).changed_in(&RestartOnly::of(new)) {
        // What certificates carry and whose word is taken for an address give rights; the rest bounds the bastion itself.
        match key.starts_with("certs/") || key == "proxy_protocol_from" || key == "demo" {
            true => out.widened(format!("`{key}` is another: not compared, read both (needs a restart)")),
            false if key != "name" => out.other(format!("`{key}` is another (needs a restart)")),
            false => {}
        }
    }
    signers(old.signers.as_ref(), new.signers.as_ref(), &mut out);
    let mut found = out.into_found();
    found.extend(snapshots(&old.snapshot, &new.snapshot));
    told(found, old.snapshot.digest != new.snapshot.digest)
}

/// Who has to sign the next change: fewer, or somebody else, is more power for somebody.
fn signers(old: Option<&Signers>, new: Option<&Signers>, out: &mut Changes) {
    let (was, now) = (old.map_or(0, |old| old.needed), new.map_or(0, |new| new.needed));
    match now {
        _ if now == was => {}
        _ => {
            let text = format!("a change of the policy needs {} now, before {was}", plural(now, "signature"));
            if now < was { out.widened(text) } else { out.narrowed(text) }
        }
    }
    let keys = |signers: Option<&Signers>| signers.map(|signers| signers.keys.clone()).unwrap_or_default();
    let (was, now) = (keys(old), keys(new));
    let only = |these: &[PublicKey], others: &[PublicKey]| -> Vec<PublicKey> {
        let known = |key: &PublicKey| others.iter().any(|other| other.key_data() == key.key_data());
        these.iter().filter(|key| !known(key)).cloned().collect()
    };
    let (gained, lost) = (only(&now, &was), only(&was, &now));
    if !gained.is_empty() {
        out.widened(format!("{} may sign a change of the policy now", listed(&gained)));
    }
    if !lost.is_empty() {
        out.narrowed(format!("{} may no longer sign a change of the policy", listed(&lost)));
    }
    if old.zip(new).is_some_and(|(old, new)| old.serial != new.serial) {
        out.other("`[policy] serial` is another");
    }
}

/// Files that differ are not the same, whatever it means.
fn told(mut found: Vec<Change>, differ: bool) -> Vec<Change> {
    if found.is_empty() && differ {
        let mut out = Changes::of("files");
        out.other("they differ in what gives and takes nothing: comments, order, examples");
        found.extend(out.into_found());
    }
    found
}

/// How many of `changes` go this way.
pub(super) fn count(changes: &[Change], direction: Direction) -> usize {
    changes.iter().filter(|change| change.direction == direction).count()
}

fn show(changes: &[Change], screen: &mut Screen) {
    if changes.is_empty() {
        return screen.say("no difference");
    }
    for (direction, title) in
        [(Direction::Widened, "Widened"), (Direction::Narrowed, "Narrowed"), (Direction::Other, "Other")]
    {
        let these: Vec<&Change> = changes.iter().filter(|change| change.direction == direction).collect();
        if these.is_empty() {
            continue;
        }
        screen.say(format_args!("{title}:"));
        these.iter().for_each(|change| screen.say(format_args!("  {}: {}", change.about, change.text)));
    }
    screen.say(summary(changes));
}

/// `2 widened, 1 narrowed, 0 other`.
pub(super) fn summary(changes: &[Change]) -> String {
    let of = |direction| count(changes, direction);
    format!("{} widened, {} narrowed, {} other", of(Direction::Widened), of(Direction::Narrowed), of(Direction::Other))
}

fn as_json(changes: &[Change]) -> serde_json::Value {
    let of = |direction| count(changes, direction);
    let word = |direction| match direction {
        Direction::Widened => "widened",
        Direction::Narrowed => "narrowed",
        Direction::Other => "other",
    };
    let each = changes
        .iter()
        .map(|change| json!({ "direction": word(change.direction), "about": change.about, "text": change.text }));
    json!({
        "widened": of(Direction::Widened),
        "narrowed": of(Direction::Narrowed),
        "other": of(Direction::Other),
        "changes": each.collect::<Vec<_>>(),
    })
}
