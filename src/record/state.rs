//! The decision in Envoy's filter state, for access logs, rate limits, RBAC.

use super::{CallRecord, CredentialUse, Record, audit_line};

/// An entry of filter state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateEntry {
    /// The whole audit line.
    Audit,
    /// How it ended.
    Outcome,
    /// Why.
    Reason,
    /// What became of the upstream credential.
    Credential,
    /// The `id` of the server's entry.
    Server,
    /// The issuer of the token.
    Issuer,
    /// The subject of the token.
    Subject,
    /// What kind of principal that is.
    SubjectType,
    /// The OAuth client.
    Client,
    /// The method; `batch` where there are several calls.
    Method,
    /// The targets, separated by spaces.
    Target,
    /// The rules that decided, separated by spaces.
    Rule,
    /// How many calls there are.
    Calls,
}

/// Which entries of filter state are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateEntries(u16);

impl StateEntry {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Audit,
        Self::Outcome,
        Self::Reason,
        Self::Credential,
        Self::Server,
        Self::Issuer,
        Self::Subject,
        Self::SubjectType,
        Self::Client,
        Self::Method,
        Self::Target,
        Self::Rule,
        Self::Calls,
    ];

    /// The key. Envoy puts `wasm.` before it, so that the first one is
    /// `wasm.mcp_auth.audit` to the rest of Envoy.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Audit => "mcp_auth.audit",
            Self::Outcome => "mcp_auth.outcome",
            Self::Reason => "mcp_auth.reason",
            Self::Credential => "mcp_auth.credential",
            Self::Server => "mcp_auth.server",
            Self::Issuer => "mcp_auth.issuer",
            Self::Subject => "mcp_auth.subject",
            Self::SubjectType => "mcp_auth.subject_type",
            Self::Client => "mcp_auth.client",
            Self::Method => "mcp_auth.method",
            Self::Target => "mcp_auth.target",
            Self::Rule => "mcp_auth.rule",
            Self::Calls => "mcp_auth.calls",
        }
    }

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        let key = self.key();
        key.strip_prefix("mcp_auth.").unwrap_or(key)
    }

    const fn bit(self) -> u16 {
        1_u16.wrapping_shl(self as u32)
    }
}

impl StateEntries {
    /// Whether this one is written.
    pub const fn has(self, entry: StateEntry) -> bool {
        self.0 & entry.bit() != 0
    }
}

/// All of them.
impl Default for StateEntries {
    fn default() -> Self {
        StateEntry::ALL.into_iter().collect()
    }
}

impl FromIterator<StateEntry> for StateEntries {
    fn from_iter<I: IntoIterator<Item = StateEntry>>(entries: I) -> Self {
        Self(
            entries
                .into_iter()
                .fold(0, |bits, entry| bits | entry.bit()),
        )
    }
}

/// Gives `put` the key and the value of each entry that is wanted and that the
/// record has a value for. `now_ms` is in milliseconds since 1970.
pub fn filter_state(
    record: &Record,
    wanted: StateEntries,
    now_ms: u64,
    put: impl FnMut(&'static str, &str),
) {
    let mut state = State { wanted, put };
    state.text(StateEntry::Outcome, Some(record.outcome.as_str()));
    state.text(StateEntry::Reason, Some(record.reason));
    let credential = record.credential.map(CredentialUse::as_str);
    state.text(StateEntry::Credential, credential);
    state.identity(record);
    state.calls(&record.calls);
    state.audit(record, now_ms);
}

/// The same for the entries that are known once the caller is: where headers
/// go on before the message is read, filters that look at headers have these
/// already.
pub fn identity_state(record: &Record, wanted: StateEntries, put: impl FnMut(&'static str, &str)) {
    State { wanted, put }.identity(record);
}

/// The same for what changes when the response is over, and nothing else does.
pub fn audit_state(
    record: &Record,
    wanted: StateEntries,
    now_ms: u64,
    put: impl FnMut(&'static str, &str),
) {
    State { wanted, put }.audit(record, now_ms);
}

struct State<P> {
    wanted: StateEntries,
    put: P,
}

impl<P: FnMut(&'static str, &str)> State<P> {
    fn text(&mut self, entry: StateEntry, value: Option<&str>) {
        if self.wanted.has(entry)
            && let Some(value) = value
        {
            (self.put)(entry.key(), value);
        }
    }

    fn identity(&mut self, record: &Record) {
        self.text(StateEntry::Server, record.server.as_deref());
        if let Some(identity) = &record.identity {
            self.text(StateEntry::Issuer, Some(identity.issuer()));
            self.text(StateEntry::Subject, Some(identity.subject()));
            let subject_type = identity.subject_type().as_str();
            self.text(StateEntry::SubjectType, Some(subject_type));
            self.text(StateEntry::Client, identity.client());
        }
    }

    fn calls(&mut self, calls: &[CallRecord]) {
        let method = match calls {
            [] => return,
            [call] => call.method.as_ref(),
            _ => "batch",
        };
        self.text(StateEntry::Method, Some(method));
        self.each(StateEntry::Target, calls, |call| {
            (!call.kind.is_empty()).then_some(call.target.as_str())
        });
        self.each(StateEntry::Rule, calls, |call| call.rule.as_deref());
        if self.wanted.has(StateEntry::Calls) {
            self.text(StateEntry::Calls, Some(&calls.len().to_string()));
        }
    }

    /// What calls have in them, separated by spaces; nothing where that is
    /// empty.
    fn each(
        &mut self,
        entry: StateEntry,
        calls: &[CallRecord],
        of: fn(&CallRecord) -> Option<&str>,
    ) {
        if !self.wanted.has(entry) {
            return;
        }
        let value = match calls {
            [call] => return self.text(entry, of(call).filter(|value| !value.is_empty())),
            calls => {
                let mut all: Vec<&str> = calls.iter().filter_map(of).collect();
                all.dedup();
                all.join(" ")
            }
        };
        self.text(
            entry,
            Some(&value)
                .filter(|value| !value.is_empty())
                .map(String::as_str),
        );
    }

    fn audit(&mut self, record: &Record, now_ms: u64) {
        if self.wanted.has(StateEntry::Audit) {
            self.text(StateEntry::Audit, Some(&audit_line(record, now_ms)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::json::Object;
    use crate::mcp::Call;
    use crate::oauth::Identity;
    use crate::record::Outcome;

    fn record(methods: &[&str]) -> Record {
        let params = Object::default();
        let call = |method| CallRecord {
            rule: Some("protocol".into()),
            ..CallRecord::of(&Call::of(method, &params).unwrap(), &[])
        };
        Record {
            server: Some("everything".into()),
            identity: Some(Rc::new(Identity::for_test("reader", "", "{}"))),
            calls: methods.iter().map(|method| call(method)).collect(),
            outcome: Outcome::Allowed,
            reason: "allowed",
            credential: Some(CredentialUse::Cached),
            ..Record::default()
        }
    }

    fn written(record: &Record, wanted: StateEntries) -> Vec<(&'static str, String)> {
        let mut written = Vec::new();
        filter_state(record, wanted, 0, |key, value| {
            written.push((key, value.to_owned()));
        });
        written
    }

    #[test]
    fn every_entry_that_has_a_value_is_written_unless_others_are_named() {
        let mut named = record(&["tools/list"]);
        named.calls[0].name_tool("echo");
        let all = written(&named, StateEntries::default());
        for entry in StateEntry::ALL {
            let once = all.iter().filter(|(key, _)| *key == entry.key());
            assert_eq!(once.count(), 1, "{entry:?}");
            let alone = written(&named, StateEntries::from_iter([entry]));
            assert_eq!(alone.len(), 1, "{entry:?}");
            assert!(all.contains(&alone[0]), "{entry:?}");
        }
        assert_eq!(written(&named, StateEntries::from_iter([])), []);
        let nobody: Vec<&str> = written(&Record::default(), StateEntries::default())
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(
            nobody,
            ["mcp_auth.outcome", "mcp_auth.reason", "mcp_auth.audit"]
        );
    }

    #[test]
    fn a_batch_is_one_method_and_each_target_and_rule_once() {
        let mut batch = record(&["tools/list", "ping", "tools/list"]);
        batch.calls[0].name_tool("a");
        batch.calls[2].name_tool("b");
        let state = written(&batch, StateEntries::default());
        for expected in [
            ("mcp_auth.method", "batch"),
            ("mcp_auth.target", "a b"),
            ("mcp_auth.rule", "protocol"),
            ("mcp_auth.calls", "3"),
        ] {
            let expected = (expected.0, expected.1.to_owned());
            assert!(state.contains(&expected), "{expected:?} in {state:?}");
        }
    }

    #[test]
    fn who_is_calling_is_known_before_what_for() {
        let mut keys = Vec::new();
        let wanted = [StateEntry::Subject, StateEntry::Method, StateEntry::Audit];
        let record = record(&["ping"]);
        identity_state(&record, wanted.into_iter().collect(), |key, _| {
            keys.push(key)
        });
        assert_eq!(keys, ["mcp_auth.subject"]);
        keys.clear();
        audit_state(&record, wanted.into_iter().collect(), 0, |key, _| {
            keys.push(key)
        });
        assert_eq!(keys, ["mcp_auth.audit"]);
    }
}
