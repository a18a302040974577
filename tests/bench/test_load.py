"""What the benchmark reads of the load generators."""

from __future__ import annotations

from collections.abc import Iterable

from bench.load import SteadyResult, read_vegeta

MILLISECOND = 1_000_000

# When a request was sent, the status of the answer, and what it took, in nanoseconds.
ROWS = """\
1000000000,200,90000000,1,2,,,the first one opens a connection
1210000000,200,1000000,1,2,,,
1220000000,403,2000000,1,2,,,
1230000000,0,3000000,0,0,no answer,,
"""


def test_latencies_at_a_fixed_rate_are_those_after_the_opening() -> None:
    assert read_vegeta(ROWS, 1.0) == SteadyResult(
        seconds=1.0, requests=3, refused=1, failed=1, p50=0.002, p99=0.003, p99_whole=0.003
    )


def test_a_pause_is_in_the_p99_of_a_whole_run_and_not_in_that_of_its_windows() -> None:
    assert p99s(slow=[25]) == (400, 9000)


def test_what_is_slow_in_every_window_is_in_both() -> None:
    assert p99s(slow=range(50, 1000, 100)) == (9000, 9000)


def p99s(slow: Iterable[int]) -> tuple[int, int]:
    """In microseconds, of windows and whole. For a second there is a request each millisecond,
    of which twenty are slow from each of these on."""
    took = [400] * 1000
    for place in slow:
        took[place : place + 20] = [9000] * 20
    began = 200 * MILLISECOND
    rows = ["0,200,1"]
    rows += [f"{began + at * MILLISECOND},200,{us * 1000}" for at, us in enumerate(took)]
    result = read_vegeta("\n".join(rows), 1.0)
    return round(result.p99 * 1e6), round(result.p99_whole * 1e6)


def test_where_nothing_was_sent_there_are_no_latencies() -> None:
    assert read_vegeta("", 1.0).requests == 0
