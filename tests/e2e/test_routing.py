"""Host and path choose the server; no spelling of them reaches one past its rules."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from harness.gate import ENDPOINT, HTTP2, Gate
from harness.messages import call
from harness.sites import ROOT_HOST
from harness.wire import Answer, http1, http2

ALLOWED = json.dumps(call("echo")).encode()
HIDDEN = json.dumps(call("get-env")).encode()

# Paths that some server somewhere takes for /everything/mcp or /notes/mcp.
PATH_TRICKS = [
    "/everything%2fmcp",
    "/everything%2Fmcp",
    "/everything%5cmcp",
    "/everything/%6dcp",
    "/%65verything/mcp",
    "/everything/%2e/mcp",
    "/everything/./mcp",
    "/everything/x/../mcp",
    "/everything/x/%2e%2e/mcp",
    "/everything/x/.%2E/mcp",
    "/everything/mcp/../../notes/mcp",
    "/everything/mcp/..%2f..%2fnotes/mcp",
    "//everything/mcp",
    "/everything//mcp",
    "/everything\\mcp",
    "/everything/mcp/",
    "/everything/mcp/.",
    "/everything/mcp/..",
    "/everything/mcp%00",
    "/everything/mcp%20",
    "/everything/mcp;x=1",
    "/everything;x/mcp",
    "/EVERYTHING/MCP",
    "/everything/Mcp",
    "/everything/mcp#x",
    "/everything/mcp%3f",
    "/everything",
    "/mcp",
    "/",
    "*",
    "everything/mcp",
    "/everything/mcp/.well-known/oauth-protected-resource",
]
FOREIGN_HOSTS = [
    "",
    "localhost",
    "evil.example",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.0.0.1.",
    "{host}.",
    "user@{host}",
    "{host}@evil.example",
    "{host},evil.example",
    "root.example",
    "0x7f.1",
    "[::ffff:127.0.0.1]:80",
]


def ask(gate: Gate, path: str, host: str, protocol: str, body: bytes = ALLOWED) -> Answer:
    """A call with a token that is good for the everything server."""
    headers = [
        (b"content-type", b"application/json"),
        (b"authorization", f"Bearer {gate.token('reader')}".encode()),
    ]
    if protocol == HTTP2:
        pseudo = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":authority", host.encode()),
            (b":path", path.encode()),
        ]
        # Envoy may have hung up before the body was sent.
        with suppress(ConnectionError):
            return http2(gate.ports.gate, pseudo + headers, body)
        return Answer(0)
    headers += [(b"host", host.encode()), (b"content-length", str(len(body)).encode())]
    return http1(gate.ports.gate, f"POST {path} HTTP/1.1", headers, body)


@pytest.mark.parametrize("path", PATH_TRICKS)
def test_without_normalisation_no_other_spelling_of_a_path_reaches_the_upstream(
    bare: Gate, path: str, protocol: str
) -> None:
    answer = ask(bare, path, bare.authority, protocol)
    assert bare.upstream_since(0) == []
    # Status 0: Envoy has reset the stream of a request that is not HTTP.
    assert answer.status in (404, 400, 0)


@pytest.mark.parametrize("path", PATH_TRICKS)
def test_with_normalisation_a_path_is_a_servers_own_or_reaches_nothing(
    gate: Gate, path: str, protocol: str
) -> None:
    answer = ask(gate, path, gate.authority, protocol)
    reached = gate.upstream_since(0)
    assert [seen.target for seen in reached] == ([ENDPOINT] if answer.status == 200 else [])
    ask(gate, path, gate.authority, protocol, HIDDEN)
    assert not any(b"get-env" in seen.body for seen in gate.upstream_since(0))


def test_a_detour_by_one_server_does_not_lead_to_another_ones_tools(gate: Gate) -> None:
    path = "/everything/mcp/../../notes/mcp"
    answer = ask(gate, path, gate.authority, "HTTP/1.1")
    assert answer.status == 401
    assert "/oauth-protected-resource/notes/mcp" in (answer.header("www-authenticate") or "")
    assert gate.upstream_since(0) == []


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_host_of_no_server_reaches_nothing(gate: Gate, host: str, protocol: str) -> None:
    reaches_nothing(gate, host, protocol)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_without_normalisation_a_host_of_no_server_reaches_nothing(
    bare: Gate, host: str, protocol: str
) -> None:
    reaches_nothing(bare, host, protocol)


def reaches_nothing(gate: Gate, host: str, protocol: str) -> None:
    answer = ask(gate, ENDPOINT, host.replace("{host}", gate.authority), protocol)
    assert answer.status in (404, 400, 0)
    assert gate.upstream_since(0) == []


@pytest.mark.parametrize("path", ["/", "/nothing/mcp", "/everything", "/favicon.ico"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_path_of_no_server_is_refused_before_anything_else(
    gate: Gate, path: str, method: str, protocol: str
) -> None:
    outcome = gate.send(method, path, protocol=protocol).refused(404, "no_server").unseen()
    assert outcome.challenge is None
    assert outcome.audit["http_method"] == method


@pytest.mark.parametrize("host", ["root.example", "ROOT.Example", "root.example:80"])
def test_a_host_is_the_same_in_any_case_and_with_its_default_port(
    gate: Gate, host: str, protocol: str
) -> None:
    token = gate.issuer.token("reader", f"http://{ROOT_HOST}")
    headers = {"host": host, "content-type": "application/json"}
    outcome = gate.send("POST", "/", token=token, headers=headers, content=ALLOWED)
    assert outcome.status == 200
    outcome.passed()


@pytest.mark.parametrize(
    ("target_host", "host_header", "passes"),
    [("{gate}", "evil.example", True), ("evil.example", "{gate}", False)],
)
def test_in_an_absolute_request_target_the_targets_host_counts(
    gate: Gate, target_host: str, host_header: str, passes: bool
) -> None:
    target, header = (text.replace("{gate}", gate.authority) for text in (target_host, host_header))
    answer = ask(gate, f"http://{target}{ENDPOINT}", header, "HTTP/1.1")
    assert answer.status == (200 if passes else 404)
    assert len(gate.upstream_since(0)) == passes


def test_two_hosts_are_one_too_many(gate: Gate) -> None:
    host = (b"host", gate.authority.encode())
    # Envoy joins them.
    assert http1(gate.ports.gate, f"GET {ENDPOINT} HTTP/1.1", [host, host]).status == 404
    assert gate.upstream_since(0) == []


@pytest.mark.parametrize("query", ["?", "?a=1", "?/../notes/mcp", "?a=%2f..%2f"])
def test_a_query_does_not_change_where_a_request_goes(gate: Gate, query: str) -> None:
    outcome = gate.post(call("echo"), path=f"{ENDPOINT}{query}")
    assert outcome.passed().target.startswith(ENDPOINT)
