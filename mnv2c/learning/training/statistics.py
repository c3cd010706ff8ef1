"""Batch normalisation's statistics, estimated anew when the weights have come to rest.

During training they trail behind weights that still change, and average few batches. At the end the mean over many
batches is taken with the weights fixed, which is what the compiled library then uses.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from mnv2c.learning.training.task import Batch, to_input


def estimate_statistics(network: nn.Module, batches: Iterable[Batch]) -> None:
    """Replace mean and variance of every batch normalisation by averages over the batches; ends in eval mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    network.train()
    with torch.no_grad():
        for batch in batches:
            network(to_input(batch["image"]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
