"""Compiles follow records: chains run as was measured best, networks are cut so, and all of it is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mnv2c
from mnv2c import targets
from mnv2c.api import plan_model
from mnv2c.errors import RecordsWarning, ScheduleError, UserError
from mnv2c.kernels.cost import Caches
from mnv2c.kernels.division import check_parts, divisions
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.plan.arena import aligned
from mnv2c.plan.chain import Chain
from mnv2c.plan.network import Network
from mnv2c.plan.parts import Cut, Parts
from mnv2c.planner import recorded
from mnv2c.planner.choose import arena_bytes
from mnv2c.planner.cuts import Cuts, Option, Piece
from mnv2c.planner.prepare import Prepared, planner, prepare
from mnv2c.records import store
from mnv2c.records.best import NOTHING, OWN, Best, best_of
from mnv2c.records.record import ChainRecord, CutsRecord, Record
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import chain_id, describe, network_id
from mnv2c.schedule.record import ChainSchedule
from tests.plan.networks import network

SMALL: dict[str, Any] = {"width": 0.35, "resolution": 32, "seed": 1}
TARGET = targets.load("host")
ENTRY = TARGET.entry


def chain_record(chain: Chain, choice: Choice, threads: int = 1, ratio: float = 0.5) -> ChainRecord:
    return ChainRecord(
        ENTRY, threads, "some_chain", chain_id(chain), describe(chain), choice, confirmed=True, ratio=ratio
    )


def known(*records: Record, threads: int = 1) -> Best:
    return best_of([(OWN, records)], [ENTRY], threads)


ANYTHING = known(CutsRecord(ENTRY, 1, "another network", "0123456789abcdef", (0,), 0.9, 1.0))
"""Records of which none is about what is planned here."""


def plan(net: Network, best: Best) -> Cuts:
    return recorded.plan([prepare(net, "net", TARGET, best=best)], None)


def layout_of(piece: Piece) -> KernelLayout:
    layout: KernelLayout = piece.option.candidate.layout
    return layout


@pytest.fixture(scope="module")
def net() -> Network:
    return network(0.35, "32")


@pytest.fixture(scope="module")
def prepared(net: Network) -> Prepared:
    """What plans the network, each way being priced once."""
    return prepare(net, "net", TARGET, best=ANYTHING)


@pytest.fixture(scope="module")
def default(prepared: Prepared) -> Cuts:
    return recorded.plan([replace(prepared, best=NOTHING)], None)


@pytest.fixture(scope="module")
def block(default: Cuts) -> tuple[Piece, ChainSchedule]:
    """A piece that could run otherwise, and a legal schedule for it that is not the default's."""
    unit = provider_for("float32", TARGET)
    for piece in default.pieces[1:]:
        layout = layout_of(piece)
        tile = layout.schedule.tiles[0]
        for unroll in (1, 2, 8):
            other = replace(layout.schedule, tiles=(replace(tile, unroll=unroll), *layout.schedule.tiles[1:]))
            if other != layout.schedule and len(layout.schedule.tiles) > 1:
                kernel_layout(layout.chain, other, unit)
                return piece, other
    raise AssertionError("every piece is fixed")


def tuned_way(net: Network, piece: Piece, *records: Record, threads: int = 1) -> Option | None:
    """How the nodes of a piece may run because records say so."""
    unit = provider_for("float32", TARGET)
    plans = planner(net, unit, TARGET, {}, threads, known(*records, threads=threads))
    found = [option for option in plans.options(piece.first, piece.last) if option.tuned]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_recorded_choice_is_taken_and_priced(net: Network, block: tuple[Piece, ChainSchedule]) -> None:
    piece, schedule = block
    record = chain_record(layout_of(piece).chain, Choice(schedule, None, piece.option.in_place), ratio=0.9)
    cuts = plan(net, known(record))
    found = next(entry for entry in cuts.pieces if (entry.first, entry.last) == (piece.first, piece.last))
    assert layout_of(found).schedule == schedule
    assert found.option.in_place == piece.option.in_place
    assert found.option.cycles <= piece.option.cycles * 0.9 + 1e-6
    assert found.option.tuned is not None
    assert found.option.tuned.as_dict() == {"source": "own", "ratio": 0.9}


def test_a_default_that_was_confirmed_is_not_traded_for_memory(net: Network, default: Cuts, prepared: Prepared) -> None:
    """Nor for a prediction: of all ways that the planner might take, a measurement speaks for one."""
    piece = default.pieces[1]
    taken = layout_of(piece).schedule
    ways = prepared.planner.options(piece.first, piece.last)
    other = next(way.candidate.layout for way in ways if way.candidate.layout.schedule != taken)
    record = replace(chain_record(other.chain, Choice(other.schedule), ratio=1.0), default=True)
    cut = CutsRecord(ENTRY, 1, "net", network_id(net), tuple(entry.first for entry in default.pieces), 1.0, 1.0)
    found = next(entry for entry in plan(net, known(record, cut)).pieces if entry.first == piece.first)
    assert layout_of(found).schedule == other.schedule
    assert found.option.confirmed and found.option.tuned is None


def test_what_is_no_longer_legal_is_skipped_with_a_warning(net: Network, block: Any) -> None:
    piece, schedule = block
    wrong = replace(schedule, tiles=schedule.tiles[:-1])
    with pytest.warns(RecordsWarning, match=r"some_chain\) is of no use any more: the schedule has no tile"):
        assert tuned_way(net, piece, chain_record(layout_of(piece).chain, Choice(wrong))) is None


def test_in_place_is_taken_where_the_network_allows_it(net: Network, default: Cuts) -> None:
    piece = next(piece for piece in default.pieces if piece.option.in_place)
    layout = layout_of(piece)
    for in_place in (True, False):
        found = tuned_way(net, piece, chain_record(layout.chain, Choice(layout.schedule, None, in_place)))
        assert found is not None
        assert found.in_place == in_place
    fresh = next(piece for piece in default.pieces if not piece.option.in_place)
    layout = layout_of(fresh)
    found = tuned_way(net, fresh, chain_record(layout.chain, Choice(layout.schedule, None, True)))
    assert found is not None
    assert not found.in_place


def test_recorded_cuts_are_taken_unless_memory_is_limited(net: Network, default: Cuts, prepared: Prepared) -> None:
    starts = tuple(piece.first for piece in default.pieces)
    joined = tuple(start for start in starts if start != starts[3])
    best = known(CutsRecord(ENTRY, 1, "net", network_id(net), joined, 0.9, 1.0))
    assert best.cuts(net) == joined
    cut = replace(prepared, best=best, starts=joined)
    assert tuple(piece.first for piece in recorded.plan([cut], None).pieces) == joined
    limit = arena_bytes(net, default)
    assert tuple(piece.first for piece in recorded.plan([cut], limit).pieces) != joined
    together, apart = (prepare(net, "net", TARGET, 1, join, best) for join in (True, False))
    assert (together.starts, apart.starts) == (joined, None)
    assert len(recorded.plan([apart], None).pieces) == len(net.nodes)


@pytest.mark.parametrize("starts", [(1, 2), (0, 99), (0, 3, 2), (0,), (0, 0)])
def test_cuts_that_are_not_legal_are_left_out_with_a_warning(
    default: Cuts, prepared: Prepared, starts: tuple[int, ...]
) -> None:
    with pytest.warns(RecordsWarning, match="recorded cuts of this network are not possible"):
        found = recorded.plan([replace(prepared, best=ANYTHING, starts=starts)], None)
    assert [(piece.first, piece.last) for piece in found.pieces] == [
        (piece.first, piece.last) for piece in default.pieces
    ]


def test_threads_share_a_kernel_as_recorded(net: Network, default: Cuts) -> None:
    piece = default.pieces[2]
    caches = Caches(TARGET.l1d_bytes, TARGET.l2_bytes)
    layout = layout_of(piece)
    schedule = replace(layout.schedule, rows=1) if layout.flow.whole else layout.schedule
    layout = kernel_layout(replace(layout.chain, in_place=False), schedule, layout.provider)
    (parts, _), *_ = divisions(layout, 2, caches)
    found = tuned_way(net, piece, chain_record(layout.chain, Choice(schedule, parts), threads=2), threads=2)
    assert found is not None
    assert found.candidate.parts == parts
    assert found.scratch == tuple(aligned(size) * parts.copies for size in layout.region_bytes)
    check_parts(layout, parts, 2)
    check_parts(layout, None, 1)
    for wrong, threads in (
        (parts, 1),
        (replace(parts, phases=parts.phases + 1), 2),
        (replace(parts, cut=Cut.COLUMNS), 2),
        (Parts(Cut.STRIPS, 2, 1, ((0, 1), (2, 3))), 2),
        (Parts(Cut.STRIPS, 1, 1, ((0, layout.flow.last_step + 1),)), 2),
    ):
        with pytest.raises(ScheduleError):
            check_parts(layout, wrong, threads)


def test_variants_have_records_of_their_own(net: Network, block: tuple[Piece, ChainSchedule]) -> None:
    piece, schedule = block
    other = targets.load("x86-64-v3")
    best = known(chain_record(layout_of(piece).chain, Choice(schedule, None, piece.option.in_place)))
    both = [prepare(net, "a", TARGET, best=best), prepare(net, "b", other)]
    tuned = [entry.tuned for found in recorded.plan(both, None).pieces for entry in found.option.of_each]
    assert any(tuned[::2])
    assert not any(tuned[1::2])


def test_a_compile_follows_records_and_says_so(default: Cuts, block: Any, tmp_path: Path) -> None:
    """The same network, made from a description: its chains are recognised by their structure."""
    piece, schedule = block
    folder = tmp_path / "records"
    store.append(
        folder / f"{ENTRY}.jsonl",
        [chain_record(layout_of(piece).chain, Choice(schedule, None, piece.option.in_place), ratio=0.75)],
    )
    made = [
        mnv2c.compile("mobilenet_v2", output=tmp_path / name, schedules=folder, depfile=tmp_path / "net.d", **SMALL)
        for name in ("first", "second")
    ]
    tuned = [chain for chain in made[0].metadata["chains"] if chain["tuned"]]
    assert tuned
    assert all(chain["tuned"] == {"source": "own", "ratio": 0.75} for chain in tuned)
    assert {str(chain["schedule"]) for chain in tuned} == {str(schedule.to_dict())}
    assert mnv2c.api.describe(made[0].directory)["tuned"] == len(tuned)
    assert str(folder / f"{ENTRY}.jsonl") in (tmp_path / "net.d").read_text()
    report = mnv2c.verify(made[0].directory)
    assert report.passed, report.failure()
    files = [{path.name: path.read_bytes() for path in entry.directory.iterdir()} for entry in made]
    assert files[0] == files[1]
    planned = plan_model("mobilenet_v2", width=0.35, resolution=32, schedules=folder)
    assert [chain.name for chain in planned.chains if chain.tuned] == [chain["name"] for chain in tuned]
    assert planned.as_dict()["chains"][0].keys() >= {"tuned"}


def test_a_folder_given_in_vain_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        mnv2c.compile("mobilenet_v2", output=tmp_path / "out", schedules=tmp_path / "missing", **SMALL)
    assert not (tmp_path / "out").exists()


def test_this_suite_compiles_without_records(compiled: Any) -> None:
    assert [chain["tuned"] for chain in compiled.metadata["chains"]] == [None] * len(compiled.metadata["chains"])
