"""What a microkernel provider offers to the stages: register tiles over one dtype and one instruction set.

It knows registers and lanes; it does not know rows, rings or networks. A new instruction set is one file with one
`Provider` (data, and the methods whose instructions differ).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mnv2c.dtypes import number_type
from mnv2c.kernels.ir import Buffer, Index, KernelBuilder, Register, Value, constant, divided
from mnv2c.plan.chain import Activation


@dataclass(frozen=True)
class Operand:
    """The left side of a register tile: one element index per pixel, K values in contiguous blocks.

    Value k of pixel i lies at ``bases[i] + (k // block) · block_stride + k % block``. ``distances`` are those of the
    pixels from the first one.
    """

    buffer: Buffer
    bases: tuple[Index, ...]
    block: int
    block_stride: int
    distances: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prefetch:
    """Fetch part ``part`` of ``parts`` of the weights that lie ``distance`` elements ahead of those being used.

    They come into the cache of level ``nearest``, and those behind it.
    """

    distance: int
    part: Index
    parts: int
    nearest: int = 1


@dataclass(frozen=True)
class Stream:
    """Fetch into the second-level cache what a later stage reads: ``lines`` per iteration, from ``first`` on."""

    buffer: Buffer
    first: Index
    lines: int


LINE_BYTES = 64
"""Of a cache line, on every CPU that there are targets for."""


@dataclass(frozen=True)
class Provider:
    """One dtype on one instruction set.

    ``lanes`` elements fill a vector register, of which there are ``registers``.
    One that ``gathers`` reads the pixels of every expansion from a ring of one-vector blocks, where neighbours are
    adjacent; one that ``prefetches`` asks for the next weights of small images; one that ``loads_bias`` begins short
    sums with a bias stored per accumulator, which pairs of loads make cheaper than a zero and an addition; sums of at
    most ``copies_bias`` products begin with copies of the bias, which where additions and products share their units
    save an addition; one that ``adds_apart`` adds in units of their own while others multiply, best in tiles of one
    of ``summed_tiles`` (pixels, vectors). The analytic schedule asks for the rest: ``unroll`` values of K per iteration
    (``ring_unroll`` where pixels lie in a ring), ``depthwise_pixels`` outputs per iteration of a depthwise row and
    ``depthwise_group`` of them interleaved (``strided_group`` with a stride), and tiles of at most ``together`` sums
    where K is so short that more of them, finished at the same time, would keep the next products out of the CPU's
    queues.
    """

    name: str
    dtype: str
    lanes: int
    registers: int
    unroll: int
    ring_unroll: int
    gathers: bool
    prefetches: bool
    loads_bias: bool
    depthwise_pixels: int
    depthwise_group: int
    strided_group: int
    together: int = 64
    copies_bias: int = 0
    adds_apart: bool = False
    summed_tiles: tuple[tuple[int, int], ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes of an element."""
        return number_type(self.dtype).bytes

    @property
    def line(self) -> int:
        """Elements of a cache line."""
        return LINE_BYTES // self.bytes

    def widths(self, channels: int) -> tuple[int, ...]:
        """Cut ``channels`` into vectors: full ones, then ever smaller powers of two."""
        full, rest = divmod(channels, self.lanes)
        tail = tuple(1 << bit for bit in reversed(range(rest.bit_length())) if rest >> bit & 1)
        return (self.lanes,) * full + tail

    def fits(self, pixels: int, vectors: int) -> bool:
        """Whether a tile of pixels x vectors leaves its accumulators in registers."""
        raise NotImplementedError

    def loads(self, pixels: int, vectors: int) -> float:
        """Vector loads of one step of K of a tile of pixels x vectors."""
        raise NotImplementedError

    def clamp(self, k: KernelBuilder, value: Value, lanes: int, activation: Activation | None) -> Value:
        """Return ``value`` clamped to the activation's range."""
        raise NotImplementedError

    def multiply(
        self, k: KernelBuilder, tile: MatrixTile, operand: Operand, first: Index, count: int, weights: Weights
    ) -> None:
        """Accumulate ``count`` (static) consecutive values of K that start at element ``first`` of each pixel."""
        raise NotImplementedError

    def stream(
        self, k: KernelBuilder, tile: MatrixTile, operand: Operand, weights: Weights, depth: int, unroll: int
    ) -> bool:
        """Walk K = ``depth`` values in a way of one's own; False, with nothing done, if there is none for this tile."""
        return False

    def has_window(self, count: int, taps: int) -> bool:
        """Whether `window` computes ``count`` neighbours with ``taps`` weights per channel in registers."""
        return False

    def window(
        self,
        k: KernelBuilder,
        buffer: Buffer,
        bases: Sequence[Index],
        weights: Mapping[tuple[int, int], Value],
        starts: Sequence[Value],
        stride: int,
    ) -> list[Value]:
        """Add windows of vectors to ``starts``, one per neighbour: a row per base, ``weights`` by row and column.

        With dilation the columns have gaps.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Weights:
    """The right side of a register tile: row k of the tile's columns starts at ``base + k · columns``."""

    buffer: Buffer
    base: Index
    columns: int

    def advance(self, k: Index) -> Weights:
        """Return the weights from row ``k`` on."""
        return Weights(self.buffer, self.base + k * self.columns, self.columns)


class MatrixTile:
    """Accumulators of ``pixels`` x ``widths`` output values, kept in vector registers while K is walked."""

    def __init__(self, k: KernelBuilder, provider: Provider, pixels: int, widths: Sequence[int]) -> None:
        self.k, self.provider, self.pixels, self.widths = k, provider, pixels, tuple(widths)
        self.offsets = tuple(sum(self.widths[:index]) for index in range(len(self.widths)))
        self.columns = sum(self.widths)
        self._registers: list[list[Register]] = [
            [k.register(provider.dtype, lanes) for lanes in self.widths] for _ in range(pixels)
        ]

    def start(self, value: Callable[[int, int, int], Value]) -> None:
        """Set every accumulator to ``value(pixel, column offset, lanes)``."""
        for pixel, row in enumerate(self._registers):
            for register, offset, lanes in zip(row, self.offsets, self.widths, strict=True):
                register.set(value(pixel, offset, lanes))

    def add(self, value: Callable[[int, int], Value]) -> None:
        """Add ``value(column offset, lanes)`` to the accumulators of every pixel."""
        for offset, lanes, column in zip(self.offsets, self.widths, zip(*self._registers, strict=True), strict=True):
            summand = self.k.bind(value(offset, lanes), "summand")
            for register in column:
                register.set(register.get() + summand)

    def load_weights(self, weights: Weights, k: int) -> list[Value]:
        """Read row ``k`` of the weights, one vector per column of the tile."""
        return [
            self.k.bind(self.k.load(weights.buffer, weights.base + k * weights.columns + offset, lanes), "weight")
            for offset, lanes in zip(self.offsets, self.widths, strict=True)
        ]

    def add_product(self, pixel: int, factor: Callable[[int], Value], weights: Sequence[Value]) -> None:
        """Add ``factor(lanes)`` times the weights to the accumulators of one pixel."""
        for register, weight, lanes in zip(self._registers[pixel], weights, self.widths, strict=True):
            register.set(self.k.fma(factor(lanes), weight, register.get(), self.provider.dtype, lanes))

    def add_product_of_sums(self, pixel: int, values: tuple[Value, Value], weights: tuple[list[Value], ...]) -> None:
        """Add (first value + first weights) times (second value + second weights) to one pixel's accumulators."""
        k = self.k
        for register, first, second, lanes in zip(self._registers[pixel], *weights, self.widths, strict=True):
            one, two = first + k.broadcast(values[0], lanes), second + k.broadcast(values[1], lanes)
            register.set(k.fma(one, two, register.get(), self.provider.dtype, lanes))

    def change(self, value: Callable[[int, int, int, Value], Value]) -> None:
        """Set every accumulator to ``value(pixel, column offset, lanes, what it was)``."""
        for pixel, row in enumerate(self._registers):
            for register, offset, lanes in zip(row, self.offsets, self.widths, strict=True):
                register.set(value(pixel, offset, lanes, register.get()))

    @property
    def accumulators(self) -> list[Register]:
        """All registers, pixel by pixel."""
        return [register for row in self._registers for register in row]

    def accumulate(
        self,
        operand: Operand,
        weights: Weights,
        depth: int,
        unroll: int,
        prefetch: Prefetch | None = None,
        stream: Stream | None = None,
    ) -> None:
        """Walk K = ``depth`` values, ``unroll`` of them per iteration of the inner loop."""
        k = self.k
        if prefetch is None and self.provider.stream(k, self, operand, weights, depth, unroll):
            return
        for start, blocks, block in _runs(operand, depth):
            step, group = min(unroll, block), max(1, unroll // block)
            groups, rest = divmod(blocks, group)
            base = (start // operand.block) * operand.block_stride
            with k.loop(groups, "block") as outer:
                for index in range(group if groups else 0):
                    at = outer * group + index
                    self._block(operand, weights.advance(start + at * block), base, at, block, step, prefetch, stream)
            for at in range(groups * group, groups * group + rest):
                self._block(operand, weights.advance(start + at * block), base, at, block, step, prefetch)

    def _block(
        self,
        operand: Operand,
        weights: Weights,
        base: int,
        at: Index,
        block: int,
        step: int,
        prefetch: Prefetch | None,
        stream: Stream | None = None,
    ) -> None:
        """Walk the ``block`` contiguous values of one block of K, ``step`` of them per iteration."""
        k, steps, rest = self.k, *divmod(block, step)
        first = k.bind(at * operand.block_stride + base, "first")
        with k.loop(steps, "depth") as inner:
            here = weights.advance(inner * step)
            here = Weights(here.buffer, k.bind(here.base, "weights"), here.columns)
            self.fetch(here, step, at * steps + inner, prefetch, stream)
            self.provider.multiply(k, self, operand, k.bind(first + inner * step, "first"), step, here)
        if rest:
            self.provider.multiply(k, self, operand, first + steps * step, rest, weights.advance(steps * step))

    def fetch(
        self, weights: Weights, rows: int, iteration: Index, prefetch: Prefetch | None, stream: Stream | None
    ) -> None:
        """Fetch what one iteration, which uses ``rows`` of the weights, has to fetch for others."""
        if prefetch is not None:
            self._prefetch(weights, rows, prefetch)
        if stream is not None:
            self._fetch(stream, iteration)

    def _prefetch(self, weights: Weights, rows: int, prefetch: Prefetch) -> None:
        line, parts = self.provider.line, prefetch.parts
        lines = max(1, rows * weights.columns // line)
        first = prefetch.part * lines // parts if isinstance(prefetch.part, int) else self._share(prefetch, lines)
        for number in range(-(-lines // parts)):
            index = weights.base + prefetch.distance + (first + number) * line
            self.k.prefetch(weights.buffer, index, prefetch.nearest)

    def _fetch(self, stream: Stream, iteration: Index) -> None:
        first = self.k.bind(stream.first + iteration * (stream.lines * self.provider.line), "line")
        for number in range(stream.lines):
            self.k.prefetch(stream.buffer, first + number * self.provider.line, nearest=2)

    def _share(self, prefetch: Prefetch, lines: int) -> Index:
        """The first line of a part that a loop counts."""
        return self.k.bind(divided(prefetch.part * lines, prefetch.parts), "line")

    def finish(self, consume: Callable[[int, int, int, Value], None]) -> None:
        """Hand every accumulator to ``consume(pixel, column offset, lanes, value)``."""
        for pixel, row in enumerate(self._registers):
            for register, offset, lanes in zip(row, self.offsets, self.widths, strict=True):
                consume(pixel, offset, lanes, register.get())


def fetching_iterations(operand: Operand, depth: int, unroll: int) -> int:
    """Return in how many iterations `MatrixTile.accumulate` fetches a stream's lines."""
    total = 0
    for _, blocks, block in _runs(operand, depth):
        group = max(1, unroll // block)
        total += blocks // group * group * (block // min(unroll, block))
    return total


def _runs(operand: Operand, depth: int) -> list[tuple[int, int, int]]:
    """Cut K into (start, number of blocks, values per block): the full blocks, then what is left of the last."""
    full, rest = divmod(depth, operand.block)
    runs = [(0, full, operand.block)] if full else []
    return [*runs, (full * operand.block, 1, rest)] if rest else runs


class DepthwiseRow:
    """Neighbouring output pixels of one channel vector, sharing the input pixels their windows overlap in."""

    def __init__(self, k: KernelBuilder, provider: Provider, lanes: int) -> None:
        self.k, self.provider, self.lanes = k, provider, lanes

    def emit(
        self,
        pixels: Sequence[int],
        taps: Sequence[tuple[int, int, Value]],
        bias: Value,
        load: Callable[[int, int, int], Value],
        store: Callable[[int, Value], None],
        activation: Activation | None,
    ) -> None:
        """Compute ``pixels`` together: over ``taps`` (row, column, weight), sum weight x load(row, pixel, column)."""
        k = self.k
        sums = {pixel: bias for pixel in pixels}
        for row, column, weight in taps:
            for pixel in pixels:
                value = load(row, pixel, column)
                sums[pixel] = k.bind(k.fma(value, weight, sums[pixel], self.provider.dtype, self.lanes), "sum")
        for pixel, value in sums.items():
            store(pixel, self.provider.clamp(k, value, self.lanes, activation))


def zero(provider: Provider, lanes: int) -> Value:
    """Return a vector of zeros."""
    return constant(0.0, provider.dtype, lanes)
