"""The schedule of one chain: every choice the kernel generator leaves open, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mnv2c.common.escape import shown
from mnv2c.errors import ScheduleError

MOST = {
    "rows": 1 << 13,
    "chunk": 1 << 20,
    "pixels": 64,
    "vectors": 64,
    "unroll": 128,
    "group": 64,
    "carry": 1 << 20,
    "count": 256,
    "phases": 256,
}
"""The most of every number that is read: what is written out one by one would otherwise take LLVM all memory."""

MOST_ENTRIES = 256
"""Stages of a chain, parts of a kernel: entries of a list."""


@dataclass(frozen=True)
class Tile:
    """Register tile of a matrix stage: ``pixels`` x ``vectors`` accumulators, ``unroll`` values of K per iteration.

    With ``strassen`` two tiles of pixels and two of columns are made together, by seven products of half of K in place
    of eight (`mnv2c.kernels.strassen`); the stage's packed weights take 7/4 of the memory. ``summed`` is for CPUs that
    add in units of their own: one multiplication and two additions make two products (`mnv2c.kernels.summed`).
    """

    pixels: int
    vectors: int
    unroll: int
    strassen: bool = False
    summed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the tile as JSON-compatible data; what only tuning asks for is left out where it is not."""
        return _without(asdict(self), ("strassen", "summed"))


@dataclass(frozen=True)
class DepthwiseTile:
    """How a depthwise stage runs: ``pixels`` neighbours per iteration, ``group`` of them interleaved.

    With ``carry`` > 0 its input never lies in a ring: ``carry`` channels of the newest rows are made at a time, added
    to the sums of all outputs that see them, and only the unfinished sums are carried to the next pass. With ``again``
    not even those: ``carry`` channels of all rows of the window are made anew for every output row. ``by_channel``
    walks all rows of a pass for one vector of channels before the next, so that its weights are loaded once. With
    ``exact`` the channels that would only fill the last vector are left out, in its input and its result.
    """

    pixels: int
    group: int
    carry: int = 0
    again: bool = False
    by_channel: bool = False
    exact: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the tile as JSON-compatible data; what only tuning asks for is left out where it is not."""
        return _without(asdict(self), ("by_channel", "exact"))


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
            "tiles": [tile.to_dict() for tile in self.tiles],
            "depthwise": [tile.to_dict() for tile in self.depthwise],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ChainSchedule:
        """Return the schedule that `to_dict` described; ScheduleError for what is none."""
        tiles = [
            Tile(
                whole(entry, "pixels", 1),
                whole(entry, "vectors", 1),
                whole(entry, "unroll", 1),
                "strassen" in entry and switch(entry, "strassen"),
                "summed" in entry and switch(entry, "summed"),
            )
            for entry in entries(values, "tiles")
        ]
        depthwise = [
            DepthwiseTile(
                whole(entry, "pixels", 1),
                whole(entry, "group", 1),
                whole(entry, "carry", 0),
                switch(entry, "again"),
                "by_channel" in entry and switch(entry, "by_channel"),
                "exact" in entry and switch(entry, "exact"),
            )
            for entry in entries(values, "depthwise")
        ]
        return cls(
            rows=whole(values, "rows", 0),
            chunk=whole(values, "chunk", 0),
            tiles=tuple(tiles),
            depthwise=tuple(depthwise),
            prefetch=switch(values, "prefetch"),
        )


def _without(values: Mapping[str, Any], switches: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value or name not in switches}


def whole(values: Mapping[str, Any], name: str, least: int) -> int:
    """Return the whole number of that name; ScheduleError where there is none from ``least`` to that of ``MOST``."""
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ScheduleError(f"schedule: {name} must be a whole number of at least {least}, not {shown(value)}")
    if value > MOST[name]:
        raise ScheduleError(f"schedule: {name} must be a whole number of at most {MOST[name]}, not {shown(value)}")
    return value


def switch(values: Mapping[str, Any], name: str) -> bool:
    """Return the truth value of that name; ScheduleError where there is none."""
    value = values.get(name)
    if not isinstance(value, bool):
        raise ScheduleError(f"schedule: {name} must be true or false, not {shown(value)}")
    return value


def entries(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the list of tables of that name; ScheduleError where there is none."""
    value = values.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise ScheduleError(f"schedule: {name} must be a list of tables, not {shown(value)}")
    if len(value) > MOST_ENTRIES:
        raise ScheduleError(f"schedule: {name} must have at most {MOST_ENTRIES} entries, not {len(value)}")
    return value
