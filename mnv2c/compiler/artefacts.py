"""What the stages of the compiler hand to each other, where no package of its own defines it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnv2c.frames import Frames, FramesCode
    from mnv2c.kernels.layout import KernelLayout
    from mnv2c.plan.assemble import NodeKernel
    from mnv2c.plan.network import Network
    from mnv2c.plan.work import FallbackWork
    from mnv2c.planner.cuts import Tuned


@dataclass(frozen=True, eq=False)
class Kernels:
    """The scheduled network: how each node is called, and the TIR function of every distinct kernel by its symbol.

    ``network`` is the one whose nodes they are: chains as the planner cut them. ``tuned`` says of each node whether a
    record decided how it runs. ``work`` is that of the fallbacks.
    """

    network: Network
    nodes: tuple[NodeKernel, ...]
    functions: Mapping[str, Any]
    layouts: Mapping[str, KernelLayout]
    tuned: tuple[Tuned | None, ...]
    work: FallbackWork


@dataclass(frozen=True, eq=False)
class Sources:
    """The generated C of a library by file name, and what it says of itself; ``text`` is its ``NAME.json``."""

    entry: str
    header: str
    threads: Mapping[str, str]
    frames: Frames
    code: FramesCode
    metadata: dict[str, Any]
    text: str
