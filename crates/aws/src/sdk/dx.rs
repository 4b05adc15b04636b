//! Direct Connect calls. The Rust crate has no paginators: every list loops on `nextToken` (aws.md §1.9). Describing an
//! unknown ID answers with an error or with an empty list; both mean absent (§1.1).

use super::error::{failed, incomplete};
use super::{SdkAws, convert};
use crate::api::DirectConnectApi;
use crate::classify::Service;
use crate::types::*;
use async_trait::async_trait;
use aws_sdk_directconnect::types as dx;
use causeway_model::intent::{CloudError, Intent, Provider};
use causeway_model::routes::aws::VifRouteRow;
use ipnet::Ipv4Net;
use std::fmt::Display;

const MAX_PAGES: usize = 1000;
const PAGE: i32 = 100;

/// Runs a paged request until `nextToken` is absent or empty.
macro_rules! paged {
    ($op:expr, $what:expr, $request:expr, $items:ident, $convert:expr) => {{
        let (mut out, mut token) = (Vec::new(), None::<String>);
        let mut ended = false;
        for _ in 0..MAX_PAGES {
            let page = $request
                .set_next_token(token)
                .send()
                .await
                .map_err(Self::dx_failed($op, $what))?;
            out.extend(page.$items.unwrap_or_default().into_iter().map($convert));
            token = page.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                ended = true;
                break;
            }
        }
        if !ended {
            return Err(incomplete($op, &$what.to_string(), "end"));
        }
        out
    }};
}

fn tag_list(tags: &Tags) -> Vec<dx::Tag> {
    tags.iter()
        .filter_map(|(k, v)| dx::Tag::builder().key(k).value(v).build().ok())
        .collect()
}

fn prefixes(list: &[Ipv4Net]) -> Option<Vec<dx::RouteFilterPrefix>> {
    (!list.is_empty()).then(|| {
        list.iter()
            .map(|p| {
                dx::RouteFilterPrefix::builder()
                    .cidr(p.trunc().to_string())
                    .build()
            })
            .collect()
    })
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn gone(result: Result<(), CloudError>) -> Result<(), CloudError> {
    match result {
        Err(e) if e.is_not_found() => Ok(()),
        other => other,
    }
}

impl SdkAws {
    fn dx_failed<E>(
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
        move |e| failed(Service::DirectConnect, operation, &resource.to_string(), &e)
    }
}

#[async_trait]
impl DirectConnectApi for SdkAws {
    async fn vifs(&self) -> Result<Vec<Vif>, CloudError> {
        Ok(paged!(
            "DescribeVirtualInterfaces",
            "the region",
            self.dx_reads
                .describe_virtual_interfaces()
                .max_results(PAGE),
            virtual_interfaces,
            convert::vif
        ))
    }

    async fn vif(&self, id: &str) -> Result<Option<Vif>, CloudError> {
        let found = self
            .dx_reads
            .describe_virtual_interfaces()
            .virtual_interface_id(id)
            .send()
            .await
            .map_err(Self::dx_failed("DescribeVirtualInterfaces", id));
        match found {
            Ok(out) => Ok(out
                .virtual_interfaces
                .unwrap_or_default()
                .into_iter()
                .map(convert::vif)
                .find(|v| v.id == id)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn confirm_private_vif(
        &self,
        vif_id: &str,
        dx_gateway_id: &str,
    ) -> Result<VifState, CloudError> {
        let out = self
            .dx_writes
            .confirm_private_virtual_interface()
            .virtual_interface_id(vif_id)
            .direct_connect_gateway_id(dx_gateway_id)
            .send()
            .await
            .map_err(Self::dx_failed("ConfirmPrivateVirtualInterface", vif_id))?;
        Ok(convert::vif_state(out.virtual_interface_state.as_ref()))
    }

    async fn update_vif(
        &self,
        vif_id: &str,
        mtu: Option<u32>,
        name: Option<&str>,
    ) -> Result<(), CloudError> {
        self.dx_writes
            .update_virtual_interface_attributes()
            .virtual_interface_id(vif_id)
            .set_mtu(mtu.map(number))
            .set_virtual_interface_name(name.map(str::to_owned))
            .send()
            .await
            .map(|_| ())
            .map_err(Self::dx_failed("UpdateVirtualInterfaceAttributes", vif_id))
    }

    async fn create_private_vif(&self, new: &NewPrivateVif) -> Result<Vif, CloudError> {
        let op = "CreatePrivateVirtualInterface";
        let body = dx::NewPrivateVirtualInterface::builder()
            .virtual_interface_name(&new.name)
            .vlan(number(new.vlan))
            .asn_long(i64::from(new.asn))
            .mtu(number(new.mtu))
            .set_auth_key(new.auth_key.as_ref().map(|k| k.expose().to_owned()))
            .set_amazon_address(new.amazon_address.clone())
            .set_customer_address(new.customer_address.clone())
            .address_family(dx::AddressFamily::IPv4)
            .direct_connect_gateway_id(&new.dx_gateway_id)
            .set_tags((!new.tags.is_empty()).then(|| tag_list(&new.tags)))
            .build()
            .map_err(|e| {
                CloudError::new(
                    Provider::Aws,
                    op,
                    &new.name,
                    Intent::Terminal,
                    "InvalidRequest",
                    e.to_string(),
                )
            })?;
        let out = self
            .dx_writes
            .create_private_virtual_interface()
            .connection_id(&new.connection_id)
            .new_private_virtual_interface(body)
            .send()
            .await
            .map_err(Self::dx_failed(op, &new.name))?;
        let id = out
            .virtual_interface_id
            .filter(|i| !i.is_empty())
            .ok_or_else(|| incomplete(op, &new.name, "virtualInterfaceId"))?;
        // The answer has the fields of a virtual interface but another type: only what the caller needs now.
        Ok(convert::vif(
            dx::VirtualInterface::builder()
                .virtual_interface_id(id)
                .virtual_interface_name(&new.name)
                .set_virtual_interface_state(out.virtual_interface_state)
                .set_virtual_interface_type(out.virtual_interface_type)
                .vlan(out.vlan)
                .asn(out.asn)
                .set_asn_long(out.asn_long)
                .set_amazon_side_asn(out.amazon_side_asn)
                .set_amazon_address(out.amazon_address)
                .set_customer_address(out.customer_address)
                .set_direct_connect_gateway_id(out.direct_connect_gateway_id)
                .set_connection_id(out.connection_id)
                .set_mtu(out.mtu)
                .set_tags(out.tags)
                .build(),
        ))
    }

    async fn delete_vif(&self, vif_id: &str) -> Result<(), CloudError> {
        gone(
            self.dx_writes
                .delete_virtual_interface()
                .virtual_interface_id(vif_id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::dx_failed("DeleteVirtualInterface", vif_id)),
        )
    }

    async fn vif_routes(&self, vif_id: &str) -> Result<Vec<VifRouteRow>, CloudError> {
        let rows: Vec<Option<VifRouteRow>> = paged!(
            "ListVirtualInterfaceRoutes",
            vif_id,
            self.dx_reads
                .list_virtual_interface_routes()
                .virtual_interface_id(vif_id)
                .max_results(PAGE),
            routes,
            convert::vif_route
        );
        Ok(rows.into_iter().flatten().collect())
    }

    async fn dx_gateways(&self) -> Result<Vec<DxGateway>, CloudError> {
        Ok(paged!(
            "DescribeDirectConnectGateways",
            "the account",
            self.dx_reads
                .describe_direct_connect_gateways()
                .max_results(PAGE),
            direct_connect_gateways,
            convert::dx_gateway
        ))
    }

    async fn create_dx_gateway(
        &self,
        name: &str,
        amazon_asn: u32,
        tags: &Tags,
    ) -> Result<DxGateway, CloudError> {
        let op = "CreateDirectConnectGateway";
        let out = self
            .dx_writes
            .create_direct_connect_gateway()
            .direct_connect_gateway_name(name)
            .amazon_side_asn(i64::from(amazon_asn))
            .set_tags((!tags.is_empty()).then(|| tag_list(tags)))
            .send()
            .await
            .map_err(Self::dx_failed(op, name))?;
        out.direct_connect_gateway
            .map(convert::dx_gateway)
            .filter(|g| !g.id.is_empty())
            .ok_or_else(|| incomplete(op, name, "directConnectGateway"))
    }

    async fn delete_dx_gateway(&self, id: &str) -> Result<(), CloudError> {
        gone(
            self.dx_writes
                .delete_direct_connect_gateway()
                .direct_connect_gateway_id(id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::dx_failed("DeleteDirectConnectGateway", id)),
        )
    }

    async fn dx_associations(&self, of: &AssociationOf) -> Result<Vec<DxAssociation>, CloudError> {
        let op = "DescribeDirectConnectGatewayAssociations";
        let (AssociationOf::DxGateway(what)
        | AssociationOf::Gateway(what)
        | AssociationOf::Id(what)) = of;
        let result: Result<Vec<DxAssociation>, CloudError> = async {
            Ok(paged!(
                op,
                what,
                {
                    let r = self
                        .dx_reads
                        .describe_direct_connect_gateway_associations()
                        .max_results(PAGE);
                    match of {
                        AssociationOf::DxGateway(id) => r.direct_connect_gateway_id(id),
                        AssociationOf::Gateway(id) => r.associated_gateway_id(id),
                        AssociationOf::Id(id) => r.association_id(id),
                    }
                },
                direct_connect_gateway_associations,
                convert::association
            ))
        }
        .await;
        // An unknown gateway has no associations.
        match result {
            Err(e) if e.is_not_found() => Ok(Vec::new()),
            other => other,
        }
    }

    async fn create_dx_association(
        &self,
        dx_gateway_id: &str,
        gateway_id: &str,
        allowed_prefixes: &[Ipv4Net],
    ) -> Result<DxAssociation, CloudError> {
        let op = "CreateDirectConnectGatewayAssociation";
        let what = format!("{dx_gateway_id} with {gateway_id}");
        let out = self
            .dx_writes
            .create_direct_connect_gateway_association()
            .direct_connect_gateway_id(dx_gateway_id)
            .gateway_id(gateway_id)
            .set_add_allowed_prefixes_to_direct_connect_gateway(prefixes(allowed_prefixes))
            .send()
            .await
            .map_err(Self::dx_failed(op, &what))?;
        out.direct_connect_gateway_association
            .map(convert::association)
            .filter(|a| !a.id.is_empty())
            .ok_or_else(|| incomplete(op, &what, "directConnectGatewayAssociation"))
    }

    async fn update_dx_association(
        &self,
        association_id: &str,
        add: &[Ipv4Net],
        remove: &[Ipv4Net],
    ) -> Result<(), CloudError> {
        self.dx_writes
            .update_direct_connect_gateway_association()
            .association_id(association_id)
            .set_add_allowed_prefixes_to_direct_connect_gateway(prefixes(add))
            .set_remove_allowed_prefixes_to_direct_connect_gateway(prefixes(remove))
            .send()
            .await
            .map(|_| ())
            .map_err(Self::dx_failed(
                "UpdateDirectConnectGatewayAssociation",
                association_id,
            ))
    }

    async fn delete_dx_association(&self, association_id: &str) -> Result<(), CloudError> {
        gone(
            self.dx_writes
                .delete_direct_connect_gateway_association()
                .association_id(association_id)
                .send()
                .await
                .map(|_| ())
                .map_err(Self::dx_failed(
                    "DeleteDirectConnectGatewayAssociation",
                    association_id,
                )),
        )
    }

    async fn dx_attachments(&self, of: &AttachmentOf) -> Result<Vec<DxAttachment>, CloudError> {
        let op = "DescribeDirectConnectGatewayAttachments";
        let (AttachmentOf::DxGateway(what) | AttachmentOf::Vif(what)) = of;
        let result: Result<Vec<DxAttachment>, CloudError> = async {
            Ok(paged!(
                op,
                what,
                {
                    let r = self
                        .dx_reads
                        .describe_direct_connect_gateway_attachments()
                        .max_results(PAGE);
                    match of {
                        AttachmentOf::DxGateway(id) => r.direct_connect_gateway_id(id),
                        AttachmentOf::Vif(id) => r.virtual_interface_id(id),
                    }
                },
                direct_connect_gateway_attachments,
                convert::attachment
            ))
        }
        .await;
        match result {
            Err(e) if e.is_not_found() => Ok(Vec::new()),
            other => other,
        }
    }

    async fn connections(&self) -> Result<Vec<HostedConnection>, CloudError> {
        Ok(paged!(
            "DescribeConnections",
            "the region",
            self.dx_reads.describe_connections().max_results(PAGE),
            connections,
            convert::connection
        ))
    }

    async fn confirm_connection(&self, id: &str) -> Result<ConnectionState, CloudError> {
        let out = self
            .dx_writes
            .confirm_connection()
            .connection_id(id)
            .send()
            .await
            .map_err(Self::dx_failed("ConfirmConnection", id))?;
        Ok(convert::connection_state(out.connection_state.as_ref()))
    }

    async fn dx_locations(&self) -> Result<Vec<DxLocation>, CloudError> {
        let out = self
            .dx_reads
            .describe_locations()
            .send()
            .await
            .map_err(Self::dx_failed("DescribeLocations", "the region"))?;
        Ok(out
            .locations
            .unwrap_or_default()
            .into_iter()
            .map(|l| DxLocation {
                code: l.location_code.unwrap_or_default(),
                name: l.location_name.unwrap_or_default(),
                region: l.region,
            })
            .collect())
    }

    async fn tag_dx(&self, arn: &str, tags: &Tags) -> Result<(), CloudError> {
        if tags.is_empty() {
            return Ok(());
        }
        self.dx_writes
            .tag_resource()
            .resource_arn(arn)
            .set_tags(Some(tag_list(tags)))
            .send()
            .await
            .map(|_| ())
            .map_err(Self::dx_failed("TagResource", arn))
    }

    async fn untag_dx(&self, arn: &str, keys: &[String]) -> Result<(), CloudError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.dx_writes
            .untag_resource()
            .resource_arn(arn)
            .set_tag_keys(Some(keys.to_vec()))
            .send()
            .await
            .map(|_| ())
            .map_err(Self::dx_failed("UntagResource", arn))
    }
}
