//! The lab's graphs against api.md §3.
