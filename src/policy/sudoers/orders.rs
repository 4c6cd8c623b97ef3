//! Optional groups that stand next to each other, in every order: sudoers has no other way to say "each at most once".

use crate::policy::pattern::Step;

/// The most neighbouring groups whose orders are all written down (65 of four).
const MOST_GROUPS: usize = 4;

/// The steps in runs: fixed ones, then neighbouring groups, then fixed ones again.
pub(super) fn runs(steps: &[Step]) -> Vec<&[Step]> {
    steps.chunk_by(|a, b| a.group.is_some() == b.group.is_some()).collect()
}

/// In which orders the steps of one run may stand.
pub(super) struct Orders<'s> {
    groups: Vec<&'s [Step]>,
    optional: bool,
}

impl<'s> Orders<'s> {
    pub(super) fn of(run: &'s [Step]) -> Self {
        let optional = run.first().is_some_and(|step| step.group.is_some());
        Self { groups: run.chunk_by(|a, b| a.group == b.group).collect(), optional }
    }

    /// Each order as places in [`Self::groups`], the longest first and the empty one last; `None` if they are too many.
    fn places(&self) -> Option<Vec<Vec<usize>>> {
        if !self.optional {
            return Some(vec![(0..self.groups.len()).collect()]);
        }
        if self.groups.len() > MOST_GROUPS {
            return None;
        }
        let mut orders: Vec<Vec<usize>> = vec![Vec::new()];
        let mut last = orders.clone();
        for _ in 0..self.groups.len() {
            let longer = |order: &Vec<usize>| {
                let free = (0..self.groups.len()).filter(|at| !order.contains(at)).collect::<Vec<_>>();
                free.into_iter().map(|at| order.iter().copied().chain([at]).collect()).collect::<Vec<Vec<usize>>>()
            };
            last = last.iter().flat_map(longer).collect();
            orders.extend(last.iter().cloned());
        }
        orders.reverse();
        Some(orders)
    }

    /// The steps of each order.
    pub(super) fn spelled_out(&self) -> Option<Vec<Vec<&'s Step>>> {
        let steps = |order: &Vec<usize>| {
            order.iter().filter_map(|at| self.groups.get(*at)).flat_map(|group| group.iter()).collect()
        };
        Some(self.places()?.iter().map(steps).collect())
    }

    /// Each order as text, of `words` that stand for the steps.
    pub(super) fn texts(&self, words: &[String]) -> Result<Vec<String>, String> {
        let mut rest = words;
        let mut groups = Vec::new();
        for group in &self.groups {
            let (these, after) = rest.split_at_checked(group.len()).unwrap_or((rest, &[]));
            groups.push(these.join(" "));
            rest = after;
        }
        let text = |order: &Vec<usize>| {
            order.iter().filter_map(|at| groups.get(*at)).map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        let places = self.places().ok_or_else(|| {
            format!(
                "more than {MOST_GROUPS} optional groups stand together in it, in any order, which sudoers cannot say"
            )
        })?;
        Ok(places.iter().map(text).collect())
    }
}
