"""Nothing is computed twice: counted row by row while kernels run, and multiply-add by multiply-add in their code."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mnv2c.kernels.chain import emit_chain
from mnv2c.kernels.ir import KernelBuilder, both, constant
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS, provider
from mnv2c.kernels.stages.argmax import ArgmaxStage
from mnv2c.kernels.stages.carried import CarriedDepthwise
from mnv2c.kernels.stages.clipped import ClippedStage
from mnv2c.kernels.stages.depthwise import DepthwiseStage
from mnv2c.kernels.stages.load import LoadStage
from mnv2c.kernels.stages.matrix import MatrixStage
from mnv2c.kernels.stages.pool import PoolStage
from mnv2c.kernels.stages.resize import ResizeStage
from mnv2c.kernels.stages.strassen import StrassenStage
from mnv2c.kernels.stages.summed import SummedStage
from mnv2c.kernels.units import Unit
from mnv2c.plan import interpreter
from mnv2c.plan.chain import RELU6, Shape, StageKind, Window
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains, native

MATRIX_STAGES = (MatrixStage, ClippedStage, StrassenStage, SummedStage)
STAGES = (*MATRIX_STAGES, DepthwiseStage, LoadStage, PoolStage, ResizeStage, ArgmaxStage)
MOST_ROWS, MOST_CHUNKS = 128, 32  # resized images have many rows
EACH = MOST_ROWS * MOST_CHUNKS


def counting(case: chains.Case, monkeypatch: pytest.MonkeyPatch) -> native.Call:
    """The case with kernels that compute nothing, but count per stage, row and chunk how often a row is asked for."""
    call = native.Call(case)
    index = {unit.stage.name: number for number, unit in enumerate(call.layout.units)}
    counters: dict[int, Any] = {}

    def emit_rows(self: Any, row: Any, rows: int, chunk: Any) -> None:
        k = self.at.k
        if id(k) not in counters:
            counters[id(k)] = k.parameter("counters", EACH * len(index), "float32")
        with k.loop(rows, "row") as more:
            place = index[self.at.stage.name] * EACH + (0 if chunk is None else chunk) * MOST_ROWS + row + more
            k.store(counters[id(k)], place, k.load(counters[id(k)], place) + constant(1.0, "float32"))

    def emit_chunk(self: Any, row: Any, chunk: Any) -> None:
        """A carried stage also runs before its first row, to begin sums."""
        with self.at.k.when(both(row >= 0, row < self.at.stage.shape.rows)):
            emit_rows(self, row, 1, chunk)

    for kind in STAGES:
        monkeypatch.setattr(kind, "emit_rows", emit_rows)
    monkeypatch.setattr(CarriedDepthwise, "emit_chunk", emit_chunk)
    return call


def chunks_of(layout: KernelLayout, unit: Unit) -> int:
    """In how many parts the channels of a unit are computed."""
    if unit.stage.kind is StageKind.LOAD:
        return 1
    carry = [layout.carry(name) for name in (unit.stage.name, *sources(layout, unit))]
    return -(-unit.stage.shape.channels // max(carry)) if max(carry) else layout.chunks


def sources(layout: KernelLayout, unit: Unit) -> list[str]:
    """The depthwise stages that read a unit."""
    return [reader.name for reader in layout.chain.consumers(unit.result) if reader.kind is StageKind.DEPTHWISE]


@pytest.mark.parametrize("family", chains.FAMILIES)
def test_every_row_is_computed_once(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, counts, emitted = [], [], {}
    for seed in range(100, 130):
        call = counting(chains.case(seed, family, list(PROVIDERS.values())[seed % 3]), monkeypatch)
        emitted |= native.emit(call.layout, len(calls))
        calls.append(call)
        counts.append(native.Guarded(EACH * len(call.layout.units)))
        counts[-1].values[:] = 0
    native.execute(native.load(emitted, tmp_path), calls, [count.address for count in counts])
    for call, count in zip(calls, counts, strict=True):
        assert count.intact
        for unit, found in zip(call.layout.units, count.values.reshape(-1, MOST_CHUNKS, MOST_ROWS), strict=True):
            chunks = chunks_of(call.layout, unit)
            rows = unit.stage.shape.rows
            entry = call.layout.flow.stages[unit.result]
            assert found.max() <= -(-entry.rows // entry.advance), f"{unit.result} is computed too often: {call.case}"
            assert found.sum() == found[:chunks, :rows].sum(), f"{unit.result} has rows outside the image: {call.case}"
            seen = needed(call, unit.result)
            assert found[:chunks, :seen].all(), f"{unit.result} lacks rows: {call.case}"


def needed(call: native.Call, result: str) -> int:
    """The rows of a result that somebody reads; the last ones may be beyond every window."""
    chain = call.layout.chain
    if result in chain.outputs:
        return chain.shape(result).rows
    windows = [(reader, reader.window) for reader in chain.consumers(result) if reader.sources[0] == result]
    ends = [needed(call, _unit(call, reader.name)) for reader, _ in windows]
    if any(reader.kind is StageKind.POOL for reader, _ in windows) or len(windows) < len(chain.consumers(result)):
        return chain.shape(result).rows
    last = [window.rows_needed(0, end)[1] for (_, window), end in zip(windows, ends, strict=True)]
    return min(chain.shape(result).rows, max(last))


def _unit(call: native.Call, name: str) -> str:
    return next(unit.result for unit in call.layout.units if name in (unit.stage.name, unit.result))


def test_the_interpreter_computes_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: Counter[tuple[str, int]] = Counter()
    original = interpreter._Ring.put

    def put(self: Any, row: int, values: Any) -> None:
        computed[self.stage.name, row] += 1
        original(self, row, values)

    monkeypatch.setattr(interpreter._Ring, "put", put)
    random = Random(0)
    for family in ("bottleneck", "stem", "streamed", "sides"):
        for _ in range(20):
            chain = chains.chain(random, family)
            inputs, weights = chains.tensors(chain, 0)
            computed.clear()
            interpreter.interpret(chain, chains.legal_rows(chain, 1), inputs, weights)
            assert set(computed.values()) == {1}


def multiply_adds(layout: KernelLayout, monkeypatch: pytest.MonkeyPatch) -> int:
    """Products in a kernel: the lanes of every fused multiply-add times the extents of the loops around it."""
    total, times = 0, [1]
    loop, fma = KernelBuilder.loop, KernelBuilder.fma

    @contextmanager
    def counted_loop(self: KernelBuilder, extent: int, *rest: Any) -> Iterator[Any]:
        times.append(times[-1] * extent)
        with loop(self, extent, *rest) as index:
            yield index
        times.pop()

    def counted_fma(self: KernelBuilder, a: Any, b: Any, c: Any, dtype: str, lanes: int) -> Any:
        nonlocal total
        total += lanes * times[-1]
        return fma(self, a, b, c, dtype, lanes)

    monkeypatch.setattr(KernelBuilder, "loop", counted_loop)
    monkeypatch.setattr(KernelBuilder, "fma", counted_fma)
    emit_chain(layout, "kernel")
    return total


@pytest.mark.parametrize("unit", PROVIDERS.values(), ids=lambda unit: unit.name)
@pytest.mark.parametrize("chunk", [0, 48])
def test_the_code_multiplies_as_often_as_the_network(unit: Any, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    build = chains.Builder(Shape(9, 7, 16))
    build.add("expand", StageKind.EXPAND, "input_0", 96, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), (2, 2), padding=((1, 1), (1, 1))), RELU6)
    chain = build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", 32))
    schedule = ChainSchedule(0, chunk, (Tile(4, 1, 4), Tile(3, 2, 3)), (DepthwiseTile(4, 2),), True)
    assert multiply_adds(kernel_layout(chain, schedule, unit), monkeypatch) == chain.madds


def test_the_code_of_a_pooled_head_multiplies_as_often_as_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    build = chains.Builder(Shape(7, 7, 24))
    build.add("pointwise", StageKind.POINTWISE, "input_0", 64, None, RELU6)
    chain = build.chain("head", build.add("pool", StageKind.POOL, "pointwise"))
    layout = kernel_layout(chain, ChainSchedule(0, 0, (Tile(4, 2, 4),), (), True), provider("float32", "avx2"))
    assert multiply_adds(layout, monkeypatch) == chain.madds == 7 * 7 * 24 * 64
