//! `env`: fixed values for a command's environment, and the names that would widen what it may do.

use crate::domain::text::excerpt;

use super::reader::{Fields, Reader};

/// Most variables of a command.
const MOST: usize = 32;
/// Longest value, in bytes.
const LONGEST: usize = 1024;

/// Names with a meaning to the loader, to shells, to interpreters or to programs that start others.
const REFUSED: [&str; 34] = [
    "PATH",
    "IFS",
    "ENV",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "CDPATH",
    "PS4",
    "PROMPT_COMMAND",
    "HOME",
    "USER",
    "LOGNAME",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "LESS",
    "LESSOPEN",
    "LESSCLOSE",
    "MANPAGER",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "LOCPATH",
    "NLSPATH",
    "HOSTALIASES",
    "RES_OPTIONS",
    "TMPDIR",
    "TERMINFO",
    "XDG_CONFIG_HOME",
    "OPENSSL_CONF",
    "CURL_HOME",
    "PSQLRC",
    "KUBECONFIG",
    "DOCKER_HOST",
];
/// Beginnings of such names.
const REFUSED_PREFIXES: [&str; 15] = [
    "LD_", "BASH_", "ZDOTDIR", "GIT_", "SSH_", "SUDO_", "SYSTEMD_", "PYTHON", "PERL", "RUBY", "NODE_", "JAVA", "_JAVA",
    "MALLOC_", "DYLD_",
];

/// The variables, sorted by name.
pub(super) fn read(reader: &mut Reader, fields: &Fields<'_>, sudo: bool) -> Vec<(String, String)> {
    let Some(table) = fields.value("env").and_then(|value| reader.table(value, "`env`")) else { return Vec::new() };
    if sudo {
        let help = "set the value in the program's own configuration on the target";
        reader.error_with_help(
            fields.key_span("env"),
            "`env` has no effect together with `sudo`, which drops it",
            help,
        );
    }
    if table.len() > MOST {
        let help = "take some out, or let a script on the target set them";
        reader.error_with_help(fields.key_span("env"), format!("`env` has at most {MOST} variables"), help);
    }
    let mut variables = Vec::new();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if let Some(why) = refused(name) {
            reader.error(Some(key.span()), format!("`{}` {why}", excerpt(name, 40)));
        } else if let Some(text) = reader.plain(value, name, LONGEST) {
            variables.push((name.to_owned(), text.value));
        }
    }
    variables.sort();
    variables
}

fn refused(name: &str) -> Option<&'static str> {
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    let plain =
        name.bytes().next().is_some_and(capital) && name.bytes().all(|byte| capital(byte) || byte.is_ascii_digit());
    if !plain || name.len() > 64 {
        return Some("is no variable name; write capital letters, digits and `_`");
    }
    let widens = REFUSED.contains(&name) || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    widens.then_some("cannot be set by a role: it changes which code runs, or where it looks")
}
