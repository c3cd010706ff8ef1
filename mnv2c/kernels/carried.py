"""Depthwise stages that carry unfinished sums instead of reading a ring: which may, and how many sums they keep.

A window of k rows with dilation d and stride s sees s new rows in a pass. Each new row is added at once to the sums of
every output whose window covers it; (k - 1) d // s of those are unfinished afterwards and wait for the next pass. That
is one row of sums for 3x3 with stride 2, half as wide as the two input rows of a ring, and none of the input is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.errors import ScheduleError
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import MATRIX_KINDS, Chain, Stage, StageKind, Window
from mnv2c.plan.rows import Flow
from mnv2c.schedule.record import ChainSchedule


@dataclass(frozen=True)
class Carried:
    """A carried depthwise stage: the stage before it, how many channels of that are in flight, whether made anew."""

    source: str
    channels: int
    again: bool


def unfinished(window: Window) -> int:
    """Return how many rows of sums wait for further input after a pass."""
    return window.reach // window.stride[0]


def may_carry(chain: Chain, stage: Stage) -> bool:
    """Whether ``stage`` is a depthwise stage that may carry its sums, one row per pass, in some schedule.

    Its readers see pixels: rows above the image, which a window would take for zeros, hold sums that are thrown away.
    """
    if stage.kind is not StageKind.DEPTHWISE or stage.sources[0].startswith("input_"):
        return False
    source, window = chain.stage(stage.sources[0]), stage.window
    alone = chain.consumers(source.name) == (stage,) and not {source.name, stage.name} & set(chain.outputs)
    plain = window.reach >= window.stride[0] - 1
    readers = chain.consumers(stage.name)
    read = not any(reader.kind is StageKind.POOL or reader.window.needs_margin for reader in readers)
    return alone and plain and read and source.kind in MATRIX_KINDS


def made_again(chain: Chain, schedule: ChainSchedule) -> frozenset[str]:
    """Return the stages of which the schedule keeps nothing."""
    stages = [stage for stage in chain.stages if stage.kind is StageKind.DEPTHWISE]
    return frozenset(
        stage.sources[0] for stage, tile in zip(stages, schedule.depthwise, strict=False) if tile.again and tile.carry
    )


def carried_stages(chain: Chain, schedule: ChainSchedule, plan: Flow, provider: Provider) -> dict[str, Carried]:
    """Return the carried depthwise stages by name; raises ScheduleError where one cannot be."""
    stages = [stage for stage in chain.stages if stage.kind is StageKind.DEPTHWISE]
    if len(stages) != len(schedule.depthwise):
        raise ScheduleError(f"the schedule has {len(schedule.depthwise)} entries for {len(stages)} depthwise stages")
    found: dict[str, Carried] = {}
    for stage, tile in zip(stages, schedule.depthwise, strict=True):
        if not tile.carry:
            continue
        if plan.whole or plan.stages[stage.name].rows != 1 or not may_carry(chain, stage):
            raise ScheduleError(
                f"{stage.name} cannot carry its sums: that needs one row per pass, and a convolution before it "
                "that nobody else reads"
            )
        if tile.carry % provider.lanes:
            raise ScheduleError(f"{stage.name} carries {tile.carry} channels, no multiple of {provider.lanes}")
        found[stage.name] = Carried(stage.sources[0], tile.carry, tile.again)
    return found


def check_carry(stage: Stage, outputs: int, channels: int, columns: int) -> None:
    """Raise ScheduleError unless ``channels`` in flight cut the outputs and are cut by the tile's ``columns``."""
    if outputs % channels or channels % columns:
        raise ScheduleError(
            f"{channels} channels in flight do not cut the {outputs} of {stage.name} into whole tiles of {columns}"
        )
