"""What a profile returns: figures of the steps and of the arena, with all that is needed to judge them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mnv2c.benchmark.result import Machine
from mnv2c.benchmark.timing import Timing
from mnv2c.runtime.description import ArenaBuffer
from mnv2c.spec.bounds import Bound


@dataclass(frozen=True)
class Traffic:
    """Bytes that a step must move at least: tensors read, tensors written, weights as packed for the kernel."""

    inputs: int
    outputs: int
    weights: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.inputs + self.outputs + self.weights


@dataclass(frozen=True)
class StepProfile:
    """A step: a chain's kernel, or a fallback, whose ``madds`` and ``peak_share`` may be None.

    ``median_ms`` is its time within a run, ``alone_ms`` when repeated with warm caches; ``arena_bytes`` is what is in
    use of the arena meanwhile.
    """

    number: int
    name: str
    stages: tuple[str, ...]
    madds: int | None
    median_ms: float
    alone_ms: float
    peak_share: float | None
    traffic: Traffic
    arena_bytes: int
    is_fallback: bool = False

    @property
    def gmacs(self) -> float | None:
        """10⁹ multiply-adds per second."""
        return self.madds / self.median_ms / 1e6 if self.madds and self.median_ms else None

    def as_dict(self, sum_ms: float) -> dict[str, Any]:
        """Plain data for JSON; ``sum_ms`` is what ``time_share`` is a share of."""
        moved = self.traffic.total
        return {
            "step": self.number,
            "name": self.name,
            "stages": list(self.stages),
            "fallback": self.is_fallback,
            "madds": self.madds,
            "median_ms": round(self.median_ms, 5),
            "time_share": round(self.median_ms / sum_ms, 4) if sum_ms else None,
            "alone_ms": round(self.alone_ms, 5),
            "gmacs": _rounded(self.gmacs, 3),
            "peak_share": _rounded(self.peak_share, 4),
            "input_bytes": self.traffic.inputs,
            "output_bytes": self.traffic.outputs,
            "weights_bytes": self.traffic.weights,
            "moved_bytes": moved,
            "moved_gbytes_per_s": _rounded(moved / self.median_ms / 1e6 if self.median_ms else None, 3),
            "madds_per_byte": _rounded(self.madds / moved if self.madds and moved else None, 3),
            "arena_bytes": self.arena_bytes,
        }


@dataclass(frozen=True)
class Bandwidth:
    """10⁹ bytes per second that one thread reads from a buffer of ``buffer_bytes``; ``name`` tells where that lies."""

    name: str
    buffer_bytes: int
    gbytes_per_s: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "gbytes_per_s": round(self.gbytes_per_s, 2)}


@dataclass(frozen=True)
class Arena:
    """The arena: its size, the most bytes in use at once and in which step, its buffers, the bounds to compare with."""

    bytes: int
    alive_bytes: int
    alive_at: str
    buffers: tuple[ArenaBuffer, ...]
    bounds: tuple[Bound, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **asdict(self),
            "buffers": [{**asdict(buffer), "tensors": list(buffer.tensors)} for buffer in self.buffers],
            "bounds": [{**asdict(bound), "equations": list(bound.equations)} for bound in self.bounds],
        }


@dataclass(frozen=True)
class Profile:
    """A profile; ``timing`` and ``spread`` are of whole runs, in the same rounds as the steps.

    ``sum_share`` is the sum of the steps' times over the time of a whole run; ``reading_ns`` is what a reading of the
    clock takes, which is subtracted from the time of every step.
    """

    name: str
    directory: Path
    target: str
    threads: int
    rounds: int
    runs: int
    madds: int
    timing: Timing
    spread: float
    sum_share: float
    reading_ns: float
    peak_gmacs: float
    peak_share: float
    bandwidths: tuple[Bandwidth, ...]
    steps: tuple[StepProfile, ...]
    arena: Arena
    machine: Machine

    @property
    def sum_ms(self) -> float:
        """The steps' times within a run, added up."""
        return sum(step.median_ms for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "directory": str(self.directory),
            "target": self.target,
            "threads": self.threads,
            "rounds": self.rounds,
            "runs": self.runs,
            "madds": self.madds,
            **self.timing.as_dict(),
            "spread": round(self.spread, 4),
            "sum_ms": round(self.sum_ms, 4),
            "sum_share": round(self.sum_share, 4),
            "alone_sum_ms": round(sum(step.alone_ms for step in self.steps), 4),
            "reading_ns": round(self.reading_ns, 1),
            "peak_gmacs": round(self.peak_gmacs, 2),
            "peak_share": round(self.peak_share, 4),
            "bandwidths": [bandwidth.as_dict() for bandwidth in self.bandwidths],
            "steps": [step.as_dict(self.sum_ms) for step in self.steps],
            "arena": self.arena.as_dict(),
            "machine": asdict(self.machine),
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
