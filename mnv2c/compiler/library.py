"""The library: its sources, linked, and everything that lies beside it in the folder."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mnv2c import frames as c_frames
from mnv2c import package
from mnv2c.codegen import entry as c_entry
from mnv2c.codegen.object import llvm_version
from mnv2c.codegen.parallel import threads_source
from mnv2c.compiler import pictures
from mnv2c.compiler.artefacts import Sources
from mnv2c.compiler.expected import samples
from mnv2c.compiler.variants import prefix, together
from mnv2c.dtypes import COMPUTED
from mnv2c.plan.network import ChainNode
from mnv2c.plan.work import total_madds

if TYPE_CHECKING:
    from mnv2c.compiler.artefacts import Kernels
    from mnv2c.compiler.compilation import Compilation
    from mnv2c.compiler.source import Source
    from mnv2c.link import Linker
    from mnv2c.plan.program import Program
    from mnv2c.targets import Target


def sources(state: Compilation) -> Sources:
    """Write the C around the kernels, and the metadata."""
    library, program = state.library, state.programs[0]
    frames = pictures.frames_of(state.source, program)
    code = c_frames.frames_code(frames, library, [port.bytes for port in program.outputs])
    described = [
        _metadata(library, target, kernels, own, state.source, state.linker)
        for target, kernels, own in zip(state.targets, state.kernels, state.programs, strict=True)
    ]
    target = together(state.targets)
    metadata = package.with_variants(described, target.name) | pictures.frames_metadata(frames, code, state.source)
    header = package.header_source(program, library, metadata, code.declarations)
    programs = list(zip(state.targets, state.programs, strict=True))
    entry = c_entry.library_source(programs, library, samples(state.known, program, state.source.serialized))
    threads = threads_source(program, library, target)
    return Sources(entry, header, threads, frames, code, metadata, package.to_json(metadata))


def link(state: Compilation, made: Sources) -> dict[str, package.Content]:
    """Link the library; return the files that it consists of, by name."""
    library, program = state.library, state.programs[0]
    target, code = together(state.targets), made.code
    names = [prefix(library, each, state.targets) for each in state.targets]
    linked = state.linker.link(
        library,
        sources={f"{library}.c": made.entry, f"{library}.h": made.header, **code.sources, **made.threads},
        objects={f"{name}_kernels.o": content for name, content in zip(names, state.objects, strict=True)},
        blobs={f"{library}_weights": program.weights, f"{library}_json": made.text.encode() + b"\0"},
        exports=package.exports(library, code.functions, len(state.targets)),
        abi=package.ABI,
        threads=program.threads > 1,
    )
    return {
        **package.shared_files(target.platform.system, library, linked.shared),
        f"lib{library}.a": linked.archive,
        f"{library}.h": made.header,
        f"{library}.c": made.entry,
        **code.sources,
        **made.threads,
        f"{library}.json": made.text,
        "main.c": package.example_source(program, library, code.answer),
        **package.build_files(library, target, state.source.summary, program.threads),
    }


def beside(state: Compilation, made: Sources, checked: list[dict[str, str]]) -> dict[str, package.Content]:
    """What lies beside the library: its metadata with what was ``checked``, the ONNX model, the bill of materials."""
    library = state.library
    # Not in the library itself, whose bytes depend on no machine: `mnv2c.runtime.belonging` knows this entry, the last.
    made.metadata["checked"] = checked
    files = {
        **state.files,
        f"{library}.json": package.to_json(made.metadata),
        f"{library}.onnx": state.source.serialized,
    }
    bill = json.dumps(package.bill_of_materials(files, made.metadata), indent=1) + "\n"
    return {**files, f"{library}.spdx.json": bill}


def _metadata(
    library: str, target: Target, kernels: Kernels, program: Program, source: Source, linker: Linker
) -> dict[str, Any]:
    network = kernels.network
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
        program,
        library,
        target,
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
