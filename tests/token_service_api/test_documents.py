"""Schemathesis with the documents that others fixed, and with those that the service generates.

It makes up requests, right and wrong ones, and checks that every answer is one
that the document names, with the body that it describes.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from demo.stack.places import ROOT

from .conftest import TokenService

DOCUMENTS = ROOT / "token-service" / "openapi"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

# The same requests in every run.
SEED = "1"
MOST_EXAMPLES = "30"
SECONDS = 60

SERVERS = ["everything", "notes", "keyed", "all", "nothing"]


def schemathesis(
    document: Mapping[str, Any], url: str, credential: str, directory: Path
) -> None:
    """Run it, and show what it says if it is not content."""
    file = directory / "document.json"
    file.write_text(json.dumps(among_known_servers(document)), encoding="utf-8")
    run = subprocess.run(
        [
            str(SCHEMATHESIS),
            *("run", str(file), "--url", url),
            *("--header", f"Authorization: Bearer {credential}"),
            *("--phases", "examples,coverage,fuzzing"),
            *("--seed", SEED, "--max-examples", MOST_EXAMPLES),
            *("--generation-database", "none", "--request-timeout", "10", "--no-color"),
            # The documents cannot say which URLs are configured, which fields go
            # together, or what a valid token is.
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-4000:]


@pytest.mark.parametrize("account", ["reader", "admin"])
@pytest.mark.parametrize("document", ["authorize.yaml", "auth-status.yaml"])
def test_the_apis_that_others_fixed_are_as_their_documents_say(
    service: TokenService,
    tokens: Mapping[str, str],
    document: str,
    account: str,
    tmp_path: Path,
) -> None:
    text = (DOCUMENTS / document).read_text(encoding="utf-8")
    schemathesis(yaml.safe_load(text), service.public, tokens[account], tmp_path)


@pytest.mark.parametrize("account", ["reader", "admin"])
@pytest.mark.parametrize("server", ["everything", "notes", "keyed", "all"])
def test_their_answers_about_each_kind_of_server_are_as_well(
    service: TokenService,
    tokens: Mapping[str, str],
    server: str,
    account: str,
) -> None:
    headers = {"Authorization": f"Bearer {tokens[account]}"}
    base = f"{service.public}/api/svc/v1/mcp/{server}"
    link = httpx.get(f"{base}/authorize", headers=headers)
    query = {"subjectId": account, "subjectType": "user"}
    status = httpx.get(f"{base}/auth/status", params=query, headers=headers)
    assert (link.status_code, status.status_code) == (200, 200)
    assert link.json()["status"] == status.json()["status"]


@pytest.mark.parametrize("account", ["reader", "admin"])
def test_the_public_api_is_as_the_service_itself_says(
    service: TokenService, tokens: Mapping[str, str], account: str, tmp_path: Path
) -> None:
    schemathesis(generated(service.public), service.public, tokens[account], tmp_path)


def test_the_filters_api_is_as_the_service_itself_says(
    service: TokenService, tmp_path: Path
) -> None:
    schemathesis(generated(service.filter), service.filter, service.filter_key, tmp_path)


def test_afterwards_no_token_and_no_key_is_in_the_log(
    service: TokenService, tokens: Mapping[str, str]
) -> None:
    log = service.log.read_text(encoding="utf-8")
    assert '"message":"listening"' in log
    for secret in [*tokens.values(), service.filter_key]:
        assert secret not in log
        assert secret.rpartition(".")[2] not in log


def generated(url: str) -> dict[str, Any]:
    """The document that the service serves."""
    answer = httpx.get(f"{url}/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def among_known_servers(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document with ids that there are, and one that there is not, for the server's.

    With any text, hardly a request would get further than 404.
    """
    known = copy.deepcopy(document)
    for operations in known["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "mcpServerId":
                    parameter["schema"] = {"type": "string", "enum": SERVERS}
    resolve = known.get("components", {}).get("schemas", {}).get("ResolveRequest")
    if resolve is not None:
        resolve["properties"]["server_id"] = {"type": "string", "enum": SERVERS}
    return known
