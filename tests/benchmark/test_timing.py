"""Statistics and interleaving, on numbers given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.benchmark import timing

times = st.lists(st.floats(0.01, 1000), min_size=1, max_size=30)


def test_all_rounds_are_pooled() -> None:
    found = timing.summarise([[3.0, 1.0, 2.0], [10.0, 4.0]])
    assert found == timing.Timing(median_ms=3.0, min_ms=1.0, p90_ms=10.0)
    assert found.as_dict() == {"median_ms": 3.0, "min_ms": 1.0, "p90_ms": 10.0}


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (10, 1), (50, 5), (90, 9), (91, 10), (100, 10)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert timing.percentile(list(range(1, 11)), percent) == value


@given(times)
def test_percentiles_are_ordered(values: list[float]) -> None:
    ordered = sorted(values)
    found = timing.summarise([values])
    assert ordered[0] == found.min_ms <= found.median_ms <= ordered[-1]
    assert found.min_ms <= found.p90_ms <= ordered[-1]
    assert sum(value <= found.p90_ms for value in values) >= 0.9 * len(values)


def test_a_ratio_is_formed_within_each_round() -> None:
    # The machine is ten times slower in the second round; of the medians of all runs, the ratio would be wrong.
    ours, theirs = [[1.0, 1.0, 5.0], [10.0], [1.0]], [[2.0], [20.0, 20.0], [4.0]]
    assert timing.ratio(ours, theirs) == 0.5


@given(st.lists(st.lists(st.floats(0.01, 1000), min_size=1, max_size=5), min_size=1, max_size=9), st.floats(0.1, 10))
def test_a_ratio_sees_a_constant_factor(theirs: list[list[float]], factor: float) -> None:
    ours = [[factor * time for time in turn] for turn in theirs]
    assert timing.ratio(ours, theirs) == pytest.approx(factor)
    assert timing.ratio(theirs, theirs) == 1


def test_rounds_of_unequal_number_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="longer"):
        timing.ratio([[1.0]], [[1.0], [2.0]])


def test_the_spread_is_that_of_the_rounds() -> None:
    assert timing.spread([[1.0, 9.0, 1.0], [1.5], [1.2]]) == 0.5
    assert timing.spread([[2.0]]) == 0.0


@pytest.mark.parametrize(("median", "runs"), [(0.001, 1000), (0.5, 100), (7.0, 8), (40.0, 3), (9000.0, 3)])
def test_a_turn_lasts_about_50_ms(median: float, runs: int) -> None:
    assert timing.runs_per_turn([median, median / 10, median * 10]) == runs


def test_turns_are_interleaved() -> None:
    order = []

    def turn(name: str) -> timing.Turn:
        def run(runs: int) -> list[float]:
            order.append(name)
            return [float(len(order))] * runs

        return run

    shares = []
    turns = {name: turn(name) for name in "abc"}
    found = timing.interleave(turns, 2, 4, lambda phase, share: shares.append(share))
    assert order == list("abcabc")
    assert found == {"a": [[1.0] * 4, [4.0] * 4], "b": [[2.0] * 4, [5.0] * 4], "c": [[3.0] * 4, [6.0] * 4]}
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] < 1
