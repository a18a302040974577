"""Protected resource metadata (RFC 9728), as clients and browsers fetch it."""

from __future__ import annotations

import pytest
from harness.gate import Gate
from harness.sites import ROOT_HOST
from harness.wire import http1

WELL_KNOWN = "/.well-known/oauth-protected-resource"
EVERYTHING = f"{WELL_KNOWN}/everything/mcp"


def test_the_document_says_exactly_this(gate: Gate, protocol: str) -> None:
    outcome = gate.send("GET", EVERYTHING, protocol=protocol).unseen()
    assert outcome.status == 200
    assert outcome.json == {
        "resource": gate.resource,
        "authorization_servers": [gate.issuer.url],
        "scopes_supported": gate.policy["servers"][0]["metadata"].get(
            "scopes_supported", ["mcp:read"]
        ),
        "bearer_methods_supported": ["header"],
        "resource_name": "Everything",
    }
    headers = outcome.response.headers
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "public, max-age=3600"
    assert headers["access-control-allow-origin"] == "*"
    assert outcome.audit["outcome"] == "answered"


def test_each_server_has_its_own_document(holding: Gate) -> None:
    for server in holding.policy["servers"]:
        if server["id"] == "root":
            continue
        path = server["resource"].removeprefix(holding.ports.gate_url)
        document = holding.send("GET", f"{WELL_KNOWN}{path}").unseen().json
        assert document["resource"] == server["resource"]


def test_head_has_the_same_headers_and_no_body(gate: Gate, protocol: str) -> None:
    got = gate.send("GET", EVERYTHING, protocol=protocol)
    head = gate.send("HEAD", EVERYTHING, protocol=protocol).unseen()
    assert head.status == 200
    assert head.response.content == b""
    for name in ("content-type", "cache-control", "access-control-allow-origin"):
        assert head.response.headers[name] == got.response.headers[name]


def test_a_browser_may_ask_first_because_clients_send_their_protocol_version(
    gate: Gate, protocol: str
) -> None:
    outcome = gate.send(
        "OPTIONS",
        EVERYTHING,
        headers={
            "origin": "https://anybody.example",
            "access-control-request-method": "GET",
            "access-control-request-headers": "mcp-protocol-version",
        },
        protocol=protocol,
    ).unseen()
    headers = outcome.response.headers
    assert outcome.status == 204
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert "mcp-protocol-version" in headers["access-control-allow-headers"]
    assert headers["access-control-max-age"] == "3600"


def test_a_page_of_any_origin_may_read_it(gate: Gate) -> None:
    headers = {"origin": "https://anybody.example"}
    outcome = gate.send("GET", EVERYTHING, headers=headers).unseen()
    assert outcome.status == 200
    assert outcome.response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_other_methods_are_not_allowed(gate: Gate, method: str) -> None:
    outcome = gate.send(method, EVERYTHING, account="reader").unseen()
    assert outcome.status == 405
    assert outcome.response.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "path",
    [
        WELL_KNOWN,
        f"{WELL_KNOWN}/",
        f"{WELL_KNOWN}/everything",
        f"{WELL_KNOWN}/everything/mcp/",
        f"{WELL_KNOWN}/Everything/mcp",
        f"{WELL_KNOWN}/nothing/mcp",
        f"/everything/mcp{WELL_KNOWN}",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ],
)
def test_where_no_document_is_true_there_is_none(gate: Gate, path: str) -> None:
    assert gate.send("GET", path, account="reader").refused(404, "no_server").unseen()


def test_the_root_document_is_that_of_a_server_at_the_root_of_its_own_host(gate: Gate) -> None:
    host = (b"host", ROOT_HOST.encode())
    answer = http1(gate.ports.gate, f"GET {WELL_KNOWN} HTTP/1.1", [host])
    assert answer.status == 200
    assert f'"resource":"http://{ROOT_HOST}"'.encode() in answer.body
    assert gate.recorder.seen == []
