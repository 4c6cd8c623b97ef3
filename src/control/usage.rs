//! Words about the verbs themselves: help, and what to type instead of what was typed.

use crate::domain::{TargetName, text};

use super::arguments::Misuse;
use super::nearest::nearest;
use super::verb::{Rights, VERBS, Verb, Who};

/// The list that `help` prints.
pub(super) fn overview(alias: &str, rights: Rights) -> String {
    let mut out = format!("Type `ssh {alias} VERB …`; `ssh {alias} help VERB` explains one.\n");
    let groups: [(&str, &[Who]); 3] = [
        ("For everybody", &[Who::Anyone]),
        ("For approvers and reviewers", &[Who::Approver, Who::ApproverOrReviewer]),
        ("For reviewers", &[Who::Reviewer]),
    ];
    for (title, whom) in groups {
        let verbs: Vec<&Verb> = VERBS.iter().filter(|verb| whom.contains(&verb.who) && verb.shown_to(rights)).collect();
        if !verbs.is_empty() {
            out.push_str(&format!("\n{title}:\n"));
        }
        for verb in verbs {
            out.push_str(&format!("  {:<13} {}\n", verb.word, verb.summary));
        }
    }
    out.push_str(&format!("\nTo run a command on a target: ssh TARGET@{alias} COMMAND\n"));
    out
}

/// What `help VERB` prints.
pub(super) fn explain(verb: &Verb, alias: &str, rights: Rights) -> String {
    let mut out = format!("ssh {alias} {}\n\n{}.\n", verb.synopsis(rights), capital(verb.summary));
    if !verb.help.is_empty() {
        out.push_str(&format!("{}\n", verb.help.replace("{bastion}", alias)));
    }
    let options: Vec<_> = verb.options_for(rights).filter(|option| option.served).collect();
    if !options.is_empty() {
        out.push('\n');
    }
    for option in options {
        let synopsis = format!("--{} {}", option.name, option.value);
        out.push_str(&format!("  {:<18} {}\n", synopsis.trim_end(), option.help));
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What to say to a line that is no use of a verb. `line` is the line as typed, `target` one that the caller may see.
pub(super) fn complaint(
    misuse: &Misuse,
    line: &[u8],
    alias: &str,
    rights: Rights,
    target: Option<&TargetName>,
) -> String {
    match misuse {
        Misuse::Empty => format!("nothing was typed; `ssh {alias} help` lists what you can type"),
        Misuse::Line(error) => format!("{error}; nothing was done"),
        Misuse::NotServed { what } => {
            format!("`{what}` is not served by this build yet; `ssh {alias} help` lists what is")
        }
        Misuse::Wrong { verb, message } => format!(
            "{message}\nusage: ssh {alias} {}\n`ssh {alias} help {}` says more",
            verb.synopsis(rights),
            verb.word
        ),
        Misuse::NoVerb { word } => no_verb(word, line, alias, rights, target),
    }
}

/// What to say to `help` with something that is no verb.
pub(super) fn no_help(word: &str, alias: &str, rights: Rights) -> String {
    let verbs: Vec<&str> = VERBS.iter().filter(|verb| verb.shown_to(rights)).map(|verb| verb.word).collect();
    let meant = nearest(word, verbs.iter().copied()).map(|meant| format!("; did you mean `{meant}`?"));
    let shown = text::excerpt(word, 40);
    format!("`{shown}` is no verb of doorward{}\n`ssh {alias} help` lists the verbs", meant.unwrap_or_default())
}

fn no_verb(word: &str, line: &[u8], alias: &str, rights: Rights, target: Option<&TargetName>) -> String {
    let shown = text::excerpt(word, 40);
    let verbs: Vec<&str> = VERBS.iter().filter(|verb| verb.shown_to(rights)).map(|verb| verb.word).collect();
    let mut message = format!("`{shown}` is no verb of doorward");
    let longer = verbs.iter().filter(|verb| verb.split(' ').next() == Some(word));
    let longer: Vec<String> = longer.map(|verb| format!("`{verb}`")).collect();
    let meant = nearest(word, verbs.iter().copied());
    if !longer.is_empty() {
        message.push_str(&format!(" alone; type one of {}", longer.join(", ")));
    } else if let Some(meant) = meant {
        message.push_str(&format!("; did you mean `{meant}`?"));
    } else {
        let place = target.map_or("TARGET", TargetName::as_str);
        let command = text::excerpt_bytes(line, 60);
        message.push_str(&format!("; did you mean `ssh {place}@{alias} {}`?", command.trim()));
    }
    message.push_str(&format!("\nthe verbs are: {}", verbs.join(", ")));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::arguments::read;

    const USER: Rights = Rights { approver: false, reviewer: false };
    const ALL: Rights = Rights { approver: true, reviewer: true };

    fn said(line: &str, rights: Rights) -> String {
        let misuse = read(line.as_bytes(), rights).unwrap_err();
        complaint(&misuse, line.as_bytes(), "bastion", rights, Some(&"web-1".parse().unwrap()))
    }

    #[test]
    fn a_command_at_the_wrong_door_is_told_the_right_one() {
        assert_eq!(
            said("systemctl restart nginx", USER),
            "`systemctl` is no verb of doorward; did you mean `ssh web-1@bastion systemctl restart nginx`?\n\
             the verbs are: help, whoami, setup, roles, targets, request, status, withdraw, cert, done, why"
        );
        assert!(said("a\u{202e}b \u{200b}", USER).starts_with(
            "`a\\u{202e}b` is no verb of doorward; did you mean `ssh web-1@bastion a\\u{202e}b \\u{200b}`?"
        ));
    }

    #[test]
    fn slips_are_recognised_and_secrets_are_not_given_away() {
        assert!(said("requst web", USER).starts_with("`requst` is no verb of doorward; did you mean `request`?\n"));
        assert!(said("audit", ALL).starts_with(
            "`audit` is no verb of doorward alone; type one of `audit search`, `audit verify`, `audit checkpoint`, \
                 `audit prove`, `audit consistency`\n"
        ));
        let (hidden, unknown) = (said("audit verify", USER), said("xudit verify", USER));
        assert_eq!(hidden.replace("audit", "xudit"), unknown);
        assert!(!overview("bastion", USER).contains("audit") && overview("bastion", ALL).contains("audit verify"));
        assert!(!overview("bastion", ALL).contains("replay"));
    }

    #[test]
    fn a_usage_error_ends_with_the_synopsis_and_where_to_read_on() {
        assert_eq!(
            said("approve r-7K2Q4M", USER),
            "DIGEST is missing\nusage: ssh bastion approve ID DIGEST [--for TIME] [--on TARGET,…]\n\
             `ssh bastion help approve` says more"
        );
        assert_eq!(said("extend", USER), "`extend` is not served by this build yet; `ssh bastion help` lists what is");
    }

    #[test]
    fn help_of_a_verb_shows_synopsis_options_and_examples() {
        let request = VERBS.iter().find(|verb| verb.word == "request").unwrap();
        let help = explain(request, "bastion", USER);
        for part in [
            "ssh bastion request ROLE [--on TARGET,…]",
            "\n  --for TIME ",
            "Ask for a role, and wait",
            "\nssh bastion request web-restart --on web-1 --for 30m",
        ] {
            assert!(help.contains(part), "{part} in:\n{help}");
        }
        assert!(!help.contains("{bastion}"));
    }
}
