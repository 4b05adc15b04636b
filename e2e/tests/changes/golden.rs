//! The mutating calls of a whole life, as a golden list.

use super::*;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lab.txt");

#[test]
fn a_life_costs_these_calls_and_no_other() {
    simulate(async || {
        let case = Case::lab();
        let scope = Scope::of(&case.world, &case.manifests).remove(0);
        let mut rig = Rig::new(&case);
        rig.start_operator();
        let mut text = "# The operator's mutating calls in a life of config/samples/lab.yaml, each with how often. Compared by e2e/tests/changes.rs.\n".to_owned();
        let mut section = |rig: &Rig, name: &str, since: u64| {
            let mut count = BTreeMap::<String, usize>::new();
            let calls = written(rig, since);
            text.push_str(&format!("\n[{name}: {}]\n", calls.len()));
            for c in calls {
                *count.entry(c).or_default() += 1;
            }
            for (call, n) in count {
                text.push_str(&format!("{n} {call}\n"));
            }
        };
        rig.apply_all().await;
        steady(&rig).await;
        section(&rig, "create", 0);
        let since = rig.last_call();
        let api = rig.kind("HybridInterconnect");
        let touch = json!({"metadata": {"labels": {"touched": "1"}}});
        api.patch("lab", &PatchParams::default(), &Patch::Merge(&touch))
            .await
            .unwrap();
        rig.pass(Duration::from_hours(1)).await;
        section(&rig, "no-op", since);
        let since = rig.last_call();
        edit(&rig, |s| {
            s["expressRoutes"][0]["circuit"]["bandwidthMbps"] = 100.into()
        })
        .await;
        settled(&rig, &scope, false).await;
        section(&rig, "bandwidth of the circuit", since);
        let since = rig.last_call();
        rig.delete("HybridInterconnect", "lab").await;
        rig.until("gone", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        section(&rig, "delete", since);
        rig.stop_operator().await;
        if std::env::var_os("CAUSEWAY_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &text).unwrap();
        }
        eprintln!("{text}");
        let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert_eq!(
            text, golden,
            "CAUSEWAY_GOLDEN=1 writes it anew; look at every line that changes"
        );
    });
}
