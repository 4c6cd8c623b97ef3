//! Checks that run harmless commands: exactly the certified one, in a clean start, with its words whole, and an end.

use std::time::Duration;

use crate::domain::AccountName;
use crate::domain::text::{escape, excerpt, excerpt_bytes};
use crate::service::ports::{Output, Running};

use super::{COMMAND, Failure, Finished, Probe, SHOWN, line, words};

/// Bytes of words in one line: quoting can make four of one, and the line has room for 32 KiB.
const WORDS_IN_A_LINE: usize = 6 * 1024;
/// How long the command that is to be ended would run by itself.
const LONG: &str = "300";
/// How long it may take to end: TERM, five seconds, KILL, and the logins that look.
const END: Duration = Duration::from_secs(10);

impl Probe<'_> {
    /// Certified for one line, asked for another: the answer must be the certified one's. The outer error: nothing ran.
    pub(super) async fn runs_the_certified_command(
        &self,
        account: &AccountName,
    ) -> Result<Result<(), Failure>, Failure> {
        let mark = format!("doorward-{:016x}", rand::random::<u64>());
        let certified = line(&["/usr/bin/printf", "%s", &mark], false, COMMAND)?;
        let asked = line(&["/usr/bin/printf", "%s", "something else"], false, COMMAND)?;
        let finished = self.finished(account, &certified.line, &asked.line).await?;
        if finished.is(mark.as_bytes()) {
            return Ok(Ok(()));
        }
        let advice = match String::from_utf8_lossy(&finished.out).contains("something else") {
            true => {
                format!("it runs what is asked and not what is certified: no ForceCommand for {account} in sshd_config")
            }
            false => format!(
                "only the output \"{mark}\" should come: {account} needs the shell /bin/sh without startup files, no ForceCommand, \
                 and /usr/bin/env, /usr/bin/timeout, /usr/bin/printf, /bin/cat on that machine; `{}`",
                self.enroll
            ),
        };
        Ok(Err(Failure { found: finished.shown(), advice }))
    }

    /// What `env` says is the environment of the rendered line and nothing else.
    pub(super) async fn starts_clean(&self, account: &AccountName) -> Result<(), Failure> {
        let env = line(&["/usr/bin/env"], false, COMMAND)?;
        let finished = self.finished(account, &env.line, &env.line).await?;
        let came =
            Finished { out: without_shells_own(&finished.out), err: finished.err.clone(), end: finished.end.clone() };
        let wanted: String = env.environment.iter().map(|entry| format!("{entry}\n")).collect();
        if came.is(wanted.as_bytes()) {
            return Ok(());
        }
        let advice = format!(
            "give {account} a shell that reads no startup files (/bin/sh) and a home it cannot write to; `PermitUserRC no`; `{}`",
            self.enroll
        );
        Err(Failure { found: finished.shown(), advice })
    }

    /// Hostile words through the account's shell and back.
    pub(super) async fn keeps_words(&self, account: &AccountName) -> Result<(), Failure> {
        let all = words::hostile();
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest.iter().take_while(|word| fits(&mut bytes, word)).count().max(1);
            let (some, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = later;
            let mut vector = vec!["/usr/bin/printf", "%s\\0"];
            vector.extend(some.iter().map(String::as_str));
            let line = line(&vector, false, COMMAND)?.line;
            let finished = self.finished(account, &line, &line).await?;
            let wanted: Vec<u8> = some.iter().flat_map(|word| word.bytes().chain([0])).collect();
            if !finished.is(&wanted) {
                let found = changed(some, &finished.out).unwrap_or_else(|| finished.shown());
                let advice = format!("{account} needs a POSIX shell (/bin/sh) as its login shell; `{}`", self.enroll);
                return Err(Failure { found, advice });
            }
        }
        Ok(())
    }

    /// Starts a long command, lets go of it, and looks with a second login whether it is gone.
    pub(super) async fn ends_commands(&self, account: &AccountName) -> Result<(), Failure> {
        let script = format!("echo $$; exec /usr/bin/sleep {LONG}");
        let long = line(&["/bin/sh", "-c", &script], false, Duration::from_secs(300))?.line;
        let mut running = self.start(account, &long, &long).await?;
        let said = tokio::time::timeout(COMMAND, first_line(&mut running)).await.unwrap_or_default();
        let number: u32 =
            std::str::from_utf8(&said).ok().and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
                let found = format!("a long command began with \"{}\"", excerpt_bytes(&said, SHOWN));
                Failure { found, advice: format!("only its process number should come; `{}`", self.enroll) }
            })?;
        if !self.is_alive(account, number).await? {
            return Err(Failure {
                found: format!(
                    "process {number} cannot be seen by a second login of {account}, so its end cannot either"
                ),
                advice: "both logins must be in one process namespace: no container for each login".to_owned(),
            });
        }
        drop(running);
        let looking = async {
            while self.is_alive(account, number).await? {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Ok(())
        };
        tokio::time::timeout(END, looking).await.unwrap_or_else(|_| {
            Err(Failure {
                found: format!("process {number} still ran {} s after its connection was cut", END.as_secs()),
                advice: format!(
                    "kill it there (`kill {number}`); /bin/cat and GNU or busybox `timeout` at /usr/bin/timeout are what ends \
                     commands: see that they are there"
                ),
            })
        })
    }

    async fn is_alive(&self, account: &AccountName, number: u32) -> Result<bool, Failure> {
        // The shell's own `kill`: no program that a small machine may lack.
        let script = "if kill -0 \"$1\" 2>/dev/null; then echo alive; else echo gone; fi";
        let look = line(&["/bin/sh", "-c", script, "doorward", &number.to_string()], false, COMMAND)?.line;
        let finished = self.finished(account, &look, &look).await?;
        match (finished.is(b"alive\n"), finished.is(b"gone\n")) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => Err(Failure {
                found: finished.shown(),
                advice: format!("/bin/sh must be a POSIX shell; `{}`", self.enroll),
            }),
        }
    }
}

/// The output of `env` without what `/bin/sh` of the rendered line, which starts the program, sets by itself: which of these
/// differs from shell to shell, and none comes from a startup file, because `env -i` stands before that shell.
fn without_shells_own(output: &[u8]) -> Vec<u8> {
    let own = [&b"PWD="[..], b"OLDPWD=", b"SHLVL=", b"_="];
    let lines = output.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !own.iter().any(|name| line.starts_with(name))).flatten().copied().collect()
}

fn fits(bytes: &mut usize, word: &str) -> bool {
    *bytes += word.len() + 3;
    *bytes <= WORDS_IN_A_LINE
}

/// The first word that came back otherwise; `None` if so little came back that it is better shown whole.
fn changed(sent: &[String], came: &[u8]) -> Option<String> {
    let mut back = came.split(|byte| *byte == 0);
    let (word, back) =
        sent.iter().find_map(|word| back.next().filter(|back| *back != word.as_bytes()).map(|b| (word, b)))?;
    let (sent, back) = (excerpt(word, SHOWN), excerpt_bytes(back, SHOWN));
    Some(format!("\"{}\" came back as \"{back}\"", escape(&sent)))
}

/// The first line of standard output, at most a few bytes more than a process number.
async fn first_line(running: &mut Running) -> Vec<u8> {
    let mut said = Vec::new();
    while let Some(piece) = running.output.recv().await {
        match piece {
            Output::Stdout(data) | Output::Stderr(data) => said.extend_from_slice(&data),
            Output::Exit(_) | Output::Signal(_) | Output::Lost(_) => break,
        }
        if said.contains(&b'\n') || said.len() > SHOWN {
            break;
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_shell_sets_is_left_out() {
        let env = b"PATH=/bin\nPWD=/root\nLANG=C.UTF-8\n_=/usr/bin/timeout\nSHLVL=0\nX_PWD=/\nWelcome\n";
        assert_eq!(without_shells_own(env), b"PATH=/bin\nLANG=C.UTF-8\nX_PWD=/\nWelcome\n");
    }

    #[test]
    fn the_first_changed_word_is_named_and_cannot_write_to_the_terminal() {
        let sent = ["a".to_owned(), "*".to_owned(), "c".to_owned()];
        assert_eq!(changed(&sent, b"a\0*\0c\0"), None);
        assert_eq!(changed(&sent, b"a\0\x1b[2J\0c\0").as_deref(), Some("\"*\" came back as \"\\u{1b}[2J\""));
        assert_eq!(changed(&sent, b"noise").as_deref(), Some("\"a\" came back as \"noise\""));
    }
}
