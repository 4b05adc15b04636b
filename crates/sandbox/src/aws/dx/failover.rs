//! BGP failover tests: AWS keeps a VIF's sessions down for a time (aws.md §1.7).

use super::{Ctx, Fault, Step, epoch, paged, vif};
use crate::aws::Event;
use crate::aws::objects::{FailoverTest, VifState};
use crate::state::State;
use serde_json::{Value, json};

const IN_PROGRESS: &str = "In progress";

fn print(t: &FailoverTest, account: &str) -> Value {
    let mut v = json!({
        "testId": t.id,
        "virtualInterfaceId": t.vif,
        "bgpPeers": t.peers,
        "status": t.status,
        "ownerAccount": account,
        "testDurationInMinutes": t.minutes,
        "startTime": epoch(t.start),
    });
    if let Some(end) = t.end {
        v["endTime"] = epoch(end);
    }
    v
}

pub fn start(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("virtualInterfaceId")?;
    let v = vif::find(ctx, &id)?;
    // The default is three hours (aws.md §1.7).
    let minutes = ctx.int("testDurationInMinutes")?.unwrap_or(180);
    if !(1..=4320).contains(&minutes) {
        return Err(Fault::client(
            "testDurationInMinutes must be between 1 and 4320",
        ));
    }
    let peers = match ctx.list("bgpPeers")?.filter(|p| !p.is_empty()) {
        None => vec![v.peer.clone()],
        Some(list) => {
            if let Some(p) = list.iter().find(|p| *p != v.peer.as_str()) {
                return Err(Fault::client(format!(
                    "BGP peer {p} does not exist on {id}"
                )));
            }
            vec![v.peer.clone()]
        }
    };
    if v.state != VifState::Provisioned {
        return Err(Fault::client(format!(
            "Virtual Interface {id} is in the {} state; a failover test cannot be started",
            vif::shown_state(ctx.state, &v)
        )));
    }
    let now = ctx.now();
    let test = FailoverTest {
        id: ctx.state.rng.uuid(),
        vif: id.clone(),
        peers,
        status: IN_PROGRESS.into(),
        minutes: u32::try_from(minutes).unwrap_or(180),
        start: now,
        end: None,
    };
    let test_id = test.id.clone();
    let answer = json!({"virtualInterfaceTest": print(&test, &ctx.account())});
    ctx.state.aws.tests.push(test);
    vif::change(ctx, &id, |v| v.state = VifState::Testing);
    let due = now.plus_secs(minutes as f64 * 60.0);
    ctx.state.schedule(
        due,
        crate::state::Event::Aws(Event::Dx {
            id: test_id,
            step: Step::TestEnds,
            op: None,
        }),
    );
    Ok(answer)
}

/// Ends a test that is in progress and restores the VIF.
fn end(state: &mut State, test: &str, status: &str) {
    let now = state.now;
    let Some(t) = state
        .aws
        .tests
        .iter_mut()
        .find(|t| t.id == test && t.status == IN_PROGRESS)
    else {
        return;
    };
    status.clone_into(&mut t.status);
    t.end = Some(now);
    let id = t.vif.clone();
    if let Some(v) = state.aws.vifs.get_mut(&id)
        && v.get().state == VifState::Testing
    {
        v.settle(now, |v| v.state = VifState::Provisioned);
    }
}

/// The time of a test is over.
pub fn time_over(state: &mut State, test: &str) {
    end(state, test, "Completed");
}

/// A VIF that is deleted takes its running test with it.
pub fn ended_by_deletion(state: &mut State, id: &str) {
    let running = state
        .aws
        .tests
        .iter()
        .find(|t| t.vif == id && t.status == IN_PROGRESS)
        .map(|t| t.id.clone());
    if let Some(test) = running {
        end(state, &test, "Cancelled");
    }
}

pub fn stop(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("virtualInterfaceId")?;
    vif::find(ctx, &id)?;
    let test = ctx
        .state
        .aws
        .tests
        .iter()
        .find(|t| t.vif == id && t.status == IN_PROGRESS)
        .map(|t| t.id.clone())
        .ok_or_else(|| {
            Fault::client(format!(
                "Virtual Interface {id} has no failover test in progress"
            ))
        })?;
    end(ctx.state, &test, "Cancelled");
    let account = ctx.account();
    let t = ctx.state.aws.tests.iter().find(|t| t.id == test);
    Ok(json!({"virtualInterfaceTest": t.map(|t| print(t, &account))}))
}

pub fn history(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let test = ctx.text("testId")?;
    let interface = ctx.text("virtualInterfaceId")?;
    let status = ctx.text("status")?;
    let peers = ctx.list("bgpPeers")?;
    let account = ctx.account();
    let all = ctx
        .state
        .aws
        .tests
        .iter()
        .filter(|t| {
            test.as_ref().is_none_or(|x| *x == t.id)
                && interface.as_ref().is_none_or(|x| *x == t.vif)
                && status
                    .as_ref()
                    .is_none_or(|x| x.eq_ignore_ascii_case(&t.status))
                && peers.as_ref().is_none_or(|p| {
                    p.iter()
                        .any(|p| t.peers.iter().any(|have| p == have.as_str()))
                })
        })
        .map(|t| print(t, &account))
        .collect();
    Ok(paged("virtualInterfaceTestHistory", ctx.page(all)?))
}
