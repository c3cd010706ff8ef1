"""Nothing but fused multiply-adds: the yardstick for ``peak_share``. Runs the ``peak.so`` of the job's folder."""

from __future__ import annotations

import ctypes

import numpy as np

from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared

ROUNDS = 400_000
"""Passes over all accumulators in a run: about a millisecond."""


def load(job: Job) -> Prepared:
    """Load the loop of ``c/peak.c``."""
    function = ctypes.CDLL(str(job.folder / "peak.so")).peak_run
    function.restype = ctypes.c_uint64
    rounds = ctypes.c_uint64(ROUNDS)
    return Prepared(
        run=lambda: function(rounds),
        output=lambda: np.zeros(1, np.float32),
        version="one core",
        macs=function(rounds),
    )
