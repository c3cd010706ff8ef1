"""Compiles a model as options say and compares every step and output of several runs with onnxruntime."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx

from mnv2c import targets
from mnv2c.api import compile_model, plan_model
from mnv2c.errors import FallbackWarning, Mnv2cError, RecordsWarning, UserError
from mnv2c.records import best
from mnv2c.runtime.description import Description
from mnv2c.runtime.metadata import read
from mnv2c.verification import comparison
from mnv2c.verification.double_precision import Result, verdicts
from tests.fuzz.networks.machines import Child, CrashError, Emulated
from tests.fuzz.networks.options import Options
from tests.fuzz.networks.schedules import Drawn

RIGHT, REFUSED, WRONG, ERROR, CRASHED, UNKNOWN = "right", "refused", "wrong", "error", "crashed", "unknown"

REFUSALS = {
    "arena": r"an arena of \d+ bytes is too small",
    "not finite": r"holds NaN or infinity for an ordinary input",
    "one tensor twice": r"two outputs of the network are the same tensor",
}
"""The errors with which a network that is drawn here may be refused, all others are faults: names and patterns."""

NAME = "drawn"
FRAMES = (1, 2)
"""Seeds of the inputs of runs in one context."""


@dataclass(frozen=True)
class Outcome:
    """How a network fared; ``detail`` is one line. Two that ``fail`` alike have the same ``sign``."""

    kind: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.kind in (WRONG, ERROR, CRASHED)

    @property
    def sign(self) -> str:
        """The kind, and of an error what it says but for names and numbers."""
        said = re.sub(r'"[^"]*"|\S*\d\S*|/\S+', "*", self.detail.split(": ", 1)[-1])[:60]
        return f"{self.kind}: {said}" if self.kind == ERROR else self.kind


def check(model: onnx.ModelProto, options: Options) -> Outcome:
    """Compile and compare a model in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mnv2c-fuzz-") as folder:
        path = Path(folder) / f"{NAME}.onnx"
        onnx.save(model, path)
        return check_file(path, options, Path(folder) / "out")


def check_file(path: Path, options: Options, output: Path) -> Outcome:
    """Compile an ONNX file into ``output`` and compare it."""
    if not _runs(path):
        return Outcome(UNKNOWN, "onnxruntime does not run it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordsWarning)
            warnings.simplefilter("ignore", FallbackWarning)
            _compile(path, options, output)
        return _compared(path, output, options)
    except CrashError as error:
        return Outcome(CRASHED, str(error))
    except Mnv2cError as error:
        refusal = next((name for name, pattern in REFUSALS.items() if re.search(pattern, str(error))), None)
        if refusal is not None and isinstance(error, UserError):
            return Outcome(REFUSED, refusal)
        return Outcome(ERROR, f"{type(error).__name__}: {error}")
    except Exception as error:  # an error that is not typed is what is looked for
        return Outcome(ERROR, f"{type(error).__name__}: {str(error).strip().splitlines()[-1:]}")


def _runs(path: Path) -> bool:
    """Whether onnxruntime runs the file: some versions fail on what its own optimiser made."""
    model = onnx.load(path)
    try:
        comparison.reference_tensors(path, _inputs(model, FRAMES[0]), [])
    except Exception:  # whatever onnxruntime raises
        return False
    return True


def _inputs(model: onnx.ModelProto, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    shapes = {
        entry.name: [extent.dim_value for extent in entry.type.tensor_type.shape.dim] for entry in model.graph.input
    }
    return {name: random.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def _compile(path: Path, options: Options, output: Path) -> None:
    """As `mnv2c compile` does; its own check is left out, since this one looks closer."""
    chosen = targets.load(options.target)
    with _records(chosen, options):
        limit = None if options.limit is None else _limit(path, options)
        compile_model(
            path,
            options.target,
            output=output,
            name=NAME,
            threads=options.threads,
            join=options.join,
            arena_limit=limit,
            schedules="none",
            check="none",
        )


@contextmanager
def _records(target: targets.Target, options: Options) -> Iterator[None]:
    """Drawn schedules take the place of records of tuning."""
    if options.schedules is None:
        yield
        return
    drawn = Drawn(seed=options.schedules, target=target, threads=options.threads)
    with mock.patch.object(best, "load_best", lambda *arguments, **more: drawn):
        yield


def _limit(path: Path, options: Options) -> int:
    """Bytes between the smallest plan's arena and that of the fastest."""
    assert options.limit is not None
    sizes = [point.arena_bytes for point in plan_model(path, options.target, threads=options.threads).frontier]
    return round(min(sizes) + options.limit * (max(sizes) - min(sizes)))


def _compared(path: Path, output: Path, options: Options) -> Outcome:
    description = read(output)
    if options.emulated:
        return _ran(path, description, Emulated(description), FRAMES)
    outcome = _ran(path, description, Child(description), FRAMES)
    if outcome.kind == RIGHT and options.threads > 1:
        outcome = _ran(path, description, Child(description, backwards=True), FRAMES[-1:])
    return outcome


def _ran(path: Path, description: Description, machine: Child | Emulated, frames: Sequence[int]) -> Outcome:
    try:
        for seed in frames:
            report = comparison.compare(description.folder, seed, machine)
            if not report.passed:
                return Outcome(WRONG, f"input {seed}, {report.failure().removeprefix(f'{description.folder}: ')}")
        return _outputs(path, description, machine)
    finally:
        machine.close()


def _outputs(path: Path, description: Description, machine: Child | Emulated) -> Outcome:
    """Compare with the file itself: the reference in the folder might be wrong as the library is."""
    inputs = comparison.random_inputs(description, FRAMES[-1])
    outputs, _ = machine.run(tuple(inputs.values()))
    reference = comparison.reference_tensors(path, inputs, [])
    results = list[Result]()
    for port, found in zip(description.outputs, outputs, strict=True):
        wanted = reference[port.name]
        if wanted.dtype != np.float32:
            continue  # classes are compared by their scores, above
        if wanted.shape != found.shape:
            return Outcome(WRONG, f"output {port.name} has shape {found.shape}, not {wanted.shape}")
        results.append(_result(port.name, found))
    for result, verdict in zip(results, verdicts(results, reference, path, inputs), strict=True):
        if not verdict.right:
            return Outcome(WRONG, f"output {result.names[0]} differs from the file's by {verdict.error:.2e}")
    return Outcome(RIGHT)


def _result(name: str, found: np.ndarray[Any, Any]) -> Result:
    return Result((name,), lambda values: comparison.relative_error(found, values[name], "same"))
