//! Expensive tables as readings: what the vantages last saw, how old that is, and why there is nothing.

use super::Gather;
use crate::vantages::{Ask, Content, Glimpse, Source, What};
use causeway_model::health::Reading;
use causeway_model::intent::CloudError;
use causeway_model::routes::{Session, Table};
use jiff::Timestamp;
use std::time::Duration;

/// The provider's words for a table that could not be read, with what they may mean.
fn words(error: &CloudError, what: &What) -> String {
    let text = format!("{} ({})", error.message, error.code);
    let gateway = matches!(what, What::GatewayPeers(_) | What::GatewayRoutes(_));
    if gateway && (error.code == "InternalServerError" || error.code == "500") {
        // azure.md §3.6: the symptom of a route table on GatewaySubnet that takes the gateways' sessions away.
        return format!(
            "{text}: the instances of the gateways may not reach each other; if a route table is on GatewaySubnet, add a route for the prefix of GatewaySubnet with next hop type Virtual network to it"
        );
    }
    text
}

impl Gather<'_> {
    /// A table as a reading: outdated when it was read before a cheap signal changed, unknown when too old.
    pub(super) fn table<T>(
        &self,
        source: Option<Source>,
        what: What,
        complete: &mut bool,
        pick: impl FnOnce(&Content) -> Option<T>,
    ) -> (Reading<T>, Option<String>) {
        let Some(source) = source else {
            return (Reading::NotOffered("no account".to_owned()), None);
        };
        let ask = Ask {
            who: self.who,
            waker: self.waker.clone(),
            busy: self.busy,
            since: self.since,
        };
        let glimpse = self.vantages.get(&source, what.clone(), &ask);
        *complete &= glimpse.is_known();
        (self.reading(&glimpse, &what, pick), raw(&glimpse))
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
            .map(|(e, at)| (words(e, what), *at, e.is_auth() || e.is_terminal()));
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

pub(super) fn sessions_of(c: &Content) -> Option<Vec<Session>> {
    if let Content::Sessions(s, _) = c {
        Some(s.clone())
    } else {
        None
    }
}

/// Rows that could not be understood, as text.
fn raw(g: &Glimpse) -> Option<String> {
    let rows: Vec<String> = match g.content.as_deref()? {
        Content::Table(t) => t.not_understood.clone(),
        Content::Sessions(_, bad) => bad.clone(),
        Content::Vif {
            accepted,
            advertised,
        } => accepted
            .not_understood
            .iter()
            .chain(&advertised.not_understood)
            .cloned()
            .collect(),
    };
    (!rows.is_empty()).then(|| rows.join("\n"))
}
