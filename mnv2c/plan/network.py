"""The fused network as data: tensors, chains with their weights, and what falls back to TVM's own lowering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from mnv2c.dtypes import number_type
from mnv2c.plan.chain import Chain

Array = npt.NDArray[Any]
StageWeights = Mapping[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]
"""Per stage: the filter [kernel rows, kernel columns, input channels (1 if depthwise), outputs] and the bias."""


@dataclass(frozen=True)
class Tensor:
    """A value between two nodes, or an input or output of the network.

    ``onnx_name`` is the tensor it must equal, which stores its elements in ``onnx_layout``: "NCHW" or the "same".
    ``order`` names the dimensions of an input or output of the network ("NCHW"); it is empty where they are NHWC.
    A tensor with a ``home`` is the part of that tensor that begins ``offset`` bytes from its start.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    onnx_name: str = ""
    onnx_layout: str = "same"
    order: str = ""
    home: str = ""
    offset: int = 0

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return prod(self.shape) * number_type(self.dtype).bytes


@dataclass(frozen=True, eq=False)
class ChainNode:
    """A call of a chain's kernel; ``inputs`` and ``outputs`` name tensors."""

    label: str
    chain: Chain
    weights: StageWeights
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FallbackNode:
    """A call of a function that TVM lowered; an input is the name of a tensor or a constant.

    ``madds`` are the multiply-adds of its sums of products (`mnv2c.passes.products`).
    """

    label: str
    operator: str
    function: Any
    inputs: tuple[str | Array, ...]
    outputs: tuple[str, ...]
    madds: int = 0


Node = ChainNode | FallbackNode


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes in the order they run."""

    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def fallbacks(self) -> tuple[FallbackNode, ...]:
        """What no chain covers."""
        return tuple(node for node in self.nodes if isinstance(node, FallbackNode))

    @property
    def chains(self) -> tuple[ChainNode, ...]:
        """The chains in order."""
        return tuple(node for node in self.nodes if isinstance(node, ChainNode))

    def owner(self, tensor: str) -> str:
        """Return the tensor in which ``tensor`` lies: its home, or itself."""
        return self.tensors[tensor].home or tensor if tensor in self.tensors else tensor

    def is_callers(self, tensor: str) -> bool:
        """Whether ``tensor`` lies in a buffer of the caller: an input or output of the network, or a part of one."""
        owner = self.owner(tensor)
        return owner in self.inputs or owner in self.outputs

    def last_use(self, tensor: str) -> int:
        """Return the index of the last node that reads ``tensor``; beyond the end for an output, -1 if unread.

        What reads a tensor reads its parts.
        """
        return max(self._last_reader(name) for name in {tensor, self.owner(tensor)})

    def _last_reader(self, tensor: str) -> int:
        return len(self.nodes) if tensor in self.outputs else self._last_readers.get(tensor, -1)

    def is_read(self, tensor: str) -> bool:
        """Whether a node reads ``tensor``."""
        return tensor in self._last_readers

    @cached_property
    def _last_readers(self) -> dict[str, int]:
        """The index of the last node that reads each tensor: planners ask for it for every pair of nodes."""
        return {name: index for index, node in enumerate(self.nodes) for name in read_by(node)}


def read_by(node: Node) -> tuple[str, ...]:
    """Return the tensors that ``node`` reads, each once: its inputs but for constants."""
    return tuple(dict.fromkeys(value for value in node.inputs if isinstance(value, str)))
