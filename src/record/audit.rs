//! The audit line: a record as one JSON object on one line.

use serde::Serialize;

use super::{CallRecord, CredentialUse, Record};

/// The audit line of a record. `now_ms` is in milliseconds since 1970.
/// Members that have no value are left out.
pub fn audit_line(record: &Record, now_ms: u64) -> String {
    let mut line = Members::default();
    line.add("time_ms", &now_ms);
    line.add("outcome", record.outcome.as_str());
    line.add("reason", record.reason);
    line.add_some("server", record.server.as_deref());
    if let Some(identity) = &record.identity {
        line.add("issuer", identity.issuer());
        line.add("subject", identity.subject());
        line.add("subject_type", identity.subject_type().as_str());
        line.add_some("client", identity.client());
    }
    match record.calls.as_slice() {
        [] => {}
        [call] => add_call(&mut line, call),
        calls => line.add_raw("calls", &array(calls)),
    }
    line.add_some(
        "revision",
        record.revision.map(|revision| revision.as_str()),
    );
    line.add("http_method", &record.http_method);
    line.add_some("credential", record.credential.map(CredentialUse::as_str));
    if record.response.hidden > 0 {
        line.add("hidden", &record.response.hidden);
    }
    line.add_some("withheld", record.response.reason);
    if record.status != 0 {
        line.add("status", &record.status);
    }
    line.add_some("request_id", record.request_id.as_deref());
    line.close()
}

fn add_call(line: &mut Members, call: &CallRecord) {
    line.add("method", &call.method);
    if !call.kind.is_empty() {
        line.add("target_kind", call.kind);
        line.add("target", &call.target);
    }
    line.add_some("rule", call.rule.as_deref());
    line.add_some("unenforced", call.unenforced);
    if !call.arguments.is_empty() {
        let mut arguments = Members::default();
        for (name, value) in &call.arguments {
            arguments.add(name, value);
        }
        line.add_raw("arguments", &arguments.close());
    }
}

/// In a batch, each call says for itself how it was decided.
fn array(calls: &[CallRecord]) -> String {
    let calls: Vec<String> = calls
        .iter()
        .map(|call| {
            let mut members = Members::default();
            add_call(&mut members, call);
            members.add("outcome", if call.allowed { "allowed" } else { "denied" });
            members.add("reason", call.reason);
            members.close()
        })
        .collect();
    format!("[{}]", calls.join(","))
}

/// A JSON object in the making.
#[derive(Default)]
struct Members(String);

impl Members {
    fn add<V: Serialize + ?Sized>(&mut self, name: &str, value: &V) {
        // None of these values can fail to be written.
        if let Ok(value) = serde_json::to_string(value) {
            self.add_raw(name, &value);
        }
    }

    fn add_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn add_raw(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        match serde_json::to_string(name) {
            Ok(name) => self.0.push_str(&name),
            Err(_) => self.0.push_str("\"\""),
        }
        self.0.push(':');
        self.0.push_str(json);
    }

    fn close(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::Value;

    use super::*;
    use crate::json::parse;
    use crate::mcp::Call;
    use crate::oauth::Identity;
    use crate::record::Outcome;

    #[test]
    fn a_line_names_who_what_and_why_and_only_the_arguments_that_may_be_named() {
        let params = parse(
            br#"{"name":"get-sum","arguments":{"a":1,"secret":"s3cr3t"}}"#,
            9,
        )
        .unwrap();
        let call = Call::of("tools/call", params.as_object().unwrap()).unwrap();
        let mut called = CallRecord::of(&call, &["a".to_owned()]);
        called.rule = Some("sum".into());
        let record = Record {
            server: Some("everything".into()),
            identity: Some(Rc::new(Identity::for_test(
                "reader",
                "mcp:read",
                r#"{"email":"private"}"#,
            ))),
            calls: vec![called],
            outcome: Outcome::Denied,
            reason: "arguments",
            status: 200,
            ..Record::default()
        };
        let line = audit_line(&record, 1000);
        for part in [
            r#""subject":"reader""#,
            r#""client":"client-1""#,
            r#""target":"get-sum""#,
            r#""rule":"sum""#,
            r#""outcome":"denied""#,
            r#""arguments":{"a":1}"#,
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(
            !line.contains("s3cr3t") && !line.contains("private") && !line.contains('\n'),
            "{line}"
        );
    }

    #[test]
    fn a_name_with_control_characters_stays_on_its_line_and_is_cut_to_a_bounded_length() {
        let name = format!("a\n\u{0}b{}", "x".repeat(10_000));
        let params = format!(r#"{{"uri":{}}}"#, Value::from(name));
        let params = parse(params.as_bytes(), 9).unwrap();
        let call = Call::of("resources/read", params.as_object().unwrap()).unwrap();
        let record = Record {
            calls: vec![CallRecord::of(&call, &[])],
            ..Record::default()
        };
        let line = audit_line(&record, 0);
        assert!(!line.contains('\n') && line.len() < 600, "{line}");
    }
}
