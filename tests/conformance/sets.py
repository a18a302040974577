"""What is run of the suite, and how the fixture server does in it without the gate.

A set is one version of the suite at one revision of the protocol. Its scenarios are
pinned here: a run in which the server itself does worse than this says nothing about
the gate, and fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

# Why a gate may refuse what the suite sends: what is wrong there is wrong on purpose.
GATE_REFUSES = {
    "header_mismatch",
    "invalid_params",
    "no_server",
    "request_state",
    "task",
    "unknown_method",
    "unsupported_version",
}

STABLE = "conformance-2025-11-25"
NEWEST = "conformance-2026-07-28"

# In all revisions, under the same names.
_EVERYWHERE = (
    "completion-complete",
    "dns-rebinding-protection",
    "json-schema-2020-12",
    "prompts-get-embedded-resource",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-with-image",
    "prompts-list",
    "resources-list",
    "resources-read-binary",
    "resources-read-text",
    "resources-templates-read",
    "server-sse-multiple-streams",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-error",
    "tools-call-image",
    "tools-call-mixed-content",
    "tools-call-simple-text",
    "tools-call-with-progress",
    "tools-list",
)

_LEGACY = (
    *_EVERYWHERE,
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "logging-set-level",
    "ping",
    "resources-subscribe",
    "resources-unsubscribe",
    "server-initialize",
    "server-sse-polling",
    "tools-call-elicitation",
    "tools-call-sampling",
    "tools-call-with-logging",
)

_MODERN = (
    *_EVERYWHERE,
    "caching",
    "http-custom-header-server-validation",
    "http-header-validation",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-list-roots",
    "input-required-result-basic-sampling",
    "input-required-result-capability-check",
    "input-required-result-ignore-extra-params",
    "input-required-result-missing-input-response",
    "input-required-result-multi-round",
    "input-required-result-multiple-input-requests",
    "input-required-result-non-tool-request",
    "input-required-result-request-state",
    "input-required-result-result-type",
    "input-required-result-tampered-state",
    "input-required-result-unsupported-methods",
    "input-required-result-validate-input",
    "sep-2164-resource-not-found",
    "server-stateless",
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-status-notifications",
    "tasks-wire-fields",
)

# Not among what a revision requires, so each is asked for by its name.
_SKILLS = ("sep-2640-skills-directory", "sep-2640-skills-enumeration", "sep-2640-skills-manifest")


@dataclass(frozen=True)
class Known:
    """A verdict on the server itself that is not `passed`, and why."""

    verdict: str
    reason: str


@dataclass(frozen=True)
class ScenarioSet:
    """What one version of the suite runs at one revision.

    `runs` are the arguments of each of its runs. What is not in `known` passes.
    """

    name: str
    suite: str
    runs: Sequence[Sequence[str]]
    scenarios: Sequence[str]
    known: Mapping[str, Known] = field(default_factory=dict)

    def expected(self, scenario: str) -> str:
        """The verdict on the server itself."""
        return self.known[scenario].verdict if scenario in self.known else "passed"


LEGACY_STABLE = ScenarioSet(
    "2025-11-25, suite 0.1.16",
    STABLE,
    [["--suite", "all", "--spec-version", "2025-11-25"]],
    _LEGACY,
    {
        "server-sse-polling": Known(
            "warned",
            "its requests say 2025-03-26, which does not know the events that it looks for; "
            "the newer suite says what was agreed",
        )
    },
)
LEGACY_NEWEST = ScenarioSet(
    "2025-11-25, suite 0.2.0-alpha.12",
    NEWEST,
    [["--suite", "all", "--spec-version", "2025-11-25"]],
    [*_LEGACY, "server-session-lifecycle"],
)
MODERN = ScenarioSet(
    "2026-07-28, suite 0.2.0-alpha.12",
    NEWEST,
    [["--requirements", "2026-07-28"], *(["--scenario", each] for each in _SKILLS)],
    [*_MODERN, *_SKILLS],
    {"tasks-status-notifications": Known("skipped", "the suite itself has no test for it yet")},
)
# From a server that answers every request with an event stream.
MODERN_IN_STREAMS = replace(
    MODERN,
    name=f"{MODERN.name}, answers as event streams",
    known={
        **MODERN.known,
        "server-stateless": Known(
            "failed",
            "the SDK has begun such an answer, with 200, before it finds that the client "
            "cannot do what the call takes, which wants 400",
        ),
    },
)
