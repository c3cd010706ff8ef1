"""What this machine is: CPU features from /proc/cpuinfo, caches from sysfs (Linux)."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

FEATURE_FIELDS = ("flags", "Features")
"""The fields of /proc/cpuinfo with the feature names: x86 and ARM."""

SUFFIX = {"K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(frozen=True)
class Machine:
    """A machine: features common to all cores, parts as in ``Target.cpu_parts``, cache sizes in bytes (0: unknown)."""

    arch: str
    features: frozenset[str]
    parts: frozenset[str] = frozenset()
    l1d_bytes: int = 0
    l2_bytes: int = 0
    l3_bytes: int = 0
    cores: int = 1


def detect(root: Path = Path("/")) -> Machine:
    """Describe the machine whose ``/proc`` and ``/sys`` stand under ``root``; what they lack stays empty or 0."""
    features, parts = _cpuinfo(root / "proc/cpuinfo")
    caches = _caches(root / "sys/devices/system/cpu/cpu0/cache")
    return Machine(
        arch=platform.machine(),
        features=features,
        parts=parts,
        l1d_bytes=caches.get((1, "Data"), 0),
        l2_bytes=caches.get((2, "Unified"), 0),
        l3_bytes=caches.get((3, "Unified"), 0),
        cores=len(os.sched_getaffinity(0)),
    )


def _cpuinfo(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    per_core: list[frozenset[str]] = []
    parts: set[str] = set()
    family = ""
    for line in _lines(path):
        key, _, value = line.partition(":")
        if key.strip() in FEATURE_FIELDS:
            per_core.append(frozenset(value.split()))
        elif key.strip() == "CPU part":
            parts.add(value.strip())
        elif key.strip() == "cpu family":
            family = value.strip()
        elif key.strip() == "model" and family.isdigit() and value.strip().isdigit():
            parts.add(f"{int(family) << 8 | int(value):#x}")
    common = frozenset.intersection(*per_core) if per_core else frozenset()
    return common, frozenset(parts)


def _caches(folder: Path) -> dict[tuple[int, str], int]:
    """Bytes by (level, type)."""
    sizes: dict[tuple[int, str], int] = {}
    for index in sorted(folder.glob("index*")):
        level, kind, size = (next(iter(_lines(index / name)), "") for name in ("level", "type", "size"))
        if level.isdigit() and size:
            sizes[int(level), kind] = int(size.rstrip("KMG")) * SUFFIX.get(size[-1], 1)
    return sizes


def _lines(path: Path) -> list[str]:
    """The lines of a file of the kernel; none where the kernel does not offer it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
