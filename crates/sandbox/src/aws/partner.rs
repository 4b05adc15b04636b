//! What a Direct Connect partner (Megaport) does in a customer's AWS account. Called by the Megaport module only.

use super::objects::{Connection, ConnectionState, Tags, Vif, VifState};
use super::{Event, Lagged, Work, begin, durations, dx, visible_at};
use crate::ops::OpKind;
use crate::state::State;

/// A hosted virtual interface as the partner allocates it.
#[derive(Clone, PartialEq)]
pub struct HostedVif {
    pub owner_account: String,
    pub name: String,
    /// `private`, `public`, `transit`.
    pub kind: String,
    pub region: String,
    /// Direct Connect location code.
    pub location: String,
    pub vlan: u16,
    pub asn: u32,
    pub amazon_asn: Option<u32>,
    pub auth_key: String,
    /// CIDR text such as `169.254.50.217/30`; empty lets Amazon choose both addresses.
    pub amazon_address: String,
    pub customer_address: String,
}

impl std::fmt::Debug for HostedVif {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostedVif")
            .field("owner_account", &self.owner_account)
            .field("name", &self.name)
            .field("vlan", &self.vlan)
            .field("auth_key", &"***")
            .finish_non_exhaustive()
    }
}

/// Allocates a VIF, which appears as `confirming`; answers its ID.
pub fn allocate_vif(state: &mut State, vif: &HostedVif) -> String {
    allocate_vif_for(state, vif, &[])
}

/// The same; `follows` are the IDs of what the VIF emerges from (its VXC), for the critical path.
pub fn allocate_vif_for(state: &mut State, vif: &HostedVif, follows: &[String]) -> String {
    let id = format!("dxvif-f{}", state.rng.hex(7));
    let auto = dx::auto_addresses(&mut state.rng);
    let (amazon_address, customer_address) =
        match (vif.amazon_address.parse(), vif.customer_address.parse()) {
            (Ok(a), Ok(c)) => (a, c),
            _ => auto,
        };
    let auth_key = if vif.auth_key.is_empty() {
        state.rng.hex(24)
    } else {
        vif.auth_key.clone()
    };
    let made = Vif {
        id: id.clone(),
        owner: vif.owner_account.clone(),
        name: vif.name.clone(),
        kind: vif.kind.clone(),
        region: vif.region.clone(),
        location: vif.location.clone(),
        connection: format!("dxcon-f{}", state.rng.hex(7)),
        hosted: true,
        vlan: vif.vlan,
        asn: vif.asn,
        amazon_asn: vif.amazon_asn,
        auth_key,
        amazon_address,
        customer_address,
        mtu: 1500,
        site_link: false,
        state: VifState::Confirming,
        dxgw: None,
        vgw: None,
        peer: format!("dxpeer-f{}", state.rng.hex(7)),
        device: device(state, &vif.location),
        available_without_bgp: state.rng.below(2) == 1,
        tags: Tags::new(),
    };
    appear(state, &id, "virtualInterface.appear", follows);
    let visible = visible_at(state, "directconnect").plus_secs(durations::HOSTED_APPEARS.1);
    state
        .aws
        .vifs
        .insert(id.clone(), Lagged::new(made, visible));
    id
}

/// Registers that a hosted object comes up in the account after a while.
fn appear(state: &mut State, id: &str, operation: &str, follows: &[String]) {
    begin(
        state,
        &Work {
            operation,
            resource: id,
            kind: OpKind::Follow,
            duration: durations::HOSTED_APPEARS,
            names: follows,
        },
        |op| Event::Dx {
            id: id.to_owned(),
            step: dx::Step::Appeared,
            op: Some(op),
        },
    );
}

/// The name of the router at Amazon's end.
fn device(state: &mut State, location: &str) -> String {
    format!("{location}-{}", state.rng.hex(8))
}

/// Whether the VIF still exists in the customer's account (not `deleted`).
pub fn vif_exists(state: &State, vif: &str) -> bool {
    state
        .aws
        .vifs
        .get(vif)
        .is_some_and(|v| !matches!(v.get().state, VifState::Deleted | VifState::Rejected))
}

/// Whether the account's owner has confirmed the VIF and it has not been deleted since.
pub fn vif_confirmed(state: &State, vif: &str) -> bool {
    state.aws.vifs.get(vif).is_some_and(|v| {
        matches!(
            v.get().state,
            VifState::Pending | VifState::Provisioned | VifState::Testing
        )
    })
}

/// The VXC under the VIF is gone: the VIF goes too.
pub fn release_vif(state: &mut State, vif: &str) {
    dx::release_vif(state, vif);
}

/// Creates a hosted connection, which appears as `ordering`; answers its ID.
pub fn allocate_connection(
    state: &mut State,
    owner: &str,
    name: &str,
    region: &str,
    location: &str,
    vlan: u16,
    mbps: u32,
) -> String {
    let id = format!("dxcon-f{}", state.rng.hex(7));
    let made = Connection {
        id: id.clone(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        region: region.to_owned(),
        location: location.to_owned(),
        vlan,
        mbps,
        partner: "Megaport".to_owned(),
        state: ConnectionState::Ordering,
        device: device(state, location),
        tags: Tags::new(),
    };
    appear(state, &id, "connection.appear", &[]);
    let visible = visible_at(state, "directconnect").plus_secs(durations::HOSTED_APPEARS.1);
    state
        .aws
        .connections
        .insert(id.clone(), Lagged::new(made, visible));
    id
}

/// The VIFs that the account's owner has on a hosted connection, but those that are deleted.
pub fn vifs_on(state: &State, connection: &str) -> Vec<String> {
    state
        .aws
        .vifs
        .values()
        .map(Lagged::get)
        .filter(|v| v.connection == connection)
        .filter(|v| !matches!(v.state, VifState::Deleted | VifState::Rejected))
        .map(|v| v.id.clone())
        .collect()
}

/// The partner takes the hosted connection away, and the VIF on it with it.
pub fn release_connection(state: &mut State, connection: &str) {
    let on_it: Vec<String> = state
        .aws
        .vifs
        .values()
        .map(Lagged::get)
        .filter(|v| v.connection == connection)
        .map(|v| v.id.clone())
        .collect();
    for vif in on_it {
        dx::release_vif(state, &vif);
    }
    let now = state.now;
    let Some(c) = state.aws.connections.get_mut(connection) else {
        return;
    };
    if matches!(
        c.get().state,
        ConnectionState::Deleting | ConnectionState::Deleted
    ) {
        return;
    }
    c.settle(now, |c| c.state = ConnectionState::Deleting);
    begin(
        state,
        &Work {
            operation: "connection.release",
            resource: connection,
            kind: OpKind::Follow,
            duration: durations::CONNECTION_DELETE,
            names: &[],
        },
        |op| Event::Dx {
            id: connection.to_owned(),
            step: dx::Step::ConnectionDeleted,
            op: Some(op),
        },
    );
}
