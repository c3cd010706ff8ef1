"""float32 on NEON: four values of a pixel are loaded at once and multiplied by element."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from mnv2c.kernels.ir import Index, KernelBuilder, Value, constant
from mnv2c.kernels.microkernels.base import MatrixTile, Operand, Provider, Weights
from mnv2c.plan.chain import Activation


@dataclass(frozen=True)
class ByElementProvider(Provider):
    """Tiles of ``fmla v.4s, v.4s, v.s[i]``: accumulators, one vector per pixel, one vector of weights per column."""

    def fits(self, pixels: int, vectors: int) -> bool:
        """Whether a tile of pixels x vectors leaves its accumulators in registers."""
        return pixels * vectors + pixels + vectors < self.registers

    def loads(self, pixels: int, vectors: int) -> float:
        """Vector loads of one step of K: the weights, and a share of a vector per pixel."""
        return vectors + pixels / self.lanes

    def clamp(self, k: KernelBuilder, value: Value, lanes: int, activation: Activation | None) -> Value:
        """Clamp with FMAX and FMIN, VMAX and VMIN on 32-bit ARM, which let NaN through (FMAXNM would drop it)."""
        if activation is None:
            return value
        if activation.low > -inf:
            low = constant(activation.low, self.dtype, lanes)
            value = k.intrinsic("llvm.maximum", self.dtype, lanes, value, low)
        if activation.high < inf:
            high = constant(activation.high, self.dtype, lanes)
            value = k.intrinsic("llvm.minimum", self.dtype, lanes, value, high)
        return value

    def multiply(
        self, k: KernelBuilder, tile: MatrixTile, operand: Operand, first: Index, count: int, weights: Weights
    ) -> None:
        """Accumulate ``count`` values of K, a vector of them per pixel at a time; what is left is broadcast."""
        vectors, rest = divmod(count, self.lanes)
        for vector in range(vectors):
            start = vector * self.lanes
            values = [
                k.bind(k.load(operand.buffer, base + first + start, self.lanes), "pixel") for base in operand.bases
            ]
            for lane in range(self.lanes):
                row = tile.load_weights(weights, start + lane)
                for pixel, value in enumerate(values):
                    tile.add_product(pixel, lambda lanes, v=value, e=lane: k.lane(v, e, lanes), row)  # type: ignore[misc]
        for step in range(count - rest, count):
            row = tile.load_weights(weights, step)
            for pixel, base in enumerate(operand.bases):
                value = k.bind(k.load(operand.buffer, base + first + step), "pixel")
                tile.add_product(pixel, lambda lanes, v=value: k.broadcast(v, lanes), row)  # type: ignore[misc]
