//! Errors of the EC2 API: code, message, HTTP status. No error of EC2 is modelled; clients go by the code (aws.md §2.1).

/// A refusal in EC2's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Fault {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }
    /// HTTP 400 with a code.
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }
    pub fn invalid(parameter: &str, value: &str, why: &str) -> Self {
        Self::client(
            "InvalidParameterValue",
            format!("Value ({value}) for parameter {parameter} is invalid. {why}."),
        )
    }
    pub fn combination(message: impl Into<String>) -> Self {
        Self::client("InvalidParameterCombination", message)
    }
    pub fn state(message: impl Into<String>) -> Self {
        Self::client("IncorrectState", message)
    }
    pub fn no_vgw(id: &str) -> Self {
        Self::client(
            "InvalidVpnGatewayID.NotFound",
            format!("The vpnGateway ID '{id}' does not exist"),
        )
    }
    pub fn no_cgw(id: &str) -> Self {
        Self::client(
            "InvalidCustomerGatewayID.NotFound",
            format!("The customerGateway ID '{id}' does not exist"),
        )
    }
    pub fn no_vpn(id: &str) -> Self {
        Self::client(
            "InvalidVpnConnectionID.NotFound",
            format!("The vpnConnection ID '{id}' does not exist"),
        )
    }
    pub fn no_vpc(id: &str) -> Self {
        Self::client(
            "InvalidVpcID.NotFound",
            format!("The vpc ID '{id}' does not exist"),
        )
    }
    pub fn no_subnet(id: &str) -> Self {
        Self::client(
            "InvalidSubnetID.NotFound",
            format!("The subnet ID '{id}' does not exist"),
        )
    }
    pub fn no_route_table(id: &str) -> Self {
        Self::client(
            "InvalidRouteTableID.NotFound",
            format!("The routeTable ID '{id}' does not exist"),
        )
    }
    pub fn no_instance(id: &str) -> Self {
        Self::client(
            "InvalidInstanceID.NotFound",
            format!("The instance ID '{id}' does not exist"),
        )
    }
}
