"""What every contestant offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Prepared:
    """A contestant ready to run: ``run`` computes once, ``output`` is what the last run computed, float32.

    ``macs`` is the number of multiply-adds of a run where the contestant knows it, else 0. ``keep`` holds what must
    live as long: arrays that a library reads by their address.
    """

    run: Callable[[], object]
    output: Callable[[], NDArray[Any]]
    version: str
    macs: int = 0
    keep: object = None


def version(*packages: str) -> str:
    """Return names and versions of installed packages."""
    return ", ".join(f"{package} {metadata.version(package)}" for package in packages)
