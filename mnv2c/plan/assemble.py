"""Assemble the program: kernels in order, buffers at arena offsets, weights in one block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mnv2c.plan.arena import ALIGNMENT, Buffer, aligned, place
from mnv2c.plan.chain import Chain, StageKind, input_name
from mnv2c.plan.network import Array, ChainNode, Network, Tensor, read_by
from mnv2c.plan.parts import Parts
from mnv2c.plan.program import ArenaBuffer, Location, Port, Program, Result, Space, Step


@dataclass(frozen=True, eq=False)
class NodeKernel:
    """How one node of the network is called.

    Arguments are, in order: inputs, outputs (for a node in place without the first, which is its first input), packed
    ``weights`` if any, and scratch buffers of ``scratch`` bytes. A constant input of a fallback lies in the weights.
    ``scratch_names`` say what is kept in the scratch buffers, where that is known. Every strip of ``parts`` has scratch
    buffers of its own.
    """

    symbol: str
    weights: tuple[Array, ...]
    scratch: tuple[int, ...]
    in_place: bool = False
    comment: str = ""
    scratch_names: tuple[str, ...] = ()
    parts: Parts | None = None

    @property
    def copies(self) -> int:
        """How many times every scratch buffer is needed."""
        return self.parts.copies if self.parts is not None else 1


def runs_in_place(network: Network, index: int) -> Chain | None:
    """Return node ``index``'s chain as one that overwrites its input, if it is a residual that may do so.

    Every row is read by the expansion before, and as the residual when, it is overwritten (`plan.rows`: leads are never
    negative); nobody else may read the input later, it must be NHWC, and neither end may be the caller's.
    """
    node = network.nodes[index]
    chain = node.chain if isinstance(node, ChainNode) else None
    if chain is None or chain.stages[-1].kind is not StageKind.ADD or input_name(0) not in chain.stages[-1].sources:
        return None
    source, result = str(node.inputs[0]), node.outputs[0]
    kept = chain.is_planar(input_name(0)) or network.last_use(source) != index
    placed = any(network.is_callers(name) or network.owner(name) != name for name in (source, result))
    if kept or placed or chain.inputs[0] != chain.stages[-1].shape:
        return None
    return replace(chain, in_place=True)


def pool_bytes(threads: int) -> int:
    """Bytes that ``threads`` threads need to share work (`mnv2c/codegen/threads.c.in` checks it); none need none."""
    return 512 + 64 * threads if threads > 1 else 0


def assemble(network: Network, kernels: Sequence[NodeKernel], threads: int = 1) -> Program:
    """Place every tensor and scratch buffer and return the program of calls."""
    return assemble_variants(network, [kernels], threads)[0]


def assemble_variants(
    network: Network, variants: Sequence[Sequence[NodeKernel]], threads: int = 1
) -> tuple[Program, ...]:
    """Return one program per variant, which are kernels for the same nodes on another CPU; one of them is to run.

    All leave the same tensors at the same places of an arena of the same size, and share one block of weights.
    """
    return _Assembler(network, variants).programs(threads)


def placed_bytes(network: Network, *variants: Sequence[NodeKernel]) -> int:
    """Return the size of the arena alone, for one or several variants."""
    return _Assembler(network, variants).arena_bytes


class _Weights:
    """One block of read-only bytes; equal contents are stored once."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self._offsets: dict[bytes, int] = {}

    def add(self, values: Array) -> Location:
        """Append the values, aligned; return where they lie."""
        content = np.ascontiguousarray(values).tobytes()
        if content not in self._offsets:
            self._offsets[content] = self.size
            self.parts.append(content.ljust(aligned(len(content)), b"\0"))
            self.size += aligned(len(content))
        return Location(Space.WEIGHTS, self._offsets[content])


class _Assembler:
    def __init__(self, network: Network, variants: Sequence[Sequence[NodeKernel]]) -> None:
        self.network, self.variants = network, variants
        self.weights = _Weights()
        self.owner = self._owners()
        self.buffers = self._buffers()
        self.offsets, self.arena_bytes = place(self.buffers)

    def _owners(self) -> dict[str, str]:
        """Map every tensor to the one whose buffer it lies in: its home's; a result in place lies in its input's."""
        owner = {name: self.network.owner(name) for name in self.network.tensors}
        for node, kernel in zip(self.network.nodes, self.variants[0], strict=True):
            if kernel.in_place:
                owner[node.outputs[0]] = owner[str(node.inputs[0])]
        return owner

    def _buffers(self) -> list[Buffer]:
        """Tensors from the node that makes them to their last reader, scratch for one node of a variant."""
        lives: dict[str, list[int]] = {}
        buffers = []
        for index, node in enumerate(self.network.nodes):
            for name in node.outputs:
                if not self.network.is_callers(name):
                    lives.setdefault(self.owner[name], []).extend([index, max(index, self.network.last_use(name))])
            for variant, kernels in enumerate(self.variants):
                buffers += self._scratch_buffers(index, variant, kernels[index])
        tensors = self.network.tensors
        return buffers + [Buffer(name, tensors[name].bytes, min(steps), max(steps)) for name, steps in lives.items()]

    def _scratch_buffers(self, index: int, variant: int, kernel: NodeKernel) -> list[Buffer]:
        sizes = [aligned(size) * kernel.copies if kernel.copies > 1 else size for size in kernel.scratch]
        only = variant if len(self.variants) > 1 else None
        return [Buffer(_scratch(index, part, variant), size, index, index, only) for part, size in enumerate(sizes)]

    def _location(self, name: str) -> Location:
        home, offset = self.owner[name], self.network.tensors[name].offset
        if home in self.network.inputs:
            return Location(Space.INPUT, offset, self.network.inputs.index(home))
        if home in self.network.outputs:
            return Location(Space.OUTPUT, offset, self.network.outputs.index(home))
        return Location(Space.ARENA, self.offsets[home] + offset)

    def programs(self, threads: int) -> tuple[Program, ...]:
        """One program per variant; the weights of all are known before the first is made."""
        steps = [self._steps(variant) for variant in range(len(self.variants))]
        return tuple(self._program(variant, threads, found) for variant, found in enumerate(steps))

    def _steps(self, variant: int) -> tuple[Step, ...]:
        return tuple(self._step(variant, index) for index in range(len(self.network.nodes)))

    def _program(self, variant: int, threads: int, steps: tuple[Step, ...]) -> Program:
        return Program(
            inputs=tuple(self._port(name) for name in self.network.inputs),
            outputs=tuple(self._port(name) for name in self.network.outputs),
            steps=steps,
            arena_bytes=self.arena_bytes + pool_bytes(threads),
            weights=b"".join(self.weights.parts),
            arena_alignment=ALIGNMENT,
            threads=threads,
            buffers=self._placed(variant),
            pool_bytes=pool_bytes(threads),
        )

    def _placed(self, variant: int) -> tuple[ArenaBuffer, ...]:
        """The buffers of a variant with their offsets, in the order in which they come into use."""
        made = [name for node in self.network.nodes for name in node.outputs]
        titles = {
            _scratch(index, part, variant): f"{node.label}: {title}"
            for index, (node, kernel) in enumerate(zip(self.network.nodes, self.variants[variant], strict=True))
            for part, title in enumerate(_scratch_titles(kernel))
        }
        return tuple(
            ArenaBuffer(
                name=titles.get(buffer.name, buffer.name),
                offset=self.offsets[buffer.name],
                bytes=buffer.bytes,
                first=buffer.first,
                last=buffer.last,
                tensors=tuple(name for name in made if self.owner[name] == buffer.name),
            )
            for buffer in sorted(self.buffers, key=lambda entry: (entry.first, self.offsets[entry.name]))
            if buffer.variant in (None, variant)
        )

    def _port(self, name: str) -> Port:
        tensor = self.network.tensors[name]
        order = tensor.order or {4: "NHWC", 3: "NHW"}.get(len(tensor.shape), "NC")
        return Port(name, tensor.shape, tensor.dtype, order)

    def _step(self, variant: int, index: int) -> Step:
        node, kernel = self.network.nodes[index], self.variants[variant][index]
        constants = [value for value in (*node.inputs, *kernel.weights) if not isinstance(value, str)]
        arguments = [
            self._location(value) if isinstance(value, str) else self.weights.add(value) for value in node.inputs
        ]
        arguments += [self._location(name) for name in (node.outputs[1:] if kernel.in_place else node.outputs)]
        arguments += [self.weights.add(values) for values in kernel.weights]
        arguments += [
            Location(
                Space.ARENA,
                self.offsets[_scratch(index, part, variant)],
                stride=aligned(size) if kernel.copies > 1 else 0,
            )
            for part, size in enumerate(kernel.scratch)
        ]
        return Step(
            label=node.label,
            kernel=kernel.symbol,
            arguments=tuple(arguments),
            results=tuple(self._result(self.network.tensors[name]) for name in node.outputs),
            comment=kernel.comment,
            reads=read_by(node),
            weights_bytes=sum({self.weights.add(values): values.nbytes for values in constants}.values()),
            parts=kernel.parts,
        )

    def _result(self, tensor: Tensor) -> Result:
        location = self._location(tensor.name)
        return Result(location, tensor.shape, tensor.dtype, tensor.onnx_name, tensor.onnx_layout, tensor.name)


def _scratch(index: int, part: int, variant: int) -> str:
    return f"scratch_{index}_{part}" + (f"_{variant}" if variant else "")


def _scratch_titles(kernel: NodeKernel) -> tuple[str, ...]:
    if len(kernel.scratch_names) == len(kernel.scratch):
        return kernel.scratch_names
    return tuple(f"scratch {part}" for part in range(len(kernel.scratch)))
