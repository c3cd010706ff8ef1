"""A trained module as a small weights file that says everything that is needed to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mnv2c.errors import WeightsError
from mnv2c.learning.reference.load import load_weights, module_name
from mnv2c.learning.training.loop import Recipe
from mnv2c.learning.training.task import PREPROCESSING, Task
from mnv2c.spec import to_toml
from mnv2c.weights import Card, expected, write

LICENCE = "Apache-2.0; trained on pictures that mnv2c.learning.scenes draws, which contain nothing of anyone else's"

Arrays = dict[str, "np.ndarray[Any, Any]"]


def half_precision(task: Task, network: nn.Module) -> Arrays:
    """The weights by mnv2c's names as float16; WeightsError where a value is out of its range."""
    state = network.state_dict()
    found: Arrays = {}
    for name in expected(task.spec):
        exact = state[module_name(name)].detach().float().numpy()
        with np.errstate(over="ignore"):  # which is told below
            found[name] = exact.astype(np.float16)
        if not np.isfinite(found[name]).all():
            raise WeightsError(f'tensor "{name}" reaches {np.abs(exact).max():g}, beyond float16: train with less rate')
    return found


def rounded(task: Task, network: nn.Module) -> nn.Module:
    """Put the weights that the file will have into ``network``, so that what is measured is what is written."""
    weights = {name: tensor.astype(np.float32) for name, tensor in half_precision(task, network).items()}
    return load_weights(network, weights)


def export(
    path: Path, task: Task, network: nn.Module, recipe: Recipe, accuracy: Mapping[str, Any], **more: Any
) -> None:
    """Write the weights as float16 safetensors with their card; ``more`` is added to its recipe. OutputError."""
    card = Card(
        task=task.spec.family,
        spec=to_toml(task.spec),
        labels=task.labels,
        preprocessing=PREPROCESSING,
        recipe={**asdict(recipe), "torch": torch.__version__, **more},
        accuracy=dict(accuracy),
        licence=LICENCE,
        seed=recipe.seed,
    )
    write(path, half_precision(task, network), card.metadata())
