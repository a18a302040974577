"""People at browsers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdk.browser import CHROMIUM
from sdk.lines import Program
from sdk.node import DIRECTORY


@dataclass(frozen=True)
class Seen:
    """A page as a person finds it. `tree` has the roles and names that assistive technology gets."""

    url: str
    status: int | None
    title: str
    language: str | None
    tree: str
    tooWide: bool
    problems: list[str]
    outline: str | None = None


class People:
    """Chromium, with a context for each person; a context manager that ends it."""

    def __init__(self, log: Path) -> None:
        self._program = Program(["node", str(DIRECTORY / "people.js"), CHROMIUM], log)

    def __enter__(self) -> People:
        self._program.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()

    def open(self, person: str, url: str, viewport: Mapping[str, int] | None = None) -> Seen:
        """Open an address."""
        return Seen(**self._do("open", person=person, url=url, viewport=viewport))

    def press(self, person: str, name: str, role: str = "button") -> Seen:
        """Tab to a control and press Enter; the page that this leads to."""
        return Seen(**self._do("press", person=person, role=role, name=name))

    def type(self, person: str, label: str, text: str) -> None:
        """Tab to the field of this label and type into it."""
        self._do("type", person=person, label=label, text=text)

    def picture(self, person: str, file: Path) -> None:
        """Keep what the page looks like."""
        self._do("picture", person=person, file=str(file))

    def _do(self, command: str, **fields: object) -> Any:
        outcome = self._program.ask(command, **fields)
        assert "error" not in outcome, outcome["error"]
        return outcome["result"]
