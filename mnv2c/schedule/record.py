"""The schedule of one chain: every choice the kernel generator leaves open, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Tile:
    """Register tile of a matrix stage: ``pixels`` x ``vectors`` accumulators, ``unroll`` values of K per iteration."""

    pixels: int
    vectors: int
    unroll: int


@dataclass(frozen=True)
class DepthwiseTile:
    """How a depthwise stage runs: ``pixels`` neighbours per iteration, ``group`` of them interleaved.

    With ``carry`` > 0 its input never lies in a ring: ``carry`` channels of the newest rows are made at a time, added
    to the sums of all outputs that see them, and only the unfinished sums are carried to the next pass. With ``again``
    not even those: ``carry`` channels of all rows of the window are made anew for every output row.
    """

    pixels: int
    group: int
    carry: int = 0
    again: bool = False


@dataclass(frozen=True)
class ChainSchedule:
    """How a chain runs.

    ``rows`` output rows are computed per step (0: the whole image in one step). ``chunk`` channels before the last
    matrix stage, expanded or pooled, are in flight at a time, its partial sums being accumulated in the output (0: all;
    needs ``rows`` = 0; the paper's t-way split, section 5). ``tiles`` has one entry per matrix stage in order,
    ``depthwise`` one per depthwise stage. ``prefetch`` asks for the next tile of weights while one is used, and for a
    classifier's while the channels that it reads are pooled.
    """

    rows: int
    chunk: int
    tiles: tuple[Tile, ...]
    depthwise: tuple[DepthwiseTile, ...]
    prefetch: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the schedule as JSON-compatible data."""
        return {
            **asdict(self),
            "tiles": [asdict(tile) for tile in self.tiles],
            "depthwise": [asdict(tile) for tile in self.depthwise],
        }
