//! What of a response goes on to the client.

use super::*;
use crate::record::ResponseChanges;
use crate::reply::Denial;
use crate::response::{Fed, Unreadable};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
const TOOLS: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo"},{"name":"env"},{"name":"sum"}],"x":1}}"#;
const SHOWN: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo"},{"name":"sum"}],"x":1}}"#;

/// What came of a response.
#[derive(Debug, PartialEq)]
struct Came {
    body: String,
    is_cut: bool,
    changes: ResponseChanges,
}

impl Came {
    /// What came whole and unchanged.
    fn whole(body: &str) -> Self {
        Self {
            body: body.to_owned(),
            is_cut: false,
            changes: ResponseChanges::default(),
        }
    }

    fn error(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()
    }
}

fn answered(worker: &mut Worker, request: &str) -> Exchange {
    exchange_of(worker, request, &[])
}

fn exchange_of(worker: &mut Worker, request: &str, more: &[(&str, &str)]) -> Exchange {
    let token = bearer("mcp:read");
    let mut all = vec![("authorization", token.as_str())];
    all.extend(more);
    let input = Input::RequestHeaders {
        headers: headers("POST", &all),
        end_of_stream: false,
    };
    let (exchange, _) = Exchange::default().advance(input, worker, NOW_MS);
    let input = Input::RequestBody {
        held: request.len(),
        end_of_stream: true,
    };
    let (exchange, _) = exchange.advance(input, worker, NOW_MS);
    let (exchange, step) = exchange.advance(Input::Message(request.as_bytes()), worker, NOW_MS);
    assert!(matches!(step, Step::Forward { .. }), "{step:?}");
    exchange
}

fn head(exchange: Exchange, worker: &mut Worker, pairs: &[(&str, &str)]) -> (Exchange, Step) {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let input = Input::ResponseHeaders {
        headers: Headers::new(pairs),
        from_upstream: true,
        has_body: true,
    };
    exchange.advance(input, worker, NOW_MS)
}

/// A request that is permitted, and the response to it in these parts.
fn came(worker: &mut Worker, request: &str, content_type: &str, parts: &[&str]) -> Came {
    came_of(answered(worker, request), worker, content_type, parts)
}

fn came_of(exchange: Exchange, worker: &mut Worker, content_type: &str, parts: &[&str]) -> Came {
    let (mut exchange, step) = head(
        exchange,
        worker,
        &[(":status", "200"), ("content-type", content_type)],
    );
    assert!(matches!(step, Step::EditResponse(_)), "{step:?}");
    let mut body = Vec::new();
    let mut is_cut = false;
    for (index, part) in parts.iter().enumerate() {
        let input = Input::ResponseBody {
            part: part.as_bytes(),
            is_last: index + 1 == parts.len(),
        };
        let step;
        (exchange, step) = exchange.advance(input, worker, NOW_MS);
        match step {
            Step::PassBody(Fed::AsItCame) => body.extend(part.as_bytes()),
            Step::PassBody(Fed::Instead(bytes)) => body.extend(bytes),
            Step::PassBody(Fed::Cut(_)) => is_cut = true,
            step => panic!("{step:?}"),
        }
    }
    let changes = match exchange.advance(Input::Gone, worker, NOW_MS).1 {
        Step::Continue => ResponseChanges::default(),
        Step::Amend(record) => record.response,
        step => panic!("{step:?}"),
    };
    Came {
        body: String::from_utf8(body).unwrap(),
        is_cut,
        changes,
    }
}

fn event(text: &str) -> String {
    format!("id: 3\nevent: message\ndata: {text}\n\n")
}

#[test]
fn a_list_shows_what_the_caller_may_use() {
    let changes = ResponseChanges {
        hidden: 1,
        ..ResponseChanges::default()
    };
    for mode in MODES {
        let worker = &mut worker(mode);
        let json = came(worker, LIST, JSON, &[TOOLS]);
        assert_eq!((json.body.as_str(), json.changes), (SHOWN, changes));
        let events = came(worker, LIST, EVENTS, &[&event(TOOLS)]);
        assert_eq!((events.body, events.changes), (event(SHOWN), changes));
    }
}

#[test]
fn a_body_is_decided_on_as_soon_as_as_much_of_it_is_there_as_was_announced() {
    let answer = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
    let shown = Fed::Instead(SHOWN.into());
    for (request, text, wanted) in [
        (call("echo", "{}").as_str(), answer, Fed::AsItCame),
        (LIST, TOOLS, shown),
    ] {
        let worker = &mut worker("holding");
        let length = text.len().to_string();
        let announced = [
            (":status", "200"),
            ("content-type", JSON),
            ("content-length", length.as_str()),
        ];
        let (mut exchange, step) = head(answered(worker, request), worker, &announced);
        let Step::EditResponse(edits) = step else {
            panic!("{step:?}");
        };
        assert_eq!(edits.remove, ["content-length"]);
        let parts = [
            (text, wanted),
            ("", Fed::AsItCame),
            ("x", Fed::Cut(Vec::new())),
        ];
        for (part, wanted) in parts {
            let input = Input::ResponseBody {
                part: part.as_bytes(),
                is_last: false,
            };
            let step;
            (exchange, step) = exchange.advance(input, worker, NOW_MS);
            assert!(
                matches!(step, Step::PassBody(fed) if fed == wanted),
                "{part}"
            );
        }
    }
}

#[test]
fn other_messages_beside_a_list_pass_as_they_came() {
    let worker = &mut worker("holding");
    let other =
        event(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data": "x"}}"#);
    let stream = format!(": hi\n\n{other}{}{other}", event(TOOLS));
    let came = came(worker, LIST, EVENTS, &[&stream]);
    assert_eq!(came.body, format!(": hi\n\n{other}{}{other}", event(SHOWN)));
}

#[test]
fn the_answer_to_a_call_passes_whatever_it_looks_like() {
    let worker = &mut worker("holding");
    let request = call("echo", "{}");
    for content_type in [JSON, EVENTS] {
        let text = if content_type == JSON {
            TOOLS.to_owned()
        } else {
            event(TOOLS)
        };
        assert_eq!(
            came(worker, &request, content_type, &[&text]),
            Came::whole(&text)
        );
    }
}

#[test]
fn an_answer_to_somebody_elses_request_is_known_by_its_shape() {
    let worker = &mut worker("holding");
    let request = call("echo", "{}");
    for id in ["8", "\"7\"", "null", "7.5", "[7]"] {
        let with_id = |text: &str| event(&text.replace("\"id\":7", &format!("\"id\":{id}")));
        let came = came(worker, &request, EVENTS, &[&with_id(TOOLS)]);
        assert_eq!(came.body, with_id(SHOWN), "{id}");
    }
    let batch = format!("[{TOOLS},{}]", TOOLS.replace("\"id\":7", "\"id\":8"));
    let shown = format!("[{TOOLS},{}]", SHOWN.replace("\"id\":7", "\"id\":8"));
    assert_eq!(came(worker, &request, JSON, &[&batch]).body, shown);
}

#[test]
fn a_list_that_could_be_read_in_two_ways_becomes_an_error() {
    let worker = &mut worker("holding");
    for list in [
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[]},"result":{"tools":[{"name":"env"}]}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[],"tools":[{"name":"env"}]}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{},"Result":{"tools":[{"name":"env"}]}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo","name":"env"}]}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":{"env":{}}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"env"}]},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"env"}]},"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":[{"name":"env"}]}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"env"}"#,
        r#"{'id':7,'result':{'tools':[{'name':'env'}]}}"#,
    ] {
        for content_type in [JSON, EVENTS] {
            let text = if content_type == JSON {
                list.to_owned()
            } else {
                format!("data: {list}\n\n")
            };
            let mut came = came(worker, LIST, content_type, &[&text]);
            assert!(!came.body.contains("env"), "{came:?}");
            if content_type == EVENTS {
                came.body = came.body.replace("data: ", "");
            }
            let error = came.error();
            assert_eq!(error["id"], 7, "{error}");
            assert!(error["error"]["message"].is_string(), "{error}");
            assert_eq!(came.changes.withheld, 1);
        }
    }
}

#[test]
fn in_a_session_the_answer_to_a_call_is_a_list_only_by_mistake_of_the_upstream() {
    let worker = &mut worker("holding");
    let request = call("echo", "{}");
    let session = [("mcp-session-id", "s1")];
    let odd = exchange_of(worker, &request, &session);
    assert_eq!(came_of(odd, worker, JSON, &[TOOLS]).body, SHOWN);
    let usual = TOOLS.replace("\"x\":1", "\"content\":[]");
    let exchange = exchange_of(worker, &request, &session);
    assert_eq!(
        came_of(exchange, worker, JSON, &[&usual]),
        Came::whole(&usual)
    );
}

#[test]
fn what_is_null_is_not_there() {
    let worker = &mut worker("holding");
    for text in [
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"requestState":null,"inputRequests":null},"error":null}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":null,"error":{"code":1,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":null}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"_meta":null}}"#,
    ] {
        let came = came(worker, &call("echo", "{}"), JSON, &[text]);
        assert_eq!(came, Came::whole(text));
    }
    let list = TOOLS
        .replace("}}", "},\"error\":null}")
        .replace("\"x\":1}", "\"x\":1");
    let came = came(worker, LIST, JSON, &[&list]);
    assert!(!came.body.contains("env"), "{came:?}");
}

#[test]
fn a_batch_of_what_are_no_messages_is_one_error() {
    let worker = &mut worker("holding");
    let many = format!("[{}{{}}]", "{},".repeat(1000));
    for batch in ["[1,1,1]", "[{},[]]", &many] {
        let came = came(worker, &call("echo", "{}"), JSON, &[batch]);
        assert_eq!(came.error()["id"], 7, "{batch}");
        assert_eq!(came.changes.withheld, 1);
    }
}

#[test]
fn what_is_looked_for_is_not_overlooked_for_its_letter_case() {
    let worker = &mut worker("holding");
    for text in [
        r#"{"jsonrpc":"2.0","id":7,"result":{"InputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"https://evil.example/"}}}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"TaskId":"a"}}"#,
    ] {
        let came = came(worker, &call("echo", "{}"), JSON, &[text]);
        assert_eq!(came.changes.reason, Some("not_understood"), "{came:?}");
        assert!(!came.body.contains("evil"));
    }
}

#[test]
fn no_upstream_sends_the_client_elsewhere() {
    for mode in MODES {
        let worker = &mut worker(mode);
        let exchange = answered(worker, LIST);
        let pairs = [
            (":status", "307"),
            ("location", "https://elsewhere.example/"),
        ];
        let (_, step) = head(exchange, worker, &pairs);
        let Step::ReplaceResponse { reply, record } = step else {
            panic!("{step:?}");
        };
        assert_eq!((reply.status, record.reason), (502, "upstream_redirect"));
        assert!(!reply.body.contains("elsewhere.example"));
    }
}

#[test]
fn on_the_stream_of_a_get_a_list_is_known_by_its_shape() {
    let worker = &mut worker("holding");
    let input = Input::RequestHeaders {
        headers: headers("GET", &[("authorization", &bearer("mcp:read"))]),
        end_of_stream: true,
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    assert!(matches!(step, Step::Forward { .. }), "{step:?}");
    let pairs = [(":status", "200"), ("content-type", EVENTS)];
    let (exchange, _) = head(exchange, worker, &pairs);
    let event_of_list = event(TOOLS);
    let input = Input::ResponseBody {
        part: event_of_list.as_bytes(),
        is_last: false,
    };
    let (_, step) = exchange.advance(input, worker, NOW_MS);
    assert_eq!(
        step,
        Step::PassBody(Fed::Instead(event(SHOWN).into_bytes()))
    );
}

#[test]
fn an_answer_that_cannot_be_looked_at_is_replaced() {
    for mode in MODES {
        let worker = &mut worker(mode);
        for (more, unreadable) in [
            (("content-encoding", "gzip"), Unreadable::Encoded),
            (("content-type", "text/plain"), Unreadable::ContentType),
        ] {
            let exchange = answered(worker, LIST);
            let (_, step) = head(exchange, worker, &[(":status", "200"), more]);
            let Step::ReplaceResponse { reply, record } = step else {
                panic!("{step:?}");
            };
            assert_eq!(reply.status, 502);
            let answer: Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!(answer["id"], 7);
            assert_eq!(record.reason, Denial::Unreadable(unreadable).reason());
        }
    }
}

#[test]
fn a_refused_request_of_the_server_does_not_reach_the_client() {
    let features = json!({"client_features": {"sampling": false}});
    let worker = &mut worker_with("holding", &inline_keys(), &features);
    let sampling =
        r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[]}}"#;
    let roots = event(r#"{"jsonrpc":"2.0","id":2,"method":"roots/list"}"#);
    let stream = format!("data: {sampling}\n\n{roots}");
    let came = came(worker, &call("echo", "{}"), EVENTS, &[&stream]);
    assert_eq!(came.body, roots);
    assert_eq!(came.changes.reason, Some("client_feature"));
}

#[test]
fn nothing_is_told_of_a_resource_that_the_caller_may_not_read() {
    let worker = &mut worker("holding");
    let updated = |uri: &str| {
        event(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{uri}"}}}}"#
        ))
    };
    let stream = format!(
        "{}{}",
        updated("demo://secret/1"),
        updated("demo://documents/1")
    );
    let came = came(worker, &call("echo", "{}"), EVENTS, &[&stream]);
    assert_eq!(
        came.body,
        format!("id: 3\n\n{}", updated("demo://documents/1"))
    );
    assert_eq!(came.changes.reason, Some("subscription"));
}

#[test]
fn a_response_that_turns_out_to_be_a_list_too_late_is_cut() {
    let worker = &mut worker("holding");
    let long = "x".repeat(100_000);
    let text = format!(
        r#"data: {{"jsonrpc":"2.0","result":{{"content":[{{"type":"text","text":"{long}"}}],"tools":[{{"name":"env"}}]}},"id":8}}"#
    );
    let middle = text.len() / 2;
    let (first, second) = text.split_at(middle);
    let came = came(
        worker,
        &call("echo", "{}"),
        EVENTS,
        &[first, second, "\n\n"],
    );
    assert!(came.is_cut && !came.body.contains("\n\n"));
    assert_eq!(came.changes.reason, Some("not_understood"));
}

#[test]
fn nothing_goes_on_behind_trailers() {
    let worker = &mut worker("holding");
    let exchange = answered(worker, LIST);
    let pairs = [(":status", "200"), ("content-type", JSON)];
    let (exchange, _) = head(exchange, worker, &pairs);
    let input = Input::ResponseBody {
        part: TOOLS.as_bytes(),
        is_last: false,
    };
    let (exchange, step) = exchange.advance(input, worker, NOW_MS);
    assert_eq!(step, Step::PassBody(Fed::Instead(Vec::new())));
    let (_, step) = exchange.advance(Input::ResponseTrailers, worker, NOW_MS);
    assert_eq!(step, Step::PassBody(Fed::Cut(Vec::new())));
}

#[test]
fn only_a_refused_credential_makes_an_answer_depend_on_the_time() {
    let worker = &mut worker("holding");
    let exchange = answered(worker, LIST);
    let response = |status| Input::ResponseHeaders {
        headers: Headers::from([(":status", status), ("content-type", JSON)]),
        from_upstream: true,
        has_body: true,
    };
    assert!(exchange.depends_on_time(&response("401")));
    assert!(!exchange.depends_on_time(&response("200")));
    let (exchange, _) = exchange.advance(response("200"), worker, u64::MAX);
    let body = Input::ResponseBody {
        part: TOOLS.as_bytes(),
        is_last: true,
    };
    assert!(!exchange.depends_on_time(&body));
    let (exchange, step) = exchange.advance(body, worker, 0);
    assert!(matches!(step, Step::PassBody(Fed::Instead(bytes)) if bytes == SHOWN.as_bytes()));
    assert!(!exchange.depends_on_time(&Input::Gone));
    let (exchange, step) = exchange.advance(Input::Gone, worker, u64::MAX);
    assert!(matches!(step, Step::Amend(_)) && exchange.is_over());
}
