//! The control API (contract §4).

use crate::sandbox::Sandbox;
use crate::wire::{Req, Res};
use serde_json::json;

/// Answers a request to the control listener.
pub async fn respond(sandbox: &Sandbox, req: &Req) -> Res {
    let segments: Vec<&str> = req.path.split('/').filter(|s| !s.is_empty()).collect();
    match (req.method.as_str(), segments.as_slice()) {
        ("GET", ["clock"]) => {
            let (now, speed, paused) = sandbox.clock(|c| (c.now(), c.speed(), c.paused()));
            Res::json(
                200,
                &json!({"now": now.rfc3339(), "speed": speed, "paused": paused}),
            )
        }
        _ => Res::json(404, &json!({"error": "no such call"})),
    }
}
