//! Faults: what is posted is checked here, because a fault that never applies costs a tester an evening.

use super::Refusal;
use crate::faults::{Effect, Fault};
use crate::sandbox::Sandbox;
use serde::Serialize;

/// An entry of `GET /faults`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultView {
    pub id: String,
    #[serde(flatten)]
    pub fault: Fault,
    /// Matching calls since it was made.
    pub seen: u64,
    /// How often it applied.
    pub applied: u64,
}

impl Sandbox {
    /// The active faults, oldest first.
    pub fn faults(&self) -> Vec<FaultView> {
        self.read(|s| {
            s.faults
                .active
                .iter()
                .map(|a| FaultView {
                    id: a.id.clone(),
                    fault: a.fault.clone(),
                    seen: a.seen,
                    applied: a.applied,
                })
                .collect()
        })
    }

    /// Checks a fault and adds it; answers its ID.
    pub fn post_fault(&self, fault: Fault) -> Result<String, Refusal> {
        check(&fault).map_err(Refusal::Bad)?;
        Ok(self.add_fault(fault))
    }
}

fn check(fault: &Fault) -> Result<(), String> {
    let m = &fault.matches;
    if let Some(p) = m.probability.filter(|p| !(0.0..=1.0).contains(p)) {
        return Err(format!("match.probability {p} must be between 0 and 1"));
    }
    if m.nth == Some(0) {
        return Err("match.nth counts from 1".to_owned());
    }
    if fault.times == Some(0) {
        return Err("times 0 would never apply; leave it out to apply always".to_owned());
    }
    if let Some(s) = fault
        .seconds
        .filter(|s| !(s.is_finite() && (0.0..=1e9).contains(s)))
    {
        return Err(format!("seconds {s} must be between 0 and 1e9"));
    }
    if let Some(s) = fault.status.filter(|s| !(400..=599).contains(s)) {
        return Err(format!("status {s} must be an error, 400 to 599"));
    }
    match fault.effect {
        Effect::Status if fault.status.is_none() => {
            return Err("effect status needs status, 400 to 599".to_owned());
        }
        Effect::Status => {}
        _ if fault.status.is_some() => {
            return Err("status goes with effect status only".to_owned());
        }
        _ => {}
    }
    if fault.code.is_some() && !matches!(fault.effect, Effect::Status | Effect::LroFails) {
        return Err("code goes with the effects status and lroFails only".to_owned());
    }
    let timed = matches!(
        fault.effect,
        Effect::Delay | Effect::StaleRead | Effect::ProviderStateLag
    );
    if timed && fault.seconds.is_none() {
        return Err(
            "the effects delay, staleRead and providerStateLag need seconds (simulated)".to_owned(),
        );
    }
    if fault.seconds.is_some() && !timed && fault.effect != Effect::Status {
        return Err(
            "seconds goes with delay, staleRead and providerStateLag, and with status as its Retry-After"
                .to_owned(),
        );
    }
    if fault.effect == Effect::StaleRead && m.mutating == Some(true) {
        return Err("staleRead applies to reads; match.mutating true would never match".to_owned());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn verdict(json: &str) -> Result<(), String> {
        let fault: Fault = serde_json::from_str(json).map_err(|e| e.to_string())?;
        check(&fault)
    }

    #[test]
    fn good_faults_pass() {
        for good in [
            r#"{"effect":"hold"}"#,
            r#"{"match":{"provider":"aws","operation":"CreateVpnGateway","nth":2},"effect":"loseResponse","times":1}"#,
            r#"{"match":{"mutating":true,"probability":0.1},"effect":"status","status":503,"code":"ServerBusy","seconds":5}"#,
            r#"{"match":{"resource":"er"},"effect":"providerStateLag","seconds":3600}"#,
        ] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn bad_faults_say_what_is_wrong() {
        for (bad, part) in [
            (r#"{"effect":"explode"}"#, "unknown variant"),
            ("{}", "effect"),
            (r#"{"effect":"hold","sconds":1}"#, "sconds"),
            (r#"{"effect":"hold","match":{"verb":"GET"}}"#, "verb"),
            (r#"{"effect":"status"}"#, "needs status"),
            (r#"{"effect":"status","status":200}"#, "400 to 599"),
            (r#"{"effect":"hold","status":500}"#, "status only"),
            (r#"{"effect":"delay"}"#, "need seconds"),
            (r#"{"effect":"delay","seconds":-1}"#, "between"),
            (r#"{"effect":"truncate","seconds":1}"#, "seconds goes with"),
            (
                r#"{"effect":"hold","match":{"probability":2}}"#,
                "between 0 and 1",
            ),
            (r#"{"effect":"hold","match":{"nth":0}}"#, "from 1"),
            (r#"{"effect":"hold","times":0}"#, "never apply"),
            (r#"{"effect":"hold","code":"x"}"#, "code goes with"),
        ] {
            let error = verdict(bad).unwrap_err();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }
}
