"""The stages between the ONNX model and the folder: each takes the artefact before it and returns its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mnv2c.codegen.fallback import LoweredFallback
from mnv2c.codegen.object import build_object, llvm_version
from mnv2c.compiler import planning, recorded
from mnv2c.compiler.artefacts import Kernels, Variant
from mnv2c.compiler.phases import run_phases
from mnv2c.compiler.variants import prefix, together
from mnv2c.dtypes import COMPUTED
from mnv2c.errors import OnnxError
from mnv2c.kernels.ahead import fetched_bytes
from mnv2c.kernels.chain import emit_chain, pack_weights
from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.lower.read import read_network
from mnv2c.plan.assemble import NodeKernel
from mnv2c.plan.chain import Chain
from mnv2c.plan.network import ChainNode, FallbackNode, Network
from mnv2c.plan.order import branches_first
from mnv2c.plan.parts import Parts
from mnv2c.plan.work import FallbackWork, fallback_work, total_madds
from mnv2c.records.best import NOTHING, Best
from mnv2c.schedule.record import ChainSchedule
from mnv2c.to_relax.importer import import_onnx
from mnv2c.to_relax.inferred import check_outputs
from mnv2c.verification import masks
from mnv2c.verification.tolerance import FLOAT32

if TYPE_CHECKING:
    import onnx

    from mnv2c.codegen.selftest import Expected
    from mnv2c.compiler.dump import Dump
    from mnv2c.compiler.planning import Prepared
    from mnv2c.compiler.source import Source
    from mnv2c.link import Linker
    from mnv2c.plan.cuts import Cuts, Option
    from mnv2c.plan.program import Program
    from mnv2c.selfcheck import Check, Reference
    from mnv2c.targets import Target


_Kernel: TypeAlias = tuple[Chain, ChainSchedule, Parts | None]


def fuse(model: onnx.ModelProto, dump: Callable[[str, str], None]) -> Network:
    """ONNX → Relax → normalised → fused, read into a network of chains and fallbacks."""
    imported = import_onnx(model)
    module = run_phases(imported.module, dump)
    network = read_network(module, imported.names, imported.shapes, imported.inputs, imported.outputs, imported.orders)
    found = {name: network.tensors[name] for name in network.outputs}
    check_outputs(imported.inferred, {name: (tensor.shape, tensor.dtype) for name, tensor in found.items()})
    return branches_first(network)


def schedule(
    network: Network, library: str, target: Target, arena_limit: int | None = None, threads: int = 1, join: bool = True
) -> Kernels:
    """Cut the network into chains, choose their schedules and emit kernels; equal chains that run alike share one.

    Kernels are cut for ``threads`` threads where that helps; without ``join`` no chains are joined. PlanError where
    nothing fits ``arena_limit`` bytes.
    """
    return schedule_variants(network, library, [target], arena_limit, threads, join)[0]


def schedule_variants(
    network: Network,
    library: str,
    variants: Sequence[Target],
    arena_limit: int | None = None,
    threads: int = 1,
    join: bool = True,
    best: Sequence[Best] = (),
) -> tuple[Kernels, ...]:
    """Do what `schedule` does for several targets, which are cut alike and fit one arena.

    ``best`` is what records know for each of them.
    """
    names = [prefix(library, target, variants) for target in variants]
    prepared = [
        planning.prepare(network, name, target, threads, join, known)
        for name, target, known in zip(names, variants, best or [NOTHING] * len(variants), strict=True)
    ]
    cuts = recorded.plan(prepared, arena_limit, threads)
    cut, work = planning.cut(network, cuts), fallback_work(network)
    return tuple(
        _emit(
            cut,
            work,
            cuts,
            [planning.each(piece.option)[index] for piece in cuts.pieces],
            name,
            prepared[index],
            target,
        )
        for index, (name, target) in enumerate(zip(names, variants, strict=True))
    )


def _emit(
    cut: Network,
    work: FallbackWork,
    cuts: Cuts,
    options: Sequence[Option],
    library: str,
    prepared: Prepared,
    target: Target,
) -> Kernels:
    """The kernels of one variant; ``options`` say how it runs every piece."""
    nodes: list[NodeKernel] = []
    each = zip(cut.nodes, options, strict=True)
    chains = [option.choice if isinstance(node, ChainNode) else None for node, option in each]
    emitter = _Emitter(library, _following(chains, fetched_bytes(provider_for(COMPUTED.name, target), target.l2_bytes)))
    for node, piece, option in zip(cut.nodes, cuts.pieces, options, strict=True):
        if isinstance(node, ChainNode):
            nodes.append(emitter.chain(node, *option.choice))
        else:
            nodes.append(emitter.fallback(node, prepared.fallbacks[piece.first]))
    tuned = tuple(option.tuned for option in options)
    return Kernels(cut, tuple(nodes), emitter.functions, emitter.layouts, tuned, work)


def _following(chains: Sequence[tuple[KernelLayout, Parts | None] | None], most: int) -> dict[_Kernel, int]:
    """Return how many bytes of weights each kernel may fetch for the next one; neither is shared by threads."""
    found: dict[_Kernel, int] = {}
    for this, after in pairwise(chains):
        if this is not None and after is not None and this[1] is None and after[1] is None:
            key = _kernel(*this)
            found[key] = max(found.get(key, 0), min(after[0].weight_bytes, most))
    return found


def _kernel(layout: KernelLayout, parts: Parts | None) -> _Kernel:
    return layout.chain, layout.schedule, parts


class _Emitter:
    def __init__(self, library: str, following: Mapping[_Kernel, int]) -> None:
        self.library, self._following = library, following
        self.functions: dict[str, Any] = {}
        self.layouts: dict[str, KernelLayout] = {}
        self._symbols: dict[_Kernel, str] = {}

    def chain(self, node: ChainNode, layout: KernelLayout, parts: Parts | None) -> NodeKernel:
        symbol = planning.symbol(self.library, node.label)
        key = _kernel(layout, parts)
        symbol = self._symbols.setdefault(key, symbol)
        if symbol not in self.functions:
            self.layouts[symbol] = layout
            self.functions[symbol] = emit_chain(layout, symbol, parts, self._following.get(key, 0))
        in_place = layout.chain.in_place
        return NodeKernel(
            symbol=symbol,
            weights=pack_weights(layout, node.weights),
            scratch=layout.region_bytes,
            in_place=in_place,
            comment=" -> ".join(stage.kind for stage in node.chain.stages) + (", in place" if in_place else ""),
            scratch_names=tuple(region.name.removeprefix("ring_") for region in layout.regions),
            parts=parts,
        )

    def fallback(self, node: FallbackNode, lowered: LoweredFallback) -> NodeKernel:
        self.functions[lowered.symbol] = lowered.function
        return NodeKernel(lowered.symbol, (), lowered.scratch, comment=f"fallback: {node.operator}")


def build(kernels: Kernels, target: Target, dump: Dump) -> bytes:
    """Compile all kernels into one object file."""
    built = build_object(kernels.functions, target, text=dump.wanted)
    dump.text("60-model.ll", built.llvm)
    return built.content


def _file(source: Source) -> onnx.ModelProto:
    """The file itself: the model that is compiled has been prepared for the importer."""
    import onnx

    return onnx.load_model_from_string(source.serialized)


def reference(source: Source, program: Program) -> Reference:
    """Run the reference, onnxruntime, on the self-test's pattern; OnnxError where it computes NaN or infinity of it."""
    from mnv2c.codegen.selftest import selftest_input
    from mnv2c.selfcheck import Reference
    from mnv2c.verification import onnx_reference

    classes = {name: scores for name, scores in masks.scores_of(source.model).items() if name in _names(program)}
    content = masks.with_scores(_file(source), classes).SerializeToString() if classes else source.serialized
    session = onnx_reference.session(content)
    inputs = {port.name: selftest_input(port.shape, port.dtype, index) for index, port in enumerate(program.inputs)}
    names = [*_names(program), *dict.fromkeys(scores.tensor for scores in classes.values())]

    def run(values: Mapping[str, Any]) -> dict[str, Any]:
        return dict(zip(names, session.run(names, dict(values)), strict=True))

    found = run(inputs)
    for name, value in found.items():
        if not np.isfinite(value).all():
            raise OnnxError(f"output {name} holds NaN or infinity for an ordinary input; check the weights")
    return Reference(inputs, found, classes, run)


SMALL = 1e-3
"""The last bit of a sigmoid's or of a sum's largest terms, some 6e-8, is half the tolerance of an output this small."""


def samples(known: Reference, program: Program, model: bytes) -> list[Expected]:
    """What the self-test compares: samples of the outputs of the ``model``, as the reference computed them.

    Of an output whose numbers are all small, where onnxruntime's own rounding may show, float64 has the last word.
    """
    from mnv2c.codegen.selftest import expected
    from mnv2c.verification.double_precision import Settled, settled

    small = [name for name in _names(program) if 0 < np.abs(known.values[name]).max(initial=0) < SMALL]
    sharp = settled(small, known.values, model, known.inputs)

    sure = {
        name: np.flatnonzero(masks.margins(scores.per_class(known.values[scores.tensor])) > 2 * FLOAT32)
        for name, scores in known.classes.items()
    }
    each = [(name, sharp.get(name, Settled(known.values[name]))) for name in _names(program)]
    return [expected(found.values, sure.get(name), found.allowed) for name, found in each]


def _names(program: Program) -> list[str]:
    return [port.name for port in program.outputs]


def publish(
    folder: Path,
    library: str,
    source: Source,
    variants: Sequence[Variant],
    known: Reference,
    linker: Linker,
    check: Check,
    tell: Callable[[str, float], None],
) -> dict[str, Any]:
    """Link the library, check it and write everything into ``folder`` at once; return the metadata.

    VerificationError, before anything is written, where the library does not compute what the reference does.
    """
    from mnv2c import package
    from mnv2c.codegen.entry import library_source
    from mnv2c.codegen.parallel import threads_source
    from mnv2c.compiler import pictures
    from mnv2c.frames import frames_code
    from mnv2c.selfcheck import check_library

    names = [prefix(library, variant.target, [entry.target for entry in variants]) for variant in variants]
    target, program = together([variant.target for variant in variants]), variants[0].program
    frames = pictures.frames_of(source, program)
    code = frames_code(frames, library, [port.bytes for port in program.outputs])
    described = [_metadata(library, variant, source, linker) for variant in variants]
    metadata = package.with_variants(described, target.name) | pictures.frames_metadata(frames, code, source)
    header = package.header_source(program, library, metadata, code.declarations)
    programs = [(variant.target, variant.program) for variant in variants]
    entry = library_source(programs, library, samples(known, program, source.serialized))
    threads = threads_source(program, library, target)
    text = package.to_json(metadata)
    linked = linker.link(
        library,
        sources={f"{library}.c": entry, f"{library}.h": header, **code.sources, **threads},
        objects={f"{name}_kernels.o": variant.machine_code for name, variant in zip(names, variants, strict=True)},
        blobs={f"{library}_weights": program.weights, f"{library}_json": text.encode() + b"\0"},
        exports=package.exports(library, code.functions, len(variants)),
        abi=package.ABI,
        threads=program.threads > 1,
    )
    files: dict[str, package.Content] = {
        **package.shared_files(target.platform.system, library, linked.shared),
        f"lib{library}.a": linked.archive,
        f"{library}.h": header,
        f"{library}.c": entry,
        **code.sources,
        **threads,
        f"{library}.json": text,
        "main.c": package.example_source(program, library, code.answer),
        **package.build_files(library, target, source.summary, program.threads),
    }
    # Not in the library itself, whose bytes depend on no machine: `mnv2c.runtime.belonging` knows this entry, the last.
    metadata["checked"] = check_library(files, known, frames, source.serialized, check, tell)
    files |= {f"{library}.json": package.to_json(metadata), f"{library}.onnx": source.serialized}
    files[f"{library}.spdx.json"] = json.dumps(package.bill_of_materials(files, metadata), indent=1) + "\n"
    package.write(folder, files)
    return metadata


def _metadata(library: str, variant: Variant, source: Source, linker: Linker) -> dict[str, Any]:
    from importlib.metadata import version

    from mnv2c import package

    kernels, network = variant.kernels, variant.kernels.network
    chains = [
        {
            "name": node.label,
            "stages": [str(stage.kind) for stage in node.chain.stages],
            "scratch_bytes": sum(kernel.scratch),
            "schedule": kernels.layouts[kernel.symbol].schedule.to_dict(),
            "in_place": kernel.in_place,
            "parts": {"cut": kernel.parts.cut, "count": kernel.parts.count} if kernel.parts else None,
            "tuned": tuned.as_dict() if tuned else None,
            "madds": node.chain.madds,
        }
        for node, kernel, tuned in zip(network.nodes, kernels.nodes, kernels.tuned, strict=True)
        if isinstance(node, ChainNode)
    ]
    folded = sum(taps.size + bias.size for node in network.chains for taps, bias in node.weights.values())
    return package.metadata(
        variant.program,
        library,
        variant.target,
        summary=source.summary,
        dtype=COMPUTED.name,
        params=source.params if source.params is not None else folded,
        madds=total_madds(network),
        model=source.description,
        weights_source=source.weights,
        preprocessing=source.preprocessing,
        toolchain={
            "apache-tvm": version("apache-tvm"),
            "apache-tvm-ffi": version("apache-tvm-ffi"),
            "llvm": llvm_version(),
            "onnx": version("onnx"),
            "linker": linker.version,
        },
        chains=chains,
        fallbacks=[{"name": node.label, "operator": node.operator, "madds": node.madds} for node in network.fallbacks],
        fallback_work=kernels.work.as_dict(),
    )
