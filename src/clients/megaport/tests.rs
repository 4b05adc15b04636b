//! Tests of the Megaport client.
