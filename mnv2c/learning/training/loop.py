"""The training itself: optimiser, learning rate, checkpoints from which it goes on, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnv2c.common.files import replace_file
from mnv2c.errors import OutputError, UserError
from mnv2c.learning.training.task import Task, to_input

CLIP = 5.0  # largest norm of a gradient
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; equal recipes on equal machines give equal networks.

    ``optimiser`` is "adamw", or "rmsprop" with the paper's decay and momentum of 0.9. The learning rate rises from
    zero in the first ``warm_up`` steps to ``rate``, and falls to zero as a cosine. ``steps`` are batches of ``batch``
    scenes of ``seed``; no scene is seen twice.
    """

    steps: int
    batch: int = 32
    optimiser: str = "adamw"
    rate: float = 3e-3
    weight_decay: float = 4e-5
    warm_up: int = 100
    seed: int = 1
    estimate: int = 60  # batches for the statistics at the end

    def __post_init__(self) -> None:
        """UserError for what cannot be trained with."""
        if self.optimiser not in OPTIMISERS:
            raise UserError(f'optimiser "{self.optimiser}": choose from {", ".join(OPTIMISERS)}')
        if min(self.steps, self.batch, self.estimate) < 1 or min(self.rate, self.weight_decay, self.warm_up) < 0:
            raise UserError(f"recipe {asdict(self)}: steps, batch and estimate must be at least 1, nothing negative")

    def share(self, step: int) -> float:
        """The learning rate of a step, relative to ``rate``."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        return 0.5 * (1 + cos(pi * (step - self.warm_up) / max(1, self.steps - self.warm_up)))


def _adamw(groups: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))


def _rmsprop(groups: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(groups, lr=rate, alpha=0.9, momentum=0.9, eps=1e-3)


OPTIMISERS = {"adamw": _adamw, "rmsprop": _rmsprop}


def train(
    task: Task,
    network: nn.Module,
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    every: int = 200,
    workers: int = 0,
    report: Report = lambda phase, share: None,
    log: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train ``network`` in place and estimate its statistics; it is in eval mode then.

    ``checkpoint`` is a file that is written ``every`` so many steps, and gone on from where it exists: UserError where
    it is of another recipe. ``log`` is told the mean loss since it was last told, about every 20 steps.
    """
    torch.manual_seed(recipe.seed)
    optimiser = OPTIMISERS[recipe.optimiser](_groups(network, recipe.weight_decay), recipe.rate)
    network.to(memory_format=torch.channels_last)
    first = _resume(checkpoint, task, network, optimiser, recipe)
    network.train()
    losses: list[float] = []
    ahead = task.batches(recipe.seed, recipe.steps, recipe.batch, first).loader(workers)
    for step, batch in enumerate(ahead, start=first):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * recipe.share(step)
        loss = task.loss(network(to_input(batch["image"])), batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % 20 == 0 or step + 1 == recipe.steps:
            log(step + 1, sum(losses) / len(losses))
            losses.clear()
        report(f"step {step + 1} of {recipe.steps}", (step + 1) / recipe.steps)
        if checkpoint is not None and (step + 1) % every == 0:
            _save(checkpoint, step + 1, task, network, optimiser, recipe)
    if checkpoint is not None:
        _save(checkpoint, recipe.steps, task, network, optimiser, recipe)
    from mnv2c.learning.training.statistics import estimate_statistics

    report("batch normalisation", 1.0)
    estimate_statistics(network, task.batches(recipe.seed + 1, recipe.estimate, recipe.batch).loader(workers))


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Only the kernels of convolutions and matrices decay."""
    decaying = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _identity(task: Task, recipe: Recipe) -> dict[str, str]:
    return {"recipe": repr(recipe), "spec": repr(task.spec)}


def _save(
    path: Path, step: int, task: Task, network: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe
) -> None:
    """Write the state so that the file is always whole; OutputError."""
    state = {"step": step, "network": network.state_dict(), "optimiser": optimiser.state_dict()}
    try:
        replace_file(path, lambda made: torch.save(state | _identity(task, recipe), made))
    except (OSError, RuntimeError) as error:  # PyTorch raises the second for a folder that is missing or full
        raise OutputError(f"{path}: cannot be written: {' '.join(str(error).split())}") from None


def _resume(path: Path | None, task: Task, network: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe) -> int:
    """Load a checkpoint that exists; return the number of steps it has behind it."""
    if path is None or not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        fits = all(state[key] == value for key, value in _identity(task, recipe).items())
    except Exception:  # a damaged archive may raise anything
        raise UserError(f"{path}: not a checkpoint that can be read; remove it to start again") from None
    if not fits:
        raise UserError(f"{path}: of another recipe or network; remove it, or name another file")
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
