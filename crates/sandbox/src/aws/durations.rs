//! How long AWS takes for what: names, typical values in simulated seconds, and where they come from. World files
//! override them by name; docs/sandbox.md lists this table. Holds no behaviour.

/// A named duration.
pub type Named = (&'static str, f64);

/// aws.md §0: seconds.
pub const VGW_CREATE: Named = ("ec2.vpnGateway.create", 3.0);
/// aws.md §0: seconds to a minute.
pub const VGW_ATTACH: Named = ("ec2.vpnGateway.attach", 20.0);
pub const VGW_DETACH: Named = ("ec2.vpnGateway.detach", 15.0);
/// aws.md §1.6: minutes when a Direct Connect gateway association was ever involved.
pub const VGW_DETACH_AFTER_DX: Named = ("ec2.vpnGateway.detachAfterDirectConnect", 240.0);
pub const VGW_DELETE: Named = ("ec2.vpnGateway.delete", 5.0);
/// aws.md §0: instant, but there is a waiter for it (§2.8).
pub const CGW_CREATE: Named = ("ec2.customerGateway.create", 2.0);
/// aws.md §0: 2–6 min.
pub const VPN_CREATE: Named = ("ec2.vpnConnection.create", 240.0);
/// aws.md §2.8: create and delete together 200–390 s.
pub const VPN_DELETE: Named = ("ec2.vpnConnection.delete", 100.0);
/// aws.md §2.6: the tunnel (or both) is down for it.
pub const VPN_MODIFY: Named = ("ec2.vpnConnection.modify", 180.0);
pub const VPN_TUNNEL_REPLACE: Named = ("ec2.vpnConnection.replaceTunnel", 120.0);
/// aws.md §2.8: deleted EC2 objects stay listed for about an hour.
pub const EC2_LINGER: Named = ("ec2.deleted.linger", 3600.0);
/// aws.md §0: under a minute.
pub const DXGW_CREATE: Named = ("directconnect.gateway.create", 30.0);
pub const DXGW_DELETE: Named = ("directconnect.gateway.delete", 45.0);
/// aws.md §1.4: a refused deletion flips back minutes later.
pub const DXGW_DELETE_REVERT: Named = ("directconnect.gateway.deleteReverts", 180.0);
/// aws.md §1.5: about 10 min each way.
pub const ASSOCIATION_CREATE: Named = ("directconnect.association.create", 600.0);
pub const ASSOCIATION_DELETE: Named = ("directconnect.association.delete", 590.0);
/// aws.md §1.5: the run with an update of prefixes took 380 s longer.
pub const ASSOCIATION_UPDATE: Named = ("directconnect.association.update", 380.0);
pub const ASSOCIATION_LINGER: Named = ("directconnect.association.linger", 60.0);
/// How long after the partner's order a hosted VIF or connection appears (aws.md §1.2).
pub const HOSTED_APPEARS: Named = ("directconnect.hosted.appears", 5.0);
/// aws.md §0: 1–10 min.
pub const VIF_CONFIRM: Named = ("directconnect.virtualInterface.confirm", 120.0);
pub const VIF_CREATE: Named = ("directconnect.virtualInterface.create", 120.0);
/// aws.md §1.2: an MTU change can interrupt for up to 30 s.
pub const VIF_MTU: Named = ("directconnect.virtualInterface.mtu", 30.0);
pub const VIF_DELETE: Named = ("directconnect.virtualInterface.delete", 90.0);
/// aws.md §1.2: deleted VIFs are returned for less than 15 min.
pub const VIF_LINGER: Named = ("directconnect.virtualInterface.linger", 800.0);
pub const CONNECTION_CONFIRM: Named = ("directconnect.connection.confirm", 60.0);
pub const CONNECTION_DELETE: Named = ("directconnect.connection.delete", 60.0);

/// All of them, for documentation.
pub const TABLE: [Named; 26] = [
    VGW_CREATE,
    VGW_ATTACH,
    VGW_DETACH,
    VGW_DETACH_AFTER_DX,
    VGW_DELETE,
    CGW_CREATE,
    VPN_CREATE,
    VPN_DELETE,
    VPN_MODIFY,
    VPN_TUNNEL_REPLACE,
    EC2_LINGER,
    DXGW_CREATE,
    DXGW_DELETE,
    DXGW_DELETE_REVERT,
    ASSOCIATION_CREATE,
    ASSOCIATION_DELETE,
    ASSOCIATION_UPDATE,
    ASSOCIATION_LINGER,
    HOSTED_APPEARS,
    VIF_CONFIRM,
    VIF_CREATE,
    VIF_MTU,
    VIF_DELETE,
    VIF_LINGER,
    CONNECTION_CONFIRM,
    CONNECTION_DELETE,
];
