"""Faults that computed wrong numbers and are mended: each can be brought back, to see that it would be found again.

Nothing here is a patch of text, which a change of the code around it would spoil: a fault is a function in the place
of the mended one. Where that has gone, `Fault.undo` says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mnv2c.kernels import units as units_module
from mnv2c.kernels.carried import MATRIX_KINDS
from mnv2c.kernels.units import Unit
from mnv2c.plan.chain import Chain, Stage, StageKind


@dataclass(frozen=True)
class Fault:
    """``replacements`` make of a mended function what stands in its place, by module and name."""

    what: str
    replacements: Mapping[tuple[str, str], Callable[[Any], Any]]

    def undo(self) -> None:
        """Bring the fault back in this process, for good; AttributeError where what mended it has another name now."""
        for (module, name), make in self.replacements.items():
            mended = getattr(import_module(module), name)
            replacement = make(mended)
            users = [known for key, known in sys.modules.items() if key.startswith("mnv2c")]
            for user in users:
                if getattr(user, name, None) is mended:
                    setattr(user, name, replacement)


def _one_region(names: Sequence[str], lives: Mapping[str, tuple[int, int]]) -> list[tuple[str, ...]]:
    return [tuple(names)] if names else []


def _carries_before_windows(chain: Chain, stage: Stage) -> bool:
    if stage.kind is not StageKind.DEPTHWISE or stage.sources[0].startswith("input_"):
        return False
    source, window = chain.stage(stage.sources[0]), stage.window
    alone = chain.consumers(source.name) == (stage,) and not {source.name, stage.name} & set(chain.outputs)
    read = all(reader.kind is not StageKind.POOL for reader in chain.consumers(stage.name))
    return alone and window.reach >= window.stride[0] - 1 and read and source.kind in MATRIX_KINDS


def _where_the_convolution_is(chain: Chain) -> tuple[Unit, ...]:
    found: list[Unit] = []
    for stage in chain.stages:
        candidates = (i for i in reversed(range(len(found))) if units_module._folds(chain, found[i], stage))
        previous = next(candidates, None)
        if previous is None:
            found.append(Unit(stage, stage.name))
            continue
        before = found[previous]
        if stage.kind is StageKind.ARGMAX:
            found[previous] = Unit(before.stage, stage.name, argmax=stage)
            continue
        others = [source for source in stage.sources if source != before.result]
        residual = others[0] if stage.kind is StageKind.ADD and others else None
        found[previous] = Unit(before.stage, stage.name, residual, stage.kind is StageKind.POOL, stage.activation)
    return tuple(found)


def _unless_windowed(keeps: Callable[..., bool]) -> Callable[..., bool]:
    return lambda chain, unit, rings: unit.stage.kind is not StageKind.DEPTHWISE and keeps(chain, unit, rings)


def _own_results(network: Any, node: Any) -> set[str]:
    return set(node.outputs)


def _by_extents(taps: Callable[..., Any]) -> Callable[..., Any]:
    def made(method: Any, inputs: int, outputs: int, scale: float, *region: Any) -> Any:
        return taps(method, inputs, outputs, outputs / inputs, *region)

    return made


def _ties_upwards(nearest: Callable[..., Any]) -> Callable[..., Any]:
    def rounded(name: str, at: Any, scale: float) -> Any:
        return nearest("round_prefer_ceil" if name == "round_prefer_floor" else name, at, scale)

    return rounded


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda mended: value


FAULTS: dict[str, Fault] = {
    "shared-results": Fault(
        "results of all carried depthwise stages share one memory",
        {("mnv2c.kernels.regions", "_without_meeting"): _always(_one_region)},
    ),
    "sums-before-windows": Fault(
        "a window reads sums that are thrown away where it should read zeros",
        {("mnv2c.kernels.carried", "may_carry"): _always(_carries_before_windows)},
    ),
    "early-add": Fault(
        "a folded add stands before the load of the planar input that it adds",
        {("mnv2c.kernels.units", "units"): _always(_where_the_convolution_is)},
    ),
    "two-paces": Fault(
        "a convolution and the add folded into it are planned for different rows (ResNet-50, Figure 6b)",
        {
            ("mnv2c.plan.rows", "_is_added_alone"): _always(lambda *arguments: False),
            ("mnv2c.kernels.layout", "_check_pace"): _always(lambda *arguments: None),
        },
    ),
    "unset-channels": Fault(
        "channels that only fill a vector are not set behind a window that reads the caller's tensor",
        {("mnv2c.kernels.weights", "keeps_padding"): _unless_windowed},
    ),
    "early-operator": Fault(
        "an operator behind concatenated heads runs before the last of them",
        {("mnv2c.plan.order", "_made_by"): _always(_own_results)},
    ),
    "wrong-shapes": Fault(
        "resizes are converted by TVM, and nobody compares shapes with ONNX's own",
        {
            ("mnv2c.to_relax.converters", "CONVERTERS"): lambda known: {
                name: convert for name, convert in known.items() if name != "Resize"
            },
            ("mnv2c.to_relax.inferred", "check_shapes"): _always(lambda *arguments: {}),
        },
    ),
    "fractional-scales": Fault(
        "a resize takes outputs / inputs for its scale",
        {("mnv2c.passes.samples", "taps"): _by_extents},
    ),
    "ties": Fault(
        "nearest rounds what lies half-way upwards",
        {("mnv2c.passes.samples", "nearest"): _ties_upwards},
    ),
}
"""By the name that `python -m tests.fuzz.networks run --undo` takes."""
