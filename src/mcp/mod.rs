//! The Model Context Protocol: from bytes to calls.

pub mod agreement;
pub mod call;
pub mod elicitation;
pub mod envelope;
pub mod revision;

pub use call::{Arguments, Call, Target};
pub use revision::{Era, Revision};
