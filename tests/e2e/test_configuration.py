"""A configuration that is wrong: Envoy's log says where and what, and nothing passes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import bootstrap
from harness.bootstrap import Json, Setup
from harness.issuer import Issuer
from harness.recorder import Recorder

from demo.stack.envoy import Envoy
from demo.stack.errors import StackError
from demo.stack.places import Ports
from demo.stack.ports import free_ports
from demo.stack.processes import Processes


def unknown_field(policy: Json) -> None:
    policy["servers"][0]["rulez"] = []


def no_issuer(policy: Json) -> None:
    policy["servers"][0]["issuers"] = ["nobody"]


def hmac(policy: Json) -> None:
    policy["issuers"][0]["algorithms"] = ["HS256"]


def useless_keys(policy: Json) -> None:
    policy["issuers"][0]["keys"] = {"inline": {"keys": [{"kty": "oct", "k": "AAAA"}]}}


WRONG: dict[Callable[[Json], None], str] = {
    unknown_field: r"/servers/0.*rulez",
    no_issuer: r"/servers/0/issuers/0: expected .*issuers",
    hmac: r"/issuers/0/algorithms/0: expected .*RS256",
    useless_keys: r"/issuers/0/keys/inline",
}


@pytest.mark.parametrize(
    ("change", "said"), WRONG.items(), ids=[change.__name__ for change in WRONG]
)
def test_envoy_does_not_start_with_a_wrong_configuration_and_its_log_says_why(
    envoy: Envoy,
    module: Path,
    recorder: Recorder,
    shared_issuer: Issuer,
    tmp_path: Path,
    change: Callable[[Json], None],
    said: str,
) -> None:
    gate, admin = free_ports(2)
    ports = Ports(gate, admin, shared_issuer.port, recorder.port)
    config, _ = bootstrap.write(Setup(policy=change), module, ports, tmp_path)
    with Processes(tmp_path) as processes, pytest.raises(StackError) as failure:
        envoy.start(processes, config, admin, concurrency=1)
    assert "has ended by itself" in str(failure.value)
    log = (tmp_path / "envoy.log").read_text()
    assert re.search(said, log), log
    assert recorder.connections == 0


def test_a_rule_that_can_never_match_is_warned_of(
    envoy: Envoy, module: Path, recorder: Recorder, shared_issuer: Issuer, tmp_path: Path
) -> None:
    def never(policy: Json) -> None:
        rule = {"id": "never", "what": {"tools": ["get-env"], "except": ["get-*"]}}
        policy["servers"][0]["rules"].append(rule)

    gate, admin = free_ports(2)
    ports = Ports(gate, admin, shared_issuer.port, recorder.port)
    config, _ = bootstrap.write(Setup(policy=never), module, ports, tmp_path)
    with Processes(tmp_path) as processes:
        envoy.start(processes, config, admin, concurrency=1)
    log = (tmp_path / "envoy.log").read_text()
    assert re.search(r"warn.*configuration: /servers/0/rules/9", log), log
