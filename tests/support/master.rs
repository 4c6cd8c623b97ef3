//! A connection of a user's that others go through, as `ControlMaster` of the stock `ssh` has it.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bastion::{Bastion, eventually};

/// So that each has a socket of its own.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// An open master connection; killed when dropped.
pub struct Master {
    child: Child,
    control: String,
    proxy: String,
}

impl Master {
    /// Opens one of `who` to `host`, with more options of `ssh`.
    pub fn open(bastion: &Bastion, who: &str, host: &str, options: &[&str]) -> Self {
        let socket = bastion.home().join(format!("master{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let control = format!("ControlPath={}", socket.display());
        let mut arguments = vec!["-o", "ControlMaster=yes", "-o", &control, "-N"];
        arguments.extend(options);
        arguments.push(host);
        let child = bastion.ssh(who, &arguments).stderr(Stdio::null()).spawn().expect("ssh");
        eventually("the master connection", || socket.exists());
        let home = bastion.home().display();
        let proxy = format!("ProxyCommand=ssh -F {home}/{who}.conf -o {control} -W %h:%p bastion");
        Self { child, control, proxy }
    }

    /// The words for `ssh` to go through it, and to fail rather than connect by itself; `host_and_line` come after them.
    pub fn through<'a>(&'a self, host_and_line: &[&'a str]) -> Vec<&'a str> {
        let mut words = vec!["-o", &self.control, "-o", "ProxyCommand=false"];
        words.extend(host_and_line);
        words
    }

    /// The option that has `ssh` make a connection of its own inside this one, to a target's name.
    pub fn proxy(&self) -> &str {
        &self.proxy
    }

    /// Ends it without a word to the bastion.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.kill();
    }
}
