//! What the gate gives to clients to bring back, so that it need not remember
//! it: session ids (legacy), request state (MCP 2026-07-28) and task ids. Each
//! carries a MAC under one of the gate's state keys, over what it says and whom
//! it was given to, so that every worker and replica with the same keys can
//! check it.

mod mac;
mod owner;
mod request_state;
mod retry;
mod sealed;
mod session;
mod task;
mod upstream_state;

pub use mac::{StateKeys, TAG_BYTES};
pub use owner::Owner;
pub use request_state::{CallDigest, Presented, STATE_SECONDS, issue as request_state, present};
pub use retry::{CONSENT_KEY, ConsentAction, ForgedState, Retry};
pub use session::{Session, SessionFlags, bind as bind_session, open as open_session};
pub use task::{Task, TaskOrigin, bind as bind_task, open as open_task};
pub use upstream_state::{bind as bind_upstream_state, open as open_upstream_state};
