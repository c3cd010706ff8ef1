"""What every contestant offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Prepared:
    """A contestant ready to run: ``run`` computes all outputs once, ``output`` is what that gave (see `together`).

    ``macs`` is the number of multiply-adds of a run where the contestant knows it, else 0. ``keep`` holds what must
    live as long: arrays that a library reads by their address.
    """

    run: Callable[[], object]
    output: Callable[[], NDArray[Any]]
    version: str
    macs: int = 0
    keep: object = None


def together(outputs: Sequence[Any]) -> NDArray[Any]:
    """Return the only output as it is, or the values of several, float32, one behind the other."""
    if len(outputs) == 1:
        return np.asarray(outputs[0])
    return np.concatenate([np.asarray(value, np.float32).ravel() for value in outputs])


def version(*packages: str) -> str:
    """Return names and versions of installed packages."""
    return ", ".join(f"{package} {metadata.version(package)}" for package in packages)
