//! Expensive tables as readings: what the vantages last saw, how old that is, and why there is nothing.

use super::Gather;
use crate::clients::azure::ResourceId;
use crate::vantages::{Ask, Content, Glimpse, Source, What};
use causeway_model::health::Reading;
use causeway_model::intent::CloudError;
use causeway_model::routes::{Sessions, Table};
use jiff::Timestamp;
use std::time::Duration;

/// The provider's words for a table that could not be read.
fn words(error: &CloudError) -> String {
    format!("{} ({})", error.message, error.code)
}

/// Failures in a row after which a gateway counts as silent: one may be the platform's hiccup.
const SILENT: u32 = 2;

impl Gather<'_> {
    /// A table as a reading: outdated when it was read before a cheap signal changed, unknown when too old.
    pub(super) fn table<T>(
        &self,
        source: Option<Source>,
        what: What,
        complete: &mut bool,
        pick: impl FnOnce(&Content) -> Option<T>,
    ) -> Reading<T> {
        let Some(source) = source else {
            return Reading::NotOffered("no account".to_owned());
        };
        let ask = Ask {
            who: self.who,
            waker: self.waker.clone(),
            busy: self.busy,
            since: self.since,
        };
        let glimpse = self.vantages.get(&source, what.clone(), &ask);
        *complete &= glimpse.is_known();
        self.reading(&glimpse, &what, pick)
    }

    /// A gateway's BGP peers, and whether it answers `InternalServerError` instead, again and again: then its instances
    /// may not reach each other (azure.md §3.6).
    pub(super) fn gateway_peers(
        &self,
        gateway: &ResourceId,
        complete: &mut bool,
    ) -> (Reading<Sessions>, bool) {
        let what = What::GatewayPeers(gateway.clone());
        let peers = self.table(self.azure(), what.clone(), complete, sessions_of);
        let silent = self
            .azure()
            .and_then(|source| self.vantages.last_error(&source, &what))
            .is_some_and(|(e, times)| {
                times >= SILENT && (e.code == "InternalServerError" || e.code == "500")
            });
        (peers, silent)
    }

    fn reading<T>(
        &self,
        g: &Glimpse,
        what: &What,
        pick: impl FnOnce(&Content) -> Option<T>,
    ) -> Reading<T> {
        let stale = self.vantages.stale_after();
        let age =
            |t: Timestamp| Duration::try_from(self.env.now.duration_since(t)).unwrap_or_default();
        let failed = g
            .error
            .as_ref()
            .map(|(e, at)| (words(e), *at, e.is_auth() || e.is_terminal()));
        if let (What::VifRoutes(_), Some((why, _, true))) = (what, &failed) {
            return Reading::NotOffered(why.clone());
        }
        let (Some(content), Some(began)) = (&g.content, g.began) else {
            return Reading::Unknown(
                failed.map_or_else(|| "not read yet".to_owned(), |(why, _, _)| why),
            );
        };
        let outdated = self.since.is_some_and(|s| began < s);
        match failed {
            // The newer reading that was hoped for failed.
            Some((why, at, _)) if outdated && self.since.is_some_and(|s| at >= s) => {
                return Reading::Unknown(why);
            }
            Some((why, _, _)) if age(began) > stale => return Reading::Unknown(why),
            _ => {}
        }
        // Without an error nobody asked lately: the read that is under way decides.
        let waiting = outdated || age(began) > stale;
        match pick(content) {
            None => Reading::Unknown("the answer is of another kind than asked for".to_owned()),
            Some(t) if waiting => Reading::Outdated(t),
            Some(t) => Reading::Read(t),
        }
    }
}

pub(super) fn a_table(c: &Content) -> Option<Table> {
    if let Content::Table(t) = c {
        Some(t.clone())
    } else {
        None
    }
}

pub(super) fn sessions_of(c: &Content) -> Option<Sessions> {
    if let Content::Sessions(s) = c {
        Some(s.clone())
    } else {
        None
    }
}
