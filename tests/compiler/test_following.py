"""How many bytes of the next kernel's weights each kernel fetches."""

from __future__ import annotations

from mnv2c.compiler.emitting import _following, _kernel
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider
from mnv2c.plan.chain import RELU6, Shape, StageKind
from mnv2c.plan.parts import Cut, Parts
from mnv2c.planner.cuts import Candidate
from mnv2c.schedule.record import ChainSchedule, Tile
from tests.kernels import chains

AVX512 = provider("float32", "avx512")
PLENTY = 1 << 20


def layout(outputs: int) -> KernelLayout:
    build = chains.Builder(Shape(4, 4, 32))
    chain = build.chain("c", build.add("pointwise", StageKind.POINTWISE, "input_0", outputs, None, RELU6))
    return kernel_layout(chain, ChainSchedule(0, 0, (Tile(4, 1, 4),), (), False), AVX512)


SMALL, LARGE = layout(32), layout(64)


def test_a_kernel_fetches_what_the_next_one_reads_and_no_more_than_fits() -> None:
    assert LARGE.weight_bytes == 4 * 64 * (32 + LARGE.packings["pointwise"].bias_rows)  # type: ignore[union-attr]
    found = _following([Candidate(SMALL), Candidate(LARGE)], PLENTY)
    assert found == {_kernel(Candidate(SMALL)): LARGE.weight_bytes}
    assert _following([Candidate(SMALL), Candidate(LARGE)], 1000) == {_kernel(Candidate(SMALL)): 1000}


def test_a_kernel_that_occurs_twice_fetches_for_the_larger_of_the_next() -> None:
    found = _following([Candidate(SMALL), Candidate(SMALL), Candidate(LARGE)], PLENTY)
    assert found == {_kernel(Candidate(SMALL)): LARGE.weight_bytes}


def test_nothing_is_fetched_across_a_fallback_or_for_threads() -> None:
    shared = Parts(Cut.STRIPS, 2, ranges=((0, 2), (2, 4)))
    assert _following([Candidate(SMALL), None, Candidate(LARGE)], PLENTY) == {}
    assert _following([Candidate(SMALL, shared), Candidate(LARGE)], PLENTY) == {}
    assert _following([Candidate(SMALL), Candidate(LARGE, shared)], PLENTY) == {}
