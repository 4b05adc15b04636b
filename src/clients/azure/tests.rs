//! Tests of the ARM client.
