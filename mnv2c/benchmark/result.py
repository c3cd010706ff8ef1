"""What a benchmark returns: figures with all that is needed to judge them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mnv2c.benchmark.counts import Counted, Counts
from mnv2c.benchmark.timing import Timing
from mnv2c.common.version import __version__


@dataclass(frozen=True)
class Machine:
    """Where it was measured: name of the CPU, usable cores, operating system, load at the start, versions."""

    cpu: str
    cores: int
    system: str
    load: float
    versions: Mapping[str, str]


def machine() -> Machine:
    """Describe this machine."""
    from mnv2c.report.doctor import processor

    versions = {"mnv2c": __version__, "python": platform.python_version(), "numpy": metadata.version("numpy")}
    return Machine(
        cpu=processor(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.machine()}",
        load=round(os.getloadavg()[0], 2),
        versions=versions,
    )


@dataclass(frozen=True)
class PeerResult:
    """A peer on the same network: ``ratio`` is our time divided by its time (below 1: the library is faster).

    ``difference`` is max |its output - ours| / max |ours|.
    """

    version: str
    timing: Timing
    ratio: float
    difference: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **self.timing.as_dict(),
            **_comparison(self),
        }


def _comparison(peer: PeerResult | PeerCounts) -> dict[str, Any]:
    """What a peer is compared by, however it was measured, as plain data."""
    return {
        "ratio": round(peer.ratio, 4),
        "version": peer.version,
        "difference": float(f"{peer.difference:.2e}"),
    }


@dataclass(frozen=True)
class Timed:
    """Times of a library on this machine and of its peers; ``missing`` tells of each absent peer why it is absent.

    ``peak_share`` is the achieved multiply-adds per second over those of ``peak_gmacs`` (10⁹ per second, all threads);
    ``spread`` is how much the slowest round exceeded the fastest, as a share.
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
    peak_share: float
    peak_gmacs: float
    peers: Mapping[str, PeerResult]
    missing: Mapping[str, str]
    machine: Machine

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "directory": str(self.directory),
            "target": self.target,
            "device": "local",
            "threads": self.threads,
            "rounds": self.rounds,
            "runs": self.runs,
            "madds": self.madds,
            **self.timing.as_dict(),
            "spread": round(self.spread, 4),
            "peak_share": round(self.peak_share, 4),
            "peak_gmacs": round(self.peak_gmacs, 2),
            "peers": {name: peer.as_dict() for name, peer in self.peers.items()},
            "missing": dict(self.missing),
            "machine": asdict(self.machine),
        }


@dataclass(frozen=True)
class PeerCounts:
    """A peer's counts of the same inference: ``ratio`` is our instructions divided by its (below 1: we execute fewer).

    ``marking`` is what an interval with an empty function in it costs; ``counts`` includes as much. ``difference`` is
    max |its output - ours| / max |ours|.
    """

    version: str
    counts: Counts
    marking: Counts
    ratio: float
    difference: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **self.counts.as_dict(),
            **_comparison(self),
            "marking": self.marking.as_dict(),
        }


@dataclass(frozen=True)
class Emulated:
    """Counts of a library and its peers under emulation, and no times; the library's are exact and repeatable.

    ``missing`` tells of each absent peer why it is absent.
    """

    name: str
    directory: Path
    target: str
    madds: int
    counted: Counted
    peers: Mapping[str, PeerCounts]
    missing: Mapping[str, str]
    machine: Machine

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; ``steps`` is empty unless asked for."""
        return {
            "name": self.name,
            "directory": str(self.directory),
            "target": self.target,
            "device": "emulator",
            "where": self.counted.simulator.where,
            "cache_model": self.counted.simulator.model,
            "madds": self.madds,
            **self.counted.whole.as_dict(),
            "steps": [{"step": name, **counts.as_dict()} for name, counts in self.counted.steps],
            "peers": {name: peer.as_dict() for name, peer in self.peers.items()},
            "missing": dict(self.missing),
            "machine": asdict(self.machine),
        }
