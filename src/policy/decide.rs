//! The decision. The file an auditor reads first.

use std::time::Duration;

use crate::domain::{AccountName, GrantId, RoleName, TargetName, Timestamp};
use crate::grant::ActiveGrant;

use super::denial::{Denial, Nearest, most_telling};
use super::permit::{Permit, Terms};
use super::render::{Executed, Execution, executed, render};
use super::role::Role;
use super::rule::Reading;
use super::secret::Hidden;
use super::when::{OnLapse, Surroundings, sooner};
use super::words::Words;

/// A command line for a target.
#[derive(Debug)]
pub struct CommandRequest<'a> {
    /// Where.
    pub target: &'a TargetName,
    /// What.
    pub words: &'a Words,
    /// Which of the held roles are meant.
    pub choice: &'a Choice,
}

/// Which of the roles that somebody holds they mean. It narrows what they hold and never adds to it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Choice {
    /// All of them.
    #[default]
    Any,
    /// This role alone.
    Role(RoleName),
    /// Those approved for this account of the target.
    Account(AccountName),
}

impl From<Option<RoleName>> for Choice {
    fn from(role: Option<RoleName>) -> Self {
        role.map_or(Self::Any, Self::Role)
    }
}

impl Choice {
    /// Whether it means `grant` on `target`.
    #[must_use]
    pub fn means(&self, grant: &ActiveGrant, target: &TargetName) -> bool {
        match self {
            Self::Any => true,
            Self::Role(role) => role == grant.role(),
            Self::Account(account) => grant.targets().get(target) == Some(account),
        }
    }
}

/// A grant with what bounds it: the role as approved and the role as loaded now.
#[derive(Debug)]
pub struct HeldRole<'a> {
    /// The grant.
    pub grant: &'a ActiveGrant,
    /// The role as approved.
    pub approved: &'a Role,
    /// The role as loaded now; `None` when it is gone, and then nothing is allowed.
    pub loaded: Option<&'a Role>,
    /// The account that the loaded role's `run_as` means on the request's target now; `None` when the loaded role or
    /// inventory no longer reaches that target.
    pub account: Option<&'a AccountName>,
    /// Whether the loaded role still lets the grant's user ask for it. Who may not ask any more may not use it either.
    pub eligible: bool,
}

impl HeldRole<'_> {
    /// Whether the role says to the letter what it said when it was approved: then what was read of one holds for the other.
    fn is_unchanged(&self) -> bool {
        self.loaded.is_some_and(|loaded| loaded.digest() == self.approved.digest())
    }
}

/// The answer.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    /// Yes, exactly this.
    Allow(Permit),
    /// No, and why.
    Deny(Denial),
}

/// Something to run that one held role allows, as approved and as configured now.
struct Candidate<'a> {
    held: &'a HeldRole<'a>,
    account: &'a AccountName,
    reading: Reading<'a>,
    terms: Terms,
    /// When a condition ends it at the latest.
    lapses: Option<Timestamp>,
}

impl Candidate<'_> {
    fn observed(&self) -> bool {
        self.held.approved.observes()
    }

    fn runs_the_same(&self, other: &Candidate<'_>) -> bool {
        self.account == other.account && self.reading.runs_the_same(&other.reading)
    }

    fn execution(&self, terms: Terms, longest: Duration) -> Execution<'_> {
        let rule = self.reading.rule;
        Execution { vector: &self.reading.vector, sudo: rule.sudo, environment: &rule.env, stdin: terms.stdin, longest }
    }
}

/// Decides whether `request` may run in these surroundings under what the user holds. Default deny; roles never merge.
///
/// `held` are the active grants that the certificate covers, whatever their targets. A line is allowed if a rule of one held
/// role *as approved* and a rule of the same role *as loaded now* allow it with the same argument vector, sudo, environment
/// and account, and if the conditions of both hold. If several rules do and would run different things, the answer is
/// [`Denial::Ambiguous`]; else the strictest of their terms hold together, and the permit ends with the first of its grants,
/// or of the conditions that end what runs.
///
/// `surroundings` are the [`Surroundings`], or the time alone: a condition that asks for more than is known does not hold.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::time::Duration;
/// use doorward::domain::{RequestId, Timestamp, Window};
/// use doorward::grant::{AccessRequest, Scope, State};
/// use doorward::policy::{Choice, CommandRequest, Decision, HeldRole, Role, Words, decide};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = "targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\nrun = \"/usr/bin/uptime\"\n";
/// let (role, _) = Role::parse("look".parse()?, "roles/look.toml", text).map_err(|found| found[0].to_string())?;
/// let (target, account, at) = ("web-1".parse()?, "ops".parse()?, Timestamp::from_secs);
/// let request = AccessRequest {
///     id: RequestId::from_bits(1),
///     user: "alice".parse()?,
///     role: role.name().clone(),
///     role_text: role.text().to_owned(),
///     role_digest: role.digest(),
///     scope: Scope {
///         targets: BTreeMap::from([("web-1".parse()?, "ops".parse()?)]),
///         duration: Duration::from_secs(60),
///     },
///     reason: String::new(),
///     ticket: None,
///     source: "127.0.0.1".parse()?,
///     filed: at(0),
///     approvals_needed: 0,
///     approvals: Vec::new(),
///     state: State::Active { window: Window { start: at(0), end: at(60) } },
/// };
/// let grant = request.active_grant(at(1)).ok_or("over")?;
/// let held = [HeldRole { grant: &grant, approved: &role, loaded: Some(&role), account: Some(&account), eligible: true }];
/// let words = Words::split(b"uptime")?;
/// let Decision::Allow(permit) = decide(&CommandRequest { target: &target, words: &words, choice: &Choice::Any }, &held, at(2))
/// else {
///     return Err("denied".into());
/// };
/// assert_eq!(permit.command(), ["/usr/bin/uptime"]);
/// # Ok(())
/// # }
/// ```
pub fn decide(request: &CommandRequest<'_>, held: &[HeldRole<'_>], surroundings: impl Into<Surroundings>) -> Decision {
    let surroundings = surroundings.into();
    let now = surroundings.now;
    let candidates = match candidates(request, held, now, |held| conditions(held, &surroundings)) {
        Ok(candidates) => candidates,
        Err(denial) => return Decision::Deny(denial),
    };
    permit(request, &candidates, now).map_or(Decision::Deny(Denial::TooLong), Decision::Allow)
}

/// Whether `request`, that was allowed and runs as `running`, would be allowed still and be the same to run, its conditions
/// aside: what becomes of those is the role's to say ([`super::when::Conditions::lapsed`]).
///
/// `false` if it is denied by now, or stands for something else.
#[must_use]
pub fn still_allows(request: &CommandRequest<'_>, held: &[HeldRole<'_>], now: Timestamp, running: &Executed) -> bool {
    let Ok(candidates) = candidates(request, held, now, |_| Ok(None)) else { return false };
    let the_same = |one: &Candidate<'_>| {
        let rendered = render(&one.execution(one.terms, one.terms.timeout));
        rendered.is_ok_and(|rendered| executed(&rendered.argv()).as_ref() == Some(running))
    };
    candidates.iter().all(the_same)
}

/// Everything that the held roles allow for this line, at least one thing, and all of it the same; or why not.
fn candidates<'a>(
    request: &CommandRequest<'a>,
    held: &'a [HeldRole<'a>],
    now: Timestamp,
    lapses: impl Fn(&HeldRole<'_>) -> Result<Option<Timestamp>, Denial>,
) -> Result<Vec<Candidate<'a>>, Denial> {
    let chosen = |held: &&HeldRole<'_>| request.choice.means(held.grant, request.target);
    let reaches = |held: &&HeldRole<'_>| held.grant.targets().contains_key(request.target) && now < held.grant.ends();
    let (mut candidates, mut refusals, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for held in held.iter().filter(chosen).filter(reaches) {
        match candidates_of(request, held) {
            Ok(found) if found.is_empty() => without.push(held),
            Ok(mut found) => match lapses(held) {
                Ok(lapses) => {
                    found.iter_mut().for_each(|one| one.lapses = lapses);
                    // Nearly always there is one role that allows it.
                    if candidates.is_empty() { candidates = found } else { candidates.append(&mut found) }
                }
                Err(denial) => refusals.push(denial),
            },
            Err(denial) => refusals.push(denial),
        }
    }
    // Why a role does not allow the line is only worked out when none does.
    if candidates.is_empty() {
        refusals.extend(without.into_iter().map(|held| not_allowed(held, request)));
    }
    // Observing is for what no rule allows: where one does, the line runs under it.
    if candidates.iter().any(|one: &Candidate<'_>| !one.observed()) {
        candidates.retain(|one| !one.observed());
    }
    match candidates.split_first() {
        None => Err(most_telling(refusals)),
        Some((first, rest)) if rest.iter().all(|other| other.runs_the_same(first)) => Ok(candidates),
        Some(_) => {
            let mut roles: Vec<RoleName> = candidates.iter().map(|one| one.held.grant.role().clone()).collect();
            roles.sort();
            roles.dedup();
            Err(Denial::Ambiguous { roles })
        }
    }
}

/// Whether the conditions hold, of the role as approved and as loaded; and when what runs is ended because they no longer do.
pub(super) fn conditions(held: &HeldRole<'_>, surroundings: &Surroundings) -> Result<Option<Timestamp>, Denial> {
    let circumstances = surroundings.of(held.grant);
    let mut lapses = None;
    for role in std::iter::once(held.approved).chain(held.loaded) {
        let until = role.conditions().judge(&circumstances);
        let role_name = || held.grant.role().clone();
        let until = until.map_err(|what| Denial::Unmet { role: role_name(), what: Box::new(what) })?;
        if role.conditions().on_lapse() == OnLapse::End {
            lapses = sooner(lapses, until);
        }
    }
    Ok(lapses)
}

/// What one held role allows for this line, nothing if no rule did when it was approved ([`not_allowed`] says why); or what else
/// stands against it.
fn candidates_of<'a>(request: &CommandRequest<'a>, held: &'a HeldRole<'a>) -> Result<Vec<Candidate<'a>>, Denial> {
    let role = || held.grant.role().clone();
    let approved = held.approved.readings_on(request.target, request.words);
    // A role that observed when it was approved and does not now gives nothing, nor the other way round.
    let same_kind = |loaded: &&Role| loaded.observes() == held.approved.observes();
    let Some(loaded) = held.loaded.filter(same_kind) else { return Err(Denial::Narrowed { role: role() }) };
    if approved.is_empty() {
        return Ok(Vec::new());
    }
    if !held.eligible {
        return Err(Denial::Ineligible { role: role() });
    }
    // The account is fixed by the approval; another one now is a change that was not approved.
    let account = held.account.filter(|now| held.grant.targets().get(request.target) == Some(now));
    let Some(account) = account else { return Err(Denial::Narrowed { role: role() }) };
    let terms = if held.is_unchanged() {
        terms_of(&approved, &approved)
    } else {
        terms_of(&approved, &loaded.readings_on(request.target, request.words))
    };
    let both = approved.into_iter().zip(terms).filter_map(|(reading, terms)| Some((reading, terms?)));
    let candidates: Vec<Candidate<'_>> =
        both.map(|(reading, terms)| Candidate { held, account, reading, terms, lapses: None }).collect();
    if candidates.is_empty() { Err(Denial::Narrowed { role: role() }) } else { Ok(candidates) }
}

/// For each of the `approved` readings the strictest terms of those `loaded` that run the same and of its own; `None` if none does.
fn terms_of(approved: &[Reading<'_>], loaded: &[Reading<'_>]) -> Vec<Option<Terms>> {
    let of = |reading: &Reading<'_>| {
        let same = loaded.iter().filter(|other| other.runs_the_same(reading));
        same.map(|other| reading.rule.terms().strictest(other.rule.terms())).reduce(Terms::strictest)
    };
    approved.iter().map(of).collect()
}

/// Why a held role, as approved, does not allow the line.
fn not_allowed(held: &HeldRole<'_>, request: &CommandRequest<'_>) -> Denial {
    let changed = held.loaded.filter(|_| held.eligible && !held.is_unchanged());
    if changed.is_some_and(|loaded| loaded.takes_on(request.target, request.words)) {
        return Denial::Widened { role: held.grant.role().clone() };
    }
    if let Some(Err(why)) = held.approved.observe.as_ref().map(|observe| observe.read(request.words)) {
        return Denial::NotObserved { role: held.grant.role().clone(), why };
    }
    // A rule that allows the line elsewhere says more than one that nearly does here.
    let mut bound =
        held.approved.rules_for(request.words).filter_map(|(number, rule)| Some((number, rule, rule.targets()?)));
    if let Some((rule, _, targets)) = bound.find(|(_, rule, _)| rule.allows(request.words.as_slice())) {
        return Denial::OtherTargets { role: held.grant.role().clone(), rule, targets: targets.to_string() };
    }
    let nearest = held.approved.nearest(Some(request.target), request.words).map(|(number, rule, miss)| {
        Box::new(Nearest { role: held.grant.role().clone(), rule: number, usage: rule.usage().to_owned(), miss })
    });
    Denial::NotInRole { nearest }
}

/// The permit for candidates that all run the same; `None` if it cannot be rendered.
fn permit(request: &CommandRequest<'_>, candidates: &[Candidate<'_>], now: Timestamp) -> Option<Permit> {
    let first = candidates.first()?;
    let terms = candidates.iter().map(|one| one.terms).reduce(Terms::strictest)?;
    let ends = candidates.iter().filter_map(|one| sooner(Some(one.held.grant.ends()), one.lapses));
    let deadline = ends.fold(now.after(terms.timeout), Timestamp::min);
    let mut grants: Vec<GrantId> = Vec::new();
    for candidate in candidates {
        if !grants.contains(candidate.held.grant.id()) {
            grants.push(candidate.held.grant.id().clone());
        }
    }
    let rendered = render(&first.execution(terms, now.until(deadline))).ok()?;
    Some(Permit {
        target: request.target.clone(),
        account: first.account.clone(),
        grants,
        role: first.held.grant.role().clone(),
        rule: first.reading.number,
        observed: first.observed(),
        rendered: Box::new(rendered),
        terms,
        deadline,
        hidden: hidden(request, candidates).map(Box::new),
    })
}

/// Which words are secrets by any rule that allows the line, as approved or as loaded; `None` if none of the roles has a secret.
fn hidden(request: &CommandRequest<'_>, candidates: &[Candidate<'_>]) -> Option<Hidden> {
    let secret = |one: &Candidate<'_>| one.held.approved.has_secret() || one.held.loaded.is_some_and(Role::has_secret);
    if !candidates.iter().any(secret) {
        return None;
    }
    let mut hidden = Hidden::default();
    for candidate in candidates {
        let words = request.words.as_slice();
        hidden = hidden.or(candidate.reading.rule.hidden(words));
        for other in candidate.held.loaded.iter().flat_map(|role| role.readings_on(request.target, request.words)) {
            if other.runs_the_same(&candidate.reading) {
                hidden = hidden.or(other.rule.hidden(words));
            }
        }
    }
    Some(hidden)
}

#[cfg(test)]
mod tests;
