//! `why TARGET COMMAND…`: the decision without the command. Nothing runs, and nothing is logged as a command.
//!
//! It speaks of what is held and of what may be asked for, and of nothing else: whatever others have, the answer is the same.

use serde_json::{Value, json};

use crate::control::arguments::Arguments;
use crate::control::asking::{self, Line};
use crate::control::console::{Table, json_line};
use crate::control::outcome::{Answer, Exit, Failure};
use crate::control::{Caller, show};
use crate::domain::{Person, RoleName, TargetName, UserName};
use crate::grant::State;
use crate::inventory::Target;
use crate::policy::{Choice, CommandRequest, Decision, Denial, Permit, Surroundings, Words, decide, explain};
use crate::service::asking::{Candidate, Question, candidates};
use crate::service::conditions::surroundings;
use crate::service::held::{HeldGrant, held_grants};
use crate::service::ports::RequestQuery;
use crate::service::requestable::{Suggestion, line_to_ask, role_allowing, targets_for};

/// So many roles are shown in words.
const ROWS_SHOWN: usize = 30;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let (role, target) = arguments.place("TARGET")?;
    let text = arguments.text("COMMAND")?;
    let person = match arguments.user("user") {
        Ok(name) => somebody_else(caller, name)?,
        Err(_) => caller.person.clone(),
    };
    let visible = targets_for(caller.services, &person.name).await?;
    if visible.iter().all(|visible| visible.name != *target) {
        let message = format!("there is no target {target} that {} may use or ask for", whom(caller, &person));
        return Err(Failure::new(Exit::NotFound, message));
    }
    let json = arguments.flag("json");
    let words = match Words::split(text.as_bytes()) {
        Ok(words) => words,
        Err(error) if json => {
            let document = json!({
                "user": person.name.as_str(), "target": target.as_str(), "line": text, "allowed": false,
                "problem": asking::problem_json(&error), "reason": error.lines(), "by": Value::Null, "roles": [],
            });
            return Ok(Answer::out(json_line(&document)).refused());
        }
        Err(error) => {
            let said = asking::problem(text, &error).join("\n  ");
            return Ok(Answer::out(format!("denied: this is not a line of plain words\n  {said}\n")).refused());
        }
    };
    let line = Line { text, words: &words, files: false };
    let source = (person.name == caller.person.name).then(|| caller.session.peer.ip());
    let around = surroundings(caller.services, &person.name, source);
    let asked = Asked { caller, person: &person, target, line, around };
    let held = held_grants(caller.services, &person.name).await?;
    let choice = Choice::from(role.cloned());
    let decision = {
        let request = CommandRequest { target, words: &words, choice: &choice };
        let held: Vec<_> = held.iter().map(|held| held.as_configured(target, &caller.snapshot)).collect();
        decide(&request, &held, &asked.around)
    };
    match decision {
        Decision::Allow(permit) if json => Ok(Answer::out(json_line(&asked.as_json(Ok(&permit), &held)))),
        Decision::Deny(denial) if json => Ok(Answer::out(json_line(&asked.as_json(Err(&denial), &held))).refused()),
        Decision::Allow(permit) => Ok(Answer::out(asked.allowed(&permit, &held))),
        Decision::Deny(denial) => Ok(Answer::out(asked.denied(&denial, &held).await?).refused()),
    }
}

fn somebody_else(caller: &Caller<'_>, name: &UserName) -> Result<Person, Failure> {
    let unknown = || Failure::new(Exit::NotFound, format!("there is no user {name}"));
    caller.snapshot.person(name).ok_or_else(unknown)
}

fn whom(caller: &Caller<'_>, person: &Person) -> String {
    if caller.person.name == person.name { "you".to_owned() } else { person.name.to_string() }
}

/// One question, with who asks it.
struct Asked<'a> {
    caller: &'a Caller<'a>,
    person: &'a Person,
    target: &'a TargetName,
    line: Line<'a>,
    around: Surroundings,
}

/// What somebody could ask for, or what they hold, and its answer if it were all they have.
struct Row {
    role: RoleName,
    standing: &'static str,
    allows: bool,
    answer: String,
    approval: String,
    json: Value,
}

impl Asked<'_> {
    fn allowed(&self, permit: &Permit, held: &[HeldGrant]) -> String {
        let mut out = format!("{}\n", explain::allowed(permit).join("\n  "));
        if let Some(held) = held.iter().find(|held| held.grant.role() == permit.role()) {
            let mut lines = self.line.allowing(&held.role, permit.rule());
            lines.extend(asking::conditions(&held.role.conditions().states(&self.around.of(&held.grant))));
            out.push_str(&lines.iter().map(|line| format!("  {line}\n")).collect::<String>());
        }
        out
    }

    async fn denied(&self, denial: &Denial, held: &[HeldGrant]) -> Result<String, Failure> {
        let said = match denial.nearest() {
            Some(nearest) => {
                let mut said = vec![format!("no role that you hold on {} allows this", self.target)];
                said.extend(self.line.nearest(nearest, None));
                said
            }
            None => explain::denial(denial, self.target, self.caller.alias()),
        };
        let mut out = format!("denied: {}\n", said.join("\n  "));
        let rows = self.rows(held);
        out.push_str(&table(&rows));
        let snapshot = &self.caller.snapshot;
        match role_allowing(snapshot, self.person, self.target, self.line.words) {
            Some(suggestion) => {
                let found = self.candidates().into_iter().find(|one| one.role.name() == &suggestion.role);
                if let Some((candidate, rule)) = found.as_ref().and_then(|one| Some((one, one.rule(self.line.words)?)))
                {
                    let mut lines = self.line.allowing(&candidate.role, rule);
                    lines.extend(asking::conditions(&candidate.conditions));
                    out.push_str(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
                }
                out.push_str(&way_to(self.caller, self.person, self.target, &suggestion).await?);
            }
            None => match self.candidates().iter().find(|one| one.role.observes() && one.leads_there()) {
                Some(one) => out.push_str(&format!(
                    "no rule that {} may ask for allows this on {}; {} does, because it observes\n",
                    whom(self.caller, self.person),
                    self.target,
                    one.role.name()
                )),
                None => out.push_str(&no_role(self.caller, self.person, self.target)),
            },
        }
        Ok(out)
    }

    /// The roles that may be asked for and reach the target.
    fn candidates(&self) -> Vec<Candidate> {
        let Some(target) = self.caller.snapshot.inventory.target(self.target) else { return Vec::new() };
        let mut found = candidates(&self.caller.snapshot, &self.question(target));
        found.retain(|candidate| candidate.account.is_some());
        found
    }

    fn question<'q>(&'q self, target: &'q Target) -> Question<'q> {
        Question {
            person: self.person,
            target,
            words: self.line.words,
            around: &self.around,
            asked_from: self.around.source,
        }
    }

    /// What is held here, then what may be asked for.
    fn rows(&self, held: &[HeldGrant]) -> Vec<Row> {
        let here = held.iter().filter(|held| held.grant.targets().contains_key(self.target));
        let mut rows: Vec<Row> = here.map(|held| self.held_row(held)).collect();
        for candidate in self.candidates() {
            let answer = asking::verdict(&candidate, self.line.words);
            // Held with the same answer: asking again would change nothing.
            if rows.iter().any(|row| row.role == *candidate.role.name() && row.answer == answer) {
                continue;
            }
            let to_ask = line_to_ask(&self.caller.snapshot, &candidate.role, self.target);
            rows.push(Row {
                role: candidate.role.name().clone(),
                standing: "may ask for",
                allows: candidate.rule(self.line.words).is_some(),
                answer,
                approval: candidate.quorum.as_ref().map(ToString::to_string).unwrap_or_default(),
                json: asking::candidate_json(&self.line, &candidate, "may-ask", to_ask.as_deref()),
            });
        }
        rows
    }

    fn held_row(&self, held: &HeldGrant) -> Row {
        let choice = Choice::Any;
        let request = CommandRequest { target: self.target, words: self.line.words, choice: &choice };
        let decision = decide(&request, &[held.as_configured(self.target, &self.caller.snapshot)], &self.around);
        let (word, answer, rule, nearest) = match &decision {
            Decision::Allow(permit) => {
                let rule = asking::rule_json(&self.line, &held.role, permit.rule());
                ("allowed", asking::allows_by(permit.rule()), Some(rule), None)
            }
            Decision::Deny(denial) => {
                let nearest = denial.nearest().map(|nearest| asking::nearest_json(&self.line, nearest, None));
                (denial.word(), format!("no: {}", asking::against(denial)), None, nearest)
            }
        };
        let until = held.grant.ends();
        Row {
            role: held.grant.role().clone(),
            standing: "held",
            allows: matches!(decision, Decision::Allow(_)),
            answer,
            approval: format!("{}, {} left", held.grant.id(), show::roughly(self.around.now.until(until))),
            json: json!({
                "role": held.grant.role().as_str(),
                "standing": "held",
                "grant": held.grant.id().to_string(),
                "until": until.to_string(),
                "account": held.grant.targets().get(self.target).map(|account| account.as_str()),
                "answer": word,
                "rule": rule,
                "nearest": nearest,
                "conditions": asking::conditions_json(&held.role.conditions().states(&self.around.of(&held.grant))),
            }),
        }
    }

    fn as_json(&self, decision: Result<&Permit, &Denial>, held: &[HeldGrant]) -> Value {
        let by = decision.ok().map(|permit| {
            let grants: Vec<String> = permit.grants().iter().map(ToString::to_string).collect();
            json!({
                "grants": grants,
                "role": permit.role().as_str(),
                "rule": permit.rule(),
                "account": permit.account().as_str(),
                "runs": permit.command(),
                "until": permit.deadline().to_string(),
                "terms": asking::terms_json(permit.terms()),
            })
        });
        let reason = decision.err().map(|denial| explain::denial(denial, self.target, self.caller.alias()));
        json!({
            "user": self.person.name.as_str(),
            "target": self.target.as_str(),
            "line": self.line.text,
            "allowed": by.is_some(),
            "problem": Value::Null,
            "reason": reason.unwrap_or_default(),
            "by": by,
            "roles": self.rows(held).into_iter().map(|row| row.json).collect::<Vec<_>>(),
        })
    }
}

/// The first of the rows, those that allow the line before the others.
fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ROLE", "STANDING", "ANSWER", "APPROVAL"]);
    let (allowing, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.allows);
    for row in allowing.into_iter().chain(others).take(ROWS_SHOWN) {
        table.row([row.role.to_string(), row.standing.to_owned(), row.answer.clone(), row.approval.clone()]);
    }
    let more = rows.len().saturating_sub(ROWS_SHOWN);
    let more = if more > 0 { format!("and {more} more; `--json` has them all\n") } else { String::new() };
    table.render() + &more
}

/// The request to type, unless it has been typed already.
async fn way_to(
    caller: &Caller<'_>,
    person: &Person,
    target: &TargetName,
    suggestion: &Suggestion,
) -> Result<String, Failure> {
    let query =
        RequestQuery { user: Some(person.name.clone()), role: Some(suggestion.role.clone()), open: true, limit: 0 };
    let open = caller.services.store.requests(&query).await?;
    let open = open.iter().map(|stored| &stored.value).filter(|request| request.scope.targets.contains_key(target));
    for request in open {
        match &request.state {
            State::Approved { .. } => {
                return Ok(format!(
                    "{} is approved and would allow it: `ssh {} cert` or the command itself starts it\n",
                    request.grant_id(),
                    caller.alias()
                ));
            }
            State::Pending { .. } => return Ok(format!("{} would allow it, and {}\n", request.id, request.state)),
            _ => {}
        }
    }
    Ok(format!("to ask for it: {}\n", suggestion.line))
}

fn no_role(caller: &Caller<'_>, person: &Person, target: &TargetName) -> String {
    format!(
        "no role that {} may ask for allows exactly this on {target}; `ssh {} roles` lists them\n",
        whom(caller, person),
        caller.alias()
    )
}
