//! The Model Context Protocol: from bytes to calls.

pub mod call;

pub use call::{Call, Target};
