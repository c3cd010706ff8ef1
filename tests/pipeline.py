"""Parts of the pipeline for tests that begin or end in the middle of it."""

from __future__ import annotations

import onnx

from mnv2c.compiler.artefacts import Kernels
from mnv2c.compiler.compilation import Compilation
from mnv2c.compiler.options import PlanOptions
from mnv2c.compiler.pipeline import run
from mnv2c.compiler.source import Source
from mnv2c.plan.network import Network
from mnv2c.records.best import NOTHING
from mnv2c.targets import Target


def fuse(model: onnx.ModelProto) -> Network:
    """The network of chains and fallbacks of a model in memory."""
    state = Compilation(PlanOptions("model"))
    state.source = Source(model, b"", "model", "", {}, "")
    return run(state, first="import", last="network").network


def network(model: object, **options: object) -> Network:
    """The network of what a user may name."""
    return run(Compilation(PlanOptions(model, **options)), last="network").network  # type: ignore[arg-type]


def schedule(found: Network, library: str, target: Target, threads: int = 1, **options: object) -> Kernels:
    """The kernels of a network for one target, without records."""
    state = Compilation(PlanOptions("model", threads=threads, **options), (target,), (NOTHING,))  # type: ignore[arg-type]
    state.source, state.library, state.network = Source(onnx.ModelProto(), b"", "model", "", {}, ""), library, found
    return run(state, first="candidates", last="kernels").kernels[0]
