//! The tour: the main job from the first denied command to the verified log, with the stock `ssh`, judged at every step.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use super::script::{Step, TourError, announce, as_typed, expect, finished, perform, show, ssh};
use super::world::World;

/// Walks the story. The bastion of `world` is running.
pub(super) async fn walk(world: &World, screen: &mut dyn Write) -> Result<(), TourError> {
    let tour = Tour { world, dir: world.dir.path(), target: world.best_target() };
    tour.greeting(screen).await?;
    tour.no_grant_no_command(screen).await?;
    tour.ask_and_approve(screen).await?;
    tour.just_enough(screen).await?;
    if world.sshd.is_some() {
        tour.the_targets_own_log(screen)?;
    }
    tour.give_back(screen).await?;
    tour.evidence(screen).await
}

struct Tour<'a> {
    world: &'a World,
    dir: &'a Path,
    target: &'a str,
}

impl Tour<'_> {
    fn step<'a>(&self, who: &'a str, title: &'a str, line: &str) -> Step<'a> {
        let arguments = line.split(' ').map(str::to_owned).collect();
        Step { who, title, arguments, input: "", exit: 0, output: Vec::new(), errors: Vec::new() }
    }

    fn tail(&self) -> String {
        format!("{}@bastion tail -n 2 {}/logs/web.log", self.target, self.dir.display())
    }

    async fn greeting(&self, screen: &mut dyn Write) -> Result<(), TourError> {
        let mut step = self.step("alice", "Alice looks at the door: who am I, what may I ask for?", "bastion");
        step.output = vec!["alice".to_owned(), "read-logs".to_owned()];
        perform(self.dir, &step, screen).await.map(drop)
    }

    async fn no_grant_no_command(&self, screen: &mut dyn Write) -> Result<(), TourError> {
        let line = self.tail();
        let mut step = self.step("alice", "She tries a command without asking first, and is told what to type", &line);
        (step.exit, step.errors) = (126, vec!["request read-logs".to_owned()]);
        perform(self.dir, &step, screen).await.map(drop)
    }

    /// Alice's `request` waits in one process while Bob decides in others.
    async fn ask_and_approve(&self, screen: &mut dyn Write) -> Result<(), TourError> {
        let line = format!("bastion request read-logs --on {} --for 10m --reason INC-4711 error page", self.target);
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        announce(screen, "She asks, and waits", &as_typed(self.dir, "alice", &words), "")?;
        let mut waiting = ssh(self.dir, "alice", &words)?;
        let id = first_line(&mut waiting).await?;
        writeln!(screen, "  {id}\n  (waiting)")?;

        let mut pending = self.step("bob", "Bob sees everything he decides about", "bastion pending");
        pending.output = vec![id.clone(), "alice".to_owned(), "INC-4711".to_owned(), "tail -n".to_owned()];
        let seen = perform(self.dir, &pending, screen).await?;
        let digest = digest_after(&String::from_utf8_lossy(&seen.stdout), &id)
            .ok_or_else(|| TourError::Otherwise("`pending` shows no line to paste".to_owned()))?;

        let mut own = self.step("alice", "Alice cannot say yes to herself", &format!("bastion approve {id} {digest}"));
        (own.exit, own.errors) = (1, vec!["bob".to_owned()]);
        perform(self.dir, &own, screen).await?;

        let mut approve =
            self.step("bob", "Bob says yes to exactly what he saw", &format!("bastion approve {id} {digest}"));
        approve.output = vec!["alice".to_owned(), self.target.to_owned()];
        perform(self.dir, &approve, screen).await?;

        announce(screen, "Alice's request comes back by itself", &as_typed(self.dir, "alice", &words), "")?;
        let output = finished(waiting).await?;
        show(screen, &output)?;
        if output.status.code() != Some(0) {
            return Err(TourError::Otherwise("the approved request did not end with 0".to_owned()));
        }
        expect("standard error", &output.stderr, &["active".to_owned()])
    }

    async fn just_enough(&self, screen: &mut dyn Write) -> Result<(), TourError> {
        let line = self.tail();
        let mut same = self.step("alice", "The very command that was denied now runs", &line);
        same.output = vec!["GET /broken 500".to_owned()];
        perform(self.dir, &same, screen).await?;

        let line = format!("{}@bastion sha256sum", self.target);
        let mut piped = self.step("alice", "Input, output and exit codes are the program's own", &line);
        piped.input = "just enough\n";
        piped.output = vec!["4172ad4ab4598fb1e507c6db9f0a097cf30d43a074847d84ab16360a3d824627  -".to_owned()];
        perform(self.dir, &piped, screen).await?;

        let line = format!("{}@bastion tail -n 2 /etc/passwd", self.target);
        let mut other = self.step("alice", "Another file is not hers to read", &line);
        (other.exit, other.errors) = (126, vec!["/etc/passwd".to_owned()]);
        perform(self.dir, &other, screen).await?;

        let mut trick = self.step("alice", "And nothing can be slipped in", "");
        trick.arguments =
            vec![format!("{}@bastion", self.target), format!("tail -n 2 {}/logs/web.log; id", self.dir.display())];
        (trick.exit, trick.errors) = (126, vec![";".to_owned()]);
        perform(self.dir, &trick, screen).await.map(drop)
    }

    /// The target's sshd says by itself who ran what: user, grant, session, command.
    fn the_targets_own_log(&self, screen: &mut dyn Write) -> Result<(), TourError> {
        let Some(sshd) = &self.world.sshd else { return Ok(()) };
        let log = std::fs::read_to_string(&sshd.log)?;
        let line = log.lines().find(|line| line.contains("Accepted publickey") && line.contains("doorward:alice:g-"));
        let line = line.ok_or_else(|| TourError::Otherwise("the target's log does not name the command".to_owned()))?;
        writeln!(screen, "\n# The target's own sshd wrote down whose command it was, under which grant")?;
        writeln!(screen, "$ grep 'doorward:alice' {}", sshd.log.display())?;
        writeln!(screen, "  {}", crate::domain::text::escape(line))?;
        Ok(())
    }

    async fn give_back(&self, screen: &mut dyn Write) -> Result<(), TourError> {
        perform(self.dir, &self.step("alice", "Alice is finished and gives the role back", "bastion done"), screen)
            .await?;
        let line = self.tail();
        let mut step = self.step("alice", "From this moment the command is denied again", &line);
        step.exit = 126;
        perform(self.dir, &step, screen).await.map(drop)
    }

    async fn evidence(&self, screen: &mut dyn Write) -> Result<(), TourError> {
        let line = "bastion audit search --user alice --kind command-allowed";
        let mut search = self.step("carol", "Carol, who reviews, reads what ran", line);
        search.output = vec!["tail".to_owned()];
        perform(self.dir, &search, screen).await?;
        let mut verify = self.step("carol", "And has the log verified", "bastion audit verify");
        verify.output = vec!["entries".to_owned()];
        perform(self.dir, &verify, screen).await.map(drop)
    }
}

/// The first line of standard output of a process that goes on.
async fn first_line(child: &mut Child) -> Result<String, TourError> {
    let stdout = child.stdout.take().ok_or_else(|| TourError::Otherwise("no standard output".to_owned()))?;
    let mut lines = BufReader::new(stdout).lines();
    match tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await {
        Ok(Ok(Some(line))) => Ok(line.trim().to_owned()),
        _ => Err(TourError::Otherwise("`request` did not print the request's ID".to_owned())),
    }
}

/// The digest in the line `approve ID DIGEST` of what `pending` printed.
fn digest_after(text: &str, id: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("approve {id} "))?;
    rest.split_whitespace().next().map(str::to_owned)
}
