//! The rows of the table, and nothing else.

use super::{Argument, Kind, Name, Opt, Verb, Who};

const fn needed(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, optional: false }
}

const fn may(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, optional: true }
}

const fn opt(name: &'static str, kind: Kind, value: &'static str, help: &'static str) -> Opt {
    Opt { name, kind, value, help, served: true, reviewer: false }
}

const JSON: Opt = opt("json", Kind::Flag, "", "print one JSON document instead of a table");

const fn not_served(word: &'static str, who: Who) -> Verb {
    Verb { word, name: Name::NotServed, who, arguments: &[], options: &[], summary: "", help: "" }
}

/// Every verb of the language, in the order in which `help` shows them.
pub const VERBS: &[Verb] = &[
    Verb {
        word: "help",
        name: Name::Help,
        who: Who::Anyone,
        arguments: &[may("VERB", Kind::Text)],
        options: &[],
        summary: "what you may type here",
        help: "`help VERB` explains one verb with its options.",
    },
    Verb {
        word: "whoami",
        name: Name::Whoami,
        who: Who::Anyone,
        arguments: &[],
        options: &[JSON],
        summary: "who doorward thinks you are, and why",
        help: "You are who your key says, whatever login name you gave before the @.",
    },
    Verb {
        word: "setup",
        name: Name::Setup,
        who: Who::Anyone,
        arguments: &[may("FILE", Kind::Choice(&["config", "known-hosts"]))],
        options: &[],
        summary: "the lines for your ~/.ssh/config and ~/.ssh/known_hosts",
        help: "Without FILE it says what there is. Each of the two prints nothing but the lines:\n\
               ssh {bastion} setup config >> ~/.ssh/config\n\
               ssh {bastion} setup known-hosts >> ~/.ssh/known_hosts\n\
               With them `ssh TARGET.SUFFIX COMMAND` goes through the bastion by itself (the suffix is in the lines).",
    },
    Verb {
        word: "roles",
        name: Name::Roles,
        who: Who::Anyone,
        arguments: &[may("ROLE", Kind::Role)],
        options: &[JSON],
        summary: "the roles you may ask for; with ROLE, its commands",
        help: "`roles ROLE` shows the commands, the targets, the conditions and how they stand, who approves, and the request to type.",
    },
    Verb {
        word: "targets",
        name: Name::Targets,
        who: Who::Anyone,
        arguments: &[],
        options: &[JSON],
        summary: "the targets you may use or ask for",
        help: "A target is used with `ssh TARGET@{bastion} COMMAND`, or through it: `ssh -J {bastion} TARGET COMMAND`.",
    },
    Verb {
        word: "request",
        name: Name::Request,
        who: Who::Anyone,
        arguments: &[needed("ROLE", Kind::Role)],
        options: &[
            opt("on", Kind::Targets, "TARGET,…", "for these targets; all of the role's if they are at most five"),
            opt(
                "for",
                Kind::Duration,
                "TIME",
                "for so long from its start: 30m, 1h; the role's usual time if not said",
            ),
            opt("reason", Kind::Text, "TEXT", "why; free text up to the next --option"),
            opt("ticket", Kind::Word, "TICKET", "the ticket, where the role wants one"),
            opt("no-wait", Kind::Flag, "", "do not wait for the answer"),
        ],
        summary: "ask for a role, and wait for the answer",
        help: "It prints the request's ID on standard output at once and waits; Ctrl-C stops the\n\
               waiting, not the request. When enough people have said yes the role is active\n\
               and its time begins to count. Where a condition of the role does not hold then, it\n\
               says so, and your first command (or `cert`) under the conditions begins it.\n\
               Exit code 0: active, or approved for later; 1: denied, withdrawn or lapsed.\n\
               ssh {bastion} request web-restart --on web-1 --for 30m --reason nginx is stuck",
    },
    Verb {
        word: "status",
        name: Name::Status,
        who: Who::Anyone,
        arguments: &[may("ID", Kind::Id)],
        options: &[JSON],
        summary: "your requests and grants; with ID, one of them",
        help: "",
    },
    Verb {
        word: "withdraw",
        name: Name::Withdraw,
        who: Who::Anyone,
        arguments: &[needed("ID", Kind::Id)],
        options: &[],
        summary: "take a request back before it is used",
        help: "",
    },
    Verb {
        word: "cert",
        name: Name::Cert,
        who: Who::Anyone,
        arguments: &[],
        options: &[],
        summary: "print your session certificate",
        help: "It covers everything you hold now, for the key of this connection. The time of what\n\
               is approved begins to count with it.\n\
               ssh {bastion} cert > ~/.ssh/doorward-cert.pub",
    },
    Verb {
        word: "done",
        name: Name::Done,
        who: Who::Anyone,
        arguments: &[may("ID", Kind::Id)],
        options: &[],
        summary: "give a role back before its time is up",
        help: "ID may be left out if you hold one grant only. Commands that run under it are ended.",
    },
    not_served("extend", Who::Anyone),
    Verb {
        word: "why",
        name: Name::Why,
        who: Who::Anyone,
        arguments: &[needed("TARGET", Kind::Place), needed("COMMAND", Kind::Verbatim)],
        options: &[Opt { reviewer: true, ..opt("user", Kind::User, "USER", "ask for somebody else; before TARGET") }],
        summary: "whether a command would be allowed, and why; runs nothing",
        help: "Everything after TARGET is the command, untouched: why web-1 systemctl restart nginx\n\
               Exit code 0: it would run; 1: it would be denied.",
    },
    Verb {
        word: "pending",
        name: Name::Pending,
        who: Who::ApproverOrReviewer,
        arguments: &[],
        options: &[JSON, Opt { served: false, ..opt("follow", Kind::Flag, "", "stay and show new ones") }],
        summary: "the requests that wait for you, with all you need to decide",
        help: "Each ends with the line to type; it carries a digest, so that you approve what you have read.",
    },
    Verb {
        word: "approve",
        name: Name::Approve,
        who: Who::Approver,
        arguments: &[needed("ID", Kind::Id), needed("DIGEST", Kind::Digest)],
        options: &[
            opt("for", Kind::Duration, "TIME", "for less time than asked"),
            opt("on", Kind::Targets, "TARGET,…", "for these of the targets only"),
        ],
        summary: "say yes to a request, or to less of it",
        help: "DIGEST is what `pending` shows last: a request that changed since is not approved.\n\
               Typing it twice does no harm. Nobody approves their own request.",
    },
    Verb {
        word: "deny",
        name: Name::Deny,
        who: Who::Approver,
        arguments: &[needed("ID", Kind::Id), may("TEXT", Kind::Text)],
        options: &[],
        summary: "say no to a request; TEXT is told to who asked",
        help: "",
    },
    Verb {
        word: "grants",
        name: Name::Grants,
        who: Who::ApproverOrReviewer,
        arguments: &[],
        options: &[JSON],
        summary: "who holds what now, of the roles you approve or review",
        help: "",
    },
    Verb {
        word: "revoke",
        name: Name::Revoke,
        who: Who::ApproverOrReviewer,
        arguments: &[needed("ID", Kind::Id), may("TEXT", Kind::Text)],
        options: &[],
        summary: "end a grant now; TEXT is told to who held it",
        help: "Commands that run under it are ended, on the target too.",
    },
    Verb {
        word: "audit search",
        name: Name::AuditSearch,
        who: Who::Reviewer,
        arguments: &[],
        options: &[
            opt("user", Kind::User, "USER", "entries of this user"),
            opt("target", Kind::Target, "TARGET", "entries about this target"),
            opt("grant", Kind::Id, "ID", "entries about this grant"),
            opt("request", Kind::Id, "ID", "entries about this request"),
            opt("session", Kind::Session, "ID", "entries of this connection"),
            opt("kind", Kind::Word, "KIND", "entries of this kind: command-denied, approved, …"),
            opt("since", Kind::Time, "TIME", "not before: 2h (ago), 2026-01-31, 2026-01-31T09:00:00Z"),
            opt("until", Kind::Time, "TIME", "before"),
            opt("text", Kind::Text, "TEXT", "entries with this text in them"),
            opt("limit", Kind::Number, "N", "at most so many, the newest; 100 if not said, 1000 at most"),
            JSON,
        ],
        summary: "search the audit log",
        help: "Entries come oldest first. Every condition must hold.",
    },
    Verb {
        word: "audit verify",
        name: Name::AuditVerify,
        who: Who::Reviewer,
        arguments: &[],
        options: &[JSON],
        summary: "check the audit log against its signed checkpoint",
        help: "The bastion checks its own log here; `doorward audit verify` does the same offline,\n\
               with the public key alone.\n\
               Exit code 0: it verifies; 1: it does not, with the first bad entry.",
    },
    Verb {
        word: "audit checkpoint",
        name: Name::AuditCheckpoint,
        who: Who::Reviewer,
        arguments: &[],
        options: &[],
        summary: "print the log's signed checkpoint, to be kept elsewhere",
        help: "Whoever keeps one can later find out whether the log still begins with all that it\n\
               covers: `audit consistency`.\n\
               ssh {bastion} audit checkpoint > checkpoint-2026-01-31",
    },
    Verb {
        word: "audit prove",
        name: Name::AuditProve,
        who: Who::Reviewer,
        arguments: &[needed("ENTRY", Kind::Number)],
        options: &[JSON],
        summary: "print the proof that an entry is in the log",
        help: "ENTRY is its number, which `audit search` shows first. The proof holds the entry itself,\n\
               and anybody with the public key can check it, without the bastion:\n\
               ssh {bastion} audit prove 17 > 17.tlog-proof\n\
               doorward audit check-proof 17.tlog-proof --key log_key.pub",
    },
    Verb {
        word: "audit consistency",
        name: Name::AuditConsistency,
        who: Who::Reviewer,
        arguments: &[needed("ENTRIES", Kind::Number)],
        options: &[JSON],
        summary: "print the proof that the log still begins with its first ENTRIES entries",
        help: "ENTRIES is the second line of a checkpoint that you kept. The bastion is not believed: what\n\
               it prints holds only against that checkpoint, on your own machine:\n\
               ssh {bastion} audit consistency 1042 > now.proof\n\
               doorward audit check-proof now.proof --old checkpoint-2026-01-31 --key log_key.pub",
    },
    not_served("sessions", Who::Reviewer),
    not_served("watch", Who::Reviewer),
    not_served("replay", Who::Reviewer),
    not_served("kill", Who::Reviewer),
    not_served("lock", Who::Reviewer),
    not_served("unlock", Who::Reviewer),
    not_served("review", Who::Reviewer),
];
