"""What every phase of the pipeline does, in their order: the work itself is that of the packages they call."""

from __future__ import annotations

import warnings

from mnv2c.compiler.compilation import Compilation
from mnv2c.errors import FallbackWarning


def source(state: Compilation) -> None:
    """Read what the user named: a description with its weights, or an ONNX file."""
    from mnv2c.compiler import pictures
    from mnv2c.compiler.source import library_name, read_source

    source = read_source(state.options)
    state.library = library_name(source, state.options.name)
    state.source = pictures.told(source, state.labels, state.preprocessing)


def import_model(state: Compilation) -> None:
    """ONNX to Relax: weights become constants."""
    from mnv2c.passes.order import canonical
    from mnv2c.to_relax.importer import import_onnx

    state.imported = import_onnx(state.source.model)
    state.module = canonical(state.imported.module)


def normalise(state: Compilation) -> None:
    """Bring what exporters write in many forms into one."""
    from mnv2c.passes.order import NORMALISE, run_passes

    state.module = run_passes(state.module, NORMALISE)


def fuse(state: Compilation) -> None:
    """Put every operator into a chain; what is left becomes a fallback."""
    from mnv2c.passes.order import FUSE, run_passes

    state.module = run_passes(state.module, FUSE)


def network(state: Compilation) -> None:
    """Read the Relax module into chains of stages and fallbacks, in the order in which they run."""
    from mnv2c.lower.read import read_network
    from mnv2c.plan.order import branches_first
    from mnv2c.to_relax.inferred import check_outputs

    known = state.imported
    network = read_network(state.module, known.names, known.shapes, known.inputs, known.outputs, known.orders)
    found = {name: network.tensors[name] for name in network.outputs}
    check_outputs(known.inferred, {name: (tensor.shape, tensor.dtype) for name, tensor in found.items()})
    state.network = branches_first(network)


def candidates(state: Compilation) -> None:
    """Lower the fallbacks and prepare each target's planner, which lays out and prices every way to run a chain."""
    from mnv2c.compiler.variants import prefix
    from mnv2c.planner.prepare import prepare

    options = state.options
    state.prepared = [
        prepare(
            state.network, prefix(state.library, target, state.targets), target, options.threads, options.join, known
        )
        for target, known in zip(state.targets, state.best, strict=True)
    ]


def plan(state: Compilation) -> None:
    """Cut the network into chains and choose how each of them runs."""
    from mnv2c.planner.recorded import plan

    state.cuts = plan(state.prepared, state.options.arena_limit, state.options.threads)


def kernels(state: Compilation) -> None:
    """Emit a kernel for each distinct way; FallbackWarning where fallbacks do much of the work."""
    from mnv2c.compiler.emitting import emit
    from mnv2c.compiler.variants import prefix
    from mnv2c.plan.work import fallback_work
    from mnv2c.planner.choose import cut as cut_as

    cut, work = cut_as(state.network, state.cuts), fallback_work(state.network)
    ways = [piece.option.of_each for piece in state.cuts.pieces]
    state.kernels = [
        emit(
            cut,
            work,
            state.cuts,
            [way[index] for way in ways],
            prefix(state.library, target, state.targets),
            state.prepared[index],
            target,
        )
        for index, target in enumerate(state.targets)
    ]
    if work.is_notable:  # seen from whoever called `mnv2c.compile`
        warnings.warn(f"{state.source.title}: {work.note}", FallbackWarning, stacklevel=6)


def program(state: Compilation) -> None:
    """Place all tensors in one arena and write down the calls."""
    from mnv2c.plan.assemble import assemble_variants

    nodes = [kernels.nodes for kernels in state.kernels]
    state.programs = assemble_variants(state.kernels[0].network, nodes, state.options.threads)


def machine_code(state: Compilation) -> None:
    """Compile the kernels of each target into an object file."""
    from mnv2c.codegen.object import build_object

    built = [
        build_object(kernels.functions, target, text=state.keeps_text)
        for target, kernels in zip(state.targets, state.kernels, strict=True)
    ]
    state.objects, state.texts = [each.content for each in built], [each.llvm for each in built]


def expected(state: Compilation) -> None:
    """Compute what the library must: the reference's values for the pattern of the self-test."""
    from mnv2c.compiler.expected import reference

    state.known = reference(state.source, state.programs[0])


def library(state: Compilation) -> None:
    """Write the C around the kernels, and link."""
    from mnv2c.compiler.library import link, sources

    state.sources = sources(state)
    state.files = link(state, state.sources)


def check(state: Compilation) -> None:
    """Run the library and compare it with the reference; VerificationError where it is wrong."""
    from mnv2c.compiler.library import beside
    from mnv2c.selfcheck import check_library

    made = state.sources
    checked = check_library(
        state.files, state.known, made.frames, state.source.serialized, state.check, state.options.tell
    )
    state.files = beside(state, made, checked)


def publish(state: Compilation) -> None:
    """Write the folder, whole."""
    from mnv2c import package

    package.write(state.folder, state.files)
