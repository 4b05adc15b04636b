//! Megaport: OAuth, catalogues, orders, products, tags, diagnostics and prices (megaport.md).
//!
//! There is no idempotency key: an order is sent once and never repeated here, whatever happens (megaport.md §1.4); the
//! caller looks for its token among the products before it orders again. The only request that is repeated is one that
//! was refused with 401, once, with a fresh token.

mod auth;
mod catalogue;
mod classify;
mod client;
mod diagnostics;
mod orders;
mod products;
#[cfg(test)]
mod tests;
mod vrouter;

pub use catalogue::{
    AzureKey, AzureKeyPort, DiversityZone, Location, PartnerPort, PriceQuote, VxcPriceRequest,
};
pub use classify::classify;
pub use client::{MegaportClient, MegaportCredential};
pub use diagnostics::Direction;
pub use orders::{FarEnd, McrOrder, McrUpdate, Tags, VxcOrder, VxcUpdate};
pub use products::{
    AwsSide, AzureSide, Mcr, ProductStatus, Products, RouterSide, SeenBgp, SeenInterface, Vxc,
    VxcEnd,
};
pub use vrouter::{RouterBgp, RouterInterface};
