"""The stages between the ONNX model and the folder: each takes the artefact before it and returns its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.codegen.fallback import lower_fallback
from mnv2c.codegen.object import build_object, tvm_target
from mnv2c.compiler.artefacts import Kernels
from mnv2c.errors import OnnxError
from mnv2c.kernels.chain import emit_chain, pack_weights
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.assemble import NodeKernel, runs_in_place
from mnv2c.plan.chain import Chain
from mnv2c.plan.network import ChainNode, FallbackNode, Network
from mnv2c.plan.read import read_network
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.record import ChainSchedule
from mnv2c.to_relax.importer import import_onnx
from mnv2c.to_relax.phases import run_phases

if TYPE_CHECKING:
    import onnx

    from mnv2c.codegen.selftest import Expected
    from mnv2c.compiler.dump import Dump
    from mnv2c.compiler.source import Source
    from mnv2c.link import Linker
    from mnv2c.plan.program import Program
    from mnv2c.targets import Target

DTYPE = "float32"


def fuse(model: onnx.ModelProto, dump: Callable[[str, str], None]) -> Network:
    """ONNX → Relax → normalised → fused, read into a network of chains and fallbacks."""
    imported = import_onnx(model)
    module = run_phases(imported.module, dump)
    return read_network(module, imported.names, imported.shapes, imported.inputs, imported.outputs, imported.orders)


def schedule(network: Network, library: str, target: Target) -> Kernels:
    """Choose every chain's schedule and emit its kernel; equal chains with equal schedules share one."""
    scheduler = _Scheduler(network, library, target)
    nodes = tuple(scheduler.node(index) for index in range(len(network.nodes)))
    return Kernels(nodes, scheduler.functions, scheduler.layouts)


class _Scheduler:
    def __init__(self, network: Network, library: str, target: Target) -> None:
        self.network, self.library, self.target = network, library, target
        self.unit: Provider = provider(DTYPE, target.isa)
        self.functions: dict[str, Any] = {}
        self.layouts: dict[str, KernelLayout] = {}
        self._symbols: dict[tuple[Chain, ChainSchedule], str] = {}

    def node(self, index: int) -> NodeKernel:
        """Return the kernel of one node."""
        node = self.network.nodes[index]
        return self._chain(index, node) if isinstance(node, ChainNode) else self._fallback(node)

    def _chain(self, index: int, node: ChainNode) -> NodeKernel:
        chosen = analytic_schedule(node.chain, self.unit, self.target.l2_bytes)
        chain = node.chain if chosen.chunk else runs_in_place(self.network, index) or node.chain
        symbol = self._symbols.setdefault((chain, chosen), f"{self.library}_{_identifier(node.label)}")
        if symbol not in self.functions:
            self.layouts[symbol] = kernel_layout(chain, chosen, self.unit)
            self.functions[symbol] = emit_chain(self.layouts[symbol], symbol)
        layout = self.layouts[symbol]
        itemsize = 4
        return NodeKernel(
            symbol=symbol,
            weights=pack_weights(layout, node.weights),
            scratch=tuple(ring.elements * itemsize for ring in layout.rings.values()),
            in_place=chain.in_place,
            comment=" -> ".join(stage.kind for stage in node.chain.stages) + (", in place" if chain.in_place else ""),
        )

    def _fallback(self, node: FallbackNode) -> NodeKernel:
        symbol = f"{self.library}_{_identifier(node.label)}"
        lowered = lower_fallback(node.function, symbol, tvm_target(self.target))
        self.functions[symbol] = lowered.function
        return NodeKernel(symbol, (), lowered.scratch, comment=f"fallback: {node.operator}")


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)


def build(kernels: Kernels, target: Target, dump: Dump) -> bytes:
    """Compile all kernels into one object file."""
    built = build_object(kernels.functions, target, text=dump.wanted)
    dump.text("60-model.ll", built.llvm)
    return built.content


def expected_outputs(source: Source, program: Program) -> list[Expected]:
    """Run the reference, onnxruntime, on the self-test's pattern and sample its outputs."""
    import onnxruntime

    from mnv2c.codegen.selftest import expected, selftest_input

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(source.serialized, options, providers=["CPUExecutionProvider"])
    inputs = {port.name: selftest_input(port.shape, port.dtype, index) for index, port in enumerate(program.inputs)}
    outputs = session.run([port.name for port in program.outputs], inputs)
    for port, value in zip(program.outputs, outputs, strict=True):
        if not np.isfinite(value).all():
            raise OnnxError(f"output {port.name} holds NaN or infinity for an ordinary input; check the weights")
    return [expected(value) for value in outputs]


def publish(
    folder: Path,
    library: str,
    target: Target,
    source: Source,
    network: Network,
    kernels: Kernels,
    program: Program,
    kernel_object: bytes,
    expected: Sequence[Expected],
    linker: Linker,
) -> dict[str, Any]:
    """Link the library and write everything into ``folder`` at once; return the metadata."""
    from mnv2c import package
    from mnv2c.codegen.entry import entry_source

    metadata = _metadata(library, target, source, network, kernels, program, linker)
    header = package.header_source(program, library, metadata)
    entry = entry_source(program, library, target, expected)
    text = package.to_json(metadata)
    linked = linker.link(
        library,
        sources={f"{library}.c": entry, f"{library}.h": header},
        objects={f"{library}_kernels.o": kernel_object},
        blobs={f"{library}_weights": program.weights, f"{library}_json": text.encode() + b"\0"},
        exports=package.exports(library),
        abi=package.ABI,
    )
    shared = f"lib{library}.so.{package.ABI}"
    package.write(
        folder,
        {
            shared: linked.shared,
            f"lib{library}.so": package.Symlink(shared),
            f"lib{library}.a": linked.archive,
            f"{library}.h": header,
            f"{library}.c": entry,
            f"{library}.json": text,
            f"{library}.onnx": source.serialized,
            "main.c": package.example_source(program, library),
        },
    )
    return metadata


def _metadata(
    library: str,
    target: Target,
    source: Source,
    network: Network,
    kernels: Kernels,
    program: Program,
    linker: Linker,
) -> dict[str, Any]:
    from importlib.metadata import version

    from mnv2c import package

    chains = [
        {
            "name": node.label,
            "stages": [str(stage.kind) for stage in node.chain.stages],
            "scratch_bytes": sum(kernel.scratch),
            "schedule": kernels.layouts[kernel.symbol].schedule.to_dict(),
            "in_place": kernel.in_place,
            "madds": node.chain.madds,
        }
        for node, kernel in zip(network.nodes, kernels.nodes, strict=True)
        if isinstance(node, ChainNode)
    ]
    folded = sum(taps.size + bias.size for node in network.chains for taps, bias in node.weights.values())
    return package.metadata(
        program,
        library,
        target,
        summary=source.summary,
        dtype=DTYPE,
        params=source.params if source.params is not None else folded,
        madds=sum(node.chain.madds for node in network.chains),
        model=source.description,
        weights_source=source.weights,
        preprocessing=source.preprocessing,
        toolchain={
            "apache-tvm": version("apache-tvm"),
            "apache-tvm-ffi": version("apache-tvm-ffi"),
            "onnx": version("onnx"),
            "linker": linker.version,
        },
        chains=chains,
        fallbacks=[{"name": node.label, "operator": node.operator} for node in network.fallbacks],
    )
