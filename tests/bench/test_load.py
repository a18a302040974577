"""What the benchmark reads of the load generators."""

from __future__ import annotations

from bench.load import Result, _read_vegeta

# When a request was sent, the status of the answer, and what it took, in nanoseconds.
ROWS = """\
1000000000,200,90000000,1,2,,,the first one opens a connection
1300000000,200,1000000,1,2,,,
1400000000,403,2000000,1,2,,,
1500000000,0,3000000,0,0,no answer,,
"""


def test_latencies_at_a_fixed_rate_are_those_after_the_opening() -> None:
    found = _read_vegeta(ROWS, 1.0)
    assert found == Result(seconds=1.0, requests=3, refused=1, failed=1, p50=0.002, p99=0.003)


def test_where_nothing_was_sent_there_are_no_latencies() -> None:
    assert _read_vegeta("", 1.0).requests == 0
