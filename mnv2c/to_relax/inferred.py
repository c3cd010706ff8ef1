"""The second opinion on every shape: ONNX's own inference. Where the importer's differs, its numbers would be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mnv2c.errors import CompilerError, OnnxError

if TYPE_CHECKING:
    import onnx

Known = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape and type by the name of a tensor."""


def check_shapes(model: onnx.ModelProto, results: Mapping[str, Any]) -> Known:
    """Return shape and type of every tensor that ONNX infers completely.

    ``results`` are the Relax values by ONNX name. Raises OnnxError, naming node and tensor, where one has another shape
    or type than the inferred one. What neither the importer nor ONNX knows is not compared.
    """
    known = _inferred(model)
    for node in model.graph.node:
        for name in node.output:
            found, wanted = _described(results.get(name)), known.get(name)
            if found is not None and wanted is not None and found != wanted:
                raise OnnxError(
                    f"node {node.output[0]} ({node.op_type}): its result {name} was imported as {_text(found)}, but "
                    f"ONNX infers {_text(wanted)}; please report this, with the model if you can"
                )
    return known


def check_outputs(known: Known, found: Known) -> None:
    """Raise CompilerError where an output of the compiled network has not the shape and type that ONNX infers."""
    for name, described in found.items():
        if described != known.get(name, described):
            raise CompilerError(
                f"output {name} became {_text(described)}, but ONNX infers {_text(known[name])}; please report this, "
                f"with the model if you can"
            )


def _inferred(model: onnx.ModelProto) -> Known:
    """Shape and type of every tensor that ONNX infers completely."""
    from onnx import helper, shape_inference

    known = {value.name for value in model.graph.value_info}
    missing = any(name and name not in known for node in model.graph.node[:-1] for name in node.output[:1])
    graph = shape_inference.infer_shapes(model, data_prop=True).graph if missing else model.graph
    found = {}
    for value in (*graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(entry.HasField("dim_value") for entry in tensor.shape.dim):
            extents = tuple(entry.dim_value for entry in tensor.shape.dim)
            found[value.name] = extents, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return found


def _described(value: Any) -> tuple[tuple[int, ...], str] | None:
    """Shape and type of a Relax value; None of what is no tensor of static shape."""
    extents = getattr(getattr(getattr(value, "ty", None), "shape", None), "values", None)
    if extents is None:
        return None
    try:
        return tuple(int(extent) for extent in extents), str(value.ty.dtype)
    except (TypeError, ValueError):  # an extent that is computed while the network runs
        return None


def _text(described: tuple[tuple[int, ...], str]) -> str:
    return f"{described[1]} {list(described[0])}"
