//! What a PUT amounts to: the new body and what it holds on to. The types' own rules are in `vnet`, `address`, `gateway`,
//! `connection` and `circuit`.

use super::errors::{ArmError, ArmResult};
use super::ids::{Kind, Name, Reference, reference};
use super::store::{Resource, text};
use crate::ledger::ProductKind;
use crate::state::State;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a type's PUT sees.
#[derive(Debug)]
pub struct Input<'a> {
    pub state: &'a State,
    pub name: &'a Name,
    pub existing: Option<&'a Resource>,
    /// Members of the body beside `properties`, read and spelt as the service does.
    pub top: &'a Map<String, Value>,
    /// `properties` as sent.
    pub properties: &'a Value,
    pub location: &'a str,
}

/// How a held lock is refused.
#[derive(Debug, Clone)]
pub struct Lock {
    pub name: String,
    /// The resource that is said not to be provisioned (HTTP 429); without one the answer is HTTP 409.
    pub busy_resource: Option<String>,
}

impl Lock {
    pub fn on(scope: &str, id: &str) -> Self {
        Self {
            name: format!("{scope}:{}", id.to_lowercase()),
            busy_resource: None,
        }
    }
    pub fn referenced(scope: &str, id: &str, shown: &str) -> Self {
        Self {
            busy_resource: Some(shown.to_owned()),
            ..Self::on(scope, id)
        }
    }
}

#[derive(Debug, Default)]
pub struct Plan {
    pub properties: Map<String, Value>,
    /// Further members of the body (`sku`, `zones`).
    pub top: Map<String, Value>,
    /// Replaces the resource's hidden values.
    pub hidden: BTreeMap<String, String>,
    /// IDs of the top-level resources that the body refers to; each must read `Succeeded`.
    pub uses: Vec<String>,
    pub locks: Vec<Lock>,
    pub create_duration: &'static str,
    pub update_duration: &'static str,
    pub product: Option<ProductKind>,
}

impl Input<'_> {
    /// The existing resource that `{"id": …}` refers to; it must be of this kind.
    pub fn refer(
        &self,
        value: &Value,
        path: &str,
        kind: Kind,
    ) -> ArmResult<(Reference, &Resource)> {
        let id = text(&value["id"]);
        let wrong =
            || ArmError::wrong_type(id, path, &format!("Microsoft.Network/{}", kind.path()));
        let found = reference(id).ok_or_else(wrong)?;
        if found.name.kind != kind || found.child.is_some() {
            return Err(wrong());
        }
        let resource = self
            .state
            .azure
            .get(id)
            .ok_or_else(|| ArmError::dangling(id, &self.name.id()))?;
        Ok((found, resource))
    }
    pub fn refer_same_region(&self, value: &Value, path: &str, kind: Kind) -> ArmResult<&Resource> {
        let (_, resource) = self.refer(value, path, kind)?;
        if resource.location() != self.location {
            return Err(ArmError::dangling(text(&value["id"]), &self.name.id()));
        }
        Ok(resource)
    }
    /// What the resource was before, or null.
    pub fn before(&self, member: &str) -> &Value {
        self.existing.map_or(&Value::Null, |r| &r.props()[member])
    }
    /// Refuses a change of a member that can not change.
    pub fn fixed(&self, member: &str, new: &Value, code: &str) -> ArmResult<()> {
        let old = self.before(member);
        if old.is_null() || new.is_null() || old == new {
            return Ok(());
        }
        Err(ArmError::bad(
            code,
            format!(
                "The {member} of resource {} cannot be changed from {old} to {new}.",
                self.name.id()
            ),
        ))
    }
}

/// A required member.
pub fn required<'a>(
    map: &'a Map<String, Value>,
    member: &str,
    owner: &str,
) -> ArmResult<&'a Value> {
    map.get(member).ok_or_else(|| {
        ArmError::bad(
            "MissingJsonProperty",
            format!("Required property '{member}' of {owner} is missing."),
        )
    })
}

/// The word that a member says, or the default.
pub fn word<'a>(map: &'a Map<String, Value>, member: &str, default: &'a str) -> &'a str {
    map.get(member).and_then(Value::as_str).unwrap_or(default)
}

pub fn flag(map: &Map<String, Value>, member: &str) -> bool {
    map.get(member).and_then(Value::as_bool).unwrap_or(false)
}
