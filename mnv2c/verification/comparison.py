"""Compares a compiled library with onnxruntime: its outputs, and the result of every step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.errors import CannotRunError, LibraryError, VerificationError
from mnv2c.verification import masks, tolerance
from mnv2c.verification.double_precision import Result, verdicts

if TYPE_CHECKING:
    import numpy as np

    from mnv2c.runtime import Description
    from mnv2c.runtime.execution import Executor

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Comparison:
    """One tensor: ``error`` is max |result - reference| / max |reference|, infinite where one is not finite.

    ``allowed`` is above the tolerance only where float32 cannot do better; see `mnv2c.verification.double_precision`.
    """

    step: str
    tensor: str
    error: float
    allowed: float = tolerance.FLOAT32

    @property
    def passed(self) -> bool:
        """True when the error is within what is allowed."""
        return self.error <= self.allowed


@dataclass(frozen=True)
class Report:
    """All comparisons of one library; ``where`` says what executed it.

    ``skipped`` says of which CPUs it has kernels for that cannot be run on this machine, and why.
    """

    directory: Path
    where: str
    comparisons: tuple[Comparison, ...]
    tolerance: float = tolerance.FLOAT32
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def max_rel_error(self) -> float:
        """The largest error of all tensors."""
        return max(item.error for item in self.comparisons)

    @property
    def passed(self) -> bool:
        """True when every error is within the tolerance."""
        return all(item.passed for item in self.comparisons)

    def failure(self) -> str:
        """One line on the first tensor, in the order of execution, that is out of tolerance."""
        bad = [item for item in self.comparisons if not item.passed]
        first = bad[0]
        return (
            f"{self.directory}: step {first.step} differs from the reference in {first.tensor}: relative error "
            f"{first.error:.2e}, tolerance {first.allowed:.0e} ({len(bad)} of {len(self.comparisons)} tensors differ)"
        )

    def raise_if_failed(self) -> None:
        """Raise VerificationError unless ``passed``."""
        if not self.passed:
            raise VerificationError(self.failure())

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; an infinite error becomes null."""
        return {
            "directory": str(self.directory),
            "where": self.where,
            "passed": self.passed,
            "tolerance": self.tolerance,
            "max_rel_error": _finite(self.max_rel_error),
            "steps": [
                {
                    "step": item.step,
                    "tensor": item.tensor,
                    "rel_error": _finite(item.error),
                    **({"allowed": item.allowed} if item.allowed > self.tolerance else {}),
                }
                for item in self.comparisons
            ],
            **({"skipped": dict(self.skipped)} if self.skipped else {}),
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def compare(
    directory: Path,
    seed: int = 0,
    machine: Executor | None = None,
    threads: int | None = None,
    variant: str | None = None,
) -> Report:
    """Run the library and its reference on the same random input and compare them.

    ``machine`` runs the library; without it, this machine with ``threads`` or an emulator. Of a library with kernels
    for several CPUs all are compared that can run, or those of ``variant``. LibraryError where the folder is incomplete
    or this machine cannot run the target.
    """
    from mnv2c.runtime.execution import executor
    from mnv2c.runtime.metadata import read

    if machine is not None:
        description = read(directory)
        return compare_on(description, machine, random_inputs(description, seed))
    variants = read(directory).variants if variant is None else ()
    if not variants:
        return _compare(seed, *executor(directory, threads, variant, guarded=True))
    reports, skipped = list[Report](), dict[str, str]()
    for name in variants:
        try:
            reports.append(_compare(seed, *executor(directory, threads, name, guarded=True)))
        except CannotRunError as error:
            skipped[name] = str(error)
    if not reports:
        raise LibraryError(f"{directory}: no variant runs on this machine: {'; '.join(skipped.values())}")
    where = ", ".join(dict.fromkeys(report.where for report in reports))
    return Report(directory, where, tuple(item for report in reports for item in report.comparisons), skipped=skipped)


def _compare(seed: int, description: Description, machine: Executor) -> Report:
    return compare_on(description, machine, random_inputs(description, seed))


def compare_on(description: Description, machine: Executor, inputs: Mapping[str, Array]) -> Report:
    """Compare the kernels of one CPU on these inputs; where the library has more, the steps' names begin with it."""
    before = f"{description.variant} " if description.variant else ""
    traced = [result for result in machine.trace(tuple(inputs.values())) if result.onnx]
    outputs, _ = machine.run(tuple(inputs.values()))
    path = description.folder / f"{description.name}.onnx"
    classes = _classes(path)
    wanted = [result.onnx for result in traced] + [port.name for port in description.outputs]
    scores = [classes[name].tensor for name in wanted if name in classes]
    reference = reference_tensors(path, inputs, [*wanted, *scores])

    def result(name: str, value: Array, layout: str) -> Result:
        if name not in classes or value.size != reference[name].size:
            return Result((name,), lambda values: relative_error(value, values[name], layout))
        return masks.result(name, value, classes[name])

    named = [(before + step.name, result(step.onnx, step.value, step.onnx_layout)) for step in traced]
    for port, array in zip(description.outputs, outputs, strict=True):
        named.append((f"{before}whole run", result(port.name, array, "same")))
    judged = verdicts([each for _, each in named], reference, path, inputs)
    comparisons = [
        Comparison(step, each.names[0], verdict.error, verdict.allowed)
        for (step, each), verdict in zip(named, judged, strict=True)
    ]
    return Report(description.folder, machine.where, tuple(comparisons))


def _classes(path: Path) -> dict[str, masks.Scores]:
    """What of the reference holds classes, and the scores they come from; nothing where the file is missing."""
    import onnx

    return masks.scores_of(onnx.load(path)) if path.is_file() else {}


def random_inputs(description: Description, seed: int) -> dict[str, Array]:
    """Return one array per input by name, the same ones for the same seed.

    Floating-point numbers are uniform in [-1, 1), bytes in 0 to 255; larger integers, which may be indices, 0 or 1.
    """
    import numpy as np

    generator = np.random.default_rng(seed)

    def drawn(shape: Sequence[int], dtype: str) -> Array:
        if np.issubdtype(dtype, np.floating):
            return np.asarray(generator.uniform(-1.0, 1.0, shape), dtype)
        return np.asarray(generator.integers(0, 256 if dtype == "uint8" else 2, shape), dtype)

    return {port.name: drawn(port.shape, port.dtype) for port in description.inputs}


def reference_tensors(path: Path, inputs: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
    """Run an ONNX file with onnxruntime; return its outputs and the ``wanted`` inner tensors by name."""
    import onnx

    from mnv2c.verification import onnx_reference

    if not path.is_file():
        raise LibraryError(f"{path}: missing; it is the reference that `mnv2c compile` writes beside the library")
    model = onnx.load(path)
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(wanted) if name not in known)
    session = onnx_reference.session(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def relative_error(result: Array, reference: Array, layout: str) -> float:
    """Compare an array of the library, NHWC, with an ONNX tensor stored as ``layout``: "NCHW" or "same"."""
    turned = reference.transpose(0, 2, 3, 1) if layout == "NCHW" and reference.ndim == 4 else reference
    if turned.size != result.size:
        return math.inf
    return tolerance.relative_error(result, turned.reshape(result.shape))
