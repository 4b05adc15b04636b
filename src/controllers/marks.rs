//! Ownership marks on cloud objects: what they say, and what a found mark means (design §2.1, api.md §3). The owner ID
//! is an annotation of the custom resource, set once with the finalizer; the cluster ID is the UID of `kube-system`.

use causeway_model::observe::Ownership;
use causeway_model::slot::SlotId;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Tag keys. Azure forbids `/` in tag names, so there is none in any.
pub const OWNER_TAG: &str = "causeway-owner";
pub const CLUSTER_TAG: &str = "causeway-cluster";
pub const SLOT_TAG: &str = "causeway-slot";
/// For people: kind, namespace and name at the time of creation.
pub const OBJECT_TAG: &str = "causeway-object";

/// Whose marks are written and recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    pub cluster: String,
    pub owner: String,
    /// `ExpressRouteLink network/lab-er-main`.
    pub object: String,
    /// Owner IDs whose marks count as none: of what this object takes over (`adoptLink`).
    pub predecessors: Vec<String>,
    /// The owner ID whose marks count as this object's: of the interconnect that is taking it over.
    pub heir: Option<String>,
}

impl Marks {
    /// Tags for an object of `slot`, beside the user's own.
    pub fn tags(&self, slot: &SlotId, user: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut tags = user.clone();
        tags.insert(OWNER_TAG.to_owned(), self.owner.clone());
        tags.insert(CLUSTER_TAG.to_owned(), self.cluster.clone());
        tags.insert(SLOT_TAG.to_owned(), slot.to_string());
        tags.insert(OBJECT_TAG.to_owned(), self.object.clone());
        tags
    }

    /// What the tags of a found object say.
    pub fn judge(&self, tags: &BTreeMap<String, String>) -> Ownership {
        let Some(owner) = tags.get(OWNER_TAG) else {
            return Ownership::Unmarked;
        };
        let here = tags.get(CLUSTER_TAG) == Some(&self.cluster);
        if here && self.predecessors.contains(owner) {
            return Ownership::Unmarked;
        }
        if *owner == self.owner || here && self.heir.as_ref() == Some(owner) {
            return match tags.get(CLUSTER_TAG) {
                Some(c) if *c != self.cluster => {
                    Ownership::Foreign(format!("the same resource in another cluster ({c})"))
                }
                _ => Ownership::Ours,
            };
        }
        let whose = tags
            .get(OBJECT_TAG)
            .cloned()
            .unwrap_or_else(|| format!("the owner {owner}"));
        Ownership::Foreign(whose)
    }

    /// Whether tags carry our mark for exactly this slot: how an object without a unique name is found again.
    pub fn is_slot(&self, tags: &BTreeMap<String, String>, slot: &SlotId) -> bool {
        tags.get(OWNER_TAG) == Some(&self.owner)
            && tags.get(SLOT_TAG).map(String::as_str) == Some(slot.as_str())
    }

    /// The token in a Megaport product's name: found with one list, without a tag read per product (megaport.md §6).
    /// 48 bits say owner and slot, 16 more the cluster.
    pub fn token(&self, slot: &SlotId) -> String {
        format!("{}-{}", self.token_stem(slot), short(&self.cluster, 4))
    }

    fn token_stem(&self, slot: &SlotId) -> String {
        format!("cw-{}", short(&format!("{}/{slot}", self.owner), 12))
    }

    /// A product name: the user's words, then the token.
    pub fn product_name(&self, words: &str, slot: &SlotId) -> String {
        format!("{words} [{}]", self.token(slot))
    }

    /// What a product's name says; `None` when it has no token of this slot.
    pub fn judge_product(&self, name: &str, slot: &SlotId) -> Option<Ownership> {
        let start = name.find(&self.token_stem(slot))?;
        if name
            .get(start..)
            .is_some_and(|rest| rest.starts_with(&self.token(slot)))
        {
            Some(Ownership::Ours)
        } else {
            Some(Ownership::Foreign(
                "the same resource in another cluster".to_owned(),
            ))
        }
    }
}

/// A product's name without the ownership token at its end, if it has one.
pub fn without_token(name: &str) -> &str {
    match name.rsplit_once(" [cw-") {
        Some((words, token)) if token.ends_with(']') => words,
        _ => name,
    }
}

fn short(text: &str, digits: usize) -> String {
    let mut h = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        h.push_str(&format!("{byte:02x}"));
    }
    h.truncate(digits);
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(cluster: &str, owner: &str) -> Marks {
        Marks {
            cluster: cluster.to_owned(),
            owner: owner.to_owned(),
            object: "ExpressRouteLink n/a".to_owned(),
            predecessors: Vec::new(),
            heir: None,
        }
    }

    #[test]
    fn what_is_taken_over_changes_hands_within_one_cluster() {
        let theirs = marks("c1", "link").tags(&SlotId::new("er-gateway"), &BTreeMap::new());
        let mut parent = marks("c1", "parent");
        assert!(matches!(parent.judge(&theirs), Ownership::Foreign(_)));
        parent.predecessors.push("link".to_owned());
        assert_eq!(parent.judge(&theirs), Ownership::Unmarked);
        let mut link = marks("c1", "link");
        link.heir = Some("parent".to_owned());
        let moved = parent.tags(&SlotId::new("er-gateway"), &theirs);
        assert_eq!(parent.judge(&moved), Ownership::Ours);
        assert_eq!(link.judge(&moved), Ownership::Ours);
        for marks in [&mut parent, &mut link] {
            marks.cluster = "c2".to_owned();
        }
        assert!(matches!(parent.judge(&theirs), Ownership::Foreign(_)));
        assert!(matches!(link.judge(&moved), Ownership::Foreign(_)));
    }

    #[test]
    fn another_cluster_with_the_same_owner_is_foreign() {
        let ours = marks("c1", "o1");
        let slot = SlotId::new("router-a");
        assert_eq!(
            ours.judge(&ours.tags(&slot, &BTreeMap::new())),
            Ownership::Ours
        );
        let restored = marks("c2", "o1");
        assert!(matches!(
            restored.judge(&ours.tags(&slot, &BTreeMap::new())),
            Ownership::Foreign(_)
        ));
        assert!(matches!(
            marks("c1", "o2").judge(&ours.tags(&slot, &BTreeMap::new())),
            Ownership::Foreign(_)
        ));
        assert_eq!(ours.judge(&BTreeMap::new()), Ownership::Unmarked);
        let name = ours.product_name("lab", &slot);
        assert_eq!(ours.judge_product(&name, &slot), Some(Ownership::Ours));
        assert!(matches!(
            restored.judge_product(&name, &slot),
            Some(Ownership::Foreign(_))
        ));
        assert_eq!(ours.judge_product(&name, &SlotId::new("router-b")), None);
        assert_eq!(without_token(&name), "lab");
        assert_eq!(without_token("lab [cw-x] b"), "lab [cw-x] b");
    }
}
