"""What every stage emitter gets and offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnv2c.kernels.ir import Buffer, Index, KernelBuilder
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.planes import Plane
from mnv2c.kernels.share import WHOLE, Share
from mnv2c.kernels.split import balanced_split
from mnv2c.plan.chain import Shape, Stage

if TYPE_CHECKING:
    from mnv2c.kernels.next_weights import NextWeights


@dataclass(frozen=True)
class EmitContext:
    """A stage among its planes: where it reads, where it writes (more than once for a side output).

    ``shape`` is that of the first source, ``share`` what is computed of its channels. ``next_weights`` is set where
    the stage fetches weights of the next kernel.
    """

    k: KernelBuilder
    provider: Provider
    stage: Stage
    sources: tuple[Plane, ...]
    results: tuple[Plane, ...]
    weights: Buffer
    shape: Shape
    share: Share = WHOLE
    next_weights: NextWeights | None = None

    def has_window(self, count: int, lanes: int) -> bool:
        """Whether the provider's `window` computes ``count`` neighbouring outputs of ``lanes`` channels.

        Not where a dilation is so wide that pixels between those of the windows would be loaded for nothing.
        """
        window = self.stage.window
        suits = lanes == self.provider.lanes == self.sources[0].layout.block and window.dilation[1] <= count
        return suits and self.provider.has_window(count, window.taps)


def columns_of(k: KernelBuilder, extent: int, size: int, name: str) -> Iterator[tuple[Index, int]]:
    """Walk ``extent`` columns in pieces of at most ``size``: yields (first column, number of columns) inside a loop."""
    for start, piece, count in balanced_split(extent, size):
        with k.loop(count, name) as index:
            yield k.bind(index * piece + start, "column"), piece
