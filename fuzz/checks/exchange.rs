//! A whole request of arbitrary headers and body, in both header modes,
//! against keys that nobody has: it is never forwarded.

use mcp_auth_filter::config;
use mcp_auth_filter::exchange::{Exchange, Input, Step, Worker};
use mcp_auth_filter::http::Headers;
use mcp_auth_filter::oauth::TokenHashKey;

use crate::lines::request;

const NOW_MS: u64 = 1_800_000_000_000;

/// The bytes are header lines and a body.
pub(crate) fn check(bytes: &[u8]) {
    for mode in ["holding", "plain"] {
        run(&mut worker(mode), bytes);
    }
}

fn run(worker: &mut Worker, bytes: &[u8]) {
    let (pairs, body) = request(bytes);
    let headers = Headers::new(pairs);
    let input = Input::RequestHeaders {
        headers,
        end_of_stream: body.is_empty(),
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    stays(&step);
    let input = Input::RequestBody {
        held: body.len(),
        end_of_stream: true,
    };
    let (exchange, step) = exchange.advance(input, worker, NOW_MS);
    stays(&step);
    let (exchange, step) = exchange.advance(Input::Message(body), worker, NOW_MS);
    stays(&step);
    let (_, step) = exchange.advance(Input::Gone, worker, NOW_MS);
    stays(&step);
}

fn stays(step: &Step) {
    assert!(
        !matches!(step, Step::Forward { .. } | Step::ReleaseHeaders { .. }),
        "{step:?}"
    );
}

/// One server, and the public key of RFC 8037, appendix A.1.
fn worker(mode: &str) -> Worker {
    let configuration = format!(
        r#"{{"header_mode":"{mode}",
        "issuers":[{{"id":"as","issuer":"https://as.example","algorithms":["EdDSA"],"keys":{{"inline":{{"keys":[
            {{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}}}}}],
        "servers":[{{"id":"a","resource":"https://gate.example/mcp","issuers":["as"],
            "allowed_origins":["https://page.example"],
            "rules":[{{"id":"all","what":{{"tools":["*"],"methods":["*"]}}}}]}}]}}"#
    );
    let config = config::parse(configuration.as_bytes(), &|_| None).expect("a good configuration");
    Worker::new(&config, TokenHashKey::new([7; 16])).expect("a usable key")
}
