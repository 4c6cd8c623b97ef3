//! What was measured on: machine, versions, file system. And whether the tools are there.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// The tools that the measurements call, with the Debian package of each.
const TOOLS: &[(&str, &str)] = &[
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("/usr/sbin/sshd", "openssh-server"),
    ("getconf", "libc-bin"),
    ("stat", "coreutils"),
];

/// Looks for the tools.
///
/// # Errors
/// What is missing, and what to install.
pub fn tools() -> Result<(), String> {
    for (tool, package) in TOOLS {
        if let Err(error) = Command::new(tool).arg("-V").output() {
            return Err(format!("{tool}: {error}; on Debian it is in the package {package}"));
        }
    }
    Ok(())
}

/// The facts that figures are worth nothing without. `place` is where the log and the recordings were written.
pub fn facts(place: &Path) -> Value {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "machine": {
            "processor": field("/proc/cpuinfo", "model name"),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "memory": field("/proc/meminfo", "MemTotal"),
            "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
            "file_system": said(Command::new("stat").args(["-f", "-c", "%T"]).arg(place)),
            "load_at_the_start": load.split(' ').next().and_then(|load| load.parse::<f64>().ok()),
        },
        "versions": {
            "doorward": env!("CARGO_PKG_VERSION"),
            "commit": said(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR"))),
            "openssh": said(Command::new("ssh").arg("-V")),
        },
    })
}

/// The first line that a command says, on either stream; nothing when it fails.
fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    if output.status.success() {
        String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
    } else {
        String::new()
    }
}
