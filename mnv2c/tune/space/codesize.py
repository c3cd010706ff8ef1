"""How many instructions a kernel will have, counted from what the emitters write out: no kernel is emitted."""

from __future__ import annotations

from mnv2c.kernels.cost import FACTOR_INSTRUCTIONS, KEPT_INSTRUCTIONS, SUM_INSTRUCTIONS
from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.split import balanced_split
from mnv2c.kernels.stages.matrix import STATIC_PIXELS
from mnv2c.kernels.strassen import PRODUCTS, StrassenPacking, paired
from mnv2c.kernels.summed import GROUP, SummedPacking
from mnv2c.kernels.units import Unit
from mnv2c.plan.chain import MATRIX_KINDS, StageKind
from mnv2c.schedule.analytic import span

EPILOGUE = 4
"""Instructions per accumulator beside the products: start, clamp twice, store."""
ADDRESS = 2
"""Instructions per pixel of a tile to find where it lies."""
REST = 4
"""Values of K of an iteration over what groups of three leave."""
DIVIDED = 40
"""Instructions per pixel that is divided: three vectors, a single one, its square, and the sums of two vectors, several
of which LLVM makes together (counted on x86-64 at 11 and 17 pixels)."""
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
    pieces = _pieces(layout, unit, span(layout.chain, stage, layout.schedule.rows), tile.pixels)
    widths = [len(packing.columns)] * (packing.tiles > 0) + [len(packing.tail)] * bool(packing.tail)
    ring = layout.rings.get(stage.sources[0])
    block = ring.block if ring is not None else packing.padded
    runs = 1 if block == packing.padded else stage.window.kernel[1]
    length = min(block * (stage.window.kernel[1] if runs == 1 else 1), packing.depth)
    step = min(tile.unroll, length)
    products = step * max(1, tile.unroll // length) + length % step
    total = 0.0
    if isinstance(packing, StrassenPacking):
        total = sum(
            _pair(layout, size, len(packing.columns), products) for size in _pair_sizes(layout, unit, tile.pixels)
        )
        widths = [len(alone) for alone in packing.alone]
    if isinstance(packing, SummedPacking):
        return sum(_summed(layout, size, wide, tile.unroll) for _, size, _ in pieces for wide in widths)
    for _, size, _ in pieces:
        for wide in widths:
            loads = layout.provider.loads(size, wide)
            total += runs * products * (size * wide + loads) + size * (wide * EPILOGUE + ADDRESS)
    return total


def _summed(layout: KernelLayout, size: int, wide: int, unroll: int) -> float:
    """A register tile by products of sums: its loops over groups of K and the rest, and what divides its pixels."""
    loads, groups = layout.provider.loads(size, wide), max(1, unroll // GROUP)
    group = 4 * size * wide + GROUP * loads
    rest = REST * (size * wide + loads)
    return groups * group + rest + size * (DIVIDED + wide * (EPILOGUE + FACTOR_INSTRUCTIONS) + ADDRESS)


def _pair(layout: KernelLayout, size: int, wide: int, products: int) -> float:
    """Two register tiles of two column tiles: seven loops, the sums of pixels, and what is kept between them."""
    loads = layout.provider.loads(size, wide)
    kept = 4 * size * wide * EPILOGUE + KEPT_INSTRUCTIONS * size * wide
    return PRODUCTS * products * (size * wide + loads) + kept + size * (SUM_INSTRUCTIONS + ADDRESS)


def _pair_sizes(layout: KernelLayout, unit: Unit, size: int) -> list[int]:
    """Return the pixels of the pairs that are written out, as `_pieces` does of tiles."""
    columns, pixels = unit.stage.shape.columns, max(2, span(layout.chain, unit.stage, layout.schedule.rows))
    if pixels <= columns or _linear(layout, unit):
        return [part.size for part in paired(pixels, size)]
    if pixels <= STATIC_PIXELS:
        return [part.size for part in paired(pixels, size) for _ in range(part.count)]
    alone = paired(columns, size) if pixels // columns % 2 else []
    return [*(wide for _, wide, _ in balanced_split(columns, size)), *(part.size for part in alone)]


def _pieces(layout: KernelLayout, unit: Unit, pixels: int, size: int) -> list[tuple[int, int, int]]:
    """Return the tiles of a span that are written out: one of each size in a loop, all of them across row ends."""
    columns, pieces = unit.stage.shape.columns, balanced_split(pixels, size)
    joined = pixels > columns and not _linear(layout, unit)
    aligned = len(balanced_split(columns, size)) == 1
    if joined and aligned:
        return balanced_split(columns, size)
    return [piece for piece in pieces for _ in range(piece[2])] if joined and pixels <= STATIC_PIXELS else pieces


def _linear(layout: KernelLayout, unit: Unit) -> bool:
    """Whether neither what a stage reads nor what it makes has margins."""
    rings = (layout.rings.get(name) for name in (unit.stage.sources[0], unit.result))
    return all(ring is None or ring.width == ring.columns for ring in rings)


def _depthwise(layout: KernelLayout, unit: Unit) -> float:
    stage, row = unit.stage, layout.depthwise[unit.stage.name]
    sums = 1 + layout.sums[stage.name].slots if stage.name in layout.sums else 1
    sizes = sum(size for _, size, _ in balanced_split(stage.shape.columns, row.pixels))
    loads = stage.window.taps / max(1, row.group) + sums
    return sizes * (stage.window.taps + loads + EPILOGUE * sums) + 2 * stage.window.taps
