"""``mnv2c plan`` says what ``compile`` does, and every plan it offers is a library that computes the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

import mnv2c
from mnv2c import targets
from mnv2c.api import plan_model
from mnv2c.compiler.planned import Keeps, Plan
from mnv2c.errors import OutputError, PlanError, UserError
from mnv2c.planner.choose import AS_FAST, arena_bytes, choose
from mnv2c.planner.cuts import Planner
from mnv2c.planner.prepare import prepare
from mnv2c.spec import load
from mnv2c.spec.cost import cost
from mnv2c.verification import tolerance
from tests.pipeline import network
from tests.to_relax.graphs import model

SMALL: dict[str, Any] = {"width": 0.35, "resolution": 96, "classes": 8}


@pytest.fixture(scope="module")
def small() -> Plan:
    return plan_model("mobilenet_v2", **SMALL)


@pytest.fixture(scope="module")
def planner(small: Plan) -> Planner:
    """What the plan came from; its pieces are priced once."""
    return prepare(network("mobilenet_v2", **SMALL), "small", targets.load("host")).planner


def check(folder: Path, target: str, limit: int | None, arena: int, options: dict[str, Any]) -> None:
    """The library states the arena that was planned, and every step agrees with onnxruntime."""
    made = mnv2c.compile("mobilenet_v2", target, output=folder, arena_limit=limit, **options)
    assert made.metadata["arena_bytes"] == arena
    report = mnv2c.verify(folder)
    assert report.passed, report.failure()
    assert report.max_rel_error <= tolerance.FLOAT32


def three(found: Plan) -> list[int]:
    """The smallest plan, one in the middle, the fastest."""
    sizes = [point.arena_bytes for point in found.frontier]
    assert len(sizes) >= 3
    return [sizes[0], sizes[len(sizes) // 2], sizes[-1]]


def test_the_smallest_the_fastest_and_one_between_are_libraries_that_are_right(small: Plan, tmp_path: Path) -> None:
    least, middle, most = three(small)
    check(tmp_path / "least", "host", least, least, SMALL)
    check(tmp_path / "middle", "host", middle + 63, middle, SMALL)
    check(tmp_path / "most", "host", most, most, SMALL)
    check(tmp_path / "default", "host", None, small.arena_bytes, SMALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("host", SMALL),
        ("host", {}),
        pytest.param("cortex-a76", SMALL, marks=pytest.mark.emulated),
        pytest.param("cortex-a76", {}, marks=pytest.mark.emulated),
    ],
    ids=["host-small", "host-1.0-224", "cortex-a76-small", "cortex-a76-1.0-224"],
)
def test_every_plan_of_the_frontier_is_a_library_that_is_right(
    target: str, options: dict[str, Any], tmp_path: Path
) -> None:
    found = plan_model("mobilenet_v2", target, **options)
    for point in found.frontier:
        check(tmp_path / f"{point.arena_bytes}", target, point.arena_bytes, point.arena_bytes, options)


def test_without_a_limit_the_plan_is_the_smallest_of_those_as_fast_as_the_fastest(small: Plan) -> None:
    chosen = next(point for point in small.frontier if point.time_ratio <= AS_FAST)
    assert (small.arena_bytes, small.time_ratio) == (chosen.arena_bytes, pytest.approx(chosen.time_ratio))
    assert small.cycles <= small.frontier[-1].cycles * AS_FAST
    assert [chain.name for chain in small.chains] == list(chosen.chains)


def test_time_falls_as_memory_grows(small: Plan) -> None:
    sizes = [point.arena_bytes for point in small.frontier]
    ratios = [point.time_ratio for point in small.frontier]
    assert sizes == sorted(set(sizes))
    assert ratios == sorted(set(ratios), reverse=True)


def test_a_limit_takes_the_largest_plan_that_fits(planner: Planner) -> None:
    sizes = [arena_bytes(planner.network, cuts) for cuts in planner.frontier()]
    for limit in {size + more for size in sizes for more in (-1, 0, 1)} - {min(sizes) - 1}:
        found = choose(planner, limit)
        assert arena_bytes(planner.network, found) <= limit
        fits = [cuts for cuts, size in zip(planner.frontier(), sizes, strict=True) if size <= limit]
        assert found.cycles == min(cuts.cycles for cuts in fits)


def test_an_impossible_limit_names_the_smallest(small: Plan, planner: Planner, tmp_path: Path) -> None:
    smallest = small.frontier[0].arena_bytes
    wanted = f"an arena of {smallest - 1} bytes is too small; the smallest possible is {smallest} bytes"
    with pytest.raises(PlanError, match=wanted):
        mnv2c.compile("mobilenet_v2", output=tmp_path / "out", arena_limit=smallest - 1, **SMALL)
    assert not (tmp_path / "out").exists()
    with pytest.raises(PlanError, match=wanted):
        choose(planner, smallest - 1)
    with pytest.raises(UserError, match="give a number of bytes, 0 or more"):
        plan_model("mobilenet_v2", arena_limit=-1, **SMALL)


def test_a_plan_accounts_for_the_whole_network(small: Plan) -> None:
    spec = load("mobilenet_v2", **SMALL)
    joined = [name for chain in small.chains for name in chain.joins]
    assert joined == ["stem_bottleneck_01", *(f"bottleneck_{n:02d}" for n in range(2, 18)), "head", "dense"]
    assert small.madds == cost(spec).madds
    assert sum(chain.share or 0 for chain in small.chains) == pytest.approx(1)
    assert sum(chain.cycles or 0 for chain in small.chains) == pytest.approx(small.cycles)
    assert all(chain.scratch_bytes <= chain.peak_bytes <= small.arena_bytes for chain in small.chains)
    assert sum(len(chain.windows) for chain in small.chains) == 17
    assert {bound.equations for bound in small.bounds} <= {(1,), (2,), (1, 2)}


def test_what_is_kept_follows_from_how_a_chain_runs(small: Plan, tmp_path: Path) -> None:
    smallest, page = small.frontier[0].arena_bytes, tmp_path / "plan.html"
    found = plan_model("mobilenet_v2", arena_limit=smallest, html=page, **SMALL)
    assert (found.arena_bytes, found.arena_limit, found.frontier) == (smallest, smallest, small.frontier)
    assert page.read_text(encoding="utf-8").endswith("</html>\n")
    chains = [*small.chains, *found.chains]
    for chain in chains:
        for window in chain.windows:
            assert (window.keeps is Keeps.IMAGE) == (chain.rows == 0)
            assert window.channels > 0
    assert {window.keeps for chain in chains for window in chain.windows} >= {Keeps.IMAGE, Keeps.SUMS}
    assert any(len(chain.joins) > 1 for chain in chains)


def test_the_memory_that_threads_need_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "relu.onnx"
    onnx.save(model([helper.make_node("Relu", ["x"], ["y"])], {"x": (1, 8)}, {"y": (1, 8)}), path)
    found = plan_model(path, threads=2)
    made = mnv2c.compile(path, output=tmp_path / "out", threads=2)
    assert made.metadata["arena_bytes"] == found.arena_bytes > 0
    with pytest.raises(PlanError, match=f"the smallest possible is {found.arena_bytes} bytes"):
        plan_model(path, threads=2, arena_limit=found.arena_bytes - 1)
    with pytest.raises(UserError, match="threads 0: give 1 to"):
        plan_model(path, threads=0)


def test_an_onnx_file_with_fallbacks_is_planned(tmp_path: Path) -> None:
    """The scratch memory of a fallback counts although it is never compiled."""
    path = tmp_path / "softmax.onnx"
    nodes = [helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Softmax", ["s"], ["y"], axis=1)]
    onnx.save(model(nodes, {"x": (1, 1000)}, {"y": (1, 1000)}), path)
    found = plan_model(path)
    made = mnv2c.compile(path, output=tmp_path / "out")
    assert found.arena_bytes == made.metadata["arena_bytes"] > 0
    assert [chain.name for chain in found.chains] == [entry["name"] for entry in made.metadata["fallbacks"]]
    assert all(chain.rows is chain.cycles is None for chain in found.chains)
    assert [chain.madds for chain in found.chains] == [entry["madds"] for entry in made.metadata["fallbacks"]] == [0, 0]
    assert (found.bounds, found.time_ratio, len(found.frontier)) == ((), 1.0, 1)


def test_no_page_is_begun_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its folder does not exist"):
        plan_model("mobilenet_v2", html=tmp_path / "none" / "plan.html", **SMALL)
