//! The audit line: a record as one JSON object on one line.

use core::fmt::Write as _;

use super::{CallRecord, CredentialUse, Record};
use crate::json::is_plain;

/// Most lines are shorter, so that the text is allocated once.
const USUAL_BYTES: usize = 512;

/// The audit line of a record. `now_ms` is in milliseconds since 1970.
/// Members that have no value are left out.
pub fn audit_line(record: &Record, now_ms: u64) -> String {
    let mut line = Line(String::with_capacity(USUAL_BYTES));
    line.raw("{");
    line.number("time_ms", now_ms);
    line.word("outcome", record.outcome.as_str());
    line.word("reason", record.reason);
    line.some_text("server", record.server.as_deref());
    if let Some(identity) = &record.identity {
        line.text("issuer", identity.issuer());
        line.text("subject", identity.subject());
        line.word("subject_type", identity.subject_type().as_str());
        line.some_text("client", identity.client());
    }
    match record.calls.as_slice() {
        [] => {}
        [call] => line.call(call),
        calls => line.calls(calls),
    }
    if let Some(revision) = record.revision {
        line.word("revision", revision.as_str());
    }
    line.text("http_method", &record.http_method);
    line.some_word("credential", record.credential.map(CredentialUse::as_str));
    if record.response.hidden > 0 {
        line.number("hidden", record.response.hidden.into());
    }
    line.some_word("withheld", record.response.reason);
    if record.status != 0 {
        line.number("status", record.status.into());
    }
    line.some_text("request_id", record.request_id.as_deref());
    line.raw("}");
    line.0
}

/// A line in the making. Names of members, and words, are of this crate and
/// have nothing to escape.
struct Line(String);

impl Line {
    fn raw(&mut self, json: &str) {
        self.0.push_str(json);
    }

    /// What stands before a member's value.
    fn name(&mut self, name: &'static str) {
        self.raw(if self.0.ends_with('{') { "\"" } else { ",\"" });
        self.raw(name);
        self.raw("\":");
    }

    fn number(&mut self, name: &'static str, value: u64) {
        self.name(name);
        // Writing to a text does not fail.
        let _ = write!(self.0, "{value}");
    }

    fn word(&mut self, name: &'static str, word: &'static str) {
        self.name(name);
        self.raw("\"");
        self.raw(word);
        self.raw("\"");
    }

    fn some_word(&mut self, name: &'static str, word: Option<&'static str>) {
        if let Some(word) = word {
            self.word(name, word);
        }
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        self.string(text);
    }

    fn some_text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// Nearly no text has anything to escape.
    fn string(&mut self, text: &str) {
        if !is_plain(text) {
            return self.value(text);
        }
        self.raw("\"");
        self.raw(text);
        self.raw("\"");
    }

    fn value(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        // None of these values can fail to be written.
        let json = serde_json::to_string(value);
        self.raw(json.as_deref().unwrap_or("null"));
    }

    fn call(&mut self, call: &CallRecord) {
        self.text("method", &call.method);
        if !call.kind.is_empty() {
            self.word("target_kind", call.kind);
            self.text("target", &call.target);
        }
        self.some_text("rule", call.rule.as_deref());
        self.some_word("unenforced", call.unenforced);
        if !call.arguments.is_empty() {
            self.name("arguments");
            self.raw("{");
            for (index, (name, value)) in call.arguments.iter().enumerate() {
                self.raw(if index == 0 { "" } else { "," });
                self.string(name);
                self.raw(":");
                self.value(value);
            }
            self.raw("}");
        }
    }

    /// In a batch, each call says for itself how it was decided.
    fn calls(&mut self, calls: &[CallRecord]) {
        self.name("calls");
        self.raw("[");
        for (index, call) in calls.iter().enumerate() {
            self.raw(if index == 0 { "{" } else { ",{" });
            self.call(call);
            self.word("outcome", if call.allowed { "allowed" } else { "denied" });
            self.word("reason", call.reason);
            self.raw("}");
        }
        self.raw("]");
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;
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

    #[test]
    fn the_line_of_a_batch_has_each_call_with_its_own_outcome() {
        let params = parse(br#"{"name":"echo"}"#, 9).unwrap();
        let called = |method| {
            let call = Call::of(method, params.as_object().unwrap()).unwrap();
            CallRecord::of(&call, &[])
        };
        let record = Record {
            calls: vec![
                CallRecord {
                    allowed: true,
                    reason: "allowed",
                    ..called("tools/call")
                },
                CallRecord {
                    reason: "no_rule",
                    ..called("ping")
                },
            ],
            ..Record::default()
        };
        assert!(
            audit_line(&record, 0).contains(concat!(
                r#""calls":[{"method":"tools/call","target_kind":"tool","target":"echo","#,
                r#""outcome":"allowed","reason":"allowed"},"#,
                r#"{"method":"ping","outcome":"denied","reason":"no_rule"}],"http_method":"""#,
            )),
            "{}",
            audit_line(&record, 0)
        );
    }

    /// Characters that have to be escaped, those that only look like line
    /// ends, and others.
    const TEXT: &str = "[\\PC\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}\u{2029}\"\\\\{,]{0,40}";

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_has_to_be_escaped_is_found_wherever_it_is(text in TEXT) {
            let is_escaped = serde_json::to_string(text.as_str()).unwrap() != format!("\"{text}\"");
            prop_assert_eq!(!is_plain(&text), is_escaped);
        }

        #[test]
        fn whatever_is_in_it_the_line_is_one_line_of_json_with_the_same_members(
            method in TEXT, target in TEXT, subject in TEXT, request_id in TEXT,
            argument in TEXT, value in TEXT, number: i64, time_ms: u64, is_batch: bool,
        ) {
            let params = serde_json::json!({"uri": target}).to_string();
            let params = parse(params.as_bytes(), 9).unwrap();
            let call = Call::of("resources/read", params.as_object().unwrap()).unwrap();
            let values = serde_json::json!([value, number, {argument.as_str(): [null, true]}]);
            let call = CallRecord {
                method: method.clone().into(),
                rule: Some("a-rule".into()),
                allowed: true,
                reason: "allowed",
                arguments: vec![(argument.clone(), parse(values.to_string().as_bytes(), 9).unwrap())],
                ..CallRecord::of(&call, &[])
            };
            let identity = Identity::for_test(&subject, "", "{}");
            let record = Record {
                server: Some("everything".into()),
                identity: Some(Rc::new(identity)),
                calls: if is_batch { vec![call.clone(), call] } else { vec![call] },
                outcome: Outcome::Allowed,
                reason: "allowed",
                http_method: "POST".into(),
                request_id: Some(request_id.clone()),
                status: 200,
                ..Record::default()
            };
            let line = audit_line(&record, time_ms);
            prop_assert!(!line.contains(['\n', '\r']), "{}", line);
            let mut called = serde_json::json!({
                "method": method, "target_kind": "resource", "target": target, "rule": "a-rule",
                "arguments": {argument: values},
            });
            let mut expected = serde_json::json!({
                "time_ms": time_ms, "outcome": "allowed", "reason": "allowed",
                "server": "everything", "issuer": "https://issuer.example", "subject": subject,
                "subject_type": "user", "client": "client-1", "http_method": "POST",
                "status": 200, "request_id": request_id,
            });
            let members = expected.as_object_mut().unwrap();
            if is_batch {
                called["outcome"] = "allowed".into();
                called["reason"] = "allowed".into();
                members.insert("calls".to_owned(), Value::from(vec![called.clone(), called]));
            } else {
                members.extend(called.as_object().unwrap().clone());
            }
            prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected, "{}", line);
            // No member is there twice.
            prop_assert!(parse(line.as_bytes(), 9).is_ok());
        }
    }
}
