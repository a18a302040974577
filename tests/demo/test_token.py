"""`make token`, and what it says when a field is wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from test_sign_in import parts

from demo.stack.authorization_server import AuthorizationServer
from demo.stack.errors import StackError
from demo.stack.places import ROOT, Ports
from demo.stack.ports import free_stack, is_taken
from demo.token import access_token


@pytest.mark.parametrize(
    ("account", "scope"), [("reader", "mcp:read"), ("writer", "mcp:read mcp:write")]
)
def test_without_more_fields_it_is_all_that_the_account_may_have_for_ten_minutes(
    server: AuthorizationServer, ports: Ports, account: str, scope: str
) -> None:
    _, claims = parts(access_token({"ACCOUNT": account}, ports))
    assert claims["sub"] == account
    assert claims["scope"] == scope
    assert claims["aud"] == ports.everything
    assert claims["exp"] - claims["iat"] == 600


def test_scope_resource_and_ttl_can_be_chosen(
    server: AuthorizationServer, ports: Ports, opaque_resource: str
) -> None:
    fields = {"ACCOUNT": "admin", "SCOPE": "mcp:write", "TTL": "5"}
    _, claims = parts(access_token(fields, ports))
    assert claims["scope"] == "mcp:write"
    assert claims["exp"] - claims["iat"] == 5
    assert "." not in access_token({**fields, "RESOURCE": opaque_resource}, ports)


def test_asking_for_what_the_account_may_not_have_gives_a_token_without_it(
    server: AuthorizationServer, ports: Ports
) -> None:
    _, claims = parts(access_token({"ACCOUNT": "reader", "SCOPE": "mcp:write"}, ports))
    assert "scope" not in claims


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "ACCOUNT is missing"),
        ({"ACCOUNT": "root"}, "^ACCOUNT: .*reader, writer, admin"),
        ({"ACCOUNT": "reader", "TTL": "soon"}, "^TTL: 'soon'"),
        ({"ACCOUNT": "reader", "TTL": "0"}, "^TTL: .*from 1 to 86400"),
        ({"ACCOUNT": "reader", "TTL": "86401"}, "^TTL: .*from 1 to 86400"),
        ({"ACCOUNT": "reader", "RESOURCE": "http://127.0.0.1:1/x"}, "^RESOURCE: "),
    ],
)
def test_an_error_names_the_field(
    server: AuthorizationServer, ports: Ports, fields: dict[str, str], complaint: str
) -> None:
    with pytest.raises(StackError, match=complaint):
        access_token(fields, ports)


def test_a_demonstration_that_does_not_run_is_named_with_the_way_to_start_it() -> None:
    with pytest.raises(StackError, match=r"not running .* make run"):
        access_token({"ACCOUNT": "reader"}, free_stack())


@pytest.mark.skipif(is_taken(Ports().authorization_server), reason="a demonstration is running")
def test_the_command_prints_errors_on_stderr_only_and_fails() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "demo.token"],
        cwd=ROOT,
        env={**os.environ, "ACCOUNT": "reader"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert result.stdout == ""
    assert result.stderr.startswith("error: the demonstration is not running")
