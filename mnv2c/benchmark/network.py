"""The library's network for the peers: ONNX with channels first, and its weights by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.benchmark.job import Job
from mnv2c.errors import LibraryError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from mnv2c.runtime import Description

TO_CHANNELS_FIRST = (0, 3, 1, 2)


def lay_out(
    description: Description, inputs: Sequence[NDArray[Any]], folder: Path, *, threads: int, peers: bool
) -> Job:
    """Fill ``folder`` with what contestants need: the library's inputs, and for ``peers`` what ``prepare`` writes."""
    meta = description.metadata
    library = description.path.resolve()
    spec = str(meta["model"].get("toml", ""))
    job = Job(folder, library, len(description.inputs), threads, spec, int(meta["madds"]), description.variant)
    for index, value in enumerate(description.checked(tuple(inputs))):
        np.save(folder / f"input_{index}.npy", value)
    if peers:
        prepare(job, description.folder / f"{description.name}.onnx", inputs[0])
    job.write()
    return job


def prepare(job: Job, path: Path, picture: NDArray[Any]) -> None:
    """Write model, picture and weights for the peers into the job's folder, from the reference at ``path``.

    The peers compute with channels first; a transposition at the very beginning is taken out of the model and done to
    the picture instead, so that none pays for it. LibraryError where the file is missing.
    """
    import onnx

    if not path.is_file():
        raise LibraryError(f"{path}: missing; the peers run that file, which `mnv2c compile` writes beside the library")
    if job.inputs != 1:
        raise UserError(f"{path}: has {job.inputs} inputs; peers are compared on networks with one")
    model = onnx.load(path)
    if job.spec:
        np.savez(job.folder / "weights.npz", **weights(model, job.spec))
    if drop_transposition(model):
        picture = np.ascontiguousarray(picture.transpose(TO_CHANNELS_FIRST))
    onnx.save(model, job.model)
    np.save(job.folder / "picture.npy", picture)


def drop_transposition(model: onnx.ModelProto) -> bool:
    """Take the transposition to channels first out of a model that begins with it; return whether there was one."""
    graph = model.graph
    source = graph.input[0]
    readers = [node for node in graph.node if source.name in node.input]
    if len(readers) != 1 or readers[0].op_type != "Transpose":
        return False
    (turn,) = readers
    if [tuple(attribute.ints) for attribute in turn.attribute] != [TO_CHANNELS_FIRST]:
        return False
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == turn.output[0]:
                node.input[index] = source.name
    graph.node.remove(turn)
    extents = source.type.tensor_type.shape.dim
    turned = [extents[axis].dim_value for axis in TO_CHANNELS_FIRST]
    for extent, value in zip(extents, turned, strict=True):
        extent.dim_value = value
    for value in [value for value in graph.value_info if value.name == turn.output[0]]:
        graph.value_info.remove(value)
    return True


def weights(model: onnx.ModelProto, spec: str) -> dict[str, Any]:
    """The weights that the model described by ``spec`` (TOML) expects, from the file that mnv2c emitted for it."""
    from onnx import numpy_helper

    from mnv2c.spec import from_toml
    from mnv2c.weights import expected

    wanted = expected(from_toml(spec))
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer if item.name in wanted}
