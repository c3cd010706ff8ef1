"""Trains the networks of shapes: MobileNetV2, SSDLite and DeepLabv3 on scenes that are drawn as they are needed.

Usage: train_shapes.py TASK [--steps N] [--output FILE] ...      TASK: classifier, detector, segmenter

Stop it with Ctrl-C and start it again with the same options: it goes on from its checkpoint. Needs the extra ``torch``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mnv2c import spec
from mnv2c.common.progress import progress
from mnv2c.errors import Mnv2cError, UserError
from mnv2c.learning.scenes import HELD_OUT_SEED

WEIGHTS = Path(__file__).with_name("weights")
BATCH, WORKERS, EVERY = 32, 1, 200
DEFAULTS: dict[str, dict[str, Any]] = {
    "classifier": {"steps": 3000, "rate": 3e-3, "batch": 64},
    "detector": {"steps": 2000, "rate": 2e-3, "batch": 32},
    "segmenter": {"steps": 900, "rate": 2e-3, "batch": 16},
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="train a network on scenes of shapes")
    parser.add_argument("task", choices=sorted(DEFAULTS))
    parser.add_argument("--model", help="a description to train (default: shapes_TASK of the zoo)")
    parser.add_argument("--steps", type=int, help="batches to train with")
    parser.add_argument("--batch", type=int, help="scenes per batch")
    parser.add_argument("--rate", type=float, help="highest learning rate")
    parser.add_argument("--optimiser", default="adamw", help="adamw (default) or rmsprop, the paper's")
    parser.add_argument("--seed", type=int, default=1, help="of the weights and the scenes (default: 1)")
    parser.add_argument("--start", type=Path, help="a weights file of shapes whose equal tensors are taken over")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes that draw (default: {WORKERS})")
    parser.add_argument("--held-out", type=int, default=500, help="scenes to measure with (default: 500)")
    parser.add_argument("--checkpoint", type=Path, help="file to go on from (default: beside the output, hidden)")
    parser.add_argument("--output", type=Path, help="the weights file (default: examples/weights/shapes_TASK)")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    return parser.parse_args()


def main() -> int:
    """Train, measure, write; returns the exit code."""
    options = arguments()
    try:
        import torch
    except ImportError:
        raise UserError("PyTorch is needed to train: pip install 'mnv2c[torch]'") from None
    from mnv2c.learning.training import TASKS, Recipe, export, train
    from mnv2c.learning.training.export import rounded
    from mnv2c.learning.training.start import take_over

    torch.set_num_threads(options.threads)
    model = spec.load(options.model or f"shapes_{options.task}")
    if model.family != options.task:
        raise UserError(f"{model.name} is a {model.family}, not a {options.task}")
    given = {key: getattr(options, key) for key in ("steps", "batch", "rate") if getattr(options, key) is not None}
    recipe = Recipe(**{**DEFAULTS[options.task], **given}, optimiser=options.optimiser, seed=options.seed)
    if recipe.seed in (HELD_OUT_SEED, HELD_OUT_SEED - 1):
        raise UserError(f"seed {recipe.seed} would train on the scenes that are held out")
    output = options.output or WEIGHTS / f"{model.name}.safetensors"
    output.parent.mkdir(parents=True, exist_ok=True)
    task = TASKS[options.task](model)
    torch.manual_seed(recipe.seed)
    network = task.network()
    taken = take_over(options.start, task, network) if options.start else 0
    checkpoint = options.checkpoint or output.with_name(f".{output.stem}.checkpoint")
    phase = "beginning"
    with progress(options.quiet) as report:

        def log(step: int, loss: float) -> None:
            nonlocal phase
            phase = f"step {step}, loss {loss:.4f}"

        train(
            task,
            network,
            recipe,
            checkpoint=checkpoint,
            every=EVERY,
            workers=options.workers,
            report=lambda step, share: report(phase if share < 1 else step, share),
            log=log,
        )
    measured = task.measure(rounded(task, network), task.scenes(HELD_OUT_SEED, options.held_out))
    accuracy = {**measured, "scenes": options.held_out, "seed": HELD_OUT_SEED, "measured": "PyTorch, float16 weights"}
    source = {"start": f"{options.start.name}, {taken} tensors"} if options.start else {}
    export(output, task, network, recipe, accuracy, scenes="mnv2c.learning.scenes", **source)
    checkpoint.unlink(missing_ok=True)
    print(f"{output}: {output.stat().st_size:,} bytes; " + ", ".join(f"{k} {v:.4f}" for k, v in measured.items()))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mnv2cError as error:
        sys.exit(f"train_shapes: {error}")
    except KeyboardInterrupt:
        sys.exit("train_shapes: stopped; the same command goes on from the last checkpoint")
