//! The audit line: a record as one JSON object on one line.

use serde_json::{Map, Value, json};

use super::{CallRecord, Record};

/// The audit line of a record. `now_ms` is in milliseconds since 1970.
/// Members that have no value are left out.
pub fn audit_line(record: &Record, now_ms: u64) -> String {
    let mut line = Map::new();
    line.insert("time_ms".to_owned(), json!(now_ms));
    line.insert("outcome".to_owned(), json!(record.outcome.as_str()));
    line.insert("reason".to_owned(), json!(record.reason));
    line.insert("http_method".to_owned(), json!(record.http_method));
    text(&mut line, "server", record.server.as_deref());
    text(&mut line, "request_id", record.request_id.as_deref());
    text(
        &mut line,
        "revision",
        record.revision.map(|revision| revision.as_str()),
    );
    if let Some(identity) = &record.identity {
        text(&mut line, "issuer", Some(identity.issuer()));
        text(&mut line, "subject", Some(identity.subject()));
        text(
            &mut line,
            "subject_type",
            Some(identity.subject_type().as_str()),
        );
        text(&mut line, "client", identity.client());
    }
    if record.status != 0 {
        line.insert("status".to_owned(), json!(record.status));
    }
    match record.calls.as_slice() {
        [] => {}
        [call] => add_call(&mut line, call, false),
        calls => {
            let calls = calls
                .iter()
                .map(|call| {
                    let mut members = Map::new();
                    add_call(&mut members, call, true);
                    Value::Object(members)
                })
                .collect();
            line.insert("calls".to_owned(), Value::Array(calls));
        }
    }
    Value::Object(line).to_string()
}

/// In a batch, each call says for itself how it was decided.
fn add_call(line: &mut Map<String, Value>, call: &CallRecord, in_batch: bool) {
    text(line, "method", Some(&call.method));
    if !call.kind.is_empty() {
        text(line, "target_kind", Some(call.kind));
        text(line, "target", Some(&call.target));
    }
    text(line, "rule", call.rule.as_deref());
    text(line, "unenforced", call.unenforced);
    if in_batch {
        text(
            line,
            "outcome",
            Some(if call.allowed { "allowed" } else { "denied" }),
        );
        text(line, "reason", Some(call.reason));
    }
    if !call.arguments.is_empty() {
        let arguments = call
            .arguments
            .iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    serde_json::to_value(value).unwrap_or(Value::Null),
                )
            })
            .collect();
        line.insert("arguments".to_owned(), Value::Object(arguments));
    }
}

fn text(line: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line.insert(name.to_owned(), Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

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
