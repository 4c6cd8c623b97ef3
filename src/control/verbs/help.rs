//! `help [VERB]`.

use crate::control::arguments::{Arguments, Misuse};
use crate::control::outcome::{Answer, Exit, Failure};
use crate::control::{Caller, usage, verb};

pub(super) fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let Ok(word) = arguments.text("VERB") else {
        return Ok(Answer::out(usage::overview(caller.alias(), caller.rights)));
    };
    match verb::find(word, caller.rights) {
        Some(verb) if verb.served() => Ok(Answer::out(usage::explain(verb, caller.alias(), caller.rights))),
        Some(verb) => Err(caller.misused(&Misuse::NotServed { what: verb.word.to_owned() }, &[], None)),
        None => Err(Failure::new(Exit::Usage, usage::no_help(word, caller.alias(), caller.rights))),
    }
}
