//! Protocol revisions: which there are, and which methods a client may send
//! in each.

use core::fmt;

/// A released MCP revision that the gate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2025-03-26: the only one with batches.
    V2025_03_26,
    /// 2025-06-18
    V2025_06_18,
    /// 2025-11-25
    V2025_11_25,
    /// 2026-07-28: no sessions, no `initialize`.
    V2026_07_28,
}

/// The two ways of MCP over Streamable HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Sessions and `initialize`: up to 2025-11-25.
    Legacy,
    /// Each request stands alone: from 2026-07-28.
    Modern,
}

impl Revision {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// What a request without `MCP-Protocol-Version` is taken for (MCP
    /// 2025-06-18, Streamable HTTP, "Protocol Version Header").
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// The revision of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "2025-03-26" => Self::V2025_03_26,
            "2025-06-18" => Self::V2025_06_18,
            "2025-11-25" => Self::V2025_11_25,
            "2026-07-28" => Self::V2026_07_28,
            _ => return None,
        })
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    pub const fn era(self) -> Era {
        match self {
            Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => Era::Legacy,
            Self::V2026_07_28 => Era::Modern,
        }
    }

    /// Whether a client may send this request in this revision.
    pub fn has_request(self, method: &str) -> bool {
        self.has(Kind::Request, method)
    }

    /// Whether a client may send this notification in this revision.
    pub fn has_notification(self, method: &str) -> bool {
        self.has(Kind::Notification, method)
    }

    fn has(self, kind: Kind, method: &str) -> bool {
        METHODS.iter().any(|(of, name, first, last)| {
            is_same(name, method) && *of == kind && (*first..=*last).contains(&self)
        })
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every method that a client may send in some revision.
pub fn methods() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(_, name, _, _)| *name)
}

/// The method of that name, if it is one that a client may send in some
/// revision.
pub fn known(method: &str) -> Option<&'static str> {
    methods().find(|name| is_same(name, method))
}

/// Methods of the same length mostly differ in their last letter.
#[inline]
fn is_same(name: &str, method: &str) -> bool {
    name.len() == method.len()
        && name.as_bytes().last() == method.as_bytes().last()
        && name == method
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Notification,
}

/// What clients may send, and the first and last revision that has it (the
/// unions `ClientRequest` and `ClientNotification` of each revision's schema;
/// for tasks in 2026-07-28, the tasks extension).
const METHODS: [(Kind, &str, Revision, Revision); 25] = {
    use Kind::{Notification, Request};
    use Revision::{V2025_03_26 as FIRST, V2025_11_25, V2026_07_28};
    const LAST_LEGACY: Revision = V2025_11_25;
    const LAST: Revision = V2026_07_28;
    [
        (Request, "initialize", FIRST, LAST_LEGACY),
        (Request, "ping", FIRST, LAST_LEGACY),
        (Request, "server/discover", V2026_07_28, LAST),
        (Request, "tools/list", FIRST, LAST),
        (Request, "tools/call", FIRST, LAST),
        (Request, "resources/list", FIRST, LAST),
        (Request, "resources/templates/list", FIRST, LAST),
        (Request, "resources/read", FIRST, LAST),
        (Request, "resources/subscribe", FIRST, LAST_LEGACY),
        (Request, "resources/unsubscribe", FIRST, LAST_LEGACY),
        (Request, "subscriptions/listen", V2026_07_28, LAST),
        (Request, "prompts/list", FIRST, LAST),
        (Request, "prompts/get", FIRST, LAST),
        (Request, "completion/complete", FIRST, LAST),
        (Request, "logging/setLevel", FIRST, LAST_LEGACY),
        (Request, "tasks/get", V2025_11_25, LAST),
        (Request, "tasks/cancel", V2025_11_25, LAST),
        (Request, "tasks/result", V2025_11_25, LAST_LEGACY),
        (Request, "tasks/list", V2025_11_25, LAST_LEGACY),
        (Request, "tasks/update", V2026_07_28, LAST),
        (
            Notification,
            "notifications/initialized",
            FIRST,
            LAST_LEGACY,
        ),
        (Notification, "notifications/cancelled", FIRST, LAST_LEGACY),
        (Notification, "notifications/progress", FIRST, LAST_LEGACY),
        (
            Notification,
            "notifications/roots/list_changed",
            FIRST,
            LAST_LEGACY,
        ),
        (
            Notification,
            "notifications/tasks/status",
            V2025_11_25,
            LAST_LEGACY,
        ),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_known_by_its_name_alone() {
        for revision in Revision::ALL {
            let name = revision.as_str();
            assert_eq!(Revision::parse(name), Some(revision));
            assert_eq!(Revision::parse(name.trim_start_matches('2')), None);
            assert_eq!(Revision::parse(&format!("{name} ")), None);
        }
        assert_eq!(Revision::parse("2025-11-26"), None);
    }

    #[test]
    fn each_revision_has_its_own_methods() {
        use Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};
        for (method, revisions) in [
            ("initialize", &[V2025_03_26, V2025_06_18, V2025_11_25][..]),
            ("tools/call", &Revision::ALL),
            ("server/discover", &[V2026_07_28]),
            ("tasks/get", &[V2025_11_25, V2026_07_28]),
            ("tasks/result", &[V2025_11_25]),
            ("tasks/update", &[V2026_07_28]),
            ("sampling/createMessage", &[]),
            ("Tools/call", &[]),
        ] {
            let have: Vec<_> = Revision::ALL
                .into_iter()
                .filter(|r| r.has_request(method))
                .collect();
            assert_eq!(have, revisions, "{method}");
        }
        assert!(V2025_06_18.has_notification("notifications/cancelled"));
        assert!(!V2026_07_28.has_notification("notifications/cancelled"));
    }
}
