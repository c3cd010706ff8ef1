"""The next kernel's weights: how many lines are fetched, where they begin, and that the last products fetch them."""

from typing import Any

import pytest

from mnv2c import targets
from mnv2c.codegen.object import build_object
from mnv2c.kernels.chain import emit_chain
from mnv2c.kernels.ir import KernelBuilder
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider
from mnv2c.kernels.next_weights import MOST, NextWeights, fetched_bytes, next_weights_of
from mnv2c.plan.chain import RELU6, Shape, StageKind, Window
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains

LINE = 64
AVX512 = provider("float32", "avx512")


def layout(isa: str = "avx512", products: str = "", rows: int = 0, carry: int = 0) -> KernelLayout:
    build = chains.Builder(Shape(8, 8, 32))
    build.add("expand", StageKind.EXPAND, "input_0", 192, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), padding=((1, 1), (1, 1))), RELU6)
    chain = build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", 64))
    tile = Tile(8, 1, 4, strassen=products == "strassen", summed=products == "summed")
    schedule = ChainSchedule(rows, 0, (tile, tile), (DepthwiseTile(4, 2, carry),), False)
    return kernel_layout(chain, schedule, provider("float32", isa))


class Watched:
    """Counts the places for lines while a kernel is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: KernelLayout, following: int) -> None:
        self.streams: list[tuple[int, int]] = []
        self.skips: list[int] = []
        stream, keep = NextWeights.stream, KernelBuilder.keep

        def watched_stream(ahead: NextWeights, places: int) -> Any:
            self.streams.append((places * ahead._k.times, ahead._per))
            return stream(ahead, places)

        def watched_keep(k: KernelBuilder, promised: Any, value: int) -> None:
            self.skips.append(value)
            keep(k, promised, value)

        monkeypatch.setattr(NextWeights, "stream", watched_stream)
        monkeypatch.setattr(KernelBuilder, "keep", watched_keep)
        self.function = emit_chain(found, "kernel", following=following)
        self.places = sum(places for places, _ in self.streams)


@pytest.mark.parametrize("products", ["", "strassen", "summed"])
@pytest.mark.parametrize("rows, carry", [(0, 0), (1, 0), (2, 0), (1, 32), (1, 96)])
def test_the_last_products_fetch_all_lines(
    products: str, rows: int, carry: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places are iterations over K that run: not those of rows outside the image, which steps pass by."""
    seen = Watched(monkeypatch, layout(products=products, rows=rows, carry=carry), 200 * LINE)
    assert {per for _, per in seen.streams} == {1}
    # 8 tiles of pixels; 12 column tiles of 32 values of K, then 4 of 192; 4 values in an iteration.
    expand, project = 8 * 12 * 32 // 4, 8 * 4 * 192 // 4
    if products == "summed":  # groups of three values, by one; the rest fetches nothing
        expand, project = expand * 4 * 8 // 32, project * 4 * 64 // 192
    if (
        products == "strassen"
    ):  # rows of their own are cut into pairs of tiles half as wide; an expansion is a row ahead
        expand, project = expand * 7 // (4 if rows else 8), project * 7 // (4 if rows == 1 else 8)
    assert seen.places == expand + project
    assert seen.skips == [seen.places - 200]


def test_where_places_are_few_each_fetches_several(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Watched(monkeypatch, layout(), 1000 * LINE * 1000)
    assert {per for _, per in seen.streams} == {MOST}
    assert seen.skips == [0]


@pytest.mark.parametrize("isa, following", [("avx512", 0), ("neon", 1000)])
def test_nothing_is_fetched_without_need_or_means(isa: str, following: int) -> None:
    found = layout(isa)
    assert next_weights_of(KernelBuilder("kernel"), found, {}, following) is None


def test_threads_fetch_nothing() -> None:
    assert fetched_bytes(AVX512, 1 << 20) == 1 << 19
    assert fetched_bytes(AVX512, 1 << 20, threads=2) == 0
    assert fetched_bytes(provider("float32", "neon"), 1 << 20) == 0


def test_machine_code_fetches_into_the_second_level() -> None:
    function = emit_chain(layout(), "kernel", following=100 * LINE)
    built = build_object({"kernel": function}, targets.load("x86-64-v4"), text=True)
    assert "llvm.prefetch.p0(ptr" in built.llvm
