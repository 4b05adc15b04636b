//! A new operator process says what the last one said until it knows better: a restart is no news.

use super::*;

/// `KIND/NAME TYPE` with the status of every condition of every object, and the active path.
async fn says(rig: &Rig) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for kind in [
        "HybridInterconnect",
        "ExpressRouteLink",
        "DirectConnectLink",
        "VpnPair",
    ] {
        for object in rig.list(kind).await {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            for c in object["status"]["conditions"].as_array().unwrap() {
                let text = |field: &str| c[field].as_str().unwrap().to_owned();
                out.push((
                    format!("{kind}/{name} {}", text("type")),
                    format!("{} {}", text("status"), text("reason")),
                ));
            }
            let path = object["status"]["activePath"].as_str().unwrap_or_default();
            out.push((format!("{kind}/{name} activePath"), path.to_owned()));
        }
    }
    out.sort();
    out
}

#[test]
fn a_restart_shows_nothing_new() {
    let mut looks = 0;
    for (snapshot, state) in [(lab(), "all is well"), (failed_over(), "failed over")] {
        simulate(async || {
            let mut rig = Rig::from_snapshot(snapshot);
            let before = says(&rig).await;
            rig.start_operator();
            let began = rig.now();
            while rig.now().secs_since(began) < 300.0 {
                rig.pass(Duration::from_millis(250)).await;
                let now = says(&rig).await;
                let news: Vec<_> = now.iter().filter(|c| !before.contains(c)).collect();
                assert!(
                    news.is_empty() && now.len() == before.len(),
                    "{state}, {:.2} s after the start: {news:?}",
                    rig.now().secs_since(began)
                );
                looks += 1;
            }
            rig.stop_operator().await;
        });
    }
    println!("restart: {looks} looks in two states, nothing new");
}
