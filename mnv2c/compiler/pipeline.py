"""THE list: every phase between what a user names and the folder with the library, in order, and what runs it.

model → ONNX → Relax → normalised → fused → network → candidates → plan → kernels → program → object → library → folder
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mnv2c.compiler import dump, phases
from mnv2c.compiler.compilation import Compilation
from mnv2c.compiler.dump import Dump, Files, no_files
from mnv2c.compiler.guard import one_line_errors
from mnv2c.errors import CompilerError, Mnv2cError, OnnxError


@dataclass(frozen=True)
class Phase:
    """A row of the pipeline: ``run`` takes what earlier rows made and adds its own.

    An error that is not typed becomes one of the kind ``fault``, which says what the model ``cannot`` be. ``artefacts``
    are those of ``--dump``, by file name. ``progress`` is what people see when it begins, and the share of the work
    that is then done; a row without belongs to the one before.
    """

    name: str
    run: Callable[[Compilation], None]
    cannot: str
    artefacts: Callable[[Compilation], Files] = no_files
    progress: tuple[str, float] | None = None
    fault: Callable[[Compilation], type[Mnv2cError]] = lambda state: CompilerError


def whose_fault(state: Compilation) -> type[Mnv2cError]:
    """A file that the reference cannot run is its author's fault, a model of ours is our own."""
    return OnnxError if state.source.spec is None else CompilerError


PHASES = (
    Phase("source", phases.source, "read", dump.onnx, ("spec to ONNX", 0.0)),
    Phase("import", phases.import_model, "understood", dump.relax("20-relax.py"), ("ONNX to Relax, fusion", 0.05)),
    Phase("normalise", phases.normalise, "understood", dump.relax("25-normalised.py")),
    Phase("fuse", phases.fuse, "understood", dump.relax("30-fused.py")),
    Phase("network", phases.network, "understood"),
    Phase("candidates", phases.candidates, "planned", progress=("schedules, plan, kernels", 0.3)),
    Phase("plan", phases.plan, "planned"),
    Phase("kernels", phases.kernels, "planned"),
    Phase("program", phases.program, "planned", dump.plan_and_kernels),
    Phase("object", phases.machine_code, "compiled", dump.llvm, ("machine code", 0.5)),
    Phase(
        "expected",
        phases.expected,
        "run by the reference, onnxruntime",
        progress=("self-test values", 0.8),
        fault=whose_fault,
    ),
    Phase("library", phases.library, "linked", progress=("linking", 0.9)),
    Phase("check", phases.check, "checked"),
    Phase("publish", phases.publish, "written"),
)


def run(state: Compilation, first: str = "source", last: str = "publish", folder: Dump | None = None) -> Compilation:
    """Run the phases from the ``first`` to the ``last`` one and return the state; every error is one line."""
    names = [phase.name for phase in PHASES]
    for phase in PHASES[names.index(first) : names.index(last) + 1]:
        if phase.progress is not None:
            state.options.tell(*phase.progress)
        source = getattr(state, "source", None)
        title = str(state.options.model) if source is None else source.title
        with one_line_errors(title, phase.cannot, phase.fault(state)):
            phase.run(state)
        if folder is not None and folder.wanted:
            folder.write(phase.artefacts(state))
    return state
