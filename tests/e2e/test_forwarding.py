"""What the upstream gets: who calls, from nobody but the gate, and the rest as it was."""

from __future__ import annotations

import json

import pytest
from harness.gate import Gate
from harness.messages import call

ECHO = call("echo", message="héllo \u0000 \U0001f600")


def test_the_upstream_learns_who_calls(gate: Gate, protocol: str) -> None:
    seen = gate.post(ECHO, protocol=protocol).passed()
    assert seen.header("x-mcp-subject") == "reader"
    assert seen.header("x-mcp-issuer") == gate.issuer.url
    assert seen.header("x-mcp-client") == "client-1"


@pytest.mark.parametrize("name", ["x-mcp-subject", "X-MCP-Issuer", "x-mcp-client"])
def test_a_clients_own_word_on_who_it_is_does_not_pass(
    gate: Gate, name: str, protocol: str
) -> None:
    spoofed = [(name, "admin"), (name, "root")]
    headers = [("content-type", "application/json"), *spoofed]
    outcome = gate.send("POST", account="reader", headers=headers, content=b"[]", protocol=protocol)
    assert outcome.status == 400
    seen = gate.post(ECHO, headers={name: "admin"}, protocol=protocol).passed()
    assert "admin" not in str(seen.headers)
    assert [value for each, value in seen.headers if each == name.lower()] == [
        seen.header(name.lower())
    ]


@pytest.mark.parametrize("name", ["x-mcp-subject", "accept-encoding"])
def test_what_the_gate_says_replaces_every_header_of_the_name(
    gate: Gate, name: str, protocol: str
) -> None:
    content = json.dumps(ECHO).encode()
    headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        *((name, each) for each in ("admin", "gzip", "root")),
    ]
    outcome = gate.send(
        "POST", account="reader", headers=headers, content=content, protocol=protocol
    )
    own = {"x-mcp-subject": "reader", "accept-encoding": "identity"}[name]
    seen = outcome.passed()
    assert [value for each, value in seen.headers if each == name] == [own]


@pytest.mark.parametrize(
    "name", ["x_mcp_subject", "x-mcp_client", "X_Mcp_Issuer", "x_mcp-subject", "authorization_"]
)
def test_underscores_are_no_way_around_that(bare: Gate, name: str, protocol: str) -> None:
    seen = bare.post(ECHO, headers={name: "admin"}, protocol=protocol).passed()
    kept = {each: value for each, value in seen.headers if value == "admin"}
    assert set(kept) <= {"authorization_"}


def test_envoy_as_shipped_refuses_underscores_by_itself(gate: Gate) -> None:
    response = gate.client().post("/everything/mcp", headers={"x_mcp_subject": "admin"}, json=ECHO)
    assert response.status_code == 400
    assert gate.upstream_since(0) == []


def test_other_headers_and_the_body_pass_as_they_are(gate: Gate, protocol: str) -> None:
    headers = {
        "mcp-session-id": "abc",
        "last-event-id": "7",
        "accept": "application/json, text/event-stream",
        "x-custom": "a  b ; c",
        "cookie": "a=b; c=d",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x-empty": "",
    }
    content = b'{ "jsonrpc" : "2.0", "method":"tools/call",\n"id":1, "params":{"name":"echo"}}\n'
    seen = gate.post(content, headers=headers, protocol=protocol).passed()
    for name, value in headers.items():
        assert seen.header(name) == value, name
    assert seen.body == content


def test_header_names_and_removals_are_the_configurations(gate: Gate, protocol: str) -> None:
    path = "/identities/mcp"
    spoofed = {"x-user": "admin", "x-kind": "y", "x-internal": "z", "x-mcp-issuer": "kept"}
    seen = gate.post(ECHO, account="writer", path=path, headers=spoofed, protocol=protocol).passed()
    assert seen.header("x-user") == "writer"
    assert seen.header("x-scopes") == "mcp:read mcp:write"
    assert seen.header("x-kind") == "user"
    assert seen.header("x-internal") is None
    assert seen.header("x-mcp-client") == "client-1"
    # This server's upstream is not told the issuer, so the name is nobody's.
    assert seen.header("x-mcp-issuer") == "kept"


@pytest.mark.parametrize(
    ("subject", "sent"),
    [
        ("auth0|jane doe", "auth0|jane doe"),
        ("zoë", "zo%C3%AB"),
        ("100%", "100%25"),
        (" x ", "%20x%20"),
        ('a,b;c="d"', 'a,b;c="d"'),
    ],
)
def test_any_subject_is_a_safe_header_value(gate: Gate, subject: str, sent: str) -> None:
    token = gate.issuer.token("reader", gate.resource, sub=subject)
    outcome = gate.post(ECHO, token=token)
    assert outcome.passed().header("x-mcp-subject") == sent
    assert outcome.audit["subject"] == subject


def test_a_query_passes(gate: Gate) -> None:
    outcome = gate.post(ECHO, path="/everything/mcp?a=%20b&my_access_token=x")
    assert outcome.passed().target == "/everything/mcp?a=%20b&my_access_token=x"
