"""The pipeline, top to bottom: a model description becomes a library in a folder.

spec → ONNX → Relax → normalised → fused → scheduled → planned → kernels → object → library
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.dtypes import COMPUTED
from mnv2c.errors import CompilerError, FallbackWarning, OnnxError, UserError

if TYPE_CHECKING:
    from mnv2c.compiler.dump import Dump
    from mnv2c.compiler.front import Front
    from mnv2c.from_onnx.input_shapes import Given
    from mnv2c.link.linker import Linker
    from mnv2c.records.best import Best
    from mnv2c.selfcheck import Check
    from mnv2c.targets.target import Target

MOST_THREADS = 16
"""More than the rows of the smallest strips or the column tiles of the last blocks would keep busy."""

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
    input_shape: Given = None,
    name: str | None = None,
    dtype: str = "float32",
    batch: int = 1,
    threads: int = 1,
    cc: str | None = None,
    libc: str | None = None,
    ndk: str | Path | None = None,
    arena_limit: int | None = None,
    join: bool = True,
    schedules: str | Path | None = None,
    labels: str | Path | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    check: str | None = None,
    dump: str | Path | None = None,
    depfile: str | Path | None = None,
    progress: Progress | None = None,
) -> Compiled:
    """Compile a zoo model, a TOML spec or an ONNX file into ``output``; the README lists the files written there.

    Several targets joined by "+" make one library with kernels for each, which chooses among them when it is started.
    Without ``weights`` the weights are random, from ``seed``; ``weights_source`` names their source (one of
    ``mnv2c.weights.SOURCES``) where the tensor names do not tell. ``width``, ``resolution`` (height x width) and
    ``classes`` override the spec. ``input_shape`` says how large the inputs of an ONNX file are that it leaves open:
    "1,3,224,224" or (1, 3, 224, 224) for the only one, {"NAME": (1, 3, 224, 224)} for several. Up to ``threads``
    threads can share the work of a run. ``arena_limit`` is the most memory, in bytes, that a run may take beside inputs
    and outputs; without, the smallest plan is taken that is predicted to be as fast as the fastest within half a
    percent. Without ``join`` every bottleneck has a kernel and a result of its own. ``schedules`` is the folder of the
    user's records of tuning, instead of that of ``$MNV2C_SCHEDULES`` or the user's data folder; "none" means that no
    records are used. ``labels`` is a text file with the name of a class per line; one that lacks only the background
    gets it. ``preprocessing`` says how pictures become inputs where the weights' source does not tell, or otherwise:
    ``mean`` and ``deviation`` (three numbers each, for pixel values of 0 to 1), ``fit`` ("stretch", "letterbox",
    "crop"), ``crop`` (the share that a crop keeps), ``channels`` ("rgb", "bgr"). ``check`` says which kernels run
    and are compared with onnxruntime before anything is written: "all" (the default, or what ``$MNV2C_CHECK`` says),
    which emulates those of other CPUs where qemu is installed, "native", or "none". ``dump`` is a folder for the
    artefact of every phase; ``depfile`` is a file for the names of all that was read, as make and ninja take them.
    Raises UserError, before anything is written, when an input is at fault, and VerificationError where the library
    computes something else than the network.
    """
    from mnv2c.compiler import pictures
    from mnv2c.compiler.depfile import inputs, write_depfile
    from mnv2c.compiler.dump import Dump
    from mnv2c.compiler.front import front
    from mnv2c.compiler.variants import load_variants, together
    from mnv2c.frames.labels import read_labels
    from mnv2c.link import select_linker
    from mnv2c.package import check_writable
    from mnv2c.records.best import load_best
    from mnv2c.selfcheck import Check

    tell = progress or (lambda phase, fraction: None)
    _refuse_unsupported(dtype, batch, threads)
    check_limit(arena_limit)
    chosen = load_variants(target, libc)
    best = [load_best(entry, threads, schedules) for entry in chosen]
    check_writable(output)
    if depfile is not None:
        check_writable(Path(depfile).parent)
    linker = select_linker(together(chosen), cc, ndk)
    named = read_labels(labels) if labels is not None else ()
    told = pictures.check_overrides(preprocessing or {})
    checked = Check.of(check or os.environ.get("MNV2C_CHECK") or Check.ALL)
    dumped = Dump(dump)

    begun = front(
        model,
        width=width,
        resolution=resolution,
        classes=classes,
        input_shape=input_shape,
        weights=weights,
        weights_source=weights_source,
        seed=seed,
        name=name,
        dumped=dumped,
        tell=tell,
    )
    begun = replace(begun, source=pictures.told(begun.source, named, told))
    wanted = _Wanted(arena_limit, threads, join, best, checked)
    metadata = _generate(begun, chosen, linker, Path(output), wanted, dumped, tell)
    if depfile is not None:
        archive = Path(output) / f"lib{begun.library}.a"
        records = [path for known in best for path in known.files]
        write_depfile(Path(depfile), archive, inputs(model, weights, target, labels, records))
    tell("done", 1.0)
    return Compiled(Path(output), begun.library, metadata)


@dataclass(frozen=True)
class _Wanted:
    """What decides the plan beside the network: see `compile_model`; ``best`` is what records know, by target.

    ``check`` is what runs before the library is published.
    """

    arena_limit: int | None
    threads: int
    join: bool
    best: Sequence[Best]
    check: Check


def _generate(
    begun: Front,
    targets: Sequence[Target],
    linker: Linker,
    output: Path,
    wanted: _Wanted,
    dumped: Dump,
    tell: Progress,
) -> dict[str, Any]:
    """The second half of the pipeline, for these targets; returns the metadata."""
    from mnv2c.compiler.artefacts import Variant
    from mnv2c.compiler.guard import one_line_errors
    from mnv2c.compiler.stages import build, publish, reference, schedule_variants
    from mnv2c.plan.assemble import assemble_variants

    source, library = begun.source, begun.library
    threads = wanted.threads
    tell("schedules, plan, kernels", 0.3)
    with one_line_errors(source.title, "planned"):
        scheduled = schedule_variants(
            begun.network, library, targets, wanted.arena_limit, threads, wanted.join, wanted.best
        )
        programs = assemble_variants(scheduled[0].network, [kernels.nodes for kernels in scheduled], threads)
    if scheduled[0].work.is_notable:
        warnings.warn(f"{source.title}: {scheduled[0].work.note}", FallbackWarning, stacklevel=3)
    tell("machine code", 0.5)
    variants = []
    for target, kernels, program in zip(targets, scheduled, programs, strict=True):
        own = dumped if len(targets) == 1 else dumped.within(target.name)
        own.plan(program, kernels)
        with one_line_errors(source.title, "compiled"):
            variants.append(Variant(target, kernels, program, build(kernels, target, own)))
    tell("self-test values", 0.8)
    at_fault = CompilerError if source.spec is not None else OnnxError
    with one_line_errors(source.title, "run by the reference, onnxruntime", at_fault):
        known = reference(source, programs[0])
    tell("linking", 0.9)
    return publish(output, library, source, variants, known, linker, wanted.check, tell)


def _refuse_unsupported(dtype: str, batch: int, threads: int) -> None:
    if dtype != COMPUTED.name:
        raise UserError(f'dtype "{dtype}": only {COMPUTED.name} is supported so far')
    if batch != 1:
        raise UserError(f"batch {batch}: only 1 is supported; call the library once per image")
    check_threads(threads)


def check_limit(limit: int | None) -> None:
    """Raise UserError for what is no number of bytes."""
    if limit is not None and limit < 0:
        raise UserError(f"arena limit {limit}: give a number of bytes, 0 or more")


def check_threads(threads: int) -> None:
    """Raise UserError for a number of threads that no library is made for."""
    if not 1 <= threads <= MOST_THREADS:
        raise UserError(f"threads {threads}: give 1 to {MOST_THREADS}")
