"""The planned program: which kernel runs when, and where every argument lives.

This is the whole interface between the compiler half of the pipeline (plan, kernels, codegen) and the
packaging half (entry C, header, metadata): plain data, no TVM, no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mnv2c.dtypes import number_type
from mnv2c.plan.parts import Parts


class Space(StrEnum):
    """Where a pointer argument of a kernel points to."""

    INPUT = "input"
    OUTPUT = "output"
    ARENA = "arena"
    WEIGHTS = "weights"


@dataclass(frozen=True)
class Location:
    """A place in one of the memory spaces.

    ``index`` selects the caller's buffer for ``INPUT`` and ``OUTPUT`` and is 0 otherwise; ``offset`` is in bytes
    from the start of that buffer, of the arena or of the weights. Part p of a step finds it ``stride`` * p bytes later.
    """

    space: Space
    offset: int = 0
    index: int = 0
    stride: int = 0


@dataclass(frozen=True)
class Port:
    """One input or output of the model, in the caller's own buffer."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str

    @property
    def elements(self) -> int:
        """Number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def bytes(self) -> int:
        """Size of the caller's buffer in bytes."""
        return self.elements * number_type(self.dtype).bytes


@dataclass(frozen=True)
class Result:
    """A tensor that a step leaves behind: where it lies, its NHWC shape, and the ONNX tensor it must equal.

    ``onnx_name`` is empty when no tensor of the ONNX model corresponds to it; ``onnx_layout`` says in which
    order the ONNX tensor stores it ("NCHW" or "same"). ``name`` is the plan's own, which ``Step.reads`` uses.
    """

    location: Location
    shape: tuple[int, ...]
    dtype: str
    onnx_name: str = ""
    onnx_layout: str = "NCHW"
    name: str = ""


@dataclass(frozen=True)
class ArenaBuffer:
    """A part of the arena: ``bytes`` from ``offset`` on, in use from step ``first`` to step ``last``, both included.

    ``tensors`` are what it holds, one after the other where steps run in place; a step's scratch memory holds none.
    """

    name: str
    offset: int
    bytes: int
    first: int
    last: int
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One call of one kernel: ``int32_t kernel(void *argument, ...)``, zero for success.

    ``label`` is the human name (``bottleneck_03``); several steps may share a ``kernel``. ``reads`` names the tensors
    it reads, each once: results of earlier steps and inputs of the network; ``weights_bytes`` is its weights' size.
    With ``parts`` the kernel takes two int32 more, which select a part: the steps of a strip, or phase and part.
    """

    label: str
    kernel: str
    arguments: tuple[Location, ...]
    results: tuple[Result, ...]
    comment: str = ""
    reads: tuple[str, ...] = ()
    weights_bytes: int = 0
    parts: Parts | None = None


@dataclass(frozen=True)
class Program:
    """A network ready to be linked: straight-line steps over one arena and one block of read-only weights.

    ``arena_bytes`` excludes the caller's inputs and outputs and the weights; every pointer handed to a kernel is
    aligned to ``arena_alignment`` bytes except the caller's own buffers, which need only their element's alignment.
    The last ``pool_bytes`` of the arena are for the threads that share the work, if it was cut for more than one.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    steps: tuple[Step, ...]
    arena_bytes: int
    weights: bytes
    arena_alignment: int = 64
    threads: int = 1
    buffers: tuple[ArenaBuffer, ...] = ()
    pool_bytes: int = 0

    @property
    def kernels(self) -> tuple[str, ...]:
        """The distinct kernels in order of first use."""
        return tuple(dict.fromkeys(step.kernel for step in self.steps))
