//! Bounds on what the gate reads and keeps.

use super::reader::Node;

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
    /// How many requests of one worker may wait for keys or introspection. As
    /// many more may wait to be refused.
    pub waiting_requests: usize,
    /// How many bytes of an upstream's answer, or of one event of a stream,
    /// are held until they are decided on.
    pub answer_bytes: usize,
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
            answer_bytes: 4_194_304,
        }
    }
}

pub(super) fn limits(node: &Node<'_>) -> Option<Limits> {
    let members = node.members(&[
        "body_bytes",
        "json_depth",
        "token_bytes",
        "token_cache_entries",
        "key_wait_ms",
        "batch_elements",
        "waiting_requests",
        "answer_bytes",
    ])?;
    let size = |name, default: usize, minimum, maximum| {
        members.or(name, default, |node: &Node<'_>| {
            node.integer(minimum, maximum)
                .and_then(|value| usize::try_from(value).ok())
        })
    };
    let default = Limits::default();
    let body_bytes = size("body_bytes", default.body_bytes, 1024, 8_388_608);
    let json_depth = size("json_depth", default.json_depth, 8, 127);
    let token_bytes = size("token_bytes", default.token_bytes, 256, 65_536);
    let cache = size(
        "token_cache_entries",
        default.token_cache_entries,
        0,
        1_000_000,
    );
    let key_wait_ms = members.or("key_wait_ms", default.key_wait_ms, |node| {
        node.integer(0, 60_000)
    });
    let batch_elements = size("batch_elements", default.batch_elements, 1, 1000);
    let waiting = size("waiting_requests", default.waiting_requests, 1, 100_000);
    let answer_bytes = size("answer_bytes", default.answer_bytes, 1024, 67_108_864);
    Some(Limits {
        body_bytes: body_bytes?,
        json_depth: json_depth?,
        token_bytes: token_bytes?,
        token_cache_entries: cache?,
        key_wait_ms: key_wait_ms?,
        batch_elements: batch_elements?,
        waiting_requests: waiting?,
        answer_bytes: answer_bytes?,
    })
}
