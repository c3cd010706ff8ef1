"""How many instructions a kernel will have, counted from what the emitters write out: no kernel is emitted."""

from __future__ import annotations

from mnv2c.kernels.layout import KernelLayout, Unit
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.stages.base import spans
from mnv2c.kernels.stages.matrix import STATIC_PIXELS
from mnv2c.plan.chain import MATRIX_KINDS, StageKind
from mnv2c.schedule.analytic import span

EPILOGUE = 4
"""Instructions per accumulator beside the products: start, clamp twice, store."""
PASS = 60
"""Instructions of loops and addresses around a stage."""


def instructions(layout: KernelLayout) -> float:
    """Return the estimated number of instructions of the kernel of ``layout``."""
    return sum(_unit(layout, unit) for unit in layout.units)


def _unit(layout: KernelLayout, unit: Unit) -> float:
    if unit.stage.kind in MATRIX_KINDS:
        return PASS + _matrix(layout, unit)
    if unit.stage.kind is StageKind.DEPTHWISE:
        return PASS + _depthwise(layout, unit)
    return 2 * PASS


def _matrix(layout: KernelLayout, unit: Unit) -> float:
    """Every width of column tile times every size of pixel tile is written out, with its rest of K."""
    stage, packing, tile = unit.stage, layout.packings[unit.stage.name], layout.tiles[unit.stage.name]
    assert isinstance(packing, MatrixPacking)  # what `layout` packs for a matrix stage
    pixels = span(layout.chain, stage, layout.schedule.rows)
    pieces = spans(pixels, tile.pixels)
    if layout.schedule.rows == 0 and pixels <= STATIC_PIXELS and pixels > stage.shape.columns:
        pieces = [(start, size, 1) for start, size, count in pieces for _ in range(count)]
    widths = [len(packing.columns)] * (packing.tiles > 0) + [len(packing.tail)] * bool(packing.tail)
    ring = layout.rings.get(stage.sources[0])
    block = ring.block if ring is not None else packing.padded
    runs = 1 if block == packing.padded else stage.window.kernel[1]
    length = min(block * (stage.window.kernel[1] if runs == 1 else 1), packing.depth)
    step = min(tile.unroll, length)
    products = step * max(1, tile.unroll // length) + length % step
    total = 0.0
    for _, size, _ in pieces:
        for wide in widths:
            loads = layout.provider.loads(size, wide)
            total += runs * products * (size * wide + loads) + size * wide * EPILOGUE
    return total


def _depthwise(layout: KernelLayout, unit: Unit) -> float:
    stage, row = unit.stage, layout.depthwise[unit.stage.name]
    sums = 1 + layout.sums[stage.name].slots if stage.name in layout.sums else 1
    sizes = sum(size for _, size, _ in spans(stage.shape.columns, row.pixels))
    loads = stage.window.taps / max(1, row.group) + sums
    return sizes * (stage.window.taps + loads + EPILOGUE * sums) + 2 * stage.window.taps
