//! Answers in which there is nothing to look for.

use std::rc::Rc;

use super::lists::site;
use super::*;
use crate::continuity::{StateKeys, Task};
use crate::mcp::Era;
use crate::mcp::envelope::RequestId;
use crate::oauth::Identity;
use crate::response::{
    AskedKind, AskedRequest, Called, Expected, Ground, Inspector, ListKind, Tally,
};

const CALL: usize = 0;

/// Everything that a request may have asked for, calls first.
fn kinds() -> Vec<AskedKind> {
    let call = |method: &'static str| {
        AskedKind::Call(Some(Box::new(Called {
            method: method.into(),
            target: "read-a".into(),
            rule: None,
        })))
    };
    let task = Rc::new(Task {
        bound_id: "bound".to_owned(),
        upstream_id: "up".to_owned(),
        origin: None,
    });
    vec![
        call("tools/call"),
        call("prompts/get"),
        AskedKind::Other,
        AskedKind::Listen(vec![Rc::clone(&task)]),
        AskedKind::List(ListKind::Tools),
        AskedKind::List(ListKind::Resources),
        AskedKind::Task(task),
        AskedKind::Tasks,
    ]
}

/// Hands an inspector to `look`, of the response to one request with the id 1.
fn inspected<T>(
    kind: AskedKind,
    era: Era,
    in_session: bool,
    look: impl FnOnce(&mut Inspector<'_>) -> T,
) -> (T, Tally) {
    let site = site(r#""lists":{"obtainable":"hidden"}"#);
    let identity = Identity::for_test("somebody", "", "{}");
    let keys = StateKeys::new([("2026-11", &[7; 32][..])]);
    let id = RequestId::Integer(1);
    let expected = Expected::Answers(vec![AskedRequest { id, era, kind }]);
    let mut tally = Tally::default();
    let mut inspector = Inspector {
        ground: Ground {
            site: &site,
            identity: &identity,
            keys: &keys,
        },
        expected: &expected,
        in_session,
        is_stream: false,
        tally: &mut tally,
    };
    let found = look(&mut inspector);
    (found, tally)
}

fn passes(kind: AskedKind, text: &[u8]) -> bool {
    inspected(kind, Era::Modern, false, |inspector| inspector.passes(text)).0
}

/// What passes at once would pass in any case, and change nothing.
fn passes_rightly(text: &[u8], in_session: bool, era: Era) {
    for kind in kinds() {
        let (ruling, tally) = inspected(kind, era, in_session, |inspector| {
            inspector.passes(text).then(|| inspector.message(text))
        });
        let text = String::from_utf8_lossy(text);
        assert!(matches!(ruling, None | Some(Some(Ruling::Pass))), "{text}");
        assert_eq!(tally, Tally::default(), "{text}");
    }
}

#[test]
fn the_usual_answers_to_calls_pass_at_once() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}"#,
        r#"{"result":{"content":[],"isError":false},"id":1,"jsonrpc":"2.0"}"#,
        " { \"jsonrpc\" : \"2.0\" ,\r\n\t\"id\" : 1 , \"result\" : { } } \n",
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"tools":[{}]}],"_meta":{"a":1}}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"structuredContent":{"task":{"taskId":"é\ud800"}}}}"#,
        r#"{"jsonrpc":"2.0","id":"1","result":{"contents":[{"uri":"a:","text":"\n"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"messages":[],"description":"","é":1}}"#,
    ] {
        for kind in kinds().into_iter().take(4) {
            assert!(passes(kind.clone(), text.as_bytes()), "{kind:?} {text}");
        }
        for era in [Era::Legacy, Era::Modern] {
            passes_rightly(text.as_bytes(), true, era);
        }
    }
}

#[test]
fn lists_and_what_is_about_a_task_do_not() {
    let text = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    for kind in kinds().into_iter().skip(4) {
        assert!(!passes(kind.clone(), text.as_bytes()), "{kind:?}");
    }
}

#[test]
fn what_has_to_be_looked_at_does_not_pass_at_once() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"x":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"re\u0073ult":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"\u0061":2}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":01}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":{"a":1}}]"#,
        "",
    ] {
        assert!(
            !passes(kinds().swap_remove(CALL), text.as_bytes()),
            "{text}"
        );
    }
    let broken = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\"}}";
    assert!(!passes(kinds().swap_remove(CALL), broken));
}

#[test]
fn a_member_that_is_looked_at_is_found_in_any_letters() {
    for (name, value) in [
        ("_Meta", "1"),
        ("_META", "1"),
        ("inputRequests", "null"),
        ("INPUTREQUESTS", "null"),
        ("inputReque\u{17f}ts", "1"),
        ("requestState", "1"),
        ("reque\u{17f}tState", "1"),
        ("resultType", "\"task\""),
        ("resultType", "\"compl\\u0065te\""),
        ("ResultType", "\"complete\""),
        ("task", "{}"),
        ("ta\u{17f}\u{212a}", "{}"),
        ("TASK", "{}"),
        ("taskId", "\"\""),
        ("TaskID", "\"\""),
        ("tools", "[]"),
        ("Tools", "[]"),
        ("tool\u{17f}", "[]"),
        ("prompts", "[]"),
        ("resources", "[]"),
        ("RE\u{17f}OURCES", "[]"),
        ("resourceTemplates", "[]"),
        ("resourceTemplate\u{17f}", "[]"),
    ] {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[],"{name}":{value}}}}}"#);
        assert!(
            !passes(kinds().swap_remove(CALL), text.as_bytes()),
            "{text}"
        );
    }
}

/// Messages that are made of what matters in them.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec![
        "content",
        "content",
        "isError",
        "structuredContent",
        "_meta",
        "_Meta",
        "inputRequests",
        "requestState",
        "resultType",
        "task",
        "tasks",
        "Task",
        "ta\u{17f}k",
        "taskId",
        "tools",
        "Tools",
        "prompts",
        "resources",
        "resourceTemplates",
        "resource\u{17f}",
        "cacheScope",
        "error",
        "\\u0074ools",
        "a",
        "aa",
        "",
        "t",
        "é",
        "\\ud800",
        "message",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "null",
        "[]",
        "{}",
        "\"complete\"",
        "\"task\"",
        "\"up\"",
        "[{\"name\":\"read-a\"}]",
        "[{\"name\":\"write-a\"}]",
        "{\"taskId\":\"up\"}",
        "[1,]",
        "{\"a\":1,\"a\":2}",
        "\"\\ud800\"",
        "{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"up\"}}",
        "{\"code\":-32042}",
        "{\"x\":{\"method\":\"elicitation/create\"}}",
        "1e999",
        "truth",
    ]);
    let members = prop::collection::vec((name, value), 0..4);
    let result = members.prop_map(|members| {
        let members: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    });
    let outer = prop_oneof![
        6 => result.prop_map(|result| format!("\"result\":{result}")),
        12 => prop::sample::select(vec![
            "\"jsonrpc\":\"2.0\"", "\"jsonrpc\":\"2.0\"", "\"id\":1", "\"id\":1", "\"id\":2",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "\"id\":\"1\"", "\"id\":null", "\"Id\":1", "\"method\":\"a\"", "\"params\":{}",
            "\"error\":null", "\"error\":{}", "\"result\":[]", "\"re\u{17f}ult\":{}", "\"x\":1", "",
        ]).prop_map(str::to_owned),
    ];
    let wrong =
        prop_oneof![9 => Just(""), 1 => prop::sample::select(vec!["}", "{", " ", "\u{feff}", ","])];
    (prop::collection::vec(outer, 0..5), wrong)
        .prop_map(|(outer, wrong)| format!("{{{}}}{wrong}", outer.join(",")).into_bytes())
}

proptest! {
    #[test]
    fn what_passes_at_once_would_pass_in_any_case(
        text in message(),
        in_session: bool,
        is_modern: bool,
    ) {
        let era = if is_modern { Era::Modern } else { Era::Legacy };
        passes_rightly(&text, in_session, era);
    }

    #[test]
    fn an_answer_with_any_bytes_in_it_passes_rightly(
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        at: prop::sample::Index,
    ) {
        let text = br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"a":-1.5}],"b":"\u00e9"}}"#;
        let mut text = text.to_vec();
        let at = at.index(text.len());
        text.splice(at..(at + 1).min(text.len()), bytes);
        passes_rightly(&text, true, Era::Legacy);
    }
}
