"""float32 on AVX2 and AVX-512: one pixel value is broadcast and multiplied with vectors of weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from tvm import tirx

from mnv2c.kernels.ir import Index, KernelBuilder, Value, constant
from mnv2c.kernels.microkernels.base import MatrixTile, Operand, Provider, Weights
from mnv2c.plan.chain import Activation


@dataclass(frozen=True)
class BroadcastProvider(Provider):
    """Broadcast-multiply tiles: accumulators, one vector of weights per column, one register for the broadcast.

    One that ``embeds`` broadcasts within the product itself, if it is the value's only one.
    """

    embeds: bool = False

    def fits(self, pixels: int, vectors: int) -> bool:
        """Whether a tile of pixels x vectors leaves its accumulators in registers."""
        # Of 32 registers LLVM keeps 30: with one free it spills an accumulator in every step of K.
        return pixels * vectors + vectors + 1 <= (self.registers if self.registers < 32 else 30)

    def loads(self, pixels: int, vectors: int) -> float:
        """Vector loads of one step of K: the weights, and one broadcast per pixel that is an instruction of its own."""
        return vectors + (0 if self.embeds and vectors == 1 else pixels)

    def clamp(self, k: KernelBuilder, value: Value, lanes: int, activation: Activation | None) -> Value:
        """Clamp with MAXPS and MINPS, which return their second operand if one is NaN: the value goes there.

        Selections say so to LLVM, which must not swap the operands then.
        """
        if activation is None:
            return value
        if activation.low > -inf:
            low, value = constant(activation.low, self.dtype, lanes), k.bind(value, "sum")
            value = tirx.Select(low > value, low, value)
        if activation.high < inf:
            high, value = constant(activation.high, self.dtype, lanes), k.bind(value, "sum")
            value = tirx.Select(high < value, high, value)
        return value

    def multiply(
        self, k: KernelBuilder, tile: MatrixTile, operand: Operand, first: Index, count: int, weights: Weights
    ) -> None:
        """Accumulate ``count`` values of K, one broadcast per pixel and value."""
        for step in range(count):
            row = tile.load_weights(weights, step)
            for pixel, base in enumerate(operand.bases):
                value = k.bind(k.load(operand.buffer, base + first + step), "pixel")
                tile.add_product(pixel, lambda lanes, value=value: k.broadcast(value, lanes), row)  # type: ignore[misc]


AVX2_FLOAT32 = BroadcastProvider(
    "avx2",
    "float32",
    lanes=8,
    registers=16,
    unroll=4,
    ring_unroll=4,
    gathers=False,
    prefetches=True,
    loads_bias=False,
    depthwise_pixels=4,
    depthwise_group=2,
    strided_group=2,
)
AVX512_FLOAT32 = BroadcastProvider(
    "avx512",
    "float32",
    lanes=16,
    registers=32,
    unroll=4,
    ring_unroll=4,
    gathers=False,
    prefetches=True,
    loads_bias=False,
    depthwise_pixels=7,
    depthwise_group=4,
    strided_group=4,
    together=14,
    embeds=True,
    summed_tiles=((17, 1), (11, 1)),
)
"""For CPUs that begin one product of 512 bits per cycle beside two loads, so that a load per product is free."""
AVX512_TWO_FLOAT32 = replace(AVX512_FLOAT32, together=24, embeds=False, copies_bias=32)
"""For CPUs that begin as many products as loads: a pixel that is loaded once for several products saves loads.

Additions take the units of products there; copies of registers none. Longer sums would lose more accuracy than time.
"""
