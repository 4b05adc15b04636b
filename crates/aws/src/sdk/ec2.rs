//! EC2 calls. Lists never use ID parameters: an unknown ID would fail the whole call, a filter just leaves it out
//! (aws.md §2.1), and filtered reads have the larger token bucket (§3).

use super::error::{failed, incomplete};
use super::{SdkAws, convert};
use crate::api::Ec2Api;
use crate::classify::Service;
use crate::types::*;
use async_trait::async_trait;
use aws_sdk_ec2::types as ec2;
use causeway_model::intent::CloudError;
use std::fmt::Display;

/// A list that does not end after this many pages is broken.
const MAX_PAGES: usize = 1000;

fn filters(select: &Select, id_filter: &str) -> Option<Vec<ec2::Filter>> {
    let filter = |name: &str, values: Vec<String>| {
        vec![
            ec2::Filter::builder()
                .name(name)
                .set_values(Some(values))
                .build(),
        ]
    };
    match select {
        Select::All => None,
        Select::Ids(ids) => Some(filter(id_filter, ids.clone())),
        Select::TagKey(key) => Some(filter("tag-key", vec![key.clone()])),
    }
}

/// Nothing was asked for: no call is needed.
fn nothing(select: &Select) -> bool {
    matches!(select, Select::Ids(ids) if ids.is_empty())
}

fn described(select: &Select) -> String {
    match select {
        Select::All => "the region".to_owned(),
        Select::Ids(ids) => ids.join(", "),
        Select::TagKey(key) => format!("tag {key}"),
    }
}

fn tag_specification(kind: ec2::ResourceType, tags: &Tags) -> Option<ec2::TagSpecification> {
    if tags.is_empty() {
        return None;
    }
    Some(
        ec2::TagSpecification::builder()
            .resource_type(kind)
            .set_tags(Some(tag_list(tags)))
            .build(),
    )
}

fn tag_list(tags: &Tags) -> Vec<ec2::Tag> {
    tags.iter()
        .map(|(k, v)| ec2::Tag::builder().key(k).value(v).build())
        .collect()
}

fn seconds(n: Option<u32>) -> Option<i32> {
    n.and_then(|n| i32::try_from(n).ok())
}

/// The request lists of a policy, which are wrappers around one value each; `None` for what the policy leaves open.
macro_rules! wrapped {
    ($list:expr, $wrapper:ident) => {
        (!$list.is_empty()).then(|| {
            $list
                .iter()
                .map(|v| ec2::$wrapper::builder().value(v.clone()).build())
                .collect::<Vec<_>>()
        })
    };
    ($list:expr, $wrapper:ident, number) => {
        (!$list.is_empty()).then(|| {
            $list
                .iter()
                .filter_map(|v| i32::try_from(*v).ok())
                .map(|v| ec2::$wrapper::builder().value(v).build())
                .collect::<Vec<_>>()
        })
    };
}

/// Sets the policy on either of the two builders that share these methods.
macro_rules! with_policy {
    ($builder:expr, $policy:expr) => {{
        let p = $policy;
        $builder
            .set_phase1_encryption_algorithms(wrapped!(
                p.phase1_encryption,
                Phase1EncryptionAlgorithmsRequestListValue
            ))
            .set_phase1_integrity_algorithms(wrapped!(
                p.phase1_integrity,
                Phase1IntegrityAlgorithmsRequestListValue
            ))
            .set_phase1_dh_group_numbers(wrapped!(
                p.phase1_dh_groups,
                Phase1DhGroupNumbersRequestListValue,
                number
            ))
            .set_phase1_lifetime_seconds(seconds(p.phase1_lifetime_seconds))
            .set_phase2_encryption_algorithms(wrapped!(
                p.phase2_encryption,
                Phase2EncryptionAlgorithmsRequestListValue
            ))
            .set_phase2_integrity_algorithms(wrapped!(
                p.phase2_integrity,
                Phase2IntegrityAlgorithmsRequestListValue
            ))
            .set_phase2_dh_group_numbers(wrapped!(
                p.phase2_dh_groups,
                Phase2DhGroupNumbersRequestListValue,
                number
            ))
            .set_phase2_lifetime_seconds(seconds(p.phase2_lifetime_seconds))
            .set_ike_versions(wrapped!(p.ike_versions, IkeVersionsRequestListValue))
    }};
}

fn tunnel(t: &TunnelOptions) -> ec2::VpnTunnelOptionsSpecification {
    let builder = ec2::VpnTunnelOptionsSpecification::builder()
        .tunnel_inside_cidr(t.inside_cidr.trunc().to_string())
        .pre_shared_key(t.pre_shared_key.expose())
        .set_dpd_timeout_seconds(seconds(Some(t.dpd_timeout_seconds)))
        // `clear` would end the session and remove the routes until Azure calls again (aws.md §2.3).
        .dpd_timeout_action("restart")
        // AWS initiates: Azure only listens on APIPA addresses (azure.md §3.3). Needs IKEv2.
        .startup_action("start");
    with_policy!(builder, &t.policy).build()
}

impl SdkAws {
    fn ec2_failed<E>(
        operation: &'static str,
        resource: impl Display,
    ) -> impl FnOnce(
        aws_smithy_runtime_api::client::result::SdkError<
            E,
            aws_smithy_runtime_api::client::orchestrator::HttpResponse,
        >,
    ) -> CloudError
    where
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    {
        move |e| failed(Service::Ec2, operation, &resource.to_string(), &e)
    }
}

/// What is already gone is deleted.
fn gone(result: Result<(), CloudError>) -> Result<(), CloudError> {
    match result {
        Err(e) if e.is_not_found() => Ok(()),
        other => other,
    }
}

#[async_trait]
impl Ec2Api for SdkAws {
    async fn vpcs(&self, select: &Select) -> Result<Vec<Vpc>, CloudError> {
        if nothing(select) {
            return Ok(Vec::new());
        }
        let (op, mut out, mut token) = ("DescribeVpcs", Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = self
                .ec2_reads
                .describe_vpcs()
                .set_filters(filters(select, "vpc-id"))
                .set_next_token(token)
                .send()
                .await
                .map_err(Self::ec2_failed(op, described(select)))?;
            out.extend(page.vpcs.unwrap_or_default().into_iter().map(convert::vpc));
            token = page.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                return Ok(out);
            }
        }
        Err(incomplete(op, &described(select), "end"))
    }

    async fn route_tables(&self, vpc_ids: &[String]) -> Result<Vec<RouteTable>, CloudError> {
        let select = if vpc_ids.is_empty() {
            Select::All
        } else {
            Select::Ids(vpc_ids.to_vec())
        };
        let (op, mut out, mut token) = ("DescribeRouteTables", Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = self
                .ec2_reads
                .describe_route_tables()
                .set_filters(filters(&select, "vpc-id"))
                .set_next_token(token)
                .send()
                .await
                .map_err(Self::ec2_failed(op, described(&select)))?;
            out.extend(
                page.route_tables
                    .unwrap_or_default()
                    .into_iter()
                    .map(convert::route_table),
            );
            token = page.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                return Ok(out);
            }
        }
        Err(incomplete(op, &described(&select), "end"))
    }

    async fn vpn_gateways(&self, select: &Select) -> Result<Vec<VpnGateway>, CloudError> {
        if nothing(select) {
            return Ok(Vec::new());
        }
        let out = self
            .ec2_reads
            .describe_vpn_gateways()
            .set_filters(filters(select, "vpn-gateway-id"))
            .send()
            .await
            .map_err(Self::ec2_failed("DescribeVpnGateways", described(select)))?;
        Ok(out
            .vpn_gateways
            .unwrap_or_default()
            .into_iter()
            .map(convert::vpn_gateway)
            .collect())
    }

    async fn customer_gateways(&self, select: &Select) -> Result<Vec<CustomerGateway>, CloudError> {
        if nothing(select) {
            return Ok(Vec::new());
        }
        let out = self
            .ec2_reads
            .describe_customer_gateways()
            .set_filters(filters(select, "customer-gateway-id"))
            .send()
            .await
            .map_err(Self::ec2_failed(
                "DescribeCustomerGateways",
                described(select),
            ))?;
        Ok(out
            .customer_gateways
            .unwrap_or_default()
            .into_iter()
            .map(convert::customer_gateway)
            .collect())
    }

    async fn vpn_connections(&self, select: &Select) -> Result<Vec<VpnConnection>, CloudError> {
        if nothing(select) {
            return Ok(Vec::new());
        }
        let out = self
            .ec2_reads
            .describe_vpn_connections()
            .set_filters(filters(select, "vpn-connection-id"))
            .send()
            .await
            .map_err(Self::ec2_failed(
                "DescribeVpnConnections",
                described(select),
            ))?;
        Ok(out
            .vpn_connections
            .unwrap_or_default()
            .into_iter()
            .map(convert::vpn_connection)
            .collect())
    }

    async fn create_vpn_gateway(
        &self,
        amazon_asn: u32,
        tags: &Tags,
    ) -> Result<VpnGateway, CloudError> {
        let op = "CreateVpnGateway";
        let out = self
            .ec2_writes
            .create_vpn_gateway()
            .r#type(ec2::GatewayType::Ipsec1)
            .amazon_side_asn(i64::from(amazon_asn))
            .set_tag_specifications(
                tag_specification(ec2::ResourceType::VpnGateway, tags).map(|t| vec![t]),
            )
            .send()
            .await
            .map_err(Self::ec2_failed(op, "a new virtual private gateway"))?;
        out.vpn_gateway
            .map(convert::vpn_gateway)
            .filter(|g| !g.id.is_empty())
            .ok_or_else(|| incomplete(op, "a new virtual private gateway", "vpnGateway"))
    }

    async fn attach_vpn_gateway(&self, vgw_id: &str, vpc_id: &str) -> Result<(), CloudError> {
        self.ec2_writes
            .attach_vpn_gateway()
            .vpn_gateway_id(vgw_id)
            .vpc_id(vpc_id)
            .send()
            .await
            .map(|_| ())
            .map_err(Self::ec2_failed(
                "AttachVpnGateway",
                format!("{vgw_id} to {vpc_id}"),
            ))
    }

    async fn detach_vpn_gateway(&self, vgw_id: &str, vpc_id: &str) -> Result<(), CloudError> {
        gone(
            self.ec2_writes
                .detach_vpn_gateway()
                .vpn_gateway_id(vgw_id)
                .vpc_id(vpc_id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::ec2_failed(
                    "DetachVpnGateway",
                    format!("{vgw_id} from {vpc_id}"),
                )),
        )
    }

    async fn delete_vpn_gateway(&self, vgw_id: &str) -> Result<(), CloudError> {
        gone(
            self.ec2_writes
                .delete_vpn_gateway()
                .vpn_gateway_id(vgw_id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::ec2_failed("DeleteVpnGateway", vgw_id)),
        )
    }

    async fn enable_propagation(
        &self,
        route_table_id: &str,
        vgw_id: &str,
    ) -> Result<(), CloudError> {
        self.ec2_writes
            .enable_vgw_route_propagation()
            .gateway_id(vgw_id)
            .route_table_id(route_table_id)
            .send()
            .await
            .map(|_| ())
            .map_err(Self::ec2_failed(
                "EnableVgwRoutePropagation",
                format!("{vgw_id} into {route_table_id}"),
            ))
    }

    async fn disable_propagation(
        &self,
        route_table_id: &str,
        vgw_id: &str,
    ) -> Result<(), CloudError> {
        gone(
            self.ec2_writes
                .disable_vgw_route_propagation()
                .gateway_id(vgw_id)
                .route_table_id(route_table_id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::ec2_failed(
                    "DisableVgwRoutePropagation",
                    format!("{vgw_id} into {route_table_id}"),
                )),
        )
    }

    async fn create_customer_gateway(
        &self,
        new: &NewCustomerGateway,
    ) -> Result<CustomerGateway, CloudError> {
        let op = "CreateCustomerGateway";
        let mut request = self
            .ec2_writes
            .create_customer_gateway()
            .r#type(ec2::GatewayType::Ipsec1)
            .ip_address(new.ip_address.to_string())
            .device_name(&new.device_name)
            .set_tag_specifications(
                tag_specification(ec2::ResourceType::CustomerGateway, &new.tags).map(|t| vec![t]),
            );
        // BgpAsn ends at 2147483647 (aws.md §2.2).
        request = match i32::try_from(new.bgp_asn) {
            Ok(asn) => request.bgp_asn(asn),
            Err(_) => request.bgp_asn_extended(i64::from(new.bgp_asn)),
        };
        let out = request
            .send()
            .await
            .map_err(Self::ec2_failed(op, &new.device_name))?;
        out.customer_gateway
            .map(convert::customer_gateway)
            .filter(|g| !g.id.is_empty())
            .ok_or_else(|| incomplete(op, &new.device_name, "customerGateway"))
    }

    async fn delete_customer_gateway(&self, id: &str) -> Result<(), CloudError> {
        gone(
            self.ec2_writes
                .delete_customer_gateway()
                .customer_gateway_id(id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::ec2_failed("DeleteCustomerGateway", id)),
        )
    }

    async fn create_vpn_connection(
        &self,
        new: &NewVpnConnection,
    ) -> Result<VpnConnection, CloudError> {
        let op = "CreateVpnConnection";
        let what = format!("{} on {}", new.customer_gateway_id, new.vpn_gateway_id);
        let options = ec2::VpnConnectionOptionsSpecification::builder()
            .static_routes_only(false)
            .set_tunnel_options(Some(new.tunnels.iter().map(tunnel).collect()))
            .build();
        let out = self
            .ec2_writes
            .create_vpn_connection()
            .r#type("ipsec.1")
            .customer_gateway_id(&new.customer_gateway_id)
            .vpn_gateway_id(&new.vpn_gateway_id)
            .options(options)
            .set_tag_specifications(
                tag_specification(ec2::ResourceType::VpnConnection, &new.tags).map(|t| vec![t]),
            )
            .send()
            .await
            .map_err(Self::ec2_failed(op, &what))?;
        out.vpn_connection
            .map(convert::vpn_connection)
            .filter(|c| !c.id.is_empty())
            .ok_or_else(|| incomplete(op, &what, "vpnConnection"))
    }

    async fn modify_tunnel(
        &self,
        vpn_connection_id: &str,
        outside_address: &str,
        change: &TunnelChange,
    ) -> Result<(), CloudError> {
        let mut builder = ec2::ModifyVpnTunnelOptionsSpecification::builder()
            .set_pre_shared_key(
                change
                    .pre_shared_key
                    .as_ref()
                    .map(|k| k.expose().to_owned()),
            )
            .set_dpd_timeout_seconds(seconds(change.dpd_timeout_seconds));
        if let Some(policy) = &change.policy {
            builder = with_policy!(builder, policy);
        }
        self.ec2_writes
            .modify_vpn_tunnel_options()
            .vpn_connection_id(vpn_connection_id)
            .vpn_tunnel_outside_ip_address(outside_address)
            .tunnel_options(builder.build())
            .send()
            .await
            .map(|_| ())
            .map_err(Self::ec2_failed(
                "ModifyVpnTunnelOptions",
                format!("{vpn_connection_id} tunnel {outside_address}"),
            ))
    }

    async fn delete_vpn_connection(&self, id: &str) -> Result<(), CloudError> {
        gone(
            self.ec2_writes
                .delete_vpn_connection()
                .vpn_connection_id(id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::ec2_failed("DeleteVpnConnection", id)),
        )
    }

    async fn tag_ec2(&self, ids: &[String], tags: &Tags) -> Result<(), CloudError> {
        if ids.is_empty() || tags.is_empty() {
            return Ok(());
        }
        self.ec2_writes
            .create_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(tag_list(tags)))
            .send()
            .await
            .map(|_| ())
            .map_err(Self::ec2_failed("CreateTags", ids.join(", ")))
    }

    async fn untag_ec2(&self, ids: &[String], keys: &[String]) -> Result<(), CloudError> {
        if ids.is_empty() || keys.is_empty() {
            return Ok(());
        }
        let tags = keys
            .iter()
            .map(|k| ec2::Tag::builder().key(k).build())
            .collect();
        self.ec2_writes
            .delete_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(tags))
            .send()
            .await
            .map(|_| ())
            .map_err(Self::ec2_failed("DeleteTags", ids.join(", ")))
    }
}
