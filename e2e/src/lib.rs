//! What tests of the whole, the playground and the demo stand on.
//!
//! May start processes on this machine and write into the folders it is given; reaches the network only to obtain the
//! control plane's programs.

pub mod controlplane;
