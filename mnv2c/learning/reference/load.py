"""Weights by mnv2c's names into the reference modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch

from mnv2c.errors import WeightsError
from mnv2c.learning.reference.network import Body

# How the modules call what ends a name of ours; the first ending that fits counts.
ENDINGS = {
    ".bn.gamma": ".bn.weight",
    ".bn.beta": ".bn.bias",
    ".bn.mean": ".bn.running_mean",
    ".bn.variance": ".bn.running_var",
    ".dense.weight": ".dense.weight",
    ".predict.weight": ".predict.weight",
    ".classes.weight": ".classes.weight",
    ".bias": ".bias",
    ".weight": ".conv.weight",
}
HEAD = "head."

Network = TypeVar("Network", bound=Body)


def module_name(name: str) -> str:
    """Return the state-dict name of a tensor; raises WeightsError for what cannot be one of ours."""
    ending = next((ending for ending in ENDINGS if name.endswith(ending)), None)
    if ending is None:
        raise WeightsError(f'reference: tensor "{name}" is not part of any network')
    called = name.removesuffix(ending) + ENDINGS[ending]
    return f"head_{called.removeprefix(HEAD)}" if called.startswith(HEAD) else called


def load_weights(network: Network, weights: Mapping[str, np.ndarray]) -> Network:
    """Copy weights (``mnv2c.weights.expected`` names, float32) into ``network``, which is returned, in eval mode.

    Raises WeightsError unless names and shapes are exactly the network's.
    """
    state = {module_name(name): torch.from_numpy(np.array(tensor)) for name, tensor in weights.items()}
    own = network.state_dict()
    wanted = {name for name in own if not name.endswith("num_batches_tracked")}
    if differing := sorted(wanted ^ state.keys()):
        what = "is missing" if differing[0] in wanted else "is not part of the network"
        raise WeightsError(f'reference: tensor "{differing[0]}" {what}')
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            raise WeightsError(f'reference: tensor "{name}" is {tuple(tensor.shape)}, not {tuple(own[name].shape)}')
    network.load_state_dict(state, strict=False)
    network.eval()
    return network
