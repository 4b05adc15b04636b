//! What the contract's checks found, by reason.

use super::super::picture::Reading;
use super::super::{Doubt, partly};
use crate::routes::{Sessions, Table};
use ipnet::IpNet;

/// What was found, by reason.
#[derive(Default)]
pub(super) struct Findings {
    pub wrong_preference: Vec<String>,
    pub asymmetric: Vec<String>,
    pub missing: Vec<String>,
    /// Why prefixes are missing, where that is known: said before everything else.
    pub cause: Option<String>,
    pub unexpected: Vec<String>,
    pub disagree: Vec<String>,
    pub doubts: Vec<Doubt>,
}

impl Findings {
    /// What a vantage says, or a doubt about it. What is not offered is nobody's fault.
    pub(super) fn open<'a, T>(
        &mut self,
        what: &str,
        reading: &'a Reading<T>,
        expected: &[IpNet],
    ) -> Option<&'a T> {
        let there = there(expected);
        match reading {
            Reading::Read(t) => Some(t),
            Reading::Outdated(_) => {
                self.doubts.push(Doubt {
                    why: format!("{what} is being read again{there}"),
                    waiting: true,
                });
                None
            }
            Reading::Unknown(why) => {
                self.doubts
                    .push(Doubt::new(format!("{what}: {why}{there}")));
                None
            }
            Reading::NotOffered(_) => None,
        }
    }

    /// As [`Self::open`]. What rows say that nobody understood is unreadable, not absent: a doubt beside whatever else the
    /// table shows.
    pub(super) fn open_table<'a>(
        &mut self,
        what: &str,
        reading: &'a Reading<Table>,
        expected: &[IpNet],
    ) -> Option<&'a Table> {
        let table = self.open(what, reading, expected)?;
        if !table.is_whole() {
            self.doubts
                .push(Doubt::new(format!("{}{}", partly(what), there(expected))));
        }
        Some(table)
    }

    /// BGP peers are looked at by others (`sessions`); here only whether they could be.
    pub(super) fn peers(&mut self, what: &str, peers: &Reading<Sessions>, silence: &str) {
        let before = self.doubts.len();
        if let Some(rows) = self.open(what, peers, &[])
            && !rows.is_whole()
        {
            self.doubts.push(Doubt::new(partly(what)));
        }
        for doubt in self.doubts.iter_mut().skip(before) {
            doubt.why.push_str(silence);
        }
    }

    pub(super) fn lacks(&mut self, table: &Table, what: &str, prefix: IpNet, from: &str) {
        if table.is_whole() {
            self.missing
                .push(format!("{what} lacks {prefix}, expected {from}"));
        }
    }
}

/// What was expected of a vantage that can not be read, as an ending.
fn there(expected: &[IpNet]) -> String {
    if expected.is_empty() {
        String::new()
    } else {
        format!(" (expected there: {})", list(expected))
    }
}

/// Prefixes for people.
pub(super) fn list(prefixes: &[IpNet]) -> String {
    prefixes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
