"""Counting the instructions of a process."""

from __future__ import annotations

import os

from bench.instructions import Instructions


def count_of(rounds: int) -> int | None:
    with Instructions(os.getpid()) as instructions:
        for _ in range(rounds):
            pass
    return instructions.count


def test_more_work_has_more_instructions_where_the_machine_counts_them() -> None:
    little, much = count_of(100_000), count_of(1_000_000)
    if little is None or much is None:
        # Then they are left out, and not half of them counted.
        assert little is much
    else:
        assert much > 4 * little
