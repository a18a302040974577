"""What is told of a run: the verdicts side by side, and what was different."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .sets import GATE_REFUSES, ScenarioSet
from .suite import Check, Result, Results

NO_END = "no end"


@dataclass(frozen=True)
class Leg:
    """What the suite has found on one way to the server."""

    name: str
    results: Results

    def verdict(self, scenario: str) -> str:
        """The one word about a scenario."""
        return self.results[scenario].verdict if scenario in self.results else NO_END

    def outcomes(self, scenario: str) -> Counter[tuple[str, str]]:
        """How each of its checks has ended."""
        return Counter((check.id, check.status) for check in self.checks(scenario))

    def checks(self, scenario: str) -> Sequence[Check]:
        """Its checks; none if it did not end."""
        return self.results.get(scenario, Result([])).checks


@dataclass
class Report:
    """Printed as it goes; `problems` are what makes the run fail."""

    problems: list[str] = field(default_factory=list)

    def compare(self, scenarios: ScenarioSet, direct: Leg, gates: Sequence[Leg]) -> None:
        """Print the verdicts on one set, and note where the server or a gate is to blame."""
        title = scenarios.name
        legs = [direct, *gates]
        names = sorted({*scenarios.scenarios, *(name for leg in legs for name in leg.results)})
        width = max(len(name) for name in names)
        print(f"\n{title}\n")
        print(_row("scenario", [leg.name for leg in legs], width))
        for name in names:
            different = [leg for leg in gates if leg.outcomes(name) != direct.outcomes(name)]
            mark = ["<-- different"] if different else []
            print(_row(name, [leg.verdict(name) for leg in legs] + mark, width))
            for leg in different:
                self._different(f"{title}, {name}", name, direct, leg)
        print()
        for leg in legs:
            print(f"  {leg.name}: {len(names)} scenarios, {_counted(leg.verdict(name) for name in names)}")

        for name, known in scenarios.known.items():
            print(f"  {name} is {known.verdict} without the gate too: {known.reason}")

        for name in scenarios.scenarios:
            expected, found = scenarios.expected(name), direct.verdict(name)
            if found != expected:
                checks = [each for each in direct.checks(name) if each.status != "SUCCESS"]
                text = f"{title}, {name}: the server itself: {found} instead of {expected}"
                self._problem(text, checks)

    def decisions(self, name: str, decisions: Sequence[Mapping[str, object]]) -> None:
        """Print what a gate has decided; what it must not have done is a problem.

        The suite takes some refusals for answers, and misses no entry of a list.
        """
        print(f"{name}: {len(decisions)} decisions, {_counted(str(each['reason']) for each in decisions)}")
        for each in decisions:
            if each["outcome"] != "allowed" and each["reason"] not in GATE_REFUSES:
                self._problem(f"{name}: refused what the policy allows: {each}")
            if "hidden" in each or "withheld" in each:
                self._problem(f"{name}: kept back what the policy allows: {each}")

    def _different(self, title: str, scenario: str, direct: Leg, leg: Leg) -> None:
        """Each check must have the same outcome, and not only the scenario."""
        known = direct.outcomes(scenario)
        new = [each for each in leg.checks(scenario) if (each.id, each.status) not in known]
        verdicts = f"direct {direct.verdict(scenario)}, {leg.name} {leg.verdict(scenario)}"
        counts = f"{known.total()} checks and {leg.outcomes(scenario).total()}"
        self._problem(f"{title}: {verdicts} ({counts})", new)

    def _problem(self, text: str, checks: Iterable[Check] = ()) -> None:
        details = (f"    {check.status} {check.id}: {check.message}" for check in checks)
        self.problems.append("\n".join([f"  {text}", *details]))


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


def _row(name: str, cells: Sequence[str], width: int) -> str:
    return " ".join([f"  {name:{width}}", *(f"{cell:8}" for cell in cells)]).rstrip()
