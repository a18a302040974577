//! The audit line: a record as one JSON object on one line.

use super::{CallRecord, CredentialUse, Record};
use crate::json::is_plain;

/// Most lines are shorter, so that the text is allocated once.
const USUAL_BYTES: usize = 512;

/// The audit line of a record. `now_ms` is in milliseconds since 1970.
/// Members that have no value are left out.
pub fn audit_line(record: &Record, now_ms: u64) -> String {
    let mut line = Line(String::with_capacity(USUAL_BYTES));
    line.number(r#"{"time_ms":"#, now_ms);
    line.word(r#","outcome":""#, record.outcome.as_str());
    line.word(r#","reason":""#, record.reason);
    line.some_text(r#","server":""#, record.server.as_deref());
    if let Some(identity) = &record.identity {
        line.text(r#","issuer":""#, identity.issuer());
        line.text(r#","subject":""#, identity.subject());
        line.word(r#","subject_type":""#, identity.subject_type().as_str());
        line.some_text(r#","client":""#, identity.client());
    }
    match record.calls.as_slice() {
        [] => {}
        [call] => line.call(r#","method":""#, call),
        calls => line.calls(calls),
    }
    if let Some(revision) = record.revision {
        line.word(r#","revision":""#, revision.as_str());
    }
    line.text(r#","http_method":""#, &record.http_method);
    if let Some(credential) = record.credential.map(CredentialUse::as_str) {
        line.word(r#","credential":""#, credential);
    }
    if record.response.hidden > 0 {
        line.number(r#","hidden":"#, record.response.hidden.into());
    }
    if let Some(reason) = record.response.reason {
        line.word(r#","withheld":""#, reason);
    }
    if record.status != 0 {
        line.number(r#","status":"#, record.status.into());
    }
    line.some_text(r#","request_id":""#, record.request_id.as_deref());
    line.raw("}");
    line.0
}

/// A line in the making. What is put before a value ends with the value's
/// opening quote, if it has one. Words are of this crate and have nothing to
/// escape.
struct Line(String);

impl Line {
    fn raw(&mut self, json: &str) {
        self.0.push_str(json);
    }

    #[inline(never)]
    fn word(&mut self, before: &'static str, word: &'static str) {
        self.as_it_is(before, word);
    }

    /// Nearly no text has anything to escape.
    #[inline(never)]
    fn text(&mut self, before: &'static str, text: &str) {
        if is_plain(text) {
            self.as_it_is(before, text);
        } else {
            self.escaped(before, text);
        }
    }

    #[inline]
    fn as_it_is(&mut self, before: &'static str, text: &str) {
        self.0.push_str(before);
        self.0.push_str(text);
        self.0.push('"');
    }

    fn some_text(&mut self, before: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(before, text);
        }
    }

    #[cold]
    #[inline(never)]
    fn escaped(&mut self, before: &'static str, text: &str) {
        self.raw(before.strip_suffix('"').unwrap_or(before));
        self.value(text);
    }

    fn number(&mut self, before: &'static str, value: u64) {
        self.raw(before);
        self.decimal(value);
    }

    /// The formatting of the standard library is a lot of code for this.
    fn decimal(&mut self, value: u64) {
        const BILLION: u64 = 1_000_000_000;
        let above = value / BILLION;
        let below = u32::try_from(value % BILLION).unwrap_or_default();
        let mut unit: u32 = 100_000_000;
        if above > 0 {
            self.decimal(above);
        } else {
            while below < unit && unit > 1 {
                unit /= 10;
            }
        }
        while let Some(digits) = below.checked_div(unit) {
            self.0.extend(char::from_digit(digits % 10, 10));
            unit /= 10;
        }
    }

    fn value(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        // None of these values can fail to be written.
        let json = serde_json::to_string(value);
        self.raw(json.as_deref().unwrap_or("null"));
    }

    fn call(&mut self, before: &'static str, call: &CallRecord) {
        self.text(before, &call.method);
        if !call.kind.is_empty() {
            self.word(r#","target_kind":""#, call.kind);
            self.text(r#","target":""#, &call.target);
        }
        self.some_text(r#","rule":""#, call.rule.as_deref());
        if let Some(unenforced) = call.unenforced {
            self.word(r#","unenforced":""#, unenforced);
        }
        if !call.arguments.is_empty() {
            self.arguments(call);
        }
    }

    #[cold]
    #[inline(never)]
    fn arguments(&mut self, call: &CallRecord) {
        self.raw(r#","arguments":{"#);
        for (index, (name, value)) in call.arguments.iter().enumerate() {
            self.text(if index == 0 { "\"" } else { ",\"" }, name);
            self.raw(":");
            self.value(value);
        }
        self.raw("}");
    }

    /// In a batch, each call says for itself how it was decided.
    #[cold]
    #[inline(never)]
    fn calls(&mut self, calls: &[CallRecord]) {
        self.raw(r#","calls":["#);
        for (index, call) in calls.iter().enumerate() {
            let before = if index == 0 {
                r#"{"method":""#
            } else {
                r#",{"method":""#
            };
            self.call(before, call);
            let outcome = if call.allowed { "allowed" } else { "denied" };
            self.word(r#","outcome":""#, outcome);
            self.word(r#","reason":""#, call.reason);
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

    #[test]
    fn numbers_at_each_end_of_a_length_are_written_as_they_are() {
        let written = |number: u64| {
            let mut line = Line(String::new());
            line.decimal(number);
            line.0
        };
        for digits in 0..20 {
            let power = 10_u64.pow(digits);
            for number in [power - 1, power, power + 1, power / 5 * 9] {
                assert_eq!(written(number), number.to_string());
            }
        }
        assert_eq!(written(u64::MAX), u64::MAX.to_string());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_number_is_written_as_the_standard_library_writes_it(number: u64, less in 0_u32..64) {
            let number = number >> less;
            let mut line = Line(String::new());
            line.decimal(number);
            prop_assert_eq!(line.0, number.to_string());
        }

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
