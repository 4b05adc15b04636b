//! The clients of the three clouds. They translate between domain types and the providers' wire formats over one seam
//! ([`http::Transport`]); they keep no state but tokens, never wait for long-running work, and retry nothing that could
//! order twice: the controllers decide when to look again.

pub mod azure;
pub mod http;
pub mod megaport;
pub mod wire;
