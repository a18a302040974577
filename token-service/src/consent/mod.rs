//! The flow in which a user connects an account.

mod cookies;
mod forms;
mod journey;
