//! The way back: how each step is taken down, and when it is gone.

use super::{Lab, arm_path, split};
use crate::arm_support::CIRCUIT;
use crate::aws_support::{TABLE, VPC};
use causeway_sandbox::SimTime;
use serde_json::json;

impl Lab {
    /// Starts a step of the way back; false when the provider says "not now".
    pub async fn unmake(&self, step: &str) -> bool {
        if let Some(path) = arm_path(step) {
            let answer = self.azure.delete(&path).await;
            return match answer.status {
                200 | 202 => true,
                // Public addresses stay "in use" for a moment after their gateway has gone.
                400 | 409 | 429 => false,
                other => panic!("DELETE {path}: {other} {}", answer.body),
            };
        }
        match split(step).0 {
            "router" | "vxc-azure" | "vxc-aws" => {
                let (status, body) = self.megaport.cancel(&self.id(step), "").await;
                assert_eq!(status, 200, "{step}: {body}");
            }
            "vif" => {
                self.aws
                    .dx(
                        "DeleteVirtualInterface",
                        json!({"virtualInterfaceId": self.id(step)}),
                    )
                    .await
                    .ok();
            }
            "association" => {
                let input = json!({"associationId": self.id(step)});
                self.aws
                    .dx("DeleteDirectConnectGatewayAssociation", input)
                    .await
                    .ok();
            }
            "dxgw" => {
                self.aws
                    .dx(
                        "DeleteDirectConnectGateway",
                        json!({"directConnectGatewayId": self.id(step)}),
                    )
                    .await
                    .ok();
            }
            "propagation" => {
                let vgw = self.id("vgw");
                let what = [("GatewayId", vgw.as_str()), ("RouteTableId", TABLE)];
                self.aws.ec2("DisableVgwRoutePropagation", &what).await.ok();
            }
            "attachment" => {
                let vgw = self.id("vgw");
                self.aws
                    .ec2(
                        "DetachVpnGateway",
                        &[("VpnGatewayId", &vgw), ("VpcId", VPC)],
                    )
                    .await
                    .ok();
            }
            "vgw" => {
                self.aws
                    .ec2("DeleteVpnGateway", &[("VpnGatewayId", &self.id(step))])
                    .await
                    .ok();
            }
            "cgw" => {
                self.aws
                    .ec2(
                        "DeleteCustomerGateway",
                        &[("CustomerGatewayId", &self.id(step))],
                    )
                    .await
                    .ok();
            }
            "vpn" => {
                self.aws
                    .ec2(
                        "DeleteVpnConnection",
                        &[("VpnConnectionId", &self.id(step))],
                    )
                    .await
                    .ok();
            }
            "released" => {
                let now = self.sandbox.now().0.to_string();
                self.keep(step, &now);
            }
            other => panic!("no step {other}"),
        }
        true
    }

    pub async fn unmade(&self, step: &str) -> bool {
        if let Some(path) = arm_path(step) {
            return self.azure.get(&path).await.status == 404;
        }
        match split(step).0 {
            "router" | "vxc-azure" | "vxc-aws" => {
                self.megaport.status(&self.id(step)).await == "DECOMMISSIONED"
            }
            "vif" => matches!(
                self.aws.vif_state(&self.id(step)).await.as_str(),
                "deleted" | ""
            ),
            "association" => {
                let state = self.aws.association_state(&self.id(step)).await;
                matches!(state.as_deref(), None | Some("disassociated"))
            }
            "dxgw" => matches!(self.dxgw().await.as_deref(), None | Some("deleted")),
            "attachment" => self.attachment().await == "detached",
            "vgw" => {
                self.ec2_state("DescribeVpnGateways", "VpnGatewayId.1", step)
                    .await
                    == "deleted"
            }
            "cgw" => {
                self.ec2_state("DescribeCustomerGateways", "CustomerGatewayId.1", step)
                    .await
                    == "deleted"
            }
            "vpn" => {
                self.ec2_state("DescribeVpnConnections", "VpnConnectionId.1", step)
                    .await
                    == "deleted"
            }
            "released" => {
                if self.provider_state().await == "NotProvisioned" {
                    return self.azure.get(CIRCUIT).await.body["properties"]["provisioningState"]
                        == "Succeeded";
                }
                // As soon as the provider has reported it, one refresh shows it (azure.md §2.6).
                let since = SimTime(self.id(step).parse().unwrap());
                if self.sandbox.now().secs_since(since) > 120.0
                    && !self.ids.borrow().contains_key("refresh")
                {
                    let body = self.azure.get(CIRCUIT).await.body;
                    let answer = self.azure.put(CIRCUIT, &body).await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    self.keep("refresh", "asked for");
                }
                false
            }
            _ => true,
        }
    }
}
