//! What a slot should be that only another slot's object can say: the addresses of a tunnel's two ends. They are known once
//! that object is there, and are others once somebody deleted it and it was made anew.

use crate::desired::Desired;
use crate::observe::Seen;
use crate::slot::{Graph, Level, Output, SlotId};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The text of [`Output::OutsideAddress`]. Tunnels are told by their inside CIDR, since AWS changes their order (aws.md §2.4).
pub fn outside_addresses<'a>(tunnels: impl IntoIterator<Item = (Ipv4Net, &'a str)>) -> String {
    let pairs = tunnels.into_iter().map(|(i, o)| format!("{i}={o}"));
    pairs.collect::<Vec<_>>().join(",")
}

fn outside_address(text: &str, inside: Ipv4Net) -> Option<Ipv4Addr> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(i, _)| {
            i.parse()
                .is_ok_and(|i: Ipv4Net| i.trunc() == inside.trunc())
        })
        .and_then(|(_, outside)| outside.parse().ok())
}

impl Graph {
    /// Writes into what each slot should be what others yield as they were just seen.
    pub fn learn(&mut self, seen: &BTreeMap<SlotId, Seen>) {
        for slot in self.slots.values_mut() {
            for need in &slot.needs {
                let Level::Output(output) = need.level else {
                    continue;
                };
                let other = seen.get(&need.slot).and_then(Seen::present);
                let text = other.and_then(|p| p.outputs.get(&output));
                match (&mut slot.desired, output) {
                    (Desired::CustomerGateway { address, .. }, Output::IpAddress) => {
                        *address = text.and_then(|a| a.parse().ok());
                    }
                    (
                        Desired::LocalNetworkGateway {
                            gateway, inside, ..
                        },
                        Output::OutsideAddress,
                    ) => *gateway = text.and_then(|t| outside_address(t, *inside)),
                    _ => {}
                }
            }
        }
    }
}
