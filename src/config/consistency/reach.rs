//! Roles and machines: what a role reaches, what no role reaches, and accounts that different people share.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::config::table::nearest;
use crate::config::targets::Seen;
use crate::domain::{AccountName, Diagnostic};
use crate::policy::{Role, TargetSelector};

use super::people::{Members, People};
use super::{Files, Places, Written, listed};

/// What a selector and a word for an account come to.
struct Reach {
    /// Targets that are meant and have the account, by number.
    reached: Vec<usize>,
    /// Targets that are meant and have accounts, but not this one.
    without: Vec<usize>,
    /// How many targets are meant.
    meant: usize,
}

impl Reach {
    fn of(role: &Role, targets: &[Seen]) -> Self {
        let mut reach = Self { reached: Vec::new(), without: Vec::new(), meant: 0 };
        for (number, target) in targets.iter().enumerate() {
            if !role.targets().matches(&target.name, &target.labels) {
                continue;
            }
            reach.meant += 1;
            if target.run_as.contains_key(role.run_as()) {
                reach.reached.push(number);
            } else if !target.run_as.is_empty() {
                reach.without.push(number);
            }
        }
        reach
    }
}

pub(super) fn check(files: &Files<'_>, roles: &[Written<'_>], people: &mut People, out: &mut Vec<Diagnostic>) {
    let read = files.targets.1;
    let words: BTreeSet<&str> =
        read.seen.iter().flat_map(|target| target.run_as.keys().map(AccountName::as_str)).collect();
    let words: Vec<&str> = words.into_iter().collect();
    let mut known: HashMap<(&TargetSelector, &AccountName), Rc<Reach>> = HashMap::new();
    let mut reached = vec![false; read.seen.len()];
    let mut accounts = Accounts { targets: &read.seen, holders: HashMap::new(), seen: HashSet::new() };
    for (role, places) in roles {
        let reach =
            known.entry((role.targets(), role.run_as())).or_insert_with(|| Rc::new(Reach::of(role, &read.seen)));
        for &number in &reach.reached {
            if let Some(flag) = reached.get_mut(number) {
                *flag = true;
            }
        }
        if read.whole && !read.seen.is_empty() {
            of_role(role, places, reach, (&read.seen, &words), out);
        }
        if files.users.1.whole
            && let Some(terms) = role.request()
        {
            out.extend(accounts.shared(role, places, reach, &people.members(&terms.eligible)));
        }
    }
    if files.roles.whole && read.whole && !roles.is_empty() {
        unreached(files, &reached, out);
    }
}

/// What keeps a role from the targets that it is for.
fn of_role(
    role: &Role,
    places: &Places<'_>,
    reach: &Reach,
    (targets, words): (&[Seen], &[&str]),
    out: &mut Vec<Diagnostic>,
) {
    let account = role.run_as();
    if reach.meant == 0 {
        let message = "no target has such a name or such labels, so the role can be used nowhere";
        let finding = places.source().warning_at(places.key(&["targets"]), message).code("reach/no-target");
        out.push(finding.help("compare with targets.toml"));
    }
    let place = || places.key(&["run_as"]);
    if !words.is_empty() && words.binary_search(&account.as_str()).is_err() {
        let message = format!("there is no `{account}` in `run_as` of any target, so the role can be used nowhere");
        let finding = places.source().warning_at(place(), message).code("reach/account-unknown");
        out.push(finding.help(match nearest(account.as_str(), words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "write run_as = {{ {account} = \"ACCOUNT\" }} in targets.toml; the words there are {}",
                listed(words.iter().copied())
            ),
        }));
    } else if !reach.without.is_empty() {
        let names: Vec<&str> =
            reach.without.iter().filter_map(|&at| targets.get(at)).map(|target| target.name.as_str()).collect();
        let message = format!("the role is for {}, but there `run_as` has no `{account}`", listed(names.into_iter()));
        let finding = places.source().warning_at(place(), message).code("reach/account-missing");
        out.push(finding.help(format!("write run_as = {{ {account} = \"ACCOUNT\" }} there in targets.toml")));
    }
}

fn unreached(files: &Files<'_>, reached: &[bool], out: &mut Vec<Diagnostic>) {
    let (source, read) = files.targets;
    for (target, reached) in read.seen.iter().zip(reached) {
        // One without accounts has its own finding.
        if !reached && !target.run_as.is_empty() {
            let message = format!("no role reaches {}, so nobody can use it", target.name);
            let place = read.places.get(&target.name).cloned();
            let finding = source.warning_at(place, message).code("reach/target-unreached");
            let help = "a role reaches it by `targets` (its name or labels) and by `run_as` (an account it has)";
            out.push(finding.help(help));
        }
    }
}

/// Which accounts of which targets roles use, and for whom.
struct Accounts<'a> {
    targets: &'a [Seen],
    /// Of (target, account) the first role, and the first with other people: two tell a third apart from one of them.
    holders: HashMap<(usize, &'a AccountName), Vec<(&'a Role, Members)>>,
    /// What was looked at already: roles for the same people with the same reach share with the same others.
    seen: HashSet<(*const Reach, *const Vec<usize>)>,
}

impl<'a> Accounts<'a> {
    /// A finding if the role's commands run under an account that a role for other people uses too: what the one leaves there
    /// (files, processes, keys) the other may use, with whatever its own rules allow.
    fn shared(
        &mut self,
        role: &'a Role,
        places: &Places<'_>,
        reach: &Rc<Reach>,
        askers: &Members,
    ) -> Option<Diagnostic> {
        let key = (Rc::as_ptr(reach), Rc::as_ptr(askers));
        if askers.is_empty() || !self.seen.insert(key) {
            return None;
        }
        let mut shared: BTreeMap<usize, &Role> = BTreeMap::new();
        let targets = self.targets;
        for &number in &reach.reached {
            let Some(account) = targets.get(number).and_then(|target| target.run_as.get(role.run_as())) else {
                continue;
            };
            let holders = self.holders.entry((number, account)).or_default();
            if let Some((other, _)) = holders.iter().find(|(_, others)| !Rc::ptr_eq(others, askers)) {
                shared.insert(number, other);
            }
            if holders.len() < 2 && holders.iter().all(|(_, others)| !Rc::ptr_eq(others, askers)) {
                holders.push((role, Rc::clone(askers)));
            }
        }
        let (&first, other) = shared.first_key_value()?;
        let target = targets.get(first)?;
        let account = target.run_as.get(role.run_as())?;
        let names: Vec<&str> =
            shared.keys().filter_map(|&at| targets.get(at)).map(|target| target.name.as_str()).collect();
        let message = format!(
            "commands run as `{account}` on {}, and so do those of {}, which other people may ask for: files and processes \
             that one of them leaves there, the others can use",
            listed(names.into_iter()),
            other.name(),
        );
        let finding = places.source().warning_at(places.key(&["run_as"]), message).code("account/shared");
        Some(finding.help(
            "give one of the roles another `run_as`, and targets.toml an account for it; or let the same people ask",
        ))
    }
}
