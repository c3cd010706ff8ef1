"""A start from weights that were trained on something else: what has the same name and shape is taken over."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from mnv2c.errors import WeightsError
from mnv2c.learning.reference.load import module_name
from mnv2c.learning.training.task import Task
from mnv2c.weights import expected
from mnv2c.weights.files import open_safetensors


def take_over(path: Path, task: Task, network: nn.Module) -> int:
    """Copy tensors of mnv2c's names into ``network`` where shapes agree; return how many. WeightsError if none do."""
    state = network.state_dict()
    taken = 0
    with open_safetensors(str(path)) as file, torch.no_grad():
        for name, shape in expected(task.spec).items():
            if file.shapes.get(name) == shape:
                state[module_name(name)].copy_(torch.from_numpy(file.tensor(name)))
                taken += 1
    if not taken:
        raise WeightsError(f"{path}: no tensor of {task.spec.name} in it, or none of the same shape")
    return taken
