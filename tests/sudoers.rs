//! What proves: with the lines that doorward prints for sudoers, the real sudo allows what the role does and refuses its
//! neighbours. sudo runs in a directory of its own, with its own /etc; this machine's configuration is neither read nor changed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use doorward::policy::{Role, sudoers_lines};

/// A root directory with sudo, what it loads, and a program `/bin/x`.
struct Jail(tempfile::TempDir);

impl Jail {
    fn new(sudoers: &str) -> Self {
        let jail = Self(tempfile::tempdir().unwrap());
        let plugin = ["/usr/libexec/sudo/sudoers.so", "/usr/lib/sudo/sudoers.so"].map(PathBuf::from);
        let plugin = plugin.into_iter().find(|path| path.exists()).unwrap();
        let sudo = PathBuf::from("/usr/bin/sudo");
        let mut files = libraries(&sudo);
        files.extend(libraries(&plugin));
        let libc = files.iter().find(|path| path.ends_with("libc.so.6")).unwrap().clone();
        let permit = libc.with_file_name("security").join("pam_permit.so");
        let permit = if permit.exists() { permit } else { Path::new("/usr").join(permit.strip_prefix("/").unwrap()) };
        files.extend([sudo, plugin, permit]);
        for file in files {
            let copy = jail.path(file.to_str().unwrap());
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(&file, &copy).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        jail.write("bin/x", "#!/bin/sh\n", 0o755);
        jail.write("etc/passwd", "root:x:0:0::/:/bin/sh\nops:x:1234:1234::/:/bin/sh\n", 0o644);
        jail.write("etc/group", "root:x:0:\nops:x:1234:\n", 0o644);
        jail.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n", 0o644);
        let pam = ["auth", "account", "session"].map(|what| format!("{what} required pam_permit.so\n")).concat();
        jail.write("etc/pam.d/sudo", &pam, 0o644);
        // Whoever is no root has one user and one group in their namespace: sudo must not look for others there.
        let plugins =
            ["sudoers_policy", "sudoers_audit"].map(|name| format!("Plugin {name} sudoers.so sudoers_mode=0400\n"));
        jail.write("etc/sudo.conf", &plugins.concat(), 0o644);
        jail.write("etc/sudoers", &format!("Defaults preserve_groups, !fqdn\n{sudoers}"), 0o400);
        jail
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name.trim_start_matches('/'))
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Whether sudo would run `/bin/x` with these words for `ops`, without a password.
    fn allows(&self, words: &[&str]) -> bool {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "chroot"]);
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            command = Command::new("/usr/sbin/chroot");
        }
        command.arg(self.0.path()).args(["/usr/bin/sudo", "-n", "-l", "-U", "ops", "/bin/x"]).args(words);
        let output = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {
                assert!(shown.starts_with("/bin/x"), "{words:?}: {shown} {said}");
                true
            }
            // Any other failure of sudo says why; a plain no is silent here.
            Some(1) => {
                let noise = |line: &&str| !line.contains("unable to resolve host");
                assert_eq!(said.lines().filter(noise).collect::<Vec<_>>(), [""; 0], "{words:?}");
                false
            }
            _ => panic!("{words:?}: {output:?}"),
        }
    }
}

/// What `ldd` says that a program or library loads.
fn libraries(file: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(file).output().unwrap();
    assert!(output.status.success(), "ldd {}", file.display());
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn lines(commands: &str) -> String {
    let text = format!("targets = [\"a\"]\nrun_as = \"ops\"\n{commands}");
    let (role, _) = Role::parse("r".parse().unwrap(), "roles/r.toml", &text).unwrap();
    let lines = role.rules().iter().flat_map(|rule| sudoers_lines(rule, role.run_as()));
    lines.map(|line| line + "\n").collect()
}

#[test]
fn sudo_allows_the_lines_of_the_role_and_refuses_their_neighbours() {
    let sudoers = lines(
        r#"
[[command]]
run  = "/bin/x restart {unit} [--now]"
sudo = true
where.unit = { one_of = ["nginx", "php:fpm", "a*b", "a,b=c"] }

[[command]]
run  = "/bin/x tail [-q] -n {lines} {file}"
sudo = true
where.lines = { int = [10, 250] }
where.file  = { path = "/var/log/*.log" }

[[command]]
run  = "/bin/x du --max-depth {depth} {directory}"
sudo = true
where.depth     = { one_of = ["0", "1"] }
where.directory = { path = "/srv/**" }

[[command]]
run  = "/bin/x grep {what}"
sudo = true
where.what = { pattern = '[a-z]+' }
"#,
    );
    let jail = Jail::new(&sudoers);
    for words in [
        &["restart", "nginx"][..],
        &["restart", "php:fpm", "--now"],
        &["restart", "a*b"],
        &["restart", "a,b=c"],
        &["tail", "-n", "10", "/var/log/syslog.log"],
        &["tail", "-q", "-n", "250", "/var/log/a.b.log"],
        &["du", "--max-depth", "1", "/srv/www/a.b/c"],
    ] {
        assert!(jail.allows(words), "{words:?} with\n{sudoers}");
    }
    for words in [
        &[][..],
        &["restart"],
        &["restart", "sshd"],
        &["restart", "nginx", "--now", "--now"],
        &["restart", "nginx", "sshd"],
        &["restart", "aXb"],
        &["stop", "nginx"],
        &["^restart", "nginx"],
        &["tail", "-n", "9", "/var/log/syslog.log"],
        &["tail", "-n", "251", "/var/log/syslog.log"],
        &["tail", "-n", "010", "/var/log/syslog.log"],
        &["tail", "-n", "10", "/var/log/../../etc/x.log"],
        &["tail", "-n", "10", "/var/log/sub/x.log"],
        &["tail", "-n", "10", "/var/log/.log"],
        &["tail", "-n", "10", "/var/log/.x.log"],
        &["tail", "-n", "10", "/var/log/a.log", "/etc/x.log"],
        &["tail", "-n", "10", "/etc/shadow", "/var/log/a.log"],
        &["tail", "-n", "10", "/var/log/a\n.log"],
        &["tail", "-n", "10", "/var/log/a.log\n/etc/shadow"],
        &["tail", "-n", "10", "-q", "/var/log/a.log"],
        &["du", "--max-depth", "2", "/srv/www"],
        &["du", "--max-depth", "1", "/srv"],
        &["du", "--max-depth", "1", "/srv/../etc"],
        &["du", "--max-depth", "1", "/srv/a/.."],
        &["du", "--max-depth", "1", "/srv//a"],
        &["du", "--max-depth", "1", "/srv/a", "/etc"],
        // What sudoers cannot say narrowly is not allowed at all.
        &["grep", "a"],
    ] {
        assert!(!jail.allows(words), "{words:?} with\n{sudoers}");
    }
}

#[test]
fn a_rule_without_arguments_allows_none() {
    let jail = Jail::new(&lines("[[command]]\nrun = \"/bin/x [-v]\"\nsudo = true\n"));
    assert!(jail.allows(&[]) && jail.allows(&["-v"]));
    assert!(!jail.allows(&["-v", "-v"]) && !jail.allows(&[""]) && !jail.allows(&["x"]));
}
