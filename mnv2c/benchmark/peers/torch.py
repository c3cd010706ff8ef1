"""PyTorch: the reference module, eager, channels last in memory, batch normalisation folded by ``torch.jit``."""

from __future__ import annotations

from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared, together, version


def load(job: Job) -> Prepared:
    """Build the module from the library's spec and weights; UnavailableError where there is no spec."""
    weights = job.weights()
    import torch

    from mnv2c.learning.reference import build, load_weights
    from mnv2c.spec import from_toml

    torch.set_num_threads(job.threads)
    network = load_weights(build(from_toml(job.spec)), weights).to(memory_format=torch.channels_last)
    picture = torch.from_numpy(job.picture()).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, picture)))

    def run() -> list[torch.Tensor]:
        with torch.inference_mode():
            results = traced(picture)
            return [results] if isinstance(results, torch.Tensor) else list(results)

    return Prepared(run, lambda: together(run()), version("torch"))
