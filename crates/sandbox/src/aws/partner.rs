//! What a Direct Connect partner (Megaport) does in a customer's AWS account. Called by the Megaport module only.

use crate::state::State;

/// A hosted virtual interface as the partner allocates it.
#[derive(Debug, Clone, PartialEq)]
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
    /// CIDR text such as `169.254.50.217/30`.
    pub amazon_address: String,
    pub customer_address: String,
}

/// Allocates a VIF, which appears as `confirming`; answers its ID.
pub fn allocate_vif(_state: &mut State, _vif: &HostedVif) -> String {
    String::new()
}
/// Whether the VIF still exists in the customer's account (not `deleted`).
pub fn vif_exists(_state: &State, _vif: &str) -> bool {
    false
}
/// The VXC under the VIF is gone: the VIF goes too.
pub fn release_vif(_state: &mut State, _vif: &str) {}
/// Creates a hosted connection, which appears as `ordering`; answers its ID.
pub fn allocate_connection(
    _state: &mut State,
    _owner: &str,
    _name: &str,
    _region: &str,
    _location: &str,
    _vlan: u16,
    _mbps: u32,
) -> String {
    String::new()
}
pub fn release_connection(_state: &mut State, _connection: &str) {}
