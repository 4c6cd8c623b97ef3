//! A real OpenSSH server for the demo: started on a free loopback port with the snippet that `target enroll` prints, as
//! whoever runs the demo, and stopped with it.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where `sshd` is installed; it must be started by its absolute path.
const PLACES: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd"];

/// The installed `sshd`, if there is one.
pub(super) fn installed() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// A running server; dropping it stops it.
pub(super) struct Sshd {
    child: Child,
    /// Its port on 127.0.0.1.
    pub(super) port: u16,
    /// Its log.
    pub(super) log: PathBuf,
}

impl Sshd {
    /// Starts `program` in `dir` (which holds `host_key`) with our frame around `snippet`.
    ///
    /// # Errors
    /// When it cannot be started, or does not listen within five seconds.
    pub(super) fn start(program: &Path, dir: &Path, snippet: &str) -> io::Result<Self> {
        if nix::unistd::geteuid().is_root() {
            fs::create_dir_all("/run/sshd")?; // privilege separation wants it; Debian's service makes it at its start
        }
        let port = super::free_port()?;
        let (config, log) = (dir.join("sshd_config"), dir.join("sshd.log"));
        fs::write(&config, frame(dir, port, snippet))?;
        fs::write(&log, "")?;
        let mut child = Command::new(program)
            .args(["-D", "-f"])
            .arg(&config)
            .arg("-E")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let patience = Instant::now();
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if child.try_wait()?.is_some() || patience.elapsed() > Duration::from_secs(5) {
                let _ = child.kill();
                let _ = child.wait();
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(io::Error::other(format!("the demo's sshd did not start: {}", said.trim())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { child, port, log })
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The part of `sshd_config` that is the demo's and not the snippet's. The demo logs in as whoever runs it, whose shell may read
/// `~/.bashrc` for commands of `sshd`; an enrolled account has no such files, so here its home is a place without any.
fn frame(dir: &Path, port: u16, snippet: &str) -> String {
    let dir = dir.display();
    format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {dir}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n\
         LogLevel VERBOSE\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         SetEnv HOME={dir}/no-home\n\n{snippet}"
    )
}
