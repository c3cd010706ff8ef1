"""What can be told without running: the bytes a step must move, the arena's buffers, the paper's memory bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnv2c.benchmark.profile.result import Arena, Traffic
from mnv2c.errors import LibraryError
from mnv2c.spec.bounds import Bound, both, bounds
from mnv2c.spec.memory import Graph, Operation, local_peak, peak_of_order

if TYPE_CHECKING:
    from mnv2c.runtime import Description


def traffic(description: Description, step: int) -> Traffic:
    """Return the bytes that a step must move at least: each tensor it reads, each it writes, and its weights, once.

    A residual counts like any tensor; where it is the step's own input it is not counted again.
    """
    sizes, entry = _sizes(description), description.steps[step]
    try:
        inputs = sum(sizes[name] for name in entry.reads)
    except KeyError as error:
        raise LibraryError(
            f"{description.name}.json: step {entry.name} reads {error}, which nothing writes; compile the model again"
        ) from None
    return Traffic(inputs, sum(place.tensor.bytes for place in entry.results), entry.weights_bytes)


def alive(description: Description, step: int) -> int:
    """Return the bytes of the buffers that are in use during a step."""
    return sum(buffer.bytes for buffer in description.buffers or () if buffer.first <= step <= buffer.last)


def arena(description: Description) -> Arena:
    """Return the arena with its buffers, the most that is in use at once, and the bounds to compare it with."""
    used = [alive(description, step) for step in range(len(description.steps))]
    busiest = max(range(len(used)), key=used.__getitem__)
    return Arena(
        bytes=description.arena_bytes,
        alive_bytes=used[busiest],
        alive_at=description.steps[busiest].name,
        buffers=description.buffers or (),
        bounds=_bounds(description),
    )


def _bounds(description: Description) -> tuple[Bound, ...]:
    """Equations (1) and (2) of the paper's section 5, of the model's description or else of the library's steps.

    The steps are taken in the library's own order: a foreign network may have too many to try them all.
    """
    text = description.metadata["model"].get("toml")
    if not text:
        graph = _step_graph(description)
        return both(
            "every step one operation, without its scratch memory",
            peak_of_order(graph, graph.operations),
            local_peak(graph),
            1,
        )
    from mnv2c.spec import from_toml

    return bounds(from_toml(str(text)))


def _step_graph(description: Description) -> Graph:
    """The library's steps over its tensors, in bytes, without their scratch memory; the caller's own count nothing."""
    callers = {port.name for port in (*description.inputs, *description.outputs)}
    operations = tuple(
        Operation(step.name, step.reads, tuple(place.name for place in step.results)) for step in description.steps
    )
    return Graph(operations, {name: size for name, size in _sizes(description).items() if name not in callers})


def _sizes(description: Description) -> dict[str, int]:
    """Bytes of every tensor by its name."""
    results = {place.name: place.tensor.bytes for step in description.steps for place in step.results}
    return results | {port.name: port.bytes for port in description.inputs}
