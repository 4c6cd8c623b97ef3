//! A real `sshd`, for what is enrolled and scanned.

use std::fs;
use std::process::{Command, Stdio};

use super::host::Host;

/// A real `sshd` on a free port, as root or not.
pub(crate) struct Sshd {
    child: std::process::Child,
    pub(crate) port: u16,
}

impl Sshd {
    pub(crate) fn start(host: &Host) -> Self {
        Self::with(host, "")
    }

    pub(crate) fn with(host: &Host, more: &str) -> Self {
        // Privilege separation wants this directory when sshd runs as root; a package creates it with the service.
        let _ = fs::create_dir_all("/run/sshd");
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\n{more}",
            host.path("host").display()
        );
        fs::write(host.path("sshd_config"), configuration).expect("a file");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f"])
            .arg(host.path("sshd_config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd runs");
        let sshd = Self { child, port };
        for _ in 0..1500 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return sshd;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("sshd does not answer");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
