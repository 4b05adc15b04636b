//! CEL rules that several kinds share.
//!
//! Every function returns one `Rule` with a message that says what is wrong and what to do. The
//! expressions are written for the API server of Kubernetes 1.31 and later (IP, CIDR and set
//! functions) and cost little: every list and string that they touch is bounded in the schema.
//!
//! Two conventions: a rule about the *meaning* of a CIDR is guarded by `isCIDR(x) ? … : true`, so that
//! malformed text yields exactly one message (that of [`cidr_format`]); and immutability is a rule on the
//! parent which compares `has()` too, so that a field can neither appear nor vanish.

use kube::core::{Message, Reason, Rule};

/// ASNs that no party outside the provider may use: Azure's own (azure.md §3.3), AS_TRANS, the
/// documentation ranges and the reserved block behind 16 bit (megaport.md §3.1 has the same list).
const RESERVED: &str = "(self in [8074, 8075, 12076, 23456] || (self >= 64496 && self <= 64511) || \
     (self >= 65515 && self <= 65520) || (self >= 65535 && self <= 65551))";

/// The private ranges that AWS accepts for a gateway (aws.md §2.5, §3.1).
const AMAZON_PRIVATE: &str =
    "(self >= 64512 && self <= 65534) || (self >= 4200000000 && self <= 4294967294)";

/// Terms that Megaport sells, in months (megaport.md §3.1).
const TERMS: &str = "self in [1, 12, 24, 36, 48, 60]";

fn invalid(rule: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule::new(rule.into())
        .message(Message::Message(message.into()))
        .reason(Reason::FieldValueInvalid)
}

fn forbidden(rule: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule::new(rule.into())
        .message(Message::Message(message.into()))
        .reason(Reason::FieldValueForbidden)
}

/// A rule with a message, for what only one place needs.
pub fn rule(expression: &str, message: &str) -> Rule {
    invalid(expression, message)
}

/// A transition that is refused, with the reason and the way around in `message`.
pub fn transition(expression: &str, message: &str) -> Rule {
    forbidden(expression, message)
}

/// Exactly one of `managed` and `reference` is set.
pub fn managed_xor_ref(managed: &str, reference: &str) -> Rule {
    invalid(
        format!("has(self.{managed}) != has(self.{reference})"),
        format!(
            "set exactly one of {managed} (Causeway makes it, changes it and deletes it) and {reference} \
             (it exists already, is used and never changed)"
        ),
    )
}

/// At most one of `managed` and `reference` is set.
pub fn at_most_one(managed: &str, reference: &str) -> Rule {
    invalid(
        format!("!(has(self.{managed}) && has(self.{reference}))"),
        format!(
            "set at most one of {managed} (Causeway makes it, changes it and deletes it) and {reference} \
             (it exists already, is used and never changed)"
        ),
    )
}

/// A managed object and a reference do not replace each other in one step: the managed one would be deleted under its links.
pub fn no_exchange(managed: &str, reference: &str) -> Rule {
    forbidden(
        format!(
            "!(has(oldSelf.{managed}) && has(self.{reference})) && !(has(oldSelf.{reference}) && has(self.{managed})) && \
             (!has(self.{reference}) || !has(oldSelf.{reference}) || self.{reference} == oldSelf.{reference})"
        ),
        format!(
            "{managed} and {reference} cannot replace each other, and {reference} cannot point elsewhere, while links use the \
             gateway: remove the links and the gateway first, or make a new interconnect"
        ),
    )
}

/// Exactly one of `fields` is set.
pub fn exactly_one_of(fields: &[&str]) -> Rule {
    let has: Vec<String> = fields.iter().map(|f| format!("has(self.{f})")).collect();
    invalid(
        format!("[{}].filter(x, x).size() == 1", has.join(", ")),
        format!("set exactly one of {}", fields.join(", ")),
    )
}

/// A required string that never changes. The message shows both values. (The API server's cost estimate does not know how long
/// `string(x)` of a number gets and refuses it, so numbers are left to [`immutable_block`].)
pub fn immutable(field: &str, remedy: &str) -> Rule {
    let message = format!(
        "'{field} cannot be changed from ' + oldSelf.{field} + ' to ' + self.{field} + ': {remedy}'"
    );
    Rule::new(format!("self.{field} == oldSelf.{field}"))
        .message(Message::Expression(message))
        .reason(Reason::FieldValueForbidden)
        .field_path(format!(".{field}"))
}

/// A required number, block or list that never changes.
pub fn immutable_block(field: &str, remedy: &str) -> Rule {
    forbidden(
        format!("self.{field} == oldSelf.{field}"),
        format!("{field} cannot be changed: {remedy}"),
    )
    .field_path(format!(".{field}"))
}

/// An optional field that never changes, appears or vanishes.
pub fn immutable_optional(field: &str, remedy: &str) -> Rule {
    forbidden(
        format!(
            "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
        ),
        format!("{field} cannot be changed, added or removed: {remedy}"),
    )
}

/// Whether `reference` now names an interconnect and did not before: the one change that a takeover (`adoptLink`) makes.
fn handed_over(reference: &str) -> String {
    format!(
        "(has(self.{reference}) && has(self.{reference}.hybridInterconnect) && \
         !(has(oldSelf.{reference}) && has(oldSelf.{reference}.hybridInterconnect)))"
    )
}

/// The choice between a managed object and a reference, and the reference itself, never change, unless an interconnect takes
/// the link over.
pub fn fixed_choice(managed: &str, reference: &str, remedy: &str) -> Rule {
    forbidden(
        format!(
            "{} || (has(self.{managed}) == has(oldSelf.{managed}) && \
             (!has(self.{reference}) || !has(oldSelf.{reference}) || self.{reference} == oldSelf.{reference}))",
            handed_over(reference)
        ),
        format!(
            "{managed} and {reference} cannot replace each other, and {reference} cannot be changed: {remedy}"
        ),
    )
}

/// A required reference that never changes, unless an interconnect takes the link over.
pub fn fixed_reference(reference: &str, remedy: &str) -> Rule {
    forbidden(
        format!(
            "{} || self.{reference} == oldSelf.{reference}",
            handed_over(reference)
        ),
        format!("{reference} cannot be changed: {remedy}"),
    )
    .field_path(format!(".{reference}"))
}

/// A field of an ordered router that never changes, appears or vanishes. Silent where `ref` comes or goes, which has its own
/// rule.
pub fn router_immutable(field: &str, remedy: &str) -> Rule {
    forbidden(
        format!(
            "has(self.ref) || has(oldSelf.ref) || \
             (has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field}))"
        ),
        format!("{field} cannot be changed, added or removed: {remedy}"),
    )
}

/// An optional block that may change inside, but not appear or vanish.
pub fn fixed_presence(field: &str, remedy: &str) -> Rule {
    forbidden(
        format!("has(self.{field}) == has(oldSelf.{field})"),
        format!("{field} cannot be added or removed: {remedy}"),
    )
}

/// `adoptID` may be dropped once the takeover is done, but not added to an object that Causeway made itself,
/// and not pointed elsewhere.
pub fn adopt_id() -> Rule {
    forbidden(
        "!has(self.adoptID) || (has(oldSelf.adoptID) && self.adoptID == oldSelf.adoptID)",
        "adoptID cannot be added or changed: Causeway already has an object for this entry; to take over \
         another one, remove the entry, wait until it is gone and add it again with adoptID",
    )
}

/// An ASN that its owner may use towards Azure and Megaport.
pub fn asn_not_reserved() -> Rule {
    invalid(
        format!("!{RESERVED}"),
        "this ASN is reserved (8074, 8075, 12076 and 65515-65520 by Azure; 23456, 64496-64511 and 65535-65551 \
         by IANA): use one of 64512-65514, 65521-65534 or 4200000000-4294967294, or your own public ASN",
    )
}

/// The ASN of an Azure VPN gateway: as [`asn_not_reserved`], but 65515 is its own.
pub fn vpn_gateway_asn() -> Rule {
    invalid(
        format!("self == 65515 || !{RESERVED}"),
        "this ASN is reserved (8074, 8075, 12076 and 65516-65520 by Azure; 23456, 64496-64511 and 65535-65551 \
         by IANA): use 65515, the default of an Azure VPN gateway, or one of 64512-65514 and 65521-65534",
    )
}

/// The ASN of an AWS gateway is private.
pub fn amazon_asn_private() -> Rule {
    invalid(
        AMAZON_PRIVATE,
        "AWS takes only private ASNs for its gateways: use 64512-65534 or 4200000000-4294967294",
    )
}

/// The ASN of an AWS gateway is none that Azure drops as its own.
pub fn amazon_asn_not_azure() -> Rule {
    invalid(
        "!(self >= 65515 && self <= 65520)",
        "ASNs 65515-65520 are Azure's own, and Azure drops routes that carry them: use 64512-65514, \
         65521-65534 or 4200000000-4294967294",
    )
}

/// A contract term that Megaport sells.
pub fn term_months() -> Rule {
    invalid(
        TERMS,
        "Megaport sells terms of 1, 12, 24, 36, 48 or 60 months: use one of these",
    )
}

/// The one rule about the format of an IPv4 CIDR; every other rule is guarded and stays silent then.
pub fn cidr_format() -> Rule {
    invalid(
        "isCIDR(self) && cidr(self).ip().family() == 4",
        "not an IPv4 prefix: write address/length, for example 169.254.101.216/30",
    )
}

/// An IPv4 prefix without host bits.
pub fn cidr_canonical() -> Rule {
    invalid(
        "isCIDR(self) ? cidr(self).ip() == cidr(self).masked().ip() : true",
        "the address has bits set behind the prefix length: write the network's first address, \
         for example 169.254.101.216/30 and not 169.254.101.217/30",
    )
}

/// A /30.
pub fn slash_30() -> Rule {
    invalid(
        "isCIDR(self) ? cidr(self).prefixLength() == 30 : true",
        "must be a /30: a point-to-point link has two usable addresses",
    )
}

/// A host address inside its /30, neither the network's nor the broadcast address.
pub fn host_in_slash_30() -> Rule {
    invalid(
        "(isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self).prefixLength() == 30) ? \
         int(self.split('/')[0].split('.')[3]) % 4 in [1, 2] : true",
        "is the network or the broadcast address of its /30: use one of the two addresses between them, \
         for example 169.254.50.217/30 or 169.254.50.218/30",
    )
}

/// Inside the range that Azure keeps for BGP over APIPA (azure.md §3.3).
pub fn azure_apipa() -> Rule {
    invalid(
        "isCIDR(self) ? cidr('169.254.21.0/24').containsCIDR(self) || cidr('169.254.22.0/24').containsCIDR(self) : true",
        "Azure speaks BGP over APIPA only in 169.254.21.0-169.254.22.255: choose a /30 in there, \
         for example 169.254.21.0/30",
    )
}

/// Twelve digits.
pub fn aws_account_id() -> Rule {
    invalid(
        "self.matches('^[0-9]{12}$')",
        "an AWS account ID has exactly 12 digits: write them without dashes and in quotes, \
         for example \"111122223333\"",
    )
}

/// Every entry of a list of prefixes is an IPv4 prefix without host bits.
pub fn cidr_list(field: &str) -> Rule {
    invalid(
        "self.all(p, isCIDR(p) && cidr(p).ip().family() == 4 && cidr(p).ip() == cidr(p).masked().ip())",
        format!(
            "every entry of {field} must be an IPv4 prefix with no bits set behind its length, for example 172.16.0.0/16"
        ),
    )
}

/// A VLAN that Megaport lets a customer choose (megaport.md §3.2).
pub fn vlan() -> Rule {
    invalid(
        "self >= 2 && self <= 4093",
        "Megaport takes VLANs 2 to 4093: choose one of these that is free on the circuit",
    )
}

/// SKUs of a VPN gateway that can still be made (azure.md §3.3).
pub fn vpn_sku() -> Rule {
    invalid(
        "self in ['VpnGw1AZ', 'VpnGw2AZ', 'VpnGw3AZ', 'VpnGw4AZ', 'VpnGw5AZ']",
        "Azure makes VPN gateways only with the SKUs VpnGw1AZ, VpnGw2AZ, VpnGw3AZ, VpnGw4AZ and VpnGw5AZ; VpnGw1 to VpnGw5 \
         can no longer be created and Basic has no BGP: add AZ to the SKU, for example VpnGw2AZ",
    )
}

/// A bound on the object's own name, so that the names made from it fit everywhere.
pub fn name_length(max: usize) -> Rule {
    invalid(
        format!("size(self.metadata.name) <= {max}"),
        format!(
            "metadata.name is too long: names of cloud objects and reports are made from it; use at most {max} characters"
        ),
    )
}
