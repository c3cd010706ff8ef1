"""The compiled library itself."""

from __future__ import annotations

from mnv2c import runtime
from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared, together
from mnv2c.common.version import __version__


def load(job: Job) -> Prepared:
    """Load the library into this process; LibraryError if it cannot run here."""
    library = runtime.load(job.library, job.threads, job.variant or None)
    inputs, outputs = job.library_inputs(), library.outputs()
    return Prepared(
        run=library.bind(inputs, outputs),  # as the peers: what does not change is prepared once
        output=lambda: together(outputs),
        version=f"mnv2c {__version__}",
        macs=job.macs,
    )
