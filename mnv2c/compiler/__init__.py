"""The pipeline, top to bottom: a model description becomes a library in a folder.

spec → ONNX → Relax → normalised → fused → scheduled → planned → kernels → object → library
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnv2c.errors import UserError

Progress = Callable[[str, float], None]
"""Receives the name of the phase that begins and the fraction of the work done before it."""


@dataclass(frozen=True)
class Compiled:
    """What a compile left behind: the folder, the library's name, its metadata (``NAME.json``)."""

    directory: Path
    name: str
    metadata: dict[str, Any]


def compile_model(
    model: str | Path,
    target: str | Path = "host",
    *,
    output: str | Path,
    weights: str | Path | None = None,
    weights_source: str | None = None,
    seed: int = 0,
    width: float | None = None,
    resolution: int | str | tuple[int, int] | None = None,
    classes: int | None = None,
    name: str | None = None,
    dtype: str = "float32",
    batch: int = 1,
    cc: str | None = None,
    libc: str | None = None,
    dump: str | Path | None = None,
    progress: Progress | None = None,
) -> Compiled:
    """Compile a zoo model, a TOML spec or an ONNX file into ``output``; the README lists the files written there.

    Without ``weights`` the weights are random, from ``seed``; ``weights_source`` names their source (one of
    ``mnv2c.weights.SOURCES``) where the tensor names do not tell. ``width``, ``resolution`` (height x width) and
    ``classes`` override the spec. ``dump`` is a folder for the artefact of every phase. Raises UserError, before
    anything is written, when an input is at fault.
    """
    from mnv2c import targets
    from mnv2c.compiler.dump import Dump
    from mnv2c.compiler.guard import one_line_errors
    from mnv2c.compiler.source import library_name, read_source
    from mnv2c.link import select_linker
    from mnv2c.package import check_writable

    tell = progress or (lambda phase, fraction: None)
    _refuse_unsupported(dtype, batch)
    chosen = targets.load(target, libc=libc)
    check_writable(output)
    linker = select_linker(chosen, cc)
    dumped = Dump(dump)

    tell("spec to ONNX", 0.0)
    source = read_source(
        model, weights, seed, width=width, resolution=resolution, classes=classes, weights_source=weights_source
    )
    library = library_name(source, name)
    dumped.onnx(source.serialized)
    tell("ONNX to Relax, fusion", 0.05)
    from mnv2c.compiler.stages import build, expected_outputs, fuse, publish, schedule
    from mnv2c.plan.assemble import assemble

    with one_line_errors(source.title, "understood"):
        network = fuse(source.model, dumped.text)
    tell("schedules, plan, kernels", 0.3)
    with one_line_errors(source.title, "planned"):
        kernels = schedule(network, library, chosen)
        program = assemble(network, kernels.nodes)
    dumped.plan(program, kernels)
    tell("machine code", 0.5)
    with one_line_errors(source.title, "compiled"):
        kernel_object = build(kernels, chosen, dumped)
    tell("self-test values", 0.8)
    with one_line_errors(source.title, "run by the reference, onnxruntime"):
        expected = expected_outputs(source, program)
    tell("linking", 0.9)
    metadata = publish(
        Path(output), library, chosen, source, network, kernels, program, kernel_object, expected, linker
    )
    tell("done", 1.0)
    return Compiled(Path(output), library, metadata)


def _refuse_unsupported(dtype: str, batch: int) -> None:
    if dtype != "float32":
        raise UserError(f'dtype "{dtype}": only float32 is supported so far')
    if batch != 1:
        raise UserError(f"batch {batch}: only 1 is supported; call the library once per image")
