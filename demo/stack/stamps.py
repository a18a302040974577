"""Set-up steps that are done once, and again when what they depend on changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from .places import exclusive


def once(directory: Path, inputs: bytes, step: Callable[[], None]) -> None:
    """Do the step unless it was done in this directory for the same inputs.

    The stamp is written last, so that a step that was cut off is done again.
    """
    stamp = directory / ".stamp"
    wanted = hashlib.sha256(inputs).hexdigest()
    name = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    with exclusive(name):
        if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
            return
        step()
        directory.mkdir(parents=True, exist_ok=True)
        stamp.write_text(wanted, encoding="ascii")
