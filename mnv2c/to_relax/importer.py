"""ONNX to Relax, keeping for every variable the name of the ONNX tensor it holds."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mnv2c.errors import OnnxError
from mnv2c.to_relax.inferred import Known, check_shapes

if TYPE_CHECKING:
    import onnx


TAKEN = re.compile(r"[lg]v[\d_]*|main[\d_]*")
"""What TVM calls the function, and variables that its passes make: they would be taken for tensors of such a name."""
FIRST_RESULT = frozenset({"BatchNormalization", "Dropout", "LayerNormalization", "MaxPool"})
"""Operators of which only the first result is computed."""


@dataclass(frozen=True)
class Imported:
    """A Relax module with one function ``main``.

    ``names`` maps its variables to ONNX tensor names, ``shapes`` those names to static shapes. ``orders`` says of every
    input and output of four dimensions whether it is stored "NCHW" or "NHWC". ``inferred`` is what ONNX itself knows.
    """

    module: Any
    names: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    orders: dict[str, str] = field(default_factory=dict)
    inferred: Known = field(default_factory=dict)


def import_onnx(model: onnx.ModelProto) -> Imported:
    """Import a checked model whose shapes are static; weights become constants.

    Raises OnnxError naming the node and operator when the importer cannot convert one.
    """
    from mnv2c.to_relax.orders import port_orders

    importer, named = _importer_class()(), _nodes_named(model)
    try:
        # The importer prints before it raises, and warns of every name that is no identifier.
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importer.from_onnx(named, _opset(model))
    except Exception as error:  # the importer raises whatever its converters raise
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        where = f"{importer.current}: " if importer.current else ""
        raise OnnxError(f"the ONNX graph cannot be imported: {where}{reason}") from error
    inferred = check_shapes(model, importer.results)
    outputs = tuple(value.name for value in model.graph.output)
    return Imported(
        module,
        importer.tensor_names,
        importer.tensor_shapes,
        tuple(importer.input_names()),
        outputs,
        port_orders(model.graph),
        inferred,
    )


def _nodes_named(model: onnx.ModelProto) -> onnx.GraphProto:
    """Return a copy whose nodes are named after their first results: a node's own name may be missing or shared.

    Results that nothing reads (the mask of a Dropout, statistics of training) are dropped, such that are read refused.
    """
    copy = type(model.graph)()
    copy.CopyFrom(model.graph)
    opset = _opset(model)
    read = {name for node in copy.node for name in node.input} | {value.name for value in copy.output}
    for node in copy.node:
        if node.op_type in FIRST_RESULT:
            if used := read & set(node.output[1:]) - {""}:
                where = f"node {node.output[0]} ({node.op_type})"
                raise OnnxError(f"{where}: its result {min(used)} is read; only the first is supported")
            if node.op_type == "BatchNormalization" and opset < 14 and any(node.output[1:]):
                node.attribute.add(name="training_mode", i=1, type=2)  # said by the number of results before opset 14
            del node.output[1:]
        node.name = next(iter(node.output), node.name)
    return copy


def _opset(model: onnx.ModelProto) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise OnnxError("the ONNX model declares no opset of the default domain")
    return int(versions[0])


def _importer_class() -> Any:
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter

    from mnv2c.to_relax.converters import CONVERTERS

    class Importer(ONNXGraphImporter):  # type: ignore[misc]  # TVM is untyped
        """TVM's importer, with some operators converted to the form the passes match, and variables named."""

        def __init__(self) -> None:
            super().__init__({}, "float32", keep_params_in_input=False)
            self.tensor_names: dict[str, str] = {}
            self.tensor_shapes: dict[str, tuple[int, ...]] = {}
            self.current = ""

        def input_names(self) -> list[str]:
            return list(self._input_names)

        @property
        def results(self) -> dict[str, Any]:
            """The Relax value of every ONNX tensor."""
            return dict(self._nodes)

        def _convert_operator(self, operator: str, inputs: Any, attributes: Any, opset: int) -> Any:
            name = attributes["tvm_custom"]["name"]
            self.current = f"node {name} ({operator})"
            converter = CONVERTERS.get(operator)
            known = {**attributes, "opset": opset}
            converted = None if converter is None else converter(self.bb, list(inputs), known)
            if converted is not None:
                converted = self.bb.normalize(converted)
                is_call = isinstance(converted, relax.Call) and isinstance(converted.ty, relax.TensorType)
                return self._name(converted, name) if is_call else converted
            if operator == "BatchNormalization":
                # Inference reads only the first of its results; bind that one again, under its own name.
                first = super()._convert_operator(operator, inputs, attributes, opset)[0]
                return self._name(self.bb.lookup_binding(first) if isinstance(first, relax.Var) else first, name)
            result = super()._convert_operator(operator, inputs, attributes, opset)
            is_call = isinstance(result, relax.Call) and isinstance(result.ty, relax.TensorType)
            return self._name(result, name) if is_call else result

        def _name(self, value: Any, name: str) -> Any:
            hint = re.sub(r"\W", "_", name)
            hint = f"onnx_{hint}" if TAKEN.fullmatch(hint) else hint  # the builder sees to names that are alike
            variable = self.bb.emit(value, name_hint=hint)
            self.tensor_names[variable.name] = name
            extents = getattr(variable.ty.shape, "values", None)
            if extents is not None and all(isinstance(extent, tvm.tirx.IntImm) for extent in extents):
                self.tensor_shapes[name] = tuple(int(extent) for extent in extents)
            return variable

    return Importer
