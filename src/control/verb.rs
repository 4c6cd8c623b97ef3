//! The one table of verbs: what may be typed, by whom, and what is said about it.
//!
//! The rows are in `verb/table.rs`. The reader ([`super::arguments`]), `help`, every usage message and `docs/control-verbs.md` come from this table alone.

mod table;

pub use table::VERBS;

/// Which verb; `super::verbs` has a file for each that is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the table below says what each is")]
pub enum Name {
    Help,
    Whoami,
    Setup,
    Roles,
    Targets,
    Request,
    Status,
    Withdraw,
    Cert,
    Done,
    Why,
    Pending,
    Approve,
    Deny,
    Grants,
    Revoke,
    AuditSearch,
    AuditVerify,
    AuditCheckpoint,
    AuditProve,
    AuditConsistency,
    /// In the language, not in this build.
    NotServed,
}

impl Name {
    /// Whether its answer is about what the caller holds: there they are told first what a reload took from it.
    #[must_use]
    pub fn tells_what_is_held(self) -> bool {
        matches!(self, Self::Status | Self::Whoami)
    }
}

/// Whom a verb is for. Only [`Who::Reviewer`] hides a verb from others; the rest sorts `help`, because what may be done with
/// a request is decided on the request, not on the verb.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// Everybody enrolled.
    Anyone,
    /// Approvers of some role.
    Approver,
    /// Approvers of some role, and reviewers.
    ApproverOrReviewer,
    /// Reviewers; for anybody else the verb does not exist.
    Reviewer,
}

/// What a value must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it; `arguments` has the grammar of each")]
pub enum Kind {
    /// No value: given or not.
    Flag,
    Role,
    /// `TARGET`, or `ROLE+TARGET` as in a login name.
    Place,
    Target,
    Targets,
    User,
    /// A request or its grant: `r-…` and `g-…` name the same thing here.
    Id,
    Session,
    /// The first four or more hexadecimal digits of a digest.
    Digest,
    Duration,
    /// An RFC 3339 time, a day, or a span that is taken as "ago".
    Time,
    Number,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One word of any kind.
    Word,
    /// Free text, to the next ` --option` or the end.
    Text,
    /// The rest of the line, untouched.
    Verbatim,
}

/// A positional argument.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Argument {
    /// As in the synopsis: `ROLE`.
    pub name: &'static str,
    /// What it must be.
    pub kind: Kind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// An option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opt {
    /// Without the two dashes.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// How the synopsis writes the value.
    pub value: &'static str,
    /// What it is for, one line.
    pub help: &'static str,
    /// Whether this build has it.
    pub served: bool,
    /// Whether it exists for reviewers only.
    pub reviewer: bool,
}

/// One verb.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verb {
    /// What is typed: one word, or two (`audit search`).
    pub word: &'static str,
    /// Which it is.
    pub name: Name,
    /// Whom it is for.
    pub who: Who,
    /// Its positional arguments, in order.
    pub arguments: &'static [Argument],
    /// Its options, in any order.
    pub options: &'static [Opt],
    /// What it does, one line.
    pub summary: &'static str,
    /// What else there is to know: `help VERB` shows it. `{bastion}` stands for what people type after `ssh`.
    pub help: &'static str,
}

/// What the caller is, for what they get to see.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rights {
    /// Approver of at least one role.
    pub approver: bool,
    /// Reviewer.
    pub reviewer: bool,
}

impl Verb {
    /// Whether this build does it.
    #[must_use]
    pub fn served(&self) -> bool {
        self.name != Name::NotServed
    }

    /// Whether it exists for somebody with these rights.
    fn exists_for(&self, rights: Rights) -> bool {
        self.who != Who::Reviewer || rights.reviewer
    }

    /// Whether `help` shows it to them.
    #[must_use]
    pub fn shown_to(&self, rights: Rights) -> bool {
        let concerned = match self.who {
            Who::Anyone => true,
            Who::Approver => rights.approver,
            Who::ApproverOrReviewer => rights.approver || rights.reviewer,
            Who::Reviewer => rights.reviewer,
        };
        self.served() && concerned
    }

    /// The options that exist for them.
    pub fn options_for(&self, rights: Rights) -> impl Iterator<Item = &'static Opt> {
        self.options.iter().filter(move |option| !option.reviewer || rights.reviewer)
    }

    /// `request ROLE [--on TARGET,…] …`, as those rights see it.
    #[must_use]
    pub fn synopsis(&self, rights: Rights) -> String {
        let mut synopsis = self.word.to_owned();
        let options: Vec<String> = self
            .options_for(rights)
            .filter(|option| option.served)
            .map(|option| match option.value {
                "" => format!(" [--{}]", option.name),
                value => format!(" [--{} {value}]", option.name),
            })
            .collect();
        // What follows a verbatim argument belongs to it, so there the options stand first.
        let options_first = self.arguments.iter().any(|argument| argument.kind == Kind::Verbatim);
        if options_first {
            synopsis.push_str(&options.concat());
        }
        for argument in self.arguments {
            let name = match argument.kind {
                Kind::Choice(words) => words.join("|"),
                _ => argument.name.to_owned(),
            };
            synopsis.push_str(&if argument.optional { format!(" [{name}]") } else { format!(" {name}") });
        }
        if !options_first {
            synopsis.push_str(&options.concat());
        }
        synopsis
    }
}

/// The verb of that name, if it exists for somebody with these rights.
#[must_use]
pub fn find(word: &str, rights: Rights) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.word == word && verb.exists_for(rights))
}

/// Whether `word` is a word of the table's own: of a verb, or an option with its dashes.
pub(super) fn is_known_word(word: &str) -> bool {
    let option = word.strip_prefix("--");
    VERBS.iter().any(|verb| {
        verb.word.split(' ').any(|known| known == word) || verb.options.iter().any(|known| Some(known.name) == option)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_verb_twice_and_no_option_or_argument_that_cannot_be_read() {
        for (index, verb) in VERBS.iter().enumerate() {
            assert!(VERBS.iter().skip(index + 1).all(|other| other.word != verb.word), "{}", verb.word);
            let rest = |kind| matches!(kind, Kind::Text | Kind::Verbatim);
            let before_last = verb.arguments.len().saturating_sub(1);
            assert!(verb.arguments.iter().take(before_last).all(|a| !rest(a.kind) && !a.optional), "{}", verb.word);
            assert!(verb.options.iter().all(|o| o.kind != Kind::Verbatim), "{}", verb.word);
            assert!(verb.options.iter().all(|o| (o.kind == Kind::Flag) == o.value.is_empty()), "{}", verb.word);
            assert!(!verb.served() || !verb.summary.is_empty(), "{}", verb.word);
        }
    }

    #[test]
    fn a_reviewers_verb_does_not_exist_for_others() {
        let reviewer = Rights { reviewer: true, ..Rights::default() };
        let approver = Rights { approver: true, ..Rights::default() };
        for word in [
            "audit search",
            "audit verify",
            "audit checkpoint",
            "audit prove",
            "audit consistency",
            "sessions",
            "watch",
            "replay",
            "kill",
            "lock",
            "unlock",
            "review",
        ] {
            assert!(find(word, reviewer).is_some(), "{word}");
            assert!(find(word, approver).is_none(), "{word}");
        }
        let why = find("why", approver).unwrap();
        assert_eq!(why.synopsis(approver), "why [--json] TARGET COMMAND");
        assert_eq!(why.synopsis(reviewer), "why [--json] [--user USER] TARGET COMMAND");
        let request = find("request", Rights::default()).unwrap();
        assert_eq!(
            request.synopsis(Rights::default()),
            "request ROLE [--on TARGET,…] [--for TIME] [--reason TEXT] [--ticket TICKET] [--no-wait]"
        );
    }
}
