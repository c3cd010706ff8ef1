"""float32 on the NEON of 32-bit ARM: the tiles of 64 bits in 16 registers."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.microkernels.neon import ByElementProvider


@dataclass(frozen=True)
class CopiedLaneProvider(ByElementProvider):
    """Tiles of ``vdup.32 q, d[i]`` and ``vfma.f32 q, q, q``: the fused product takes no lane of a register here."""

    def loads(self, pixels: int, vectors: int) -> float:
        """Vector loads of one step of K, and the copies of a lane per pixel, which take as many slots."""
        return super().loads(pixels, vectors) + pixels


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
