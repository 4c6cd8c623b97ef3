//! Decisions (m): what a line costs between its bytes and its permit or its denial, by the size of the policy and of the line. In
//! process, without certificates, log or database: those have letters of their own.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use doorward::domain::{AccountName, RequestId, TargetName, Timestamp, Window};
use doorward::grant::{AccessRequest, ActiveGrant, Scope, State};
use doorward::policy::file::{Patterns, SharedParameters};
use doorward::policy::{Choice, CommandRequest, Decision, HeldRole, Role, Words, decide};

use crate::plan::Plan;
use crate::report::{Aim, Report, Row};
use crate::stats::Samples;
use crate::world::World;

/// Rules of one role: as many as it may have.
const RULES: usize = 200;
/// Rules for one program in a role.
const SIBLINGS: usize = 4;
/// Roles held at once.
const HELD: usize = 3;

/// (m)
///
/// # Errors
/// When a role does not load, or a decision comes out otherwise than it must.
pub fn decided(_: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    for &rules in plan.rules {
        let roles = policy(rules)?;
        let held = Held::of(&roles)?;
        let last = roles.len().min(HELD) - 1;
        let typical = format!("sudo tool-1 restart-0 unit-{last} -n 100");
        let aim = (rules <= 10_000).then_some(Aim::AtMost(1.0));
        held.row(plan, report, &format!("{rules} rules, an allowed line"), typical.as_bytes(), true, aim)?;
        let denied = format!("tool-1 restart-0 unit-{last} --force");
        held.row(plan, report, &format!("{rules} rules, a denied line"), denied.as_bytes(), false, None)?;
        let unknown = format!("rm -rf /srv/unit-{last}");
        held.row(plan, report, &format!("{rules} rules, a line for no rule"), unknown.as_bytes(), false, None)?;
        let words = Words::split(typical.as_bytes()).map_err(|error| error.to_string())?;
        let all = || roles.iter().filter(|role| role.allows_on(&held.target, &words)).count();
        report.add(row(plan, &format!("{rules} rules, which of all roles allow it"), None, || {
            black_box(all());
        }));
    }
    let roles = policy(RULES)?;
    let held = Held::of(&roles)?;
    for (size, files, allowed) in [("1 KiB", 15, true), ("16 KiB", 250, true), ("64 KiB", 1000, false)] {
        let line = format!("check{}", format!(" /srv/{}", "f".repeat(59)).repeat(files));
        held.row(plan, report, &format!("a line of {size}"), line.as_bytes(), allowed, None)?;
    }
    Ok(())
}

/// Roles of 200 rules or fewer, so many rules in all.
fn policy(rules: usize) -> Result<Vec<Role>, String> {
    let (shared, patterns) = (SharedParameters::default(), Patterns::default());
    let role = |(number, of): (usize, usize)| {
        let name = format!("role-{number}").parse().map_err(|_| "a name")?;
        let read = Role::parse_sharing(name, "roles/role.toml", &text(number, of), &shared, &patterns);
        read.map(|(role, _)| role).map_err(|found| found.first().map(ToString::to_string).unwrap_or_default())
    };
    (0..rules.div_ceil(RULES)).map(|number| role((number, (rules - number * RULES).min(RULES)))).collect()
}

fn text(number: usize, rules: usize) -> String {
    let mut text = "targets = [\"*\"]\nrun_as = \"ops\"\n".to_owned();
    text.push_str("[[command]]\nrun = \"/usr/bin/check {f...}\"\nwhere.f = { path = \"/srv/*\", max = 256 }\n");
    for at in 1..rules {
        let (tool, verb) = (at / SIBLINGS, at % SIBLINGS);
        text.push_str(&format!(
            "[[command]]\nrun = \"/usr/bin/tool-{tool} restart-{verb} {{unit}} [-n {{lines}}] [--since {{when}}]\"\nsudo = true\n\
             where.unit = {{ one_of = [\"unit-{number}\", \"other-{number}\"] }}\nwhere.lines = {{ int = [1, 1000] }}\n\
             where.when = {{ pattern = '\\d{{4}}-\\d\\d-\\d\\d|today|yesterday' }}\n"
        ));
    }
    text
}

/// Who decides over what.
struct Held<'r> {
    roles: &'r [Role],
    grants: Vec<ActiveGrant>,
    target: TargetName,
    account: AccountName,
}

impl<'r> Held<'r> {
    fn of(roles: &'r [Role]) -> Result<Self, String> {
        let roles = &roles[..roles.len().min(HELD)];
        let (target, account) = ("web-1".parse().map_err(|_| "a name")?, "ops".parse().map_err(|_| "a name")?);
        let grants: Option<Vec<ActiveGrant>> =
            roles.iter().zip(1..).map(|(role, bits)| grant(role, bits, &target, &account)).collect();
        Ok(Self { roles, grants: grants.ok_or("a grant that is over")?, target, account })
    }

    /// One line, decided again and again. The split of its words is a part of it.
    fn row(
        &self,
        plan: &Plan,
        report: &mut Report,
        what: &str,
        line: &[u8],
        allowed: bool,
        aim: Option<Aim>,
    ) -> Result<(), String> {
        let held: Vec<HeldRole<'_>> =
            self.roles.iter().zip(&self.grants).map(|(role, grant)| self.held(role, grant)).collect();
        let answer = |words: &Words| {
            let request = CommandRequest { target: &self.target, words, choice: &Choice::Any };
            decide(&request, &held, Timestamp::from_secs(100))
        };
        let words = Words::split(line).map_err(|error| error.to_string())?;
        match answer(&words) {
            Decision::Deny(why) if allowed => return Err(format!("{what}: {why:?}")),
            Decision::Allow(permit) if !allowed => return Err(format!("{what}: {:?}", permit.command())),
            _ => {}
        }
        report.add(row(plan, &format!("{what}: its words"), None, || drop(black_box(Words::split(black_box(line))))));
        report.add(row(plan, &format!("{what}: decided"), aim, || drop(black_box(answer(black_box(&words))))));
        if allowed {
            let matched = || self.roles.iter().filter(|role| role.allows_on(&self.target, black_box(&words))).count();
            report.add(row(plan, &format!("{what}: of that the match, once"), None, || {
                black_box(matched());
            }));
        }
        Ok(())
    }

    fn held<'h>(&'h self, role: &'h Role, grant: &'h ActiveGrant) -> HeldRole<'h> {
        HeldRole { grant, approved: role, loaded: Some(role), account: Some(&self.account), eligible: true }
    }
}

fn grant(role: &Role, bits: u64, target: &TargetName, account: &AccountName) -> Option<ActiveGrant> {
    let at = Timestamp::from_secs;
    let request = AccessRequest {
        id: RequestId::from_bits(bits),
        user: "alice".parse().ok()?,
        role: role.name().clone(),
        role_text: role.text().to_owned(),
        role_digest: role.digest(),
        scope: Scope {
            targets: BTreeMap::from([(target.clone(), account.clone())]),
            duration: Duration::from_secs(60),
        },
        reason: String::new(),
        ticket: None,
        source: "127.0.0.1".parse().ok()?,
        filed: at(0),
        approvals_needed: 0,
        approvals: Vec::new(),
        state: State::Active { window: Window { start: at(0), end: at(10_000) } },
    };
    request.active_grant(at(1))
}

/// Microseconds of one call, in ten samples of a tenth of a round each.
fn row(plan: &Plan, what: &str, aim: Option<Aim>, mut call: impl FnMut()) -> Row {
    let mut sample = || {
        let (begun, mut calls) = (Instant::now(), 0_u32);
        while begun.elapsed() < plan.lasting / 20 {
            (0..16).for_each(|_| call());
            calls += 16;
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
    };
    sample();
    let ours = Samples((0..10).map(|_| sample()).collect());
    Row { letter: "m", what: what.to_owned(), unit: "µs", ours, theirs: None, aim }
}
