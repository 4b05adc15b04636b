//! The critical path: how long the providers' own work takes when nobody ever waits for anything else.
//!
//! Exactly: every operation of [`crate::ops::Ops`] is a node whose length is the time that it took (that it will take,
//! while it runs). It depends on the operations that last worked on the resources which its request named, and on the
//! last holder of each lock that it took, in the order in which they were really taken. A dependency counts as far as
//! it had run when the dependent was accepted: a provider that lets B start while A still runs does not make B wait for
//! all of A. Time between a dependency's end and the dependent's start is the caller's thinking and does not count.
//!
//! `delete` looks at what belongs to taking down: deletions, and updates and following work whose most recent
//! dependency belongs to it (the refresh of a circuit after its VXC went). `create` looks at everything else. Edges
//! from one to the other do not count.

use crate::ops::{OpKind, Operation};
use crate::time::SimTime;
use crate::wire::Provider;
use serde::Serialize;

/// Which half of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Create,
    Delete,
}

/// An operation on the path.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub id: u64,
    pub provider: Provider,
    pub operation: String,
    pub resource: String,
    pub kind: OpKind,
    /// How long it takes, in simulated seconds.
    pub seconds: f64,
    /// When it is done, counted from the beginning of the chain.
    pub done_after: f64,
}

/// The longest chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CriticalPath {
    pub seconds: f64,
    /// In order of time.
    pub chain: Vec<Step>,
}

/// The end of an operation: when it was done, or when it will be.
fn end(op: &Operation) -> SimTime {
    op.ended_at.unwrap_or(op.due)
}

/// The longest chain among `all` (whose IDs are their places) of the operations of this kind that began at `since` or
/// later.
pub fn path(all: &[Operation], kind: Kind, since: SimTime) -> CriticalPath {
    let mut kinds: Vec<Kind> = Vec::with_capacity(all.len());
    // Earliest end of each operation in seconds, and the dependency that decides it. Dependencies have smaller IDs.
    let mut done: Vec<Option<(f64, Option<usize>)>> = Vec::with_capacity(all.len());
    for op in all {
        let own = match op.kind {
            OpKind::Create => Kind::Create,
            OpKind::Delete => Kind::Delete,
            OpKind::Update | OpKind::Follow => op
                .depends_on
                .iter()
                .max()
                .and_then(|d| kinds.get(*d as usize).copied())
                .unwrap_or(Kind::Create),
        };
        kinds.push(own);
        if own != kind || op.started_at < since {
            done.push(None);
            continue;
        }
        let mut ready = (0.0, None);
        for dep in op.depends_on.iter().map(|d| *d as usize) {
            let (Some(Some((dep_done, _))), Some(dep_op)) = (done.get(dep), all.get(dep)) else {
                continue;
            };
            let overlap = end(dep_op).secs_since(op.started_at).max(0.0);
            let at = dep_done - overlap;
            if at > ready.0 {
                ready = (at, Some(dep));
            }
        }
        let length = end(op).secs_since(op.started_at);
        done.push(Some((ready.0 + length, ready.1)));
    }
    let mut at = done
        .iter()
        .enumerate()
        .filter_map(|(i, d)| d.map(|(secs, _)| (i, secs)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(i, _)| i);
    let mut chain = Vec::new();
    while let Some((i, op)) = at.and_then(|i| Some((i, all.get(i)?))) {
        let Some((done_after, before)) = done.get(i).copied().flatten() else {
            break;
        };
        chain.push(Step {
            id: op.id,
            provider: op.provider,
            operation: op.operation.clone(),
            resource: op.resource.clone(),
            kind: op.kind,
            seconds: end(op).secs_since(op.started_at),
            done_after,
        });
        at = before;
    }
    chain.reverse();
    CriticalPath {
        seconds: chain.last().map_or(0.0, |s| s.done_after),
        chain,
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "whole seconds are exact")]
mod tests {
    use super::*;
    use crate::ops::{NewOp, Ops};

    /// Runs an operation from `start` for `seconds` to its end.
    fn run(
        ops: &mut Ops,
        start: f64,
        seconds: f64,
        kind: OpKind,
        on: &str,
        names: &[&str],
        locks: &[&str],
    ) {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let now = SimTime(0).plus_secs(start);
        let id = ops.begin(
            now,
            &NewOp {
                provider: Provider::Azure,
                operation: "x.put",
                resource: on,
                kind,
                seconds,
                names: &own(names),
                locks: &own(locks),
            },
        );
        ops.finish(id, now.plus_secs(seconds));
    }

    fn names(p: &CriticalPath) -> Vec<&str> {
        p.chain.iter().map(|s| s.resource.as_str()).collect()
    }

    const NOW: SimTime = SimTime(0);

    #[test]
    fn nothing_is_zero() {
        let p = path(&[], Kind::Create, NOW);
        assert_eq!((p.seconds, p.chain.len()), (0.0, 0));
    }

    #[test]
    fn the_longest_chain_counts_without_the_gaps() {
        let mut ops = Ops::default();
        run(&mut ops, 0.0, 10.0, OpKind::Create, "circuit", &[], &[]);
        run(&mut ops, 0.0, 70.0, OpKind::Create, "router", &[], &[]);
        run(&mut ops, 0.0, 100.0, OpKind::Create, "gateway", &[], &[]);
        // Thirty seconds of thinking before the VXC.
        run(
            &mut ops,
            100.0,
            60.0,
            OpKind::Create,
            "vxc",
            &["circuit", "router"],
            &[],
        );
        run(
            &mut ops,
            200.0,
            5.0,
            OpKind::Create,
            "connection",
            &["vxc", "gateway"],
            &[],
        );
        let p = path(&ops.all, Kind::Create, NOW);
        assert_eq!(p.seconds, 135.0);
        assert_eq!(names(&p), ["router", "vxc", "connection"]);
        assert_eq!(p.chain[1].done_after, 130.0);
    }

    #[test]
    fn locks_count_in_the_order_they_were_taken() {
        let mut ops = Ops::default();
        run(&mut ops, 0.0, 30.0, OpKind::Create, "er", &[], &["vnet:v"]);
        run(
            &mut ops,
            30.0,
            40.0,
            OpKind::Create,
            "vpn",
            &[],
            &["vnet:v"],
        );
        run(
            &mut ops,
            0.0,
            50.0,
            OpKind::Create,
            "other",
            &[],
            &["vnet:w"],
        );
        let p = path(&ops.all, Kind::Create, NOW);
        assert_eq!((p.seconds, names(&p)), (70.0, vec!["er", "vpn"]));
    }

    #[test]
    fn an_overlapping_dependency_counts_only_as_far_as_it_had_run() {
        let mut ops = Ops::default();
        run(&mut ops, 0.0, 100.0, OpKind::Create, "vxc", &[], &[]);
        // Accepted while the VXC was still being made.
        run(&mut ops, 40.0, 80.0, OpKind::Follow, "vif", &["vxc"], &[]);
        let p = path(&ops.all, Kind::Create, NOW);
        assert_eq!((p.seconds, names(&p)), (120.0, vec!["vxc", "vif"]));
    }

    #[test]
    fn deletion_takes_the_refresh_with_it_and_creation_does_not() {
        let mut ops = Ops::default();
        run(
            &mut ops,
            0.0,
            10.0,
            OpKind::Create,
            "circuit",
            &[],
            &["circuit:c"],
        );
        run(
            &mut ops,
            10.0,
            5.0,
            OpKind::Update,
            "circuit",
            &[],
            &["circuit:c"],
        );
        run(
            &mut ops,
            15.0,
            7.0,
            OpKind::Create,
            "vxc",
            &["circuit"],
            &[],
        );
        run(
            &mut ops,
            500.0,
            3.0,
            OpKind::Delete,
            "vxc",
            &["circuit"],
            &[],
        );
        run(
            &mut ops,
            503.0,
            60.0,
            OpKind::Follow,
            "circuit",
            &["vxc"],
            &[],
        );
        run(
            &mut ops,
            563.0,
            4.0,
            OpKind::Update,
            "circuit",
            &[],
            &["circuit:c"],
        );
        run(
            &mut ops,
            600.0,
            12.0,
            OpKind::Delete,
            "circuit",
            &[],
            &["circuit:c"],
        );
        let create = path(&ops.all, Kind::Create, NOW);
        assert_eq!(
            (create.seconds, names(&create)),
            (22.0, vec!["circuit", "circuit", "vxc"])
        );
        let delete = path(&ops.all, Kind::Delete, NOW);
        assert_eq!(
            (delete.seconds, names(&delete)),
            (79.0, vec!["vxc", "circuit", "circuit", "circuit"])
        );
        // A second life in the same clouds is measured alone.
        run(
            &mut ops,
            900.0,
            11.0,
            OpKind::Create,
            "circuit",
            &[],
            &["circuit:c"],
        );
        let again = path(&ops.all, Kind::Create, SimTime(900_000));
        assert_eq!((again.seconds, names(&again)), (11.0, vec!["circuit"]));
    }

    #[test]
    fn what_still_runs_counts_as_it_will_be() {
        let mut ops = Ops::default();
        ops.begin(
            SimTime(0),
            &NewOp {
                provider: Provider::Megaport,
                operation: "POST /v4/networkdesign/buy",
                resource: "mcr",
                kind: OpKind::Create,
                seconds: 75.0,
                names: &[],
                locks: &[],
            },
        );
        assert_eq!(path(&ops.all, Kind::Create, NOW).seconds, 75.0);
    }
}
