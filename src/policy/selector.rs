//! Which targets a role is for: `web-*`, `label:tier=web,env=prod`. A list is OR, commas inside are AND.

use std::collections::BTreeMap;

use crate::domain::TargetName;

/// The `targets` of a role.
#[derive(Clone, Debug, Default)]
pub struct TargetSelector {}

impl TargetSelector {
    /// Whether a target of this name with these labels is meant.
    #[must_use]
    pub fn matches(&self, _name: &TargetName, _labels: &BTreeMap<String, String>) -> bool {
        todo!()
    }
}
