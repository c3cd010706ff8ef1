"""What a user asks of a plan or a compile, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.dtypes import COMPUTED
from mnv2c.errors import UserError

if TYPE_CHECKING:
    from mnv2c.from_onnx.input_shapes import Given

MOST_THREADS = 16
"""More than the rows of the smallest strips or the column tiles of the last blocks would keep busy."""

Progress = Callable[[str, float], None]
"""Receives the name of the phase that begins and the fraction of the work done before it."""


@dataclass(frozen=True)
class PlanOptions:
    """What decides the network and its plan: `mnv2c.compile` tells what each is."""

    model: str | Path
    target: str | Path = "host"
    _: KW_ONLY
    width: float | None = None
    resolution: int | str | tuple[int, int] | None = None
    classes: int | None = None
    input_shape: Given = None
    weights: str | Path | None = None
    weights_source: str | None = None
    seed: int = 0
    name: str | None = None
    threads: int = 1
    arena_limit: int | None = None
    join: bool = True
    schedules: str | Path | None = None
    progress: Progress | None = field(default=None, compare=False)

    def check_values(self) -> None:
        """Raise UserError for what no library is made for."""
        if not 1 <= self.threads <= MOST_THREADS:
            raise UserError(f"threads {self.threads}: give 1 to {MOST_THREADS}")
        if self.arena_limit is not None and self.arena_limit < 0:
            raise UserError(f"arena limit {self.arena_limit}: give a number of bytes, 0 or more")

    def tell(self, phase: str, fraction: float) -> None:
        """Tell whoever wants to know that a phase begins."""
        if self.progress is not None:
            self.progress(phase, fraction)


@dataclass(frozen=True)
class CompileOptions(PlanOptions):
    """And what decides the library, and what is written beside it."""

    _: KW_ONLY
    output: str | Path
    dtype: str = COMPUTED.name
    batch: int = 1
    libc: str | None = None
    cc: str | None = None
    ndk: str | Path | None = None
    labels: str | Path | None = None
    preprocessing: Mapping[str, Any] | None = None
    check: str | None = None
    dump: str | Path | None = None
    depfile: str | Path | None = None

    def check_values(self) -> None:
        """Raise UserError for what no library is made for."""
        if self.dtype != COMPUTED.name:
            raise UserError(f'dtype "{self.dtype}": only {COMPUTED.name} is supported so far')
        if self.batch != 1:
            raise UserError(f"batch {self.batch}: only 1 is supported; call the library once per image")
        super().check_values()
