"""What the benchmark makes of its figures."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from bench import envoy_time, material, plot
from bench.rounds import Found, Measured, SteadyTurn, Turn
from bench.targets import Results, judge
from bench.workloads import EXTERNAL, FILTER, NATIVE, NONE, UNCACHED


def turns(*throughputs: float) -> Measured:
    return Measured([Turn(each, 100.0, 1.0, 0.0, 1.0, 2.0) for each in throughputs])


def verdict_of(found: Found) -> bool:
    (verdict,) = judge(Results({"warm": found}))
    return verdict.met


def test_a_target_is_judged_by_the_median_of_the_ratios_of_each_round() -> None:
    # The machine was slower in each round than in the one before, for both.
    found = Found("", {NATIVE: turns(300, 200, 100), FILTER: turns(303, 150, 101)})
    assert verdict_of(found)
    found = Found("", {NATIVE: turns(300, 200, 100), FILTER: turns(900, 199, 99)})
    assert not verdict_of(found)


def test_latencies_are_judged_only_where_both_were_measured() -> None:
    ours, native = turns(100), turns(100)
    native.steady = [SteadyTurn(10, 20, 90, 8)]
    assert len(judge(Results({"warm": Found("", {NATIVE: native, FILTER: ours})}))) == 1
    ours.steady = [SteadyTurn(10, 30, 40, 6)]
    verdicts = judge(Results({"warm": Found("", {NATIVE: native, FILTER: ours})}))
    assert [verdict.met for verdict in verdicts] == [True, False]
    assert verdicts[1].median == 1.5


def test_the_time_in_envoy_is_before_and_after_that_of_the_upstream() -> None:
    log = b"".join(
        [
            b"alice client tools/call t 200 in-envoy-us=20,14\n",
            # No upstream has answered.
            b"alice client tools/call t 403 in-envoy-us=-,-\n",
            b"alice client tools/call t 200 in-envoy-us=31,9\n",
            b"alice client tools/call t 200 in-envoy-us=5,",
        ]
    )
    assert envoy_time.read(log) == [34, 40]


def test_of_what_was_not_measured_nothing_is_said() -> None:
    assert judge(Results({})) == []


def test_the_plot_is_a_drawing_with_a_bar_for_each_chain() -> None:
    series = {name: turns(50) for name in (NONE, NATIVE, UNCACHED, EXTERNAL, FILTER)}
    drawing = ElementTree.fromstring(plot.svg({"warm": Found("a <title>", series)}))
    bars = [each for each in drawing.iter() if each.tag.endswith("rect")]
    # As many in the legend.
    assert len(bars) == 2 * 4
    assert any(each.text == "a <title>" for each in drawing.iter())


def test_the_rule_of_the_tool_that_is_called_is_about_it_alone() -> None:
    for count in (material.RULES, material.MANY_RULES):
        named = [rule for rule in material.rules(count) if rule.name == material.tool(count)]
        assert len(named) == 1 and not named[0].is_prefix
        assert len(material.rules(count)) == count


def test_messages_have_about_the_size_that_was_asked_for() -> None:
    for size in (4096, 65536):
        assert abs(len(material.call("tool", size)) - size) < 200
    listed = material.listed_tools()
    wanted = material.LISTED_TOOLS * material.LISTED_TOOL_BYTES
    assert abs(len(listed) - wanted) < wanted * 0.02
