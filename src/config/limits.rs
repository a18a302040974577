//! Bounds on what the gate reads and keeps.

/// Bounds on what the gate reads and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request body, in bytes.
    pub body_bytes: usize,
    /// How many arrays and objects may stand inside each other in a message.
    pub json_depth: usize,
    /// The longest access token, in bytes.
    pub token_bytes: usize,
    /// How many verified tokens each worker remembers.
    pub token_cache_entries: usize,
    /// How long a request waits for keys that are not there yet, in
    /// milliseconds.
    pub key_wait_ms: u64,
    /// How many messages a batch may have.
    pub batch_elements: usize,
    /// How many requests of one worker may wait for keys or introspection.
    pub waiting_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1_048_576,
            json_depth: 64,
            token_bytes: 8192,
            token_cache_entries: 10_000,
            key_wait_ms: 5000,
            batch_elements: 50,
            waiting_requests: 1000,
        }
    }
}
