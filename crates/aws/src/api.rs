//! What the operator asks of AWS. Lists return everything that AWS shows, tombstones included; deletions of what is
//! already gone succeed.

use crate::types::*;
use async_trait::async_trait;
use causeway_model::intent::CloudError;
use causeway_model::routes::aws::VifRouteRow;
use ipnet::Ipv4Net;

/// EC2's part.
#[async_trait]
pub trait Ec2Api: Send + Sync {
    async fn vpcs(&self, select: &Select) -> Result<Vec<Vpc>, CloudError>;
    /// Of these VPCs; an empty list means all of the region.
    async fn route_tables(&self, vpc_ids: &[String]) -> Result<Vec<RouteTable>, CloudError>;
    async fn vpn_gateways(&self, select: &Select) -> Result<Vec<VpnGateway>, CloudError>;
    async fn customer_gateways(&self, select: &Select) -> Result<Vec<CustomerGateway>, CloudError>;
    async fn vpn_connections(&self, select: &Select) -> Result<Vec<VpnConnection>, CloudError>;

    /// Not idempotent: look by tag first, and after an ambiguous failure.
    async fn create_vpn_gateway(
        &self,
        amazon_asn: u32,
        tags: &Tags,
    ) -> Result<VpnGateway, CloudError>;
    async fn attach_vpn_gateway(&self, vgw_id: &str, vpc_id: &str) -> Result<(), CloudError>;
    async fn detach_vpn_gateway(&self, vgw_id: &str, vpc_id: &str) -> Result<(), CloudError>;
    async fn delete_vpn_gateway(&self, vgw_id: &str) -> Result<(), CloudError>;
    async fn enable_propagation(
        &self,
        route_table_id: &str,
        vgw_id: &str,
    ) -> Result<(), CloudError>;
    async fn disable_propagation(
        &self,
        route_table_id: &str,
        vgw_id: &str,
    ) -> Result<(), CloudError>;

    /// An identical request returns an existing gateway: compare the tags of the answer.
    async fn create_customer_gateway(
        &self,
        new: &NewCustomerGateway,
    ) -> Result<CustomerGateway, CloudError>;
    async fn delete_customer_gateway(&self, id: &str) -> Result<(), CloudError>;

    /// Treat (customer gateway, VGW) as the natural key, and compare the tags of the answer.
    async fn create_vpn_connection(
        &self,
        new: &NewVpnConnection,
    ) -> Result<VpnConnection, CloudError>;
    /// Changes one tunnel, which drops meanwhile.
    async fn modify_tunnel(
        &self,
        vpn_connection_id: &str,
        outside_address: &str,
        change: &TunnelChange,
    ) -> Result<(), CloudError>;
    async fn delete_vpn_connection(&self, id: &str) -> Result<(), CloudError>;

    async fn tag_ec2(&self, ids: &[String], tags: &Tags) -> Result<(), CloudError>;
    async fn untag_ec2(&self, ids: &[String], keys: &[String]) -> Result<(), CloudError>;
}

/// Direct Connect's part.
#[async_trait]
pub trait DirectConnectApi: Send + Sync {
    /// All virtual interfaces of the region.
    async fn vifs(&self) -> Result<Vec<Vif>, CloudError>;
    async fn vif(&self, id: &str) -> Result<Option<Vif>, CloudError>;
    /// Accepts a hosted private interface onto a gateway; irreversible. `down` is a good outcome of it.
    async fn confirm_private_vif(
        &self,
        vif_id: &str,
        dx_gateway_id: &str,
    ) -> Result<VifState, CloudError>;
    /// MTU (1500 or 8500) and name; a change of the MTU may bounce the whole connection for up to 30 s.
    async fn update_vif(
        &self,
        vif_id: &str,
        mtu: Option<u32>,
        name: Option<&str>,
    ) -> Result<(), CloudError>;
    async fn create_private_vif(&self, new: &NewPrivateVif) -> Result<Vif, CloudError>;
    async fn delete_vif(&self, vif_id: &str) -> Result<(), CloudError>;
    /// Routes that AWS accepts from and advertises to the customer. An account or region without the operation answers
    /// with [`causeway_model::intent::Intent::Auth`] or `Terminal`: the condition is unknown then, not false.
    async fn vif_routes(&self, vif_id: &str) -> Result<Vec<VifRouteRow>, CloudError>;

    /// All Direct Connect gateways of the account (they are global).
    async fn dx_gateways(&self) -> Result<Vec<DxGateway>, CloudError>;
    /// Not idempotent: look by tag first, and after an ambiguous failure.
    async fn create_dx_gateway(
        &self,
        name: &str,
        amazon_asn: u32,
        tags: &Tags,
    ) -> Result<DxGateway, CloudError>;
    /// Accepted even while associations remain, and then reverted minutes later: check them first (aws.md §1.4).
    async fn delete_dx_gateway(&self, id: &str) -> Result<(), CloudError>;
    async fn dx_associations(&self, of: &AssociationOf) -> Result<Vec<DxAssociation>, CloudError>;
    async fn create_dx_association(
        &self,
        dx_gateway_id: &str,
        gateway_id: &str,
        allowed_prefixes: &[Ipv4Net],
    ) -> Result<DxAssociation, CloudError>;
    /// Differences, not the whole list.
    async fn update_dx_association(
        &self,
        association_id: &str,
        add: &[Ipv4Net],
        remove: &[Ipv4Net],
    ) -> Result<(), CloudError>;
    async fn delete_dx_association(&self, association_id: &str) -> Result<(), CloudError>;
    async fn dx_attachments(&self, of: &AttachmentOf) -> Result<Vec<DxAttachment>, CloudError>;

    /// Connections of the account in the region, hosted ones among them.
    async fn connections(&self) -> Result<Vec<HostedConnection>, CloudError>;
    async fn confirm_connection(&self, id: &str) -> Result<ConnectionState, CloudError>;
    async fn dx_locations(&self) -> Result<Vec<DxLocation>, CloudError>;

    /// By ARN: [`vif_arn`], [`dx_gateway_arn`].
    async fn tag_dx(&self, arn: &str, tags: &Tags) -> Result<(), CloudError>;
    async fn untag_dx(&self, arn: &str, keys: &[String]) -> Result<(), CloudError>;
}

/// All of AWS for one account and region.
#[async_trait]
pub trait AwsApi: Ec2Api + DirectConnectApi {
    fn region(&self) -> &str;
    /// Who the credentials are: proves that they are usable, and gives the account that VIFs are ordered for.
    async fn caller_identity(&self) -> Result<Caller, CloudError>;
}
