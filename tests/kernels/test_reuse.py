"""What a matrix stage reads again and again: the fewer of its weights and its pixels, which stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnv2c.kernels.chain import emit_chain
from mnv2c.kernels.ir import KernelBuilder
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider
from mnv2c.kernels.stages.matrix import MatrixStage
from mnv2c.plan.chain import RELU6, Chain, Shape, StageKind, Window
from mnv2c.schedule.analytic import chunked
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains
from tests.kernels.test_random_chains import check

NEON = provider("float32", "neon")
SCHEDULE = ChainSchedule(0, 48, (Tile(7, 3, 16), Tile(7, 3, 16)), (DepthwiseTile(7, 2),), False)
WINDOW = Window((3, 3), (1, 1), padding=((1, 1), (1, 1)))


def bottleneck(pixels: int, inner: int, made: int, window: Window = WINDOW) -> Chain:
    build = chains.Builder(Shape(pixels, pixels, 24))
    build.add("expand", StageKind.EXPAND, "input_0", inner, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, window, RELU6)
    return build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", made))


def outer_loops(layout: KernelLayout, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Per matrix stage, which of its loops is the outer one: over pixels or rows, or over column tiles."""
    around: list[str] = []
    found: dict[str, str] = {}
    loop, multiply = KernelBuilder.loop, MatrixStage._multiply

    @contextmanager
    def named_loop(self: KernelBuilder, extent: int, name: str) -> Iterator[Any]:
        around.append(name)
        with loop(self, extent, name) as index:
            yield index
        around.pop()

    def seen(self: MatrixStage, *rest: Any, **more: Any) -> Any:
        inside = [name for name in around if name in ("row", "pixels", "tile")]
        found.setdefault(self.at.stage.name, inside[0])  # the columns left over have no loop
        return multiply(self, *rest, **more)

    monkeypatch.setattr(KernelBuilder, "loop", named_loop)
    monkeypatch.setattr(MatrixStage, "_multiply", seen)
    emit_chain(layout, "kernel")
    return found


def test_few_weights_serve_some_pixels_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = kernel_layout(bottleneck(14, 96, 96), SCHEDULE, NEON)
    assert outer_loops(layout, monkeypatch) == {"expand": "row", "project": "pixels"}


def test_many_weights_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = kernel_layout(bottleneck(10, 240, 160), replace(SCHEDULE, chunk=120), NEON)
    assert outer_loops(layout, monkeypatch) == {"expand": "tile", "project": "tile"}


def test_prefetched_weights_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = kernel_layout(bottleneck(14, 96, 96), replace(SCHEDULE, prefetch=True), NEON)
    assert outer_loops(layout, monkeypatch) == {"expand": "tile", "project": "tile"}


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_chunks_of_larger_images_compute_what_the_reference_does(dilation: int, tmp_path: Path) -> None:
    window = Window((3, 3), (1, 1), (dilation, dilation), ((dilation, dilation),) * 2)
    cases = []
    for pixels, made in ((9, 32), (9, 160), (14, 96)):
        chain = bottleneck(pixels, 96, made, window)
        inputs, weights = chains.tensors(chain, pixels)
        cases.append(chains.Case(f"{pixels} pixels", chain, SCHEDULE, NEON, inputs, weights))
    check(cases, tmp_path)


def test_chunks_are_also_chosen_by_their_tiles() -> None:
    """At 10x10 a chunk of 120 channels has tiles of 5x3, a smaller one of 5x4, which load less per product."""
    found = [
        (schedule.chunk, schedule.tiles[0].vectors) for schedule in chunked(bottleneck(10, 960, 160), NEON, 1 << 17)
    ]
    assert found[0][0] == max(chunk for chunk, _ in found)
    assert {chunk % (4 * vectors) for chunk, vectors in found} == {0}
    assert found[0][1] < found[-1][1] == 4
