"""Predicted cycles of a kernel, to compare ways of running the same network; not a time.

Products, clamps and stores come from the register tiles; rows that do not stay in the first-level cache until they are
read cost their way from the next one. Constants are order-of-magnitude figures of current cores, equal for all.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.strassen import StrassenPacking
from mnv2c.kernels.summed import SummedPacking
from mnv2c.kernels.units import Unit
from mnv2c.plan.chain import MATRIX_KINDS, StageKind, clips
from mnv2c.plan.clipping import inside_share
from mnv2c.schedule.analytic import EPILOGUE, LOAD_SHARE, PORTS, span, tile_cycles

L2_VECTORS_PER_CYCLE = 1.0
L3_VECTORS_PER_CYCLE = 0.375
"""Caches hand out lines, and cores with wider vectors have wider paths to them (Zen 4: two cycles per 64 bytes)."""
HIDDEN = 0.5
"""Share of the cost of weights that remains: they are read in order, which hardware prefetches."""
SUM_INSTRUCTIONS = 12
"""Per pixel and vector of half of K of a pair of tiles: four loads, four sums, four stores (`strassen`)."""
KEPT_INSTRUCTIONS = 11
"""Per accumulator of a pair of tiles in two columns: five loads, two sums, four stores of what is kept."""
DIVIDE_INSTRUCTIONS = 8
"""Per pixel and vector of K that is divided: three loads, two products, two sums, a store (`summed`)."""
ROOT_INSTRUCTIONS = 20
"""Per pixel whose values are divided: the sums of two vectors, and powers of two out of exponents."""
FACTOR_INSTRUCTIONS = 3
"""Per accumulator whose factors return: the first sum, the product of both factors, the last product."""
CYCLES_PER_CLASS = 2.5
"""For a vector of pixels whose scores of one class are compared with the best so far: five instructions."""


@dataclass(frozen=True)
class Caches:
    """Sizes in bytes."""

    l1: int
    l2: int


def predicted_cycles(layout: KernelLayout, caches: Caches) -> float:
    """Return the predicted cycles of one call of the kernel."""
    return sum(unit_cycles(layout).values()) + memory_cycles(layout, caches)


def unit_cycles(layout: KernelLayout) -> dict[str, float]:
    """Return the predicted cycles that computing each unit takes, by what leaves it."""
    return {unit.result: _compute(layout, unit) for unit in layout.units}


def _repeats(layout: KernelLayout, unit: Unit) -> float:
    """How often each row of a unit is made."""
    entry = layout.flow.stages[unit.result]
    return entry.rows / entry.advance


def _compute(layout: KernelLayout, unit: Unit) -> float:
    stage, provider = unit.stage, layout.provider
    if stage.kind in MATRIX_KINDS:
        return _matrix(layout, unit) * _repeats(layout, unit)
    vectors = stage.shape.pixels * -(-stage.shape.channels // provider.lanes)
    if unit.argmax is not None:
        return stage.shape.elements / provider.lanes * CYCLES_PER_CLASS
    if stage.kind is StageKind.ARGMAX:
        return layout.chain.shape(stage.sources[0]).elements * CYCLES_PER_CLASS
    if stage.kind is not StageKind.DEPTHWISE:
        return vectors * 2 / PORTS
    kernel, stride = stage.window.kernel, stage.window.stride
    tile = layout.depthwise[stage.name]
    loads = kernel[0] * (kernel[1] + (tile.group - 1) * stride[1]) / tile.group
    if stage.name in layout.sums:
        loads = loads * stride[0] / kernel[0] + 2 * layout.sums[stage.name].slots
    return vectors * (max(stage.window.taps, loads) / PORTS + EPILOGUE / PORTS + loads * LOAD_SHARE)


def _matrix(layout: KernelLayout, unit: Unit) -> float:
    stage, rows = unit.stage, layout.flow.stages[unit.result].rows
    packing = layout.packings[stage.name]
    assert isinstance(packing, MatrixPacking)  # what `layout` packs for a matrix stage
    pixels = span(layout.chain, stage, 0 if layout.flow.whole else min(rows, stage.shape.rows))
    cycles, _ = tile_cycles(layout.tiles[stage.name], pixels, stage.shape.channels, layout.provider, packing.depth)
    if isinstance(packing, StrassenPacking):
        cycles -= saved_cycles(packing, pixels, layout.provider)
    if isinstance(packing, SummedPacking):
        cycles -= summed_cycles(packing, pixels, layout.provider)
    if clips(layout.chain, stage):
        cycles *= inside_share(stage, layout.chain.shape(stage.sources[0]))
    return cycles * packing.chunks * stage.shape.pixels / pixels


def saved_cycles(packing: StrassenPacking, pixels: int, provider: Provider) -> float:
    """Return the cycles that Strassen's products save: one product of eight, less what their sums and tiles take."""
    columns = 2 * packing.groups * packing.pairs * sum(packing.columns)
    vectors = pixels * columns / provider.lanes
    added = pixels * packing.depth / packing.halves.lanes(provider.lanes) / 4 * SUM_INSTRUCTIONS
    return (vectors * packing.depth / 8 - vectors / 4 * KEPT_INSTRUCTIONS - added) / PORTS


def summed_cycles(packing: SummedPacking, pixels: int, provider: Provider) -> float:
    """Return the cycles that products of sums save: one of three, less what dividing pixels takes; lost if negative.

    Where sums take the units of products, four take the time of three. In tiles of several vectors, where a pixel is
    loaded by an instruction of its own, what is saved is lost again (Zen 4).
    """
    vectors, thirds = pixels * packing.total_columns / provider.lanes, packing.thirds
    divided = pixels * (packing.depth / thirds.lanes * DIVIDE_INSTRUCTIONS + ROOT_INSTRUCTIONS)
    alone = len(packing.columns) == 1 and provider.loads(1, 1) == 1
    saved = vectors * thirds.run * ((1.0 if alone else 0.0) if provider.adds_apart else -1.0)
    return (saved - vectors * FACTOR_INSTRUCTIONS - divided) / PORTS


def memory_cycles(layout: KernelLayout, caches: Caches) -> float:
    """Return the predicted cycles for rows and weights that lie beyond the first-level cache when they are wanted."""
    chain, element = layout.chain, layout.provider.bytes
    weights = layout.weight_bytes
    scratch = layout.scratch_bytes
    passing = (_passing(layout) + _partial_sums(layout)) * element
    steps = layout.flow.last_step - layout.flow.first_step
    outside = (chain.inputs[0].elements + sum(chain.shape(name).elements for name in chain.outputs)) * element
    vector = layout.provider.lanes * element
    cycles = _moved(outside, outside + scratch, caches)
    if steps > 1:  # each step reads all weights again; rows pass between steps
        cycles += _moved(weights * steps, weights + scratch, caches) * HIDDEN
    cycles += _awaited(layout) * element / L3_VECTORS_PER_CYCLE * HIDDEN
    return (cycles + _moved(passing, weights // max(1, layout.chunks) + scratch, caches)) / vector


def _awaited(layout: KernelLayout) -> int:
    """Elements of weights that are used once, and come slower than they are used, unless they were fetched before."""
    dense = [unit.stage.name for unit in layout.units if unit.stage.kind is StageKind.DENSE]
    if layout.chunks > 1 or not layout.provider.prefetches:
        return 0
    return sum(layout.packings[name].elements for name in dense)


def _passing(layout: KernelLayout) -> float:
    """Elements written to and read from planes that outlive a pass."""
    total = 0.0
    for unit in layout.units:
        readers = [reader for reader in layout.chain.consumers(unit.result) if reader.sources[0] == unit.result]
        shape = unit.stage.shape
        if any(layout.carry(reader.name) for reader in readers):
            sums = ((reader, layout.sums[reader.name]) for reader in readers if reader.name in layout.sums)
            total += sum(2 * kept.slots * reader.shape.elements for reader, kept in sums)
        elif unit.result in layout.rings:
            rows = sum(reader.window.kernel[0] / reader.window.stride[0] for reader in readers)
            total += shape.elements * (1 + rows)
    return total


def _partial_sums(layout: KernelLayout) -> float:
    """Elements of the result that chunks of channels read and write again."""
    return 2 * layout.chunks * layout.chain.stages[-1].shape.elements if layout.chunks > 1 else 0.0


def _moved(total: float, working_set: float, caches: Caches) -> float:
    """Cycles times bytes of a vector to move ``total`` bytes wanted again after ``working_set`` bytes of others."""
    if working_set <= caches.l1 / 2:
        return 0.0
    return total / (L2_VECTORS_PER_CYCLE if working_set <= caches.l2 * 3 / 4 else L3_VECTORS_PER_CYCLE)
