//! The order in which the lab is made and taken down: what each step waits for.

/// A step and what it waits for.
pub type Plan = &'static [(&'static str, &'static [&'static str])];

pub const CREATE: Plan = &[
    ("router", &[]),
    ("circuit", &[]),
    ("ergw", &[]),
    ("pip-0", &[]),
    ("pip-1", &[]),
    // Both gateways take the virtual network's lock.
    ("vpngw", &["pip-0", "pip-1", "ergw"]),
    ("vgw", &[]),
    ("attachment", &["vgw"]),
    ("propagation", &["attachment"]),
    ("dxgw", &[]),
    ("association", &["dxgw", "attachment"]),
    ("vxc-azure", &["router", "circuit"]),
    // One order at a time on one router.
    ("vxc-aws", &["vxc-azure"]),
    ("provisioned", &["vxc-azure"]),
    ("peering", &["provisioned"]),
    ("er-connection", &["peering", "ergw"]),
    ("vif", &["vxc-aws", "dxgw"]),
    ("cgw-0", &["pip-0"]),
    ("cgw-1", &["pip-1"]),
    ("vpn-0", &["cgw-0", "attachment"]),
    ("vpn-1", &["cgw-1", "attachment"]),
    ("lng-0-0", &["vpn-0"]),
    ("lng-0-1", &["vpn-0"]),
    ("lng-1-0", &["vpn-1"]),
    ("lng-1-1", &["vpn-1"]),
    // One connection at a time on one gateway.
    ("ipsec-0-0", &["vpngw", "lng-0-0"]),
    ("ipsec-0-1", &["ipsec-0-0", "lng-0-1"]),
    ("ipsec-1-0", &["ipsec-0-1", "lng-1-0"]),
    ("ipsec-1-1", &["ipsec-1-0", "lng-1-1"]),
];

pub const DELETE: Plan = &[
    ("er-connection", &[]),
    ("peering", &["er-connection"]),
    ("vxc-azure", &["peering"]),
    ("released", &["vxc-azure"]),
    ("circuit", &["released"]),
    ("vif", &[]),
    ("vxc-aws", &["vif", "vxc-azure"]),
    ("router", &["vxc-azure", "vxc-aws"]),
    ("association", &[]),
    ("dxgw", &["association", "vif"]),
    ("ipsec-0-0", &[]),
    ("ipsec-0-1", &["ipsec-0-0"]),
    ("ipsec-1-0", &["ipsec-0-1"]),
    ("ipsec-1-1", &["ipsec-1-0"]),
    ("vpngw", &["ipsec-1-1"]),
    ("ergw", &["er-connection", "vpngw"]),
    ("lng-0-0", &["ipsec-0-0"]),
    ("lng-0-1", &["ipsec-0-1"]),
    ("lng-1-0", &["ipsec-1-0"]),
    ("lng-1-1", &["ipsec-1-1"]),
    ("pip-0", &["vpngw"]),
    ("pip-1", &["vpngw"]),
    ("vpn-0", &["ipsec-0-1"]),
    ("vpn-1", &["ipsec-1-1"]),
    ("cgw-0", &["vpn-0"]),
    ("cgw-1", &["vpn-1"]),
    ("propagation", &[]),
    (
        "attachment",
        &["association", "propagation", "vpn-0", "vpn-1"],
    ),
    ("vgw", &["attachment"]),
];
