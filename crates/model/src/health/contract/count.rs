//! How much of the contract is seen, for the status.

use super::super::picture::{Picture, SubjectKind};
use super::is_foreign;
use crate::routes::Table;
use ipnet::IpNet;

/// Prefixes of the contract that are seen where they belong, and all of them: at the network interfaces (else the
/// gateways) in Azure, in the route tables (else at the gateways' edge) in AWS.
pub(in crate::health) fn count(picture: &Picture) -> (usize, usize) {
    let p = picture;
    let everywhere = |tables: Vec<Option<&Table>>, ok: &dyn Fn(&Table) -> bool| {
        !tables.is_empty()
            && tables.iter().flatten().count() > 0
            && tables.iter().flatten().all(|t| ok(t))
    };
    let from_gateway =
        |t: &Table, prefix: IpNet| t.to(prefix).any(|r| r.usable && is_foreign(r.learned));
    let azure = |prefix: IpNet| {
        if p.kind == SubjectKind::HybridInterconnect && !p.nics.is_empty() {
            return everywhere(p.nics.iter().map(|n| n.routes.shown()).collect(), &|t| {
                from_gateway(t, prefix)
            });
        }
        if let Some(g) = &p.er_gateway {
            return everywhere(vec![g.learned.shown()], &|t| from_gateway(t, prefix));
        }
        if p.vpns.is_empty() {
            return everywhere(
                p.direct_connects
                    .iter()
                    .map(|d| d.advertised.shown())
                    .collect(),
                &|t| t.has(prefix),
            );
        }
        everywhere(p.vpns.iter().map(|v| v.learned.shown()).collect(), &|t| {
            from_gateway(t, prefix)
        })
    };
    let aws = |prefix: IpNet| {
        if !p.route_tables.is_empty() {
            return everywhere(
                p.route_tables.iter().map(|t| t.routes.shown()).collect(),
                &|t| t.has(prefix),
            );
        }
        if !p.direct_connects.is_empty() {
            return everywhere(
                p.direct_connects
                    .iter()
                    .map(|d| d.accepted.shown())
                    .collect(),
                &|t| t.has(prefix),
            );
        }
        everywhere(p.routers.iter().map(|r| r.routes.shown()).collect(), &|t| {
            t.has(prefix)
        })
    };
    let seen = p.azure_sees.iter().filter(|x| azure(**x)).count()
        + p.aws_sees.iter().filter(|x| aws(**x)).count();
    (seen, p.azure_sees.len() + p.aws_sees.len())
}
