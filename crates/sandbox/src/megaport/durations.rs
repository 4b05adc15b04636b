//! Names and defaults of Megaport's operation durations, in simulated seconds. The world file overrides them by name
//! (`durations`); docs list this table.

/// MCR order until `CONFIGURED` (megaport.md §4.1: one to two minutes).
pub const MCR_CONFIGURE: (&str, f64) = ("megaport.mcr.configure", 75.0);
/// MCR from `CONFIGURED` to `LIVE` (§4.1: normally at once).
pub const MCR_LIVE: (&str, f64) = ("megaport.mcr.live", 3.0);
/// A change of an MCR (name, cost centre, term, ASN).
pub const MCR_UPDATE: (&str, f64) = ("megaport.mcr.update", 4.0);
/// Adding, changing or disabling the IPsec add-on; the MCR is not ready meanwhile (§7.2).
pub const MCR_ADDON: (&str, f64) = ("megaport.mcr.addon", 45.0);
/// VXC order until `CONFIGURED`: the cloud's side has been made by then (§4.3).
pub const VXC_CONFIGURE: (&str, f64) = ("megaport.vxc.configure", 60.0);
/// VXC from `CONFIGURED` to `LIVE`.
pub const VXC_LIVE: (&str, f64) = ("megaport.vxc.live", 3.0);
/// A VXC update answers before it applies (§4.5, §8.14).
pub const VXC_UPDATE: (&str, f64) = ("megaport.vxc.update", 8.0);
/// A VXC that went with its MCR, from `CANCELLED_PARENT` to `DECOMMISSIONED` (§4.1: one to two minutes).
pub const VXC_CASCADE: (&str, f64) = ("megaport.vxc.cascade", 60.0);
/// A prefix list of a removed session stays referenced for so long (§5: the provider retries 12 × 10 s).
pub const PREFIX_LIST_RELEASE: (&str, f64) = ("megaport.prefixList.release", 20.0);
/// A diagnostics query (§7.3: poll every 3 s).
pub const DIAGNOSTICS: (&str, f64) = ("megaport.diagnostics", 4.0);
/// How long a decommissioned product stays readable (§4.1: about 30 days).
pub const TOMBSTONE: (&str, f64) = ("megaport.tombstone", 30.0 * 86_400.0);

/// All of them, for docs.
pub const TABLE: [(&str, f64); 11] = [
    MCR_CONFIGURE,
    MCR_LIVE,
    MCR_UPDATE,
    MCR_ADDON,
    VXC_CONFIGURE,
    VXC_LIVE,
    VXC_UPDATE,
    VXC_CASCADE,
    PREFIX_LIST_RELEASE,
    DIAGNOSTICS,
    TOMBSTONE,
];
