//! The tour's last part: what the files and the log answer about the policy, when the story is over and the bastion is stopped.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::domain::text::escape;

use super::DemoError;
use super::world::{World, run_cli_for};

/// The change that is looked at: a rule more, and fewer lines at once.
const CHANGE: [(&str, &str); 2] = [
    ("int = [1, 1000]", "int = [1, 1]"),
    ("[examples]\nallow = [\"tail -n 5", "[[command]]\nrun  = \"/usr/bin/date\"\n\n[examples]\nallow = [\"tail -n 1"),
];

/// A question, and how the answer is known to be right.
struct Question {
    title: &'static str,
    words: Vec<String>,
    exit: u8,
    output: &'static [&'static str],
}

/// Asks each, shows what came and judges it.
pub(super) fn ask(world: &World, screen: &mut dyn Write) -> Result<(), DemoError> {
    let (dir, changed) = (world.bastion_dir(), world.dir.path().join("changed"));
    copy_set(&dir, &changed)?;
    change(&changed.join("roles/read-logs.toml"))?;
    for question in questions(&dir.display().to_string(), &changed.display().to_string(), world.best_target()) {
        let Question { title, words, exit, output } = question;
        writeln!(screen, "\n# {title}\n$ {}", words.join(" "))?;
        screen.flush()?;
        let (code, said) = run_cli_for(&words);
        said.lines().try_for_each(|line| writeln!(screen, "  {}", escape(line)))?;
        if code != exit {
            return Err(DemoError::Tour(format!("`{}` ended with {code}, not {exit}", words.join(" "))));
        }
        if let Some(missing) = output.iter().find(|part| !said.contains(**part)) {
            return Err(DemoError::Tour(format!("`{}` does not say `{missing}`", words.join(" "))));
        }
    }
    Ok(())
}

fn questions(dir: &str, changed: &str, target: &str) -> [Question; 5] {
    let words = |words: &[&str]| ["doorward"].iter().chain(words).map(|word| (*word).to_owned()).collect();
    [
        Question {
            title: "What may alice do there, and who has to say yes?",
            words: words(&["can", dir, "alice", target]),
            exit: 0,
            output: &["read-logs", "bob can approve", "look-around"],
        },
        Question {
            title: "Why was the other file not hers to read?",
            words: words(&["why", dir, "alice", target, "tail", "-n", "2", "/etc/passwd"]),
            exit: 1,
            output: &["^", "word 4 (`/etc/passwd`"],
        },
        Question {
            title: "Somebody has changed a copy of the files: what would that give, and take?",
            words: words(&["diff", dir, changed]),
            exit: 1,
            output: &["Widened:", "`date`", "Narrowed:", "1 widened, 1 narrowed"],
        },
        Question {
            title: "Which answers of today would it have changed?",
            words: words(&["what-if", dir, changed, "--since", "1d"]),
            exit: 1,
            output: &["Allowed then, denied by NEW:", "1 x  alice on ", "assumed:"],
        },
        Question {
            title: "And what of the role did nobody use?",
            words: words(&["learn", dir, "--role", "read-logs", "--since", "1d"]),
            exit: 0,
            output: &["nobody used rule 3 (`sleep {seconds}`)"],
        },
    ]
}

/// The files of a set as a checkout has them: no private keys, no state.
fn copy_set(from: &Path, to: &Path) -> io::Result<()> {
    for folder in ["roles", "certs"] {
        fs::create_dir_all(to.join(folder))?;
        for entry in fs::read_dir(from.join(folder))? {
            let name = Path::new(folder).join(entry?.file_name());
            fs::copy(from.join(&name), to.join(&name))?;
        }
    }
    ["doorward.toml", "users.toml", "targets.toml"]
        .iter()
        .try_for_each(|file| fs::copy(from.join(file), to.join(file)).map(drop))
}

fn change(role: &Path) -> io::Result<()> {
    let text = fs::read_to_string(role)?;
    fs::write(role, CHANGE.iter().fold(text, |text, (old, new)| text.replacen(old, new, 1)))
}
