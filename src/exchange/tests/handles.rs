//! Task ids and request states of an upstream, on their way through the
//! client and back.

use super::*;
use crate::continuity::StateKeys;
use crate::response::Fed;

const KEY: (&str, &[u8]) = ("2026-11", b"a-secret-of-at-least-32-characters");
const META: &str = "io.modelcontextprotocol/related-task";
const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";
const NOT_FOUND: &str = "Failed to retrieve task: Task not found";

fn keyed(mode: &str, changes: &Value) -> Worker {
    let mut worker = worker_with(mode, &inline_keys(), changes);
    worker.state_keys = StateKeys::new([KEY]);
    worker
}

/// A message of a client.
#[derive(Clone)]
struct Sent {
    subject: &'static str,
    scope: &'static str,
    revision: &'static str,
    headers: Vec<(&'static str, String)>,
    message: Value,
}

impl Sent {
    fn new(revision: &'static str, method: &str, params: &Value) -> Self {
        let mut params = params.clone();
        let mut headers = Vec::new();
        if revision == MODERN {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
                json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
            headers.push(("mcp-method", method.to_owned()));
            let name = params.get("taskId").or_else(|| params.get("name"));
            if let Some(name) = name.and_then(Value::as_str) {
                headers.push(("mcp-name", name.to_owned()));
            }
        }
        Self {
            subject: "alice",
            scope: "mcp:read",
            revision,
            headers,
            message: json!({"jsonrpc": "2.0", "id": 3, "method": method, "params": params}),
        }
    }

    fn of(mut self, subject: &'static str) -> Self {
        self.subject = subject;
        self
    }

    fn with_scope(mut self, scope: &'static str) -> Self {
        self.scope = scope;
        self
    }
}

/// What the upstream got, and what the client got of its answer.
#[derive(Debug)]
struct Went {
    message: Value,
    edits: HeaderEdits,
    record: Record,
    came: String,
}

impl Went {
    fn header(&self, name: &str) -> Option<&str> {
        let mut set = self.edits.set.iter();
        set.find_map(|(header, value)| (header == name).then_some(value.as_str()))
    }

    fn result(&self) -> Value {
        serde_json::from_str::<Value>(&self.came).unwrap()["result"].clone()
    }
}

/// Status, answer and record.
type Refused = Box<(u16, Value, Record)>;

/// A message, and the response to it: a result as JSON, or events. Otherwise
/// the status, the answer and the record of a refusal.
fn go(worker: &mut Worker, sent: &Sent, answer: &Answer) -> Result<Went, Refused> {
    let claims = claims_with(&json!({"scope": sent.scope, "sub": sent.subject}));
    let bearer = format!("Bearer {}", sign(HEADER, &claims));
    let mut all = vec![
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", sent.revision),
    ];
    all.extend(
        sent.headers
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let text = sent.message.to_string();
    let input = Input::RequestHeaders {
        headers: headers("POST", &all),
        end_of_stream: false,
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    let released = match step {
        Step::ReleaseHeaders { edits, .. } => Some(edits),
        step => {
            assert_eq!(step, Step::Wait);
            None
        }
    };
    let input = Input::RequestBody {
        held: text.len(),
        end_of_stream: true,
    };
    let (exchange, _) = exchange.advance(input, worker, NOW_MS);
    let (exchange, step) = exchange.advance(Input::Message(text.as_bytes()), worker, NOW_MS);
    let (message, edits, record) = match step {
        Step::Forward {
            admission,
            edits,
            record,
            ..
        } => {
            let message = admission.message().unwrap_or(text.as_bytes());
            assert_eq!(message.len(), text.len());
            let message = serde_json::from_slice(message).unwrap();
            (message, edits.or(released).unwrap(), (*record).clone())
        }
        Step::Reply { reply, record, .. } => {
            let body = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
            return Err(Box::new((reply.status, body, *record.unwrap())));
        }
        step => panic!("{step:?}"),
    };
    let came = receive(worker, exchange, answer);
    Ok(Went {
        message,
        edits,
        record,
        came,
    })
}

enum Answer {
    Result(Value),
    Events(Vec<Value>),
}

fn receive(worker: &mut Worker, exchange: Exchange, answer: &Answer) -> String {
    let (content_type, body) = match answer {
        Answer::Result(result) => (
            "application/json",
            json!({"jsonrpc": "2.0", "id": 3, "result": result}).to_string(),
        ),
        Answer::Events(events) => (
            "text/event-stream",
            events
                .iter()
                .map(|event| format!("data: {event}\n\n"))
                .collect(),
        ),
    };
    let input = Input::ResponseHeaders {
        headers: Headers::from([(":status", "200"), ("content-type", content_type)]),
        from_upstream: true,
        has_body: true,
    };
    let (exchange, step) = exchange.advance(input, worker, NOW_MS);
    assert!(matches!(step, Step::EditResponse(_)), "{step:?}");
    let input = Input::ResponseBody {
        part: body.as_bytes(),
        is_last: true,
    };
    match exchange.advance(input, worker, NOW_MS).1 {
        Step::PassBody(Fed::AsItCame) => body,
        Step::PassBody(Fed::Instead(bytes)) => String::from_utf8(bytes).unwrap(),
        step => panic!("{step:?}"),
    }
}

fn nothing() -> Answer {
    Answer::Result(json!({}))
}

fn created(revision: &str, id: &str) -> Answer {
    Answer::Result(if revision == MODERN {
        json!({"resultType": "task", "taskId": id, "status": "working"})
    } else {
        json!({"task": {"taskId": id, "status": "working"}, "_meta": {META: {"taskId": id}}})
    })
}

/// The id that the client gets of a task of this call of Alice's.
fn task_of(worker: &mut Worker, revision: &'static str, call: &Sent, id: &str) -> String {
    let went = go(worker, call, &created(revision, id)).unwrap();
    let result = went.result();
    let given = if revision == MODERN {
        result["taskId"].clone()
    } else {
        assert_eq!(result["_meta"][META]["taskId"], result["task"]["taskId"]);
        result["task"]["taskId"].clone()
    };
    assert!(!went.came.contains(id), "{}", went.came);
    given.as_str().unwrap().to_owned()
}

fn echo(revision: &'static str) -> Sent {
    Sent::new(
        revision,
        "tools/call",
        &json!({"name": "echo", "arguments": {}}),
    )
}

#[test]
fn a_task_belongs_to_whoever_made_it() {
    for mode in MODES {
        for (revision, method) in [
            (MODERN, "tasks/get"),
            (MODERN, "tasks/update"),
            (MODERN, "tasks/cancel"),
            (LEGACY, "tasks/get"),
            (LEGACY, "tasks/result"),
            (LEGACY, "tasks/cancel"),
        ] {
            let worker = &mut keyed(mode, &json!({}));
            let bound = task_of(worker, revision, &echo(revision), "upstream-1");
            let asked = |id: &str| Sent::new(revision, method, &json!({"taskId": id}));
            let answer = Answer::Result(json!({"taskId": "upstream-1", "status": "working"}));
            let went = go(worker, &asked(&bound), &answer).unwrap();
            assert_eq!(went.message, asked("upstream-1").message, "{method}");
            let name = (revision == MODERN).then_some("upstream-1");
            assert_eq!(went.header("mcp-name"), name);
            assert_eq!(went.result(), json!({"taskId": bound, "status": "working"}));
            let [call] = went.record.calls.as_slice() else {
                panic!("{:?}", went.record);
            };
            assert_eq!((call.kind, call.target.as_str()), ("tool", "echo"));
            assert_eq!(call.rule.as_deref(), Some("read"));
            let other = asked(&bound).of("bob");
            for refused in [other, asked("upstream-1"), asked("")] {
                let (status, body, record) = *go(worker, &refused, &nothing()).unwrap_err();
                assert_eq!((status, record.reason), (200, "task"));
                assert_eq!(body["error"]["code"], -32602);
                assert_eq!(body["error"]["message"], NOT_FOUND);
                assert_eq!(body["id"], 3);
            }
        }
    }
}

#[test]
fn a_task_is_subject_to_the_rule_of_the_call_that_made_it() {
    for mode in MODES {
        let worker = &mut keyed(mode, &json!({}));
        let params = json!({"name": "sum", "arguments": {"a": 1}});
        let call = Sent::new(LEGACY, "tools/call", &params).with_scope("mcp:read mcp:write");
        let bound = task_of(worker, LEGACY, &call, "upstream-1");
        let asked = Sent::new(LEGACY, "tasks/result", &json!({"taskId": bound}));
        let allowed = asked.clone().with_scope("mcp:read mcp:write");
        assert!(go(worker, &allowed, &nothing()).is_ok());
        let (status, _, record) = *go(worker, &asked, &nothing()).unwrap_err();
        assert_eq!((status, record.reason), (403, "insufficient_scope"));
        assert_eq!(record.calls.first().unwrap().target, "sum");
        let without =
            json!({"rules": [{"id": "read", "what": {"tools": ["echo"], "methods": ["*"]}}]});
        let (status, body, record) =
            *go(&mut keyed(mode, &without), &allowed, &nothing()).unwrap_err();
        assert_eq!((status, record.reason), (200, "no_rule"));
        assert_eq!(body["error"]["message"], NOT_FOUND);
    }
}

#[test]
fn what_an_upstream_says_of_another_task_is_withheld() {
    let worker = &mut keyed("holding", &json!({}));
    let bound = task_of(worker, LEGACY, &echo(LEGACY), "upstream-1");
    let asked = Sent::new(LEGACY, "tasks/result", &json!({"taskId": bound}));
    for result in [
        json!({"taskId": "upstream-2", "status": "working"}),
        json!({"content": [], "_meta": {META: {"taskId": "upstream-2"}}}),
        json!({"taskId": 1}),
    ] {
        let went = go(worker, &asked, &Answer::Result(result)).unwrap();
        assert!(went.came.contains("Withheld"), "{}", went.came);
        assert!(!went.came.contains("upstream-2"), "{}", went.came);
    }
    let status = |id: &str| {
        json!({"jsonrpc": "2.0", "method": "notifications/tasks/status",
            "params": {"taskId": id, "status": "completed"}})
    };
    let elicitation = |id: &str| {
        json!({"jsonrpc": "2.0", "id": "e", "method": "elicitation/create",
            "params": {"message": "?", "requestedSchema": {}, "_meta": {META: {"taskId": id}}}})
    };
    let result = |id: &str| {
        json!({"jsonrpc": "2.0", "id": 3,
            "result": {"content": [], "_meta": {META: {"taskId": id}}}})
    };
    let events = vec![
        status("upstream-1"),
        status("upstream-2"),
        elicitation("upstream-1"),
        elicitation("of-the-client"),
        result("upstream-1"),
    ];
    let expected: String = [
        status(&bound),
        elicitation(&bound),
        elicitation("of-the-client"),
        result(&bound),
    ]
    .iter()
    .map(|event| format!("data: {event}\n\n"))
    .collect();
    let went = go(worker, &asked, &Answer::Events(events)).unwrap();
    assert_eq!(went.came, expected);
}

#[test]
fn a_message_that_belongs_to_a_task_names_it_as_the_upstream_does() {
    for mode in MODES {
        let worker = &mut keyed(mode, &json!({}));
        let bound = task_of(worker, LEGACY, &echo(LEGACY), "upstream-1");
        let mut response = echo(LEGACY);
        let mut notification = echo(LEGACY);
        for (id, expected) in [(bound.as_str(), "upstream-1"), ("own", "own")] {
            let meta = |id: &str| json!({"_meta": {META: {"taskId": id}}});
            let answered = |id: &str| json!({"jsonrpc": "2.0", "id": "e", "result": meta(id)});
            response.message = answered(id);
            let went = go(worker, &response, &Answer::Events(Vec::new())).unwrap();
            assert_eq!(went.message, answered(expected));
            let progress = |id: &str| json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": meta(id)});
            notification.message = progress(id);
            let went = go(worker, &notification, &Answer::Events(Vec::new())).unwrap();
            assert_eq!(went.message, progress(expected));
        }
    }
}

#[test]
fn a_subscription_names_tasks_of_the_caller_and_hears_of_no_others() {
    for mode in MODES {
        let worker = &mut keyed(mode, &json!({}));
        let first = task_of(worker, MODERN, &echo(MODERN), "upstream-1");
        let second = task_of(worker, MODERN, &echo(MODERN), "upstream-2");
        let listen = |ids: &[&str]| {
            let params = json!({"notifications": {"taskIds": ids, "toolsListChanged": true}});
            Sent::new(MODERN, "subscriptions/listen", &params)
        };
        let status = |id: &str| {
            json!({"jsonrpc": "2.0", "method": "notifications/tasks",
                "params": {"taskId": id, "status": "working"}})
        };
        let agreed = |ids: &[&str]| {
            json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                "params": {"notifications": {"taskIds": ids}}})
        };
        let nameless = json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": {}});
        let events = vec![
            agreed(&["upstream-2", "upstream-1"]),
            agreed(&["upstream-3"]),
            status("upstream-2"),
            status("upstream-3"),
            nameless,
        ];
        let went = go(worker, &listen(&[&first, &second]), &Answer::Events(events)).unwrap();
        let sent = listen(&["upstream-1", "upstream-2"]).message;
        assert_eq!(went.message, sent);
        let expected: String = [agreed(&[&second, &first]), status(&second)]
            .iter()
            .map(|event| format!("data: {event}\n\n"))
            .collect();
        assert_eq!(went.came, expected);
        for refused in [
            listen(&[&first, "upstream-2"]),
            listen(&[&first, &second]).of("bob"),
        ] {
            let (_, body, record) = *go(worker, &refused, &nothing()).unwrap_err();
            assert_eq!(record.reason, "task");
            assert_eq!(body["error"]["message"], NOT_FOUND);
        }
    }
}

#[test]
fn a_list_of_tasks_is_there_only_where_the_upstream_is_trusted_with_it() {
    for mode in MODES {
        let list = Sent::new(LEGACY, "tasks/list", &json!({}));
        let tasks = json!({"tasks": [{"taskId": "upstream-1"}, {"taskId": "upstream-2"}]});
        let answer = Answer::Result(tasks.clone());
        let refusing = &mut keyed(mode, &json!({}));
        let (_, body, record) = *go(refusing, &list, &answer).unwrap_err();
        assert_eq!(record.reason, "unknown_method");
        assert_eq!(body["error"]["code"], -32601);
        let trusting = &mut keyed(mode, &json!({"tasks_list": "trusted"}));
        let went = go(trusting, &list, &answer).unwrap();
        assert!(!went.came.contains("upstream-"), "{}", went.came);
        let result = went.result();
        let id = result["tasks"][1]["taskId"].as_str().unwrap();
        let get = Sent::new(LEGACY, "tasks/get", &json!({"taskId": id}));
        let went = go(trusting, &get, &nothing()).unwrap();
        assert_eq!(went.message["params"]["taskId"], "upstream-2");
        for (worker, get) in [(&mut *trusting, get.clone().of("bob")), (refusing, get)] {
            let (_, _, record) = *go(worker, &get, &nothing()).unwrap_err();
            assert_eq!(record.reason, "task");
        }
        let odd = Answer::Result(json!({"tasks": [{"id": "upstream-1"}]}));
        let went = go(trusting, &list, &odd).unwrap();
        assert!(went.came.contains("Withheld"), "{}", went.came);
    }
}

#[test]
fn a_header_names_the_task_as_the_upstream_does_or_not_at_all() {
    for mode in MODES {
        let worker = &mut keyed(mode, &json!({}));
        let bound = task_of(worker, MODERN, &echo(MODERN), "t\u{e2}che\n1");
        let get = Sent::new(MODERN, "tasks/get", &json!({"taskId": bound}));
        let went = go(worker, &get, &nothing()).unwrap();
        assert_eq!(went.message["params"]["taskId"], "t\u{e2}che\n1");
        assert_eq!(went.header("mcp-name"), Some("=?base64?dMOiY2hlCjE=?="));
        let mut legacy = Sent::new(LEGACY, "tasks/get", &json!({"taskId": bound}));
        legacy.headers = vec![("mcp-name", bound.clone())];
        let went = go(worker, &legacy, &nothing()).unwrap();
        assert_eq!(went.header("mcp-name"), None);
        assert!(went.edits.remove.iter().any(|name| name == "mcp-name"));
        let mut disagreeing = get.clone();
        disagreeing.message["params"]["taskId"] = json!("t\u{e2}che\n1");
        let (status, _, record) = *go(worker, &disagreeing, &nothing()).unwrap_err();
        assert_eq!((status, record.reason), (400, "header_mismatch"));
    }
}

#[test]
fn in_a_batch_there_are_no_tasks() {
    let worker = &mut keyed("holding", &json!({"extra_methods": ["tasks/*"]}));
    let bound = task_of(worker, LEGACY, &echo(LEGACY), "upstream-1");
    let mut batch = echo("2025-03-26");
    let get =
        json!({"jsonrpc": "2.0", "id": 3, "method": "tasks/get", "params": {"taskId": bound}});
    batch.message = json!([get]);
    let (_, body, _) = *go(worker, &batch, &nothing()).unwrap_err();
    assert_eq!(body[0]["error"]["code"], -32601, "{body}");
}

#[test]
fn a_state_of_the_upstream_comes_back_to_it_as_it_was() {
    for mode in MODES {
        let worker = &mut keyed(mode, &json!({}));
        let theirs = "th\u{e9}irs \" \u{1}";
        let asking = json!({"resultType": "input_required", "requestState": theirs,
            "inputRequests": {"a": {"method": "roots/list"}}});
        let went = go(worker, &echo(MODERN), &Answer::Result(asking.clone())).unwrap();
        let bound = went.result()["requestState"].clone();
        let mut expected = asking.clone();
        expected["requestState"] = bound.clone();
        assert_eq!(went.result(), expected);
        let retry = |state: &Value| {
            let params = json!({"name": "echo", "arguments": {}, "requestState": state,
                "inputResponses": {"a": {"roots": []}}});
            Sent::new(MODERN, "tools/call", &params)
        };
        let went = go(worker, &retry(&bound), &nothing()).unwrap();
        assert_eq!(went.message, retry(&json!(theirs)).message);
        for refused in [retry(&bound).of("bob"), retry(&json!(theirs))] {
            let (status, body, record) = *go(worker, &refused, &nothing()).unwrap_err();
            assert_eq!((status, record.reason), (200, "request_state"));
            assert_eq!(body["error"]["code"], -32602);
        }
        let asking = json!({"resultType": "input_required", "requestState": 1});
        let went = go(worker, &echo(MODERN), &Answer::Result(asking)).unwrap();
        assert!(went.came.contains("Withheld"), "{}", went.came);
        let long = json!({"resultType": "input_required", "requestState": "a".repeat(65_537)});
        let went = go(worker, &echo(MODERN), &Answer::Result(long)).unwrap();
        assert!(went.came.contains("Withheld"), "{}", went.came);
    }
}

#[test]
fn without_keys_ids_and_states_pass_as_they_are() {
    for mode in MODES {
        let worker = &mut worker(mode);
        for (revision, method, params, result) in [
            (
                MODERN,
                "tasks/get",
                json!({"taskId": "1"}),
                json!({"taskId": "2"}),
            ),
            (
                LEGACY,
                "tasks/list",
                json!({}),
                json!({"tasks": [{"taskId": "1"}]}),
            ),
            (
                MODERN,
                "tools/call",
                json!({"name": "echo", "requestState": "a"}),
                json!({"resultType": "task", "taskId": "1", "requestState": "b"}),
            ),
            (
                MODERN,
                "subscriptions/listen",
                json!({"notifications": {"taskIds": ["1"]}}),
                json!({}),
            ),
        ] {
            let sent = Sent::new(revision, method, &params);
            let went = go(worker, &sent, &Answer::Result(result.clone())).unwrap();
            assert_eq!(went.message, sent.message);
            assert_eq!(went.result(), result);
            assert_eq!(went.header("mcp-name"), None);
        }
    }
}
