//! Condition types and the closed set of their reasons: the one source of docs/conditions.md.
//!
//! Names and texts only. Which condition holds when is decided in the operator's `report` step.

use std::fmt::{self, Write as _};

/// Whether a condition of this type is always shown, or only while it is True.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Shown as True, False or Unknown.
    Always,
    /// Shown only while it is True.
    OnlyWhenTrue,
}

macro_rules! condition_types {
    ($($(#[$doc:meta])* $variant:ident($name:literal, $kinds:literal, $presence:ident, $meaning:literal);)*) => {
        /// A type of condition.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ConditionType { $($(#[$doc])* #[doc = $meaning] $variant,)* }

        impl ConditionType {
            /// All types, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in `type`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Which kinds show it.
            pub const fn kinds(self) -> &'static str {
                match self { $(Self::$variant => $kinds,)* }
            }

            /// When it is shown.
            pub const fn presence(self) -> Presence {
                match self { $(Self::$variant => Presence::$presence,)* }
            }

            /// What True means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// The type of a word, if it is one of ours.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|t| t.as_str() == word)
            }
        }
    };
}

condition_types! {
    Ready("Ready", "all links and HybridInterconnect", Always,
        "Accepted, Provisioned, Available (on a link: BGPEstablished) and InSync hold, all for this generation.");
    Accepted("Accepted", "all links and HybridInterconnect", Always,
        "The spec is valid, its references are resolved and the credentials work.");
    Provisioned("Provisioned", "all links and HybridInterconnect", Always,
        "Every cloud object exists and matches the spec.");
    BgpEstablished("BGPEstablished", "all links and HybridInterconnect", Always,
        "Every expected BGP session is up. A tunnel whose BGP is not expected does not count.");
    RoutesAsExpected("RoutesAsExpected", "resources with a route contract", Always,
        "Every vantage shows the prefixes of the contract, over the path of the contract.");
    Available("Available", "HybridInterconnect", Always,
        "At least one path carries both directions now. This is the condition to page somebody for.");
    Redundant("Redundant", "HybridInterconnect, ExpressRouteLink", Always,
        "Two independent paths hold; on a link: both ports of the circuit are connected.");
    InSync("InSync", "all links and HybridInterconnect", Always,
        "The cloud objects are what the spec says, or have just been set back to it.");
    Reconciling("Reconciling", "all links and HybridInterconnect", OnlyWhenTrue,
        "Causeway is working towards the spec, or waits and will try again by itself.");
    Stalled("Stalled", "all links and HybridInterconnect", OnlyWhenTrue,
        "Only a person can help. Causeway still tries again, slowly.");
    Paused("Paused", "all links and HybridInterconnect", OnlyWhenTrue,
        "spec.paused is true: nothing is written to a cloud, and deletion waits.");
    Deleting("Deleting", "all links and HybridInterconnect", OnlyWhenTrue,
        "The resource is being deleted; the message names what it waits for.");
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! reasons {
    ($($variant:ident($name:literal, [$($on:ident),*], $meaning:literal, $remedy:literal);)*) => {
        /// A reason of a condition. The set is closed: no other word appears in `reason`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $meaning] $variant,)* }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in `reason`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The conditions on which it appears. Ready, Reconciling and Stalled may moreover repeat the reason of the
            /// condition that decides them.
            pub const fn on(self) -> &'static [ConditionType] {
                match self { $(Self::$variant => &[$(ConditionType::$on),*],)* }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What to do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }

            /// The reason of a word, if it is one of ours.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|r| r.as_str() == word)
            }
        }
    };
}

reasons! {
    Ready("Ready", [Ready], "Everything holds for this generation.", "Nothing.");
    Accepted("Accepted", [Accepted], "The spec is valid, its references are resolved and the credentials work.", "Nothing.");
    InvalidTopology("InvalidTopology", [Accepted],
        "The spec breaks a rule that needs other objects or the cloud to be seen: overlapping prefixes, a GatewaySubnet that is missing, too small, carries a network security group or a route table that Azure forbids there, a location, peering location, bandwidth or SKU that the provider's catalogue lacks.",
        "Correct the field that the message names; nothing was made.");
    ReferenceNotFound("ReferenceNotFound", [Accepted],
        "Something that the spec refers to does not exist, or cannot be found by its name: a Secret or a key in it, a network, a gateway, a router, an interconnect.",
        "Make it, or correct the reference that the message names.");
    ReferenceNotReady("ReferenceNotReady", [Accepted, Provisioned],
        "Something that the spec refers to exists and is not usable yet.",
        "Wait; if it stays, look at the object that the message names.");
    CredentialsInvalid("CredentialsInvalid", [Accepted, Deleting],
        "A Secret with credentials is malformed, or the provider refuses them, or they belong to another account than the spec names.",
        "Correct the Secret that the message names; it is read again by itself.");
    PermissionDenied("PermissionDenied", [Accepted, Provisioned, InSync, Deleting],
        "The credentials work, but lack the right for a call that the message names.",
        "Grant the right: docs/security.md lists what each provider's identity needs.");
    QuotaExceeded("QuotaExceeded", [Accepted, Provisioned],
        "The provider's quota for an object is used up.",
        "Raise the quota or remove objects of that kind; Causeway tries again by itself.");
    NameConflict("NameConflict", [Accepted],
        "An object of that name, or with this resource's ownership token, exists and belongs to somebody else: another cluster, another resource or a person.",
        "Choose another name, or take the object over with adoptID.");
    AdoptionRefused("AdoptionRefused", [Accepted],
        "The object that adoptID or adoptLink names does not fit the spec, or is owned by another resource.",
        "Make the spec say what the object is, or correct adoptID.");
    Validating("Validating", [Accepted],
        "The spec was not checked yet, or a provider that must be asked for it did not answer.",
        "Wait; if it stays, the message names the provider.");
    Provisioned("Provisioned", [Provisioned], "Every cloud object exists and matches the spec.", "Nothing.");
    Provisioning("Provisioning", [Provisioned, Ready, Reconciling],
        "Cloud objects are being made; status.slots shows which and since when.", "Wait: gateways take 30 to 45 minutes.");
    Updating("Updating", [Provisioned, Ready, Reconciling],
        "Cloud objects are being changed.", "Wait.");
    WaitingForDependency("WaitingForDependency", [Provisioned, Ready, Reconciling],
        "The next step needs something that belongs to another resource, or a lock that another one holds.",
        "Look at the object that the message names.");
    WaitingForRedundancy("WaitingForRedundancy", [Provisioned, Reconciling, Deleting],
        "A change would interrupt the last healthy path, so it waits until another path holds.",
        "Restore the other path, or delete the whole interconnect if the interruption is wanted.");
    ProvisioningFailed("ProvisioningFailed", [Provisioned],
        "A provider gave up on an object for a reason that trying again does not remove.",
        "Read the provider's words in the message; correct the spec or the account.");
    ChangeRefused("ChangeRefused", [Provisioned],
        "The spec asks for a change that the provider does not make in place.",
        "Set the field back, or make the object anew as the message says.");
    ObjectMissing("ObjectMissing", [Provisioned],
        "managementPolicy is ObserveOnly, and an object of the spec does not exist.",
        "Make it by other means, or set managementPolicy to Full.");
    NotProvisioned("NotProvisioned", [BgpEstablished, RoutesAsExpected, Available, Redundant, InSync],
        "There is nothing to judge yet: the objects are still being made.", "Wait for Provisioned.");
    NotAccepted("NotAccepted", [Provisioned, BgpEstablished, RoutesAsExpected, Available, Redundant, InSync],
        "Nothing is done because the spec is not accepted.", "Look at the condition Accepted.");
    Established("Established", [BgpEstablished], "Every expected BGP session is up.", "Nothing.");
    SessionDown("SessionDown", [BgpEstablished],
        "An expected BGP session is down; the message names it and what both ends say.",
        "Check keys, addresses and ASNs at both ends; the RouteReport shows each vantage.");
    AdministrativelyDown("AdministrativelyDown", [BgpEstablished],
        "Somebody shut the session or the VXC, or the spec says shutdown.",
        "Start it where it was shut. Causeway starts it only when shutdown in the spec changes.");
    NoSessionExpected("NoSessionExpected", [BgpEstablished],
        "The resource has no session that must be up.", "Nothing.");
    RoutesAsExpected("RoutesAsExpected", [RoutesAsExpected], "The contract holds at every vantage.", "Nothing.");
    MissingPrefix("MissingPrefix", [RoutesAsExpected],
        "A vantage lacks a prefix of the contract.",
        "Follow the prefix through the RouteReport to the first vantage that lacks it. Where a route table on GatewaySubnet is the cause, the message names the route to add.");
    UnexpectedPrefix("UnexpectedPrefix", [RoutesAsExpected],
        "A vantage shows a prefix beyond the contract.",
        "Stop its announcement, add it to the contract, or set additionalPrefixes to Allow. Paths with 12076 behind the router's AS go when bgp.exportFilter of the ports is Auto.");
    WrongPreference("WrongPreference", [RoutesAsExpected],
        "Traffic takes another path than preferredPath although that one is up.",
        "Look for more specific prefixes, weights and prepends on the path that won.");
    Asymmetric("Asymmetric", [RoutesAsExpected],
        "The two directions take different paths.",
        "Look for the side whose tables differ in the RouteReport.");
    SourcesDisagree("SourcesDisagree", [BgpEstablished, RoutesAsExpected, Available],
        "Two providers say different things about the same session or prefix.",
        "Compare the vantages that the message names; a provider's tables may lag.");
    StaleTelemetry("StaleTelemetry", [Provisioned, BgpEstablished, RoutesAsExpected, Available, Redundant, InSync],
        "The last readings are too old to judge: unknown is not false.",
        "Check the provider's availability and the credentials; the message names the readings.");
    PathAvailable("PathAvailable", [Available], "At least one path carries both directions.", "Nothing.");
    NoPathAvailable("NoPathAvailable", [Available],
        "No path carries both directions.",
        "status.paths shows which direction of which path is down.");
    Redundant("Redundant", [Redundant], "Two independent paths hold; on a link: both ports are connected.", "Nothing.");
    SinglePath("SinglePath", [Redundant],
        "Only one path holds: the next failure interrupts the traffic.",
        "Restore the path that status.paths shows as down.");
    SingleExpressRoutePort("SingleExpressRoutePort", [Redundant],
        "Only one port of the circuit is connected. This is a choice, not a failure.",
        "Add the other port, best from another router, if the service level agreement of Microsoft is wanted.");
    InSync("InSync", [InSync], "The cloud objects are what the spec says.", "Nothing.");
    DuplicateFound("DuplicateFound", [InSync],
        "A second product carries the mark of one of this object's: the message names both and says which one is kept.",
        "Nothing when the message says that it is cancelled; otherwise cancel the one that is not needed.");
    Drifted("Drifted", [InSync],
        "Somebody changed an owned object, and driftPolicy or managementPolicy forbids to set it back.",
        "Change it back, change the spec, or set driftPolicy to Repair.");
    Repairing("Repairing", [InSync, Reconciling],
        "Somebody changed an owned object, and it is being set back.", "Nothing; find out who changed it.");
    NotAvailable("NotAvailable", [Ready], "Everything is built, but the condition Available does not hold.", "Look at Available.");
    BgpDown("BGPDown", [Ready], "Everything is built, but the condition BGPEstablished does not hold.", "Look at BGPEstablished.");
    OutOfSync("OutOfSync", [Ready], "Everything is built, but the condition InSync does not hold.", "Look at InSync.");
    Retrying("Retrying", [Reconciling],
        "A provider did not answer or asked to wait; the call is made again.", "Wait; if it stays, check the provider's status page.");
    Paused("Paused", [Paused, Ready, Deleting], "spec.paused is true.", "Set it to false to go on.");
    DeletionInProgress("DeletionInProgress", [Deleting, Ready, BgpEstablished, RoutesAsExpected, Available, Redundant],
        "Objects are being deleted; the condition Deleting names them, and nothing is judged any more.", "Wait.");
    WaitingForPeeringRemoval("WaitingForPeeringRemoval", [Deleting],
        "The VXC cannot be cancelled before the private peering is gone.", "Wait.");
    WaitingForProviderDeprovision("WaitingForProviderDeprovision", [Deleting],
        "Azure deletes the circuit only after the provider has let go of it; the circuit is refreshed and read until then.",
        "Wait: minutes as a rule, an hour at times. Billing goes on until then.");
    BlockedByDependents("BlockedByDependents", [Deleting],
        "Something that Causeway does not own still uses an object; the message names both.",
        "Remove the dependent object.");
    RetainedByPolicy("RetainedByPolicy", [Deleting],
        "deletionPolicy is Retain: the objects stay and go on costing money.", "Adopt them with adoptID, or delete them by hand.");
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text of docs/conditions.md.
pub fn conditions_markdown() -> String {
    let mut out = String::from(
        "# Conditions and reasons\n\n\
         Generated from `crates/api/src/conditions.rs`; `make generate` rewrites it.\n\n\
         Every kind but RouteReport shows its state as `status.conditions`, each with `status` (True, False or Unknown), `reason` \
         (one word of the closed set below), `message` (a sentence) and `observedGeneration`. Unknown is not False: telemetry \
         that is too old to judge is `Unknown` with `StaleTelemetry`.\n\n\
         ## Types\n\n| type | on | shown | True means |\n|---|---|---|---|\n",
    );
    for t in ConditionType::ALL {
        let shown = match t.presence() {
            Presence::Always => "always",
            Presence::OnlyWhenTrue => "only while True",
        };
        let _ = writeln!(out, "| `{t}` | {} | {shown} | {} |", t.kinds(), t.meaning());
    }
    out.push_str(
        "\n## Reasons\n\n`Ready`, `Reconciling` and `Stalled` may moreover repeat the reason of the condition that decides them.\n",
    );
    for t in ConditionType::ALL {
        let mine: Vec<&Reason> = Reason::ALL.iter().filter(|r| r.on().contains(t)).collect();
        if mine.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "\n### {t}\n\n| reason | meaning | what to do |\n|---|---|---|\n"
        );
        for r in mine {
            let _ = writeln!(out, "| `{r}` | {} | {} |", r.meaning(), r.remedy());
        }
    }
    out
}
