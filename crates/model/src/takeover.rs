//! Whether an interconnect can take a stand-alone link over (`adoptLink`, api.md §1). What both use must be one object
//! already: then only marks and records move, and no traffic. Pure; knows nothing of Kubernetes.

/// How one side has an object that links share: a gateway or a router.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// It makes, changes and deletes the object; else it only refers to it.
    pub makes: bool,
    /// The provider's ID, once it is known for certain.
    pub id: Option<String>,
}

/// One object that a link and the interconnect share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The interconnect's slot.
    pub slot: String,
    /// The provider's word for the object.
    pub noun: &'static str,
    /// The interconnect's field that makes the object, and the one that refers to one.
    pub made_by: String,
    pub referred_by: String,
    pub link: Side,
    /// `None`: its spec has neither field.
    pub parent: Option<Side>,
}

/// Why it can not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It may be able to in a while.
    NotYet(String),
    /// A person must change something.
    Misfit(String),
}

/// What the interconnect does about one shared object; the message of a refusal begins with `what`, the field and the link.
///
/// # Errors
/// When the interconnect would use another object than the link does, or nobody would own the link's afterwards.
pub fn judge(what: &str, shared: &Shared) -> Result<Option<String>, Refusal> {
    let Shared {
        noun,
        made_by,
        referred_by,
        link,
        ..
    } = shared;
    let Some(id) = &link.id else {
        return Err(Refusal::NotYet(format!(
            "{what} does not have its {noun} yet: it is taken over when it does"
        )));
    };
    let Some(parent) = &shared.parent else {
        let field = if link.makes { made_by } else { referred_by };
        return Err(Refusal::Misfit(format!(
            "{what} uses the {noun} {id}, and this spec has none: add {field}"
        )));
    };
    let other = parent
        .id
        .as_ref()
        .filter(|other| !other.eq_ignore_ascii_case(id));
    if let Some(other) = other {
        return Err(Refusal::Misfit(format!(
            "{what} uses the {noun} {id}, and this spec {other}: a link can not move between them, so correct {} or remove adoptLink",
            if parent.makes { made_by } else { referred_by },
        )));
    }
    match (link.makes, parent.makes) {
        (true, true) => Ok(Some(id.clone())),
        (true, false) => Err(Refusal::Misfit(format!(
            "{what} made the {noun} {id}, which would belong to nobody afterwards: replace {referred_by} by {made_by}"
        ))),
        (false, true) if parent.id.is_none() => Err(Refusal::Misfit(format!(
            "{what} uses the {noun} {id}, and this spec would make a new one: name it in {referred_by} or in {made_by}.adoptID"
        ))),
        (false, false) if parent.id.is_none() => Err(Refusal::NotYet(format!(
            "{referred_by}: it is not known yet whether this is the {noun} {id}, which {what} uses"
        ))),
        (false, _) => Ok(None),
    }
}

#[cfg(test)]
#[allow(clippy::panic)] // a failed assumption is a failed test
mod tests {
    use super::*;

    fn side(makes: bool, id: Option<&str>) -> Side {
        Side {
            makes,
            id: id.map(str::to_owned),
        }
    }

    fn judged(link: Side, parent: Option<Side>) -> Result<Option<String>, Refusal> {
        judge(
            "spec.expressRoutes[main].adoptLink: ExpressRouteLink old",
            &Shared {
                slot: "er-gateway".to_owned(),
                noun: "ExpressRoute gateway",
                made_by: "spec.azure.expressRouteGateway".to_owned(),
                referred_by: "spec.azure.expressRouteGatewayRef".to_owned(),
                link,
                parent,
            },
        )
    }

    fn misfit(link: Side, parent: Option<Side>) -> String {
        match judged(link, parent) {
            Err(Refusal::Misfit(m)) => m,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_link_made_moves_and_what_both_refer_to_stays() {
        let moved = judged(side(true, Some("/g")), Some(side(true, None)));
        assert_eq!(moved, Ok(Some("/g".to_owned())));
        // Its record has moved already, in another case of letters.
        let moved = judged(side(true, Some("/g")), Some(side(true, Some("/G"))));
        assert_eq!(moved, Ok(Some("/g".to_owned())));
        let stays = judged(side(false, Some("/g")), Some(side(false, Some("/G"))));
        assert_eq!(stays, Ok(None));
        let stays = judged(side(false, Some("/g")), Some(side(true, Some("/g"))));
        assert_eq!(stays, Ok(None));
    }

    #[test]
    fn two_objects_never_become_one() {
        for makes in [true, false] {
            for parent in [true, false] {
                let m = misfit(side(makes, Some("/g")), Some(side(parent, Some("/h"))));
                assert!(m.contains("/g") && m.contains("/h"), "{m}");
            }
        }
        let m = misfit(side(false, Some("/g")), Some(side(true, None)));
        assert!(m.contains("expressRouteGateway.adoptID"), "{m}");
    }

    #[test]
    fn nothing_is_left_without_an_owner() {
        let m = misfit(side(true, Some("/g")), Some(side(false, Some("/g"))));
        assert!(m.contains("belong to nobody"), "{m}");
        let m = misfit(side(true, Some("/g")), None);
        assert!(m.contains("add spec.azure.expressRouteGateway"), "{m}");
        assert!(!m.contains("GatewayRef"), "{m}");
        let m = misfit(side(false, Some("/g")), None);
        assert!(m.contains("add spec.azure.expressRouteGatewayRef"), "{m}");
    }

    #[test]
    fn what_is_not_known_yet_is_waited_for() {
        for r in [
            judged(side(true, None), Some(side(true, None))),
            judged(side(false, None), Some(side(false, Some("/g")))),
            judged(side(false, Some("/g")), Some(side(false, None))),
        ] {
            assert!(matches!(r, Err(Refusal::NotYet(_))), "{r:?}");
        }
    }
}
