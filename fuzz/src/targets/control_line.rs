//! `control::line` and `control::arguments`: what people type after `ssh bastion`.

use std::time::Duration;

use doorward::control::arguments::{Arguments, Misuse, When, read};
use doorward::control::line::Line;
use doorward::control::verb::{Kind, Rights, Who};

use super::shown_safely;

/// The first byte is who asks, the rest the line.
///
/// Nobody is understood to ask what does not exist for them; what an accepted line lacks is optional; and the same values
/// written plainly are understood the same.
pub(super) fn control_line(data: &[u8]) -> bool {
    let Some((who, line)) = data.split_first() else { return false };
    let rights = Rights { approver: who & 1 != 0, reviewer: who & 2 != 0 };
    pieces(line);
    let answer = read(line, rights);
    assert_eq!(format!("{answer:?}"), format!("{:?}", read(line, rights)), "another answer for the same line");
    match answer {
        Ok(arguments) => {
            accepted(&arguments, rights);
            if let Some(plain) = plainly(&arguments, rights) {
                let again = read(plain.as_bytes(), rights).unwrap_or_else(|why| panic!("{plain:?}: {why:?}"));
                assert_eq!(format!("{arguments:?}"), format!("{again:?}"), "{plain:?}");
            }
            return true;
        }
        Err(Misuse::Wrong { verb, message }) => {
            assert!(verb.served() && (verb.who != Who::Reviewer || rights.reviewer), "a verb that is not theirs");
            shown_safely(&message, 2000);
        }
        Err(Misuse::Line(error)) => shown_safely(&error.to_string(), 300),
        Err(Misuse::NotServed { what }) => shown_safely(&what, 100),
        Err(Misuse::NoVerb { .. } | Misuse::Empty) => {}
    }
    false
}

/// Pieces come in order, none twice, and all of the line is read.
fn pieces(line: &[u8]) {
    let Ok(mut rest) = Line::new(line) else { return };
    let text = std::str::from_utf8(line).expect("a line is UTF-8");
    let characters: Vec<char> = text.chars().collect();
    let (mut column, mut count) = (0, 0);
    while let Some(piece) = rest.word() {
        assert!(piece.column > column && characters[piece.column - 1] != ' ', "{piece:?}");
        assert!(piece.text.len() <= line.len());
        column = piece.column;
        count += 1;
        assert!(count <= line.len(), "no end");
    }
    assert!(rest.is_empty());
    let free = Line::new(line).expect("as before").text();
    assert!(free.text.is_empty() || text.contains(&free.text), "{free:?} is not of the line");
}

fn accepted(arguments: &Arguments, rights: Rights) {
    let verb = arguments.verb;
    assert!(verb.served() && (verb.who != Who::Reviewer || rights.reviewer), "a verb that is not theirs");
    for option in verb.options {
        let given = arguments.flag(option.name);
        assert!(!given || option.served, "--{} is not served", option.name);
        assert!(!given || !option.reviewer || rights.reviewer, "--{} is for reviewers", option.name);
    }
    for argument in verb.arguments.iter().filter(|argument| !argument.optional) {
        assert!(arguments.flag(argument.name), "{} is missing", argument.name);
    }
}

/// The same request, everything quoted, options first and free text last: it runs to the next option. `None` where a value has no
/// plain form.
fn plainly(arguments: &Arguments, rights: Rights) -> Option<String> {
    let verb = arguments.verb;
    let (mut options, mut words, mut text) = (verb.word.to_owned(), String::new(), String::new());
    for argument in verb.arguments.iter().filter(|argument| arguments.flag(argument.name)) {
        let value = written(arguments, argument.name, argument.kind)?;
        match argument.kind {
            Kind::Verbatim => text.push_str(&format!(" {value}")),
            Kind::Text => text.push_str(&format!(" \"{value}\"")),
            _ => words.push_str(&format!(" '{value}'")),
        }
    }
    for option in verb.options_for(rights).filter(|option| arguments.flag(option.name)) {
        match option.kind {
            Kind::Flag => options.push_str(&format!(" --{}", option.name)),
            Kind::Text => {
                let value = written(arguments, option.name, option.kind)?;
                text.insert_str(0, &format!(" --{} \"{value}\"", option.name));
            }
            kind => options.push_str(&format!(" --{}='{}'", option.name, written(arguments, option.name, kind)?)),
        }
    }
    Some(options + &words + &text)
}

/// A value as its own type writes it; `None` if it is not of its kind, or a text that quotes cannot hold.
fn written(arguments: &Arguments, name: &'static str, kind: Kind) -> Option<String> {
    let text = match kind {
        Kind::Flag => return None,
        Kind::Role => arguments.role(name).ok()?.to_string(),
        Kind::Place => match arguments.place(name).ok()? {
            (Some(role), target) => format!("{role}+{target}"),
            (None, target) => target.to_string(),
        },
        Kind::Target => arguments.target(name).ok()?.to_string(),
        Kind::Targets => arguments.targets(name).ok()?.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        Kind::User => arguments.user(name).ok()?.to_string(),
        Kind::Id => arguments.id(name).ok()?.to_string(),
        Kind::Session => arguments.session(name).ok()?.to_string(),
        Kind::Duration => span(*arguments.duration(name).ok()?),
        Kind::Time => match arguments.time(name).ok()? {
            When::Ago(ago) => span(*ago),
            When::At(time) => {
                let text = time.to_string();
                // Beyond these years RFC 3339 has no form.
                (text.starts_with(|c: char| c.is_ascii_digit()) && text.find('-') == Some(4)).then_some(text)?
            }
        },
        Kind::Number => arguments.number(name).ok()?.to_string(),
        Kind::Digest | Kind::Choice(_) => arguments.text(name).ok()?.to_owned(),
        Kind::Word | Kind::Text => arguments.text(name).ok().filter(|text| !text.contains(['"', '\'']))?.to_owned(),
        // A first word like an option would be one here, and only after ` -- ` can there be none.
        Kind::Verbatim => {
            let text = arguments.text(name).ok()?;
            (!text.starts_with("--") && !text.trim().is_empty()).then(|| text.to_owned())?
        }
    };
    Some(text)
}

fn span(span: Duration) -> String {
    format!("{}s{}ns", span.as_secs(), span.subsec_nanos())
}
