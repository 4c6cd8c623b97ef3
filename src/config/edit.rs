//! Changes `users.toml` and `targets.toml` as an operator would: in place, with every comment kept, and only if what comes
//! out still loads.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::domain::{AccountName, Diagnostic, GroupName, TargetName, UserName};

use super::source::{self, Source, Trust};
use super::{Address, Paths, load_edited};

/// Why a file was not changed.
#[derive(Debug)]
pub enum EditError {
    /// What was asked for makes no sense; in words.
    Refused(String),
    /// The set would not load with the change (or does not load without it).
    Findings(Vec<Diagnostic>),
}

impl From<std::io::Error> for EditError {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(format!("the file cannot be changed: {error}"))
    }
}

/// A new user with these keys (each a line `TYPE BASE64 [COMMENT]`) and groups.
///
/// # Errors
/// [`EditError`]; then nothing is changed.
pub fn add_user(paths: &Paths, name: &UserName, keys: &[String], groups: &[GroupName]) -> Result<(), EditError> {
    change(paths, "users.toml", |document| {
        if document.contains_key(name.as_str()) {
            return Err(format!("there is a user {name} already; add a key with `doorward user key add`"));
        }
        let mut user = Table::new();
        user.insert("keys", value(list(keys.iter().map(String::as_str), true)));
        user.insert("groups", value(list(groups.iter().map(GroupName::as_str), false)));
        append(document, name.as_str(), user);
        Ok(())
    })
}

/// One more key for a user.
///
/// # Errors
/// [`EditError`]; then nothing is changed.
pub fn add_key(paths: &Paths, name: &UserName, key: &str) -> Result<(), EditError> {
    change(paths, "users.toml", |document| {
        let user = document.get_mut(name.as_str()).and_then(Item::as_table_like_mut);
        let user = user.ok_or_else(|| format!("there is no user {name}; add one with `doorward user add`"))?;
        let keys = user.entry("keys").or_insert(value(Array::new()));
        let keys = keys.as_array_mut().ok_or_else(|| format!("`keys` of {name} is not a list; repair it first"))?;
        let mut entry = Value::from(key);
        // One key a line, as the list most likely is already.
        let several =
            keys.iter().any(|key| key.decor().prefix().is_some_and(|p| p.as_str().is_some_and(|p| p.contains('\n'))));
        if several || keys.is_empty() {
            entry.decor_mut().set_prefix("\n    ");
            keys.push_formatted(entry);
            keys.set_trailing_comma(true);
            keys.set_trailing("\n");
        } else {
            keys.push(entry);
        }
        Ok(())
    })
}

/// By what a new target is recognised.
#[derive(Clone, Debug)]
pub enum NewIdentity {
    /// The line of its host key.
    Key(String),
    /// A host certificate.
    Certificate {
        /// The line of the host CA's key.
        authority: String,
        /// The name in the certificate, if it is another than the address.
        name: Option<String>,
    },
}

/// What `target add` writes.
#[derive(Clone, Debug)]
pub struct NewTarget {
    /// Its name.
    pub name: TargetName,
    /// Where it is.
    pub address: Address,
    /// By what it is recognised.
    pub identity: NewIdentity,
    /// What roles select by.
    pub labels: Vec<(String, String)>,
    /// The roles' words for accounts, and the accounts there.
    pub run_as: Vec<(AccountName, AccountName)>,
}

/// A new target.
///
/// # Errors
/// [`EditError`]; then nothing is changed.
pub fn add_target(paths: &Paths, new: &NewTarget) -> Result<(), EditError> {
    change(paths, "targets.toml", |document| {
        if document.contains_key(new.name.as_str()) {
            return Err(format!("there is a target {} already; edit targets.toml to change it", new.name));
        }
        let mut target = Table::new();
        target.insert("address", value(new.address.to_string()));
        match &new.identity {
            NewIdentity::Key(line) => {
                target.insert("host_key", value(line.as_str()));
            }
            NewIdentity::Certificate { authority, name } => {
                target.insert("host_ca", value(authority.as_str()));
                if let Some(name) = name {
                    target.insert("host_name", value(name.as_str()));
                }
            }
        }
        if !new.labels.is_empty() {
            let labels = new.labels.iter().map(|(key, label)| (key.as_str(), label.as_str()));
            target.insert("labels", value(labels.collect::<InlineTable>()));
        }
        let accounts = new.run_as.iter().map(|(role, account)| (role.as_str(), account.as_str()));
        target.insert("run_as", value(accounts.collect::<InlineTable>()));
        append(document, new.name.as_str(), target);
        Ok(())
    })
}

fn list<'t>(texts: impl Iterator<Item = &'t str>, one_a_line: bool) -> Array {
    let mut array: Array = texts.collect();
    if one_a_line && array.len() > 1 {
        array.iter_mut().for_each(|item| item.decor_mut().set_prefix("\n    "));
        array.set_trailing_comma(true);
        array.set_trailing("\n");
    }
    array
}

/// Puts a table at the end, with an empty line before it.
fn append(document: &mut DocumentMut, name: &str, mut table: Table) {
    if !document.is_empty() {
        table.decor_mut().set_prefix("\n");
    }
    // Comments at the end of the file belong to what stands above them, so they stay above the new table.
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    if !trailing.trim().is_empty() {
        table.decor_mut().set_prefix(format!("{}\n\n", trailing.trim_end()));
        document.set_trailing("");
    }
    document.insert(name, Item::Table(table));
}

/// Edits one file, checks the set as it would then be, and only then puts the file in place.
fn change(
    paths: &Paths,
    name: &str,
    edit: impl FnOnce(&mut DocumentMut) -> Result<(), String>,
) -> Result<(), EditError> {
    // A set that does not load is not edited: its findings would be taken for those of the change.
    load_edited(paths, None).map_err(EditError::Findings)?;
    // A link is followed, so that a file kept elsewhere (a git checkout) is changed there.
    let file = fs::canonicalize(paths.dir().join(name))?;
    let before = source::read(&file, name, Trust::Host).map_err(|finding| EditError::Findings(vec![*finding]))?;
    let mut document: DocumentMut = before.text.parse().map_err(|error| EditError::Refused(format!("{error}")))?;
    edit(&mut document).map_err(EditError::Refused)?;
    let after = Source::of(name, &document.to_string());
    load_edited(paths, Some(&after)).map_err(EditError::Findings)?;
    Ok(replace(&file, after.text.as_bytes())?)
}

/// Replaces a file whole: a reader sees the old text or the new one, also after a crash.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let parent: PathBuf = file.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let metadata = fs::metadata(file)?;
    let mut temporary = tempfile::Builder::new().prefix(".doorward-edit-").tempfile_in(&parent)?;
    temporary.write_all(bytes)?;
    temporary.as_file().set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    if metadata.uid() != nix::unistd::geteuid().as_raw() || metadata.gid() != nix::unistd::getegid().as_raw() {
        std::os::unix::fs::chown(temporary.path(), Some(metadata.uid()), Some(metadata.gid()))?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    fs::File::open(parent)?.sync_all()
}
