//! What the gate gives to clients to bring back, so that it need not remember
//! it: session ids (legacy) and request state (MCP 2026-07-28). Each carries
//! a MAC under one of the gate's state keys, over what it says and whom it was
//! given to, so that every worker and replica with the same keys can check it.

mod blank;
mod mac;
mod owner;
mod request_state;
mod retry;
mod session;
mod task;

pub(crate) use blank::blank;
pub use mac::{StateKeys, TAG_BYTES};
pub use owner::Owner;
pub use request_state::{CallDigest, Presented, STATE_SECONDS, issue as request_state, present};
pub use retry::{CONSENT_KEY, ConsentAction, ForgedState, Retry};
pub use session::{Session, SessionFlags, bind as bind_session, open as open_session};
pub use task::{Task, TaskOrigin, bind as bind_task, open as open_task};
