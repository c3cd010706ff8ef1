"""float32 on the NEON of 32-bit ARM: the tiles of 64 bits in 16 registers."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from mnv2c.kernels.ir import KernelBuilder, Value, constant
from mnv2c.kernels.microkernels.neon import ByElementProvider
from mnv2c.plan.chain import Activation


@dataclass(frozen=True)
class CopiedLaneProvider(ByElementProvider):
    """Tiles of ``vdup.32 q, d[i]`` and ``vfma.f32 q, q, q``: the fused product takes no lane of a register here."""

    def loads(self, pixels: int, vectors: int) -> float:
        """Vector loads of one step of K, and the copies of a lane per pixel, which take as many slots."""
        return super().loads(pixels, vectors) + pixels

    def clamp(self, k: KernelBuilder, value: Value, lanes: int, activation: Activation | None) -> Value:
        """Clamp with VMAX and VMIN, which let NaN through; there is no instruction that would drop it."""
        if activation is None:
            return value
        if activation.low > -inf:
            value = k.intrinsic("llvm.maximum", self.dtype, lanes, value, constant(activation.low, self.dtype, lanes))
        if activation.high < inf:
            value = k.intrinsic("llvm.minimum", self.dtype, lanes, value, constant(activation.high, self.dtype, lanes))
        return value


NEON32_FLOAT32 = CopiedLaneProvider(
    "neon32",
    "float32",
    lanes=4,
    registers=16,
    unroll=4,
    ring_unroll=8,
    gathers=True,
    prefetches=False,
    loads_bias=True,
    depthwise_pixels=4,
    depthwise_group=2,
    strided_group=1,
)
