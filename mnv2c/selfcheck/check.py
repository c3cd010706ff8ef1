"""Runs a linked library and compares every output, and a frame's answer, with the reference's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c import package
from mnv2c.common.scratch import scratch_folder
from mnv2c.errors import CannotRunError, LibraryError, LinkerError, UserError, VerificationError
from mnv2c.runtime.child import as_array
from mnv2c.runtime.execution import AsProgram, is_native
from mnv2c.runtime.frame import Frame
from mnv2c.runtime.metadata import read
from mnv2c.selfcheck import answers
from mnv2c.selfcheck.child import Ran, run_apart
from mnv2c.selfcheck.reference import Reference
from mnv2c.verification.comparison import compare_on
from mnv2c.verification.double_precision import Verdict, settled, verdicts
from mnv2c.verification.tolerance import FLOAT32

if TYPE_CHECKING:
    import numpy as np

    from mnv2c.frames import Frames
    from mnv2c.runtime import Description

    Array = np.ndarray[Any, Any]
    Arrays = Mapping[str, Array]

Progress = Callable[[str, float], None]


class Check(StrEnum):
    """Which kernels run before a library is published: all that can run here, those this machine runs itself, none."""

    ALL = "all"
    NATIVE = "native"
    NONE = "none"

    @classmethod
    def of(cls, name: str) -> Check:
        """Return the check of that name; UserError for another word."""
        try:
            return cls(name)
        except ValueError:
            raise UserError(f"--check {name!r}: choose from {', '.join(cls)}") from None


@dataclass(frozen=True, eq=False)
class _Subject:
    """A library whose files lie in ``folder``, to be compared with ``reference``; ``onnx`` is the network's file."""

    folder: Path
    reference: Reference
    frames: Frames
    onnx: bytes

    def frame(self) -> Array | None:
        """The frame it is tried with; None where its input is no picture."""
        return answers.test_frame(self.frames.picture) if self.frames.picture is not None else None


def check_library(
    files: Mapping[str, package.Content],
    reference: Reference,
    frames: Frames,
    onnx: bytes,
    which: Check,
    tell: Progress,
) -> list[dict[str, str]]:
    """Check the library that ``files`` make up, before they are published.

    Returns an entry for each CPU it has kernels for: where they ran, or why they did not ("skipped"). Raises
    VerificationError, which names the first wrong step, where a result is not the reference's, or where it crashes.
    """
    with scratch_folder("check") as folder:
        package.lay_out(folder, files)
        description = read(folder)
        subject = _Subject(folder, reference, frames, onnx)
        each = [description.of(variant) for variant in description.variants] or [description]
        found = [_check(subject, variant, which, tell) for variant in each]
    if all("skipped" in entry for entry in found) and which is not Check.NONE:
        tell(f"not checked: {found[0]['skipped']}", 0.97)
    return found


def _check(subject: _Subject, description: Description, which: Check, tell: Progress) -> dict[str, str]:
    """Check the kernels of one CPU; the entry for ``NAME.json``."""
    entry = {"target": str(description.metadata["target"]["name"])}
    if which is Check.NONE:
        return {**entry, "skipped": "--check none"}
    try:
        if is_native(description):
            tell("checking the library", 0.95)
            runs = subject.reference.runs()
            inputs = [tuple(given.values()) for given, _ in runs]
            ran, where = run_apart(description, inputs, subject.frame()), "this CPU"
        else:
            machine = AsProgram(description, backwards=description.threads > 1)
            runs = ((subject.reference.inputs, subject.reference.values),)
            if machine.emulated and which is Check.NATIVE:
                return {**entry, "skipped": "--check native"}
            tell(f"checking the library under {machine.where}" if machine.emulated else "checking the library", 0.95)
            ran, where = _run_program(subject, description, machine), machine.where
    except (CannotRunError, LinkerError) as error:  # no emulator, or a function of libm that its programs lack
        return {**entry, "skipped": str(error)}
    except LibraryError as error:
        raise VerificationError(f"{error}; {_REPORT}") from error
    _compare(subject, description, ran, runs, where)
    return {**entry, "on": where}


def _run_program(subject: _Subject, description: Description, machine: AsProgram) -> Ran:
    outputs, _ = machine.run(tuple(subject.reference.inputs.values()))
    pixels = subject.frame()
    if pixels is None:
        return Ran((outputs,))
    functions, frame = machine.frames(), Frame.of(pixels, fit="stretch")
    loaded = functions.load(frame)
    if "run_frame" not in description.metadata.get("functions", ()):  # the answer is the caller's to make
        return Ran((outputs,), loaded)
    values = _of_frame(subject.reference, loaded)
    meant = functions.answer([values[port.name] for port in description.outputs], frame)
    return Ran((outputs,), loaded, as_array(meant))


def _compare(
    subject: _Subject, description: Description, ran: Ran, runs: tuple[tuple[Arrays, Arrays], ...], where: str
) -> None:
    for index, outputs in enumerate(ran.outputs):
        inputs, values = runs[index % len(runs)]  # one more than runs: the first one's, by parts in opposite order
        found = [
            subject.reference.result(port.name, output)
            for port, output in zip(description.outputs, outputs, strict=True)
        ]
        for result, verdict in zip(found, verdicts(found, values, subject.onnx, inputs), strict=True):
            if not verdict.right:
                wrong = _first_wrong(subject, description, result.names[0], verdict, inputs)
                raise VerificationError(f"{wrong}, on {where}; {_REPORT}")
    fault = _frame_fault(subject, description, ran)
    if fault is not None:
        raise VerificationError(f"{description.name}: what frames become or mean is wrong: {fault}; {_REPORT}")


def _frame_fault(subject: _Subject, description: Description, ran: Ran) -> str | None:
    picture, meaning, pixels = subject.frames.picture, subject.frames.answer, subject.frame()
    if picture is None or ran.loaded is None or pixels is None:
        return None
    wanted = answers.network_input(picture, pixels)
    off = float(abs(ran.loaded.reshape(wanted.shape) - wanted).max() / abs(wanted).max())
    if not off <= FLOAT32:
        return f"the input is off by {off:.1e}, {FLOAT32:.0e} is allowed"
    if meaning is None or ran.answer is None:
        return None
    values, names = _of_frame(subject.reference, ran.loaded), [port.name for port in description.outputs]
    fault = answers.answer_error(meaning, picture, ran.answer, {name: values[name] for name in names})
    if fault is None:
        return None
    sharp = settled(names, values, subject.onnx, _inputs_of(subject.reference, ran.loaded))
    return answers.answer_error(meaning, picture, ran.answer, {name: sharp[name].values for name in names})


def _of_frame(reference: Reference, loaded: Array) -> Mapping[str, Array]:
    """The reference's values for a frame."""
    return reference.run(_inputs_of(reference, loaded))


def _inputs_of(reference: Reference, loaded: Array) -> dict[str, Array]:
    """A frame as inputs: a network that takes pictures has one."""
    ((name, value),) = reference.inputs.items()
    return {name: loaded.reshape(value.shape)}


def _first_wrong(subject: _Subject, description: Description, output: str, verdict: Verdict, inputs: Arrays) -> str:
    """One line on the first wrong step: the library runs again, step by step, as a program of its own."""
    (subject.folder / f"{description.name}.onnx").write_bytes(subject.onnx)
    whole = f"{description.name}: output {output} is off by {verdict.error:.1e}, {verdict.allowed:.0e} is allowed"
    try:
        report = compare_on(description, AsProgram(description), inputs)
    except LibraryError as failed:
        return f"{whole} (and no step can be named: {failed})"
    wrong = next((item for item in report.comparisons if not item.passed), None)
    if wrong is None:
        return f"{whole}, though every step alone is right, in one thread"
    return (
        f"{description.name}: step {wrong.step} computes {wrong.tensor} otherwise than the reference: relative error "
        f"{wrong.error:.1e}, {wrong.allowed:.0e} is allowed"
    )


_REPORT = (
    "nothing was written. This is a fault of mnv2c: please report it with the model; --check none publishes the "
    "library all the same"
)
