//! Whole exchanges, from the request's headers to the end of the response, as
//! the shell drives them: with the filter state and the audit line.

use mcp_auth_filter::exchange::{Exchange, Input, Step, Worker};
use mcp_auth_filter::http::Headers;
use mcp_auth_filter::record::{Record, filter_state};
use serde_json::{Value, json};

use super::Scenario;
use super::setting::{AUTHORITY, NOW_MS, PATH, call, events, listed, message, token, tool, worker};

/// What Envoy hands over at a time.
const PART_BYTES: usize = 16_384;

/// The scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    let called = Asked {
        body: || call(&tool(20), 40),
        answer: || message_of(&json!({"content": []})),
        ..Asked::default()
    };
    let list = Asked {
        body: || message("tools/list", &json!({})),
        ..Asked::default()
    };
    vec![
        exchange("exchange/call-40B", called),
        exchange(
            "exchange/call-64KiB",
            Asked {
                body: || call(&tool(20), 65_536),
                ..called
            },
        ),
        exchange(
            "exchange/no-token",
            Asked {
                has_token: false,
                passes: false,
                ..called
            },
        ),
        exchange(
            "exchange/unknown-tool",
            Asked {
                body: || call("unknown", 40),
                passes: false,
                ..called
            },
        ),
        exchange(
            "exchange/list-10",
            Asked {
                answer: || listed(10),
                ..list
            },
        ),
        exchange(
            "exchange/list-1000",
            Asked {
                rules: 1000,
                answer: || listed(1000),
                ..list
            },
        ),
        exchange(
            "exchange/stream-100",
            Asked {
                media: EVENTS,
                answer: || events(100),
                ..called
            },
        ),
    ]
}

/// What is asked for, and what the upstream answers.
#[derive(Clone, Copy)]
struct Asked {
    rules: usize,
    has_token: bool,
    body: fn() -> Vec<u8>,
    media: &'static str,
    answer: fn() -> Vec<u8>,
    passes: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            rules: 20,
            has_token: true,
            body: Vec::new,
            media: JSON,
            answer: Vec::new,
            passes: true,
        }
    }
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// The headers of a request, as Envoy has them.
pub(crate) fn headers(authorization: &str, length: usize) -> Vec<(String, Vec<u8>)> {
    let length = length.to_string();
    let pairs = [
        (":authority", AUTHORITY),
        (":path", PATH),
        (":method", "POST"),
        (":scheme", "https"),
        ("content-type", JSON),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
        ("user-agent", "bench"),
        ("content-length", &length),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "8d59701b-f7d1-49d7-93ab-400fa8b0641a"),
        ("authorization", authorization),
    ];
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .collect()
}

fn exchange(name: &str, asked: Asked) -> Scenario {
    Scenario::new(name, move || {
        let mut worker = worker(asked.rules, &Value::Null);
        let (body, answer) = ((asked.body)(), (asked.answer)());
        let bearer = if asked.has_token {
            format!("Bearer {}", token())
        } else {
            String::new()
        };
        let headers = Headers::new(headers(&bearer, body.len()));
        let answer_headers = answer_headers(asked.media);
        move || {
            let mut driven = Driven::new(&mut worker);
            driven.request(headers.clone(), &body);
            assert_eq!(driven.is_forwarded, asked.passes);
            if asked.passes {
                driven.response(answer_headers.clone(), &answer);
            }
            driven.feed(Input::Gone);
            driven.written
        }
    })
}

/// The headers of an answer, as Envoy has them.
fn answer_headers(media: &str) -> Headers {
    let pairs = [
        (":status", "200"),
        ("content-type", media),
        ("x-envoy-upstream-service-time", "1"),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    Headers::new(pairs.to_vec())
}

/// An answer of the upstream's.
fn message_of(result: &Value) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": 1, "result": result})
        .to_string()
        .into_bytes()
}

/// The shell's part: it carries the steps out, and writes down.
struct Driven<'a> {
    worker: &'a mut Worker,
    exchange: Exchange,
    is_forwarded: bool,
    /// How much was written down, or would have gone on in place of what came.
    written: usize,
}

impl<'a> Driven<'a> {
    fn new(worker: &'a mut Worker) -> Self {
        Self {
            worker,
            exchange: Exchange::default(),
            is_forwarded: false,
            written: 0,
        }
    }

    fn request(&mut self, headers: Headers, body: &[u8]) {
        self.feed(Input::RequestHeaders {
            headers,
            end_of_stream: false,
        });
        let step = self.feed(Input::RequestBody {
            held: body.len(),
            end_of_stream: true,
        });
        if matches!(step, Step::ReadBody(_)) {
            self.feed(Input::Message(body));
        }
    }

    fn response(&mut self, headers: Headers, body: &[u8]) {
        self.feed(Input::ResponseHeaders {
            headers,
            from_upstream: true,
            has_body: true,
        });
        if self.exchange.reads_response() {
            for part in body.chunks(PART_BYTES) {
                self.feed(Input::ResponseBody {
                    part,
                    is_last: false,
                });
            }
            self.feed(Input::ResponseBody {
                part: &[],
                is_last: true,
            });
        }
    }

    fn feed(&mut self, input: Input<'_>) -> Step {
        let exchange = core::mem::take(&mut self.exchange);
        let (next, step) = exchange.advance(input, self.worker, NOW_MS);
        self.exchange = next;
        match &step {
            Step::Forward { record, .. } => {
                self.is_forwarded = true;
                self.write_down(record);
            }
            Step::Reply {
                record: Some(record),
                ..
            }
            | Step::Amend(record)
            | Step::Note(record) => self.write_down(record),
            _ => {}
        }
        step
    }

    fn write_down(&mut self, record: &Record) {
        let written = &mut self.written;
        filter_state(record, self.worker.filter_state, NOW_MS, |_, value| {
            *written += value.len();
        });
    }
}
