"""The order of a graph's operations that needs the least memory: M(G) of the paper's equation (1).

What an operation needs depends on which operations ran before it, not on their order. So the search goes over these
sets, as the bits of whole numbers, and looks at the one with the least maximum first. An operation that needs no more
than the maximum so far and leaves no more memory in use than it found can be moved to the front of any order without
harm; where there is one, nothing else is tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from mnv2c.errors import CompilerError
from mnv2c.spec.memory import Graph, Peak


def minimum_peak(graph: Graph) -> Peak:
    """Return M(G): the least maximum over all orders; raises CompilerError where no order is legal."""
    network = _Network.of(graph)
    everything = (1 << len(graph.operations)) - 1
    waiting = [(-1, 0, 0, -1)]  # maximum, minus the operations done, those as bits, the operation that has the maximum
    seen: set[int] = set()
    while waiting:
        maximum, length, done, at = heappop(waiting)
        if done == everything:
            return Peak(maximum, graph.operations[at].name)
        if done in seen:
            continue
        seen.add(done)
        for step in network.steps(done, maximum):
            grows = step.needed > maximum
            entry = (max(step.needed, maximum), length - 1, done | 1 << step.operation, step.operation if grows else at)
            heappush(waiting, entry)
    raise CompilerError("the operations have no legal order")


@dataclass(frozen=True)
class _Step:
    """An operation that may run next, the elements it needs, and by how many those in use grow."""

    operation: int
    needed: int
    growth: int


@dataclass(frozen=True)
class _Network:
    """A graph in bits: per operation the tensors it touches, and the operations whose results it reads."""

    touched: tuple[int, ...]
    before: tuple[int, ...]
    internal: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, graph: Graph) -> _Network:
        numbers: dict[str, int] = {}
        for operation in graph.operations:
            for tensor in (*operation.inputs, *operation.outputs):
                numbers.setdefault(tensor, len(numbers))
        writers = {tensor: index for index, each in enumerate(graph.operations) for tensor in each.outputs}
        return cls(
            tuple(_bits(numbers[tensor] for tensor in (*each.inputs, *each.outputs)) for each in graph.operations),
            tuple(_bits(writers[tensor] for tensor in each.inputs if tensor in writers) for each in graph.operations),
            tuple(each.internal for each in graph.operations),
            tuple(graph.sizes.get(tensor, 0) for tensor in numbers),
        )

    def steps(self, done: int, maximum: int) -> list[_Step]:
        """Return what may run next, or only one operation that does no harm."""
        existing, waiting = 0, []
        for index, touched in enumerate(self.touched):
            if done >> index & 1:
                existing |= touched
            else:
                waiting.append(index)
        steps = []
        for index in waiting:
            if self.before[index] & ~done:
                continue
            later = 0
            for other in waiting:
                later |= self.touched[other] if other != index else 0
            in_use, needed = existing & (later | self.touched[index]), self.touched[index] | existing & later
            growth = self._total(needed & later) - self._total(in_use)
            step = _Step(index, self._total(needed) + self.internal[index], growth)
            if step.needed <= maximum and step.growth <= 0:
                return [step]
            steps.append(step)
        return steps

    def _total(self, tensors: int) -> int:
        """The elements of a set of tensors."""
        total = 0
        while tensors:
            lowest = tensors & -tensors
            total += self.sizes[lowest.bit_length() - 1]
            tensors ^= lowest
        return total


def _bits(numbers: Iterable[int]) -> int:
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits
