//! The methods that a client may send, in the terms of rules.

use crate::mcp::Call;

/// Methods that name a tool, a prompt or a resource: rules of that kind
/// decide them, rules on methods do not.
pub const TARGETED: [&str; 6] = [
    "tools/call",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
];

/// Every other method of any protocol version, and the pseudo-methods that
/// stand for messages without one.
pub const UNTARGETED: [&str; 25] = [
    Call::GET,
    Call::DELETE,
    Call::RESPONSE,
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "subscriptions/listen",
    "logging/setLevel",
    "tasks/get",
    "tasks/cancel",
    "tasks/result",
    "tasks/list",
    "tasks/update",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "notifications/message",
    "notifications/elicitation/complete",
    "notifications/tasks",
];
