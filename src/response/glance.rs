//! What can be said of a JSON-RPC message before all of it is there.

/// Reads a message as it comes, and says whether its beginning may go on.
#[derive(Clone, Debug, Default)]
pub(super) struct Glance {}

impl Glance {
    /// More of the text.
    pub(super) fn feed(&mut self, _bytes: &[u8]) {}

    /// Whether all that has come so far is the beginning of an answer in
    /// which nothing has to be changed. Once `false` after it was `true`, the
    /// message must never become complete for the client.
    pub(super) const fn may_flow(&self) -> bool {
        false
    }
}
