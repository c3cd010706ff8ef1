"""Whether a peer computes the same network: its output is compared with the library's, both left in a job's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mnv2c.benchmark.job import UnavailableError
from mnv2c.verification import tolerance

SAME = 1e-3
"""A peer whose output differs by more, relative to the largest value, does not compute the same network.

Of classes that is the share of pixels with another one: where two scores are almost equal, rounding decides.
"""


def difference(folder: Path, name: str) -> float:
    """How far ``NAME.npy`` is from ``ours.npy``; UnavailableError where that is too far."""
    ours, theirs = np.load(folder / "ours.npy"), np.load(folder / f"{name}.npy")
    if ours.size != theirs.size:
        raise UnavailableError(f"returns {theirs.size} values, the library {ours.size}")
    if np.issubdtype(ours.dtype, np.integer):
        return _differing_classes(theirs.reshape(ours.shape), ours)
    found = tolerance.relative_error(theirs.reshape(ours.shape), ours)
    if not found <= SAME:
        raise UnavailableError(f"computes something else: its output differs by {found:.1e} of the largest value")
    return found


def _differing_classes(theirs: np.ndarray[Any, Any], ours: np.ndarray[Any, Any]) -> float:
    found = float(np.mean(theirs != ours))
    if not found <= SAME:
        raise UnavailableError(f"computes something else: {found:.1%} of its classes differ")
    return found
