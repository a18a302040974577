"""HTTP methods and media types of an MCP endpoint, and the legacy GET and DELETE."""

from __future__ import annotations

import json

import pytest
from harness.gate import ENDPOINT, MODERN, Gate
from harness.messages import call
from harness.wire import http1

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "TRACE", "PROPFIND", "OPTIONS"])
def test_a_method_that_mcp_does_not_have_is_not_allowed(
    gate: Gate, method: str, protocol: str
) -> None:
    content = None if method in ("HEAD", "OPTIONS", "TRACE") else b"{}"
    outcome = gate.send(method, account="reader", content=content, protocol=protocol)
    outcome.refused(405, "method_not_allowed").unseen()
    assert outcome.response.headers["allow"] == "POST, GET, DELETE, OPTIONS"


@pytest.mark.parametrize("method", ["get", "Post", "CONNECT", "PRI", "POST/"])
def test_a_method_in_another_spelling_is_none_of_the_allowed_ones(gate: Gate, method: str) -> None:
    headers = [
        (b"host", gate.authority.encode()),
        (b"authorization", f"Bearer {gate.token('reader')}".encode()),
        (b"content-length", b"0"),
    ]
    answer = http1(gate.ports.gate, f"{method} {ENDPOINT} HTTP/1.1", headers)
    assert answer.status in (400, 404, 405)
    assert gate.upstream_since(0) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json, text/plain"},
        {"content-type": "application/jsonl"},
        {"content-type": "multipart/form-data; boundary=x"},
        {**JSON, "content-encoding": "gzip"},
        {**JSON, "content-encoding": "identity"},
    ],
    ids=str,
)
def test_a_body_that_is_not_plain_json_is_refused_unread(
    gate: Gate, headers: dict[str, str], protocol: str
) -> None:
    body = json.dumps(call("echo")).encode()
    outcome = gate.send("POST", account="reader", headers=headers, content=body, protocol=protocol)
    outcome.refused(415, "unsupported_media_type").unseen()


@pytest.mark.parametrize("media", ["application/json", 'Application/JSON; charset="UTF-8"'])
def test_json_in_any_spelling_of_its_name_passes(gate: Gate, media: str) -> None:
    gate.post(call("echo"), headers={"content-type": media}).passed()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_legacy_stream_and_the_end_of_a_session_pass_with_a_token(
    gate: Gate, method: str, protocol: str
) -> None:
    headers = {"mcp-session-id": "s1", "mcp-protocol-version": "2025-06-18"}
    outcome = gate.send(method, account="reader", headers=headers, protocol=protocol)
    seen = outcome.passed()
    assert (seen.method, seen.header("mcp-session-id")) == (method, "s1")
    assert seen.header("x-mcp-subject") == "reader"
    assert outcome.audit["method"] == method


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_they_are_challenged_without_one(gate: Gate, method: str, protocol: str) -> None:
    outcome = gate.send(method, protocol=protocol).refused(401, "no_token").unseen()
    assert outcome.challenge and "error" not in outcome.challenge


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_they_take_no_body(gate: Gate, method: str, protocol: str) -> None:
    outcome = gate.send(method, account="reader", headers=JSON, content=b"{}", protocol=protocol)
    outcome.refused(400, "unexpected_body")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_modern_revision_does_not_have_them(gate: Gate, method: str) -> None:
    headers = {"mcp-protocol-version": MODERN}
    outcome = gate.send(method, account="reader", headers=headers)
    outcome.refused(405, "method_not_allowed").unseen()
    assert outcome.response.headers["allow"] == "POST, OPTIONS"
    at_modern = gate.send(method, "/modern/mcp", account="reader")
    at_modern.refused(405, "method_not_allowed").unseen()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_revision_is_named_with_the_supported_ones(gate: Gate, method: str) -> None:
    headers = {"mcp-protocol-version": "1999-01-01"}
    outcome = gate.send(method, account="reader", headers=headers)
    outcome.refused(400, "unsupported_version").unseen()
    assert outcome.error["code"] == -32022
    assert outcome.error["data"]["requested"] == "1999-01-01"
    assert "2025-11-25" in outcome.error["data"]["supported"]
