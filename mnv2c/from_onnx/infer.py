"""The type and shape of every tensor, node by node: each is checked before the next node is looked at.

onnx's own inference of a whole graph would go on with shapes of any size, and makes lists as long as an extent of them.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.auto_pad import explicit_pads
from mnv2c.from_onnx.fitting import check_fit
from mnv2c.from_onnx.fold import folded_value
from mnv2c.from_onnx.limits import MAXIMUM_FOLDED_ELEMENTS, MAXIMUM_FOLDED_NODES
from mnv2c.from_onnx.naming import node_name, one_line, quoted, type_name
from mnv2c.from_onnx.operators import ONLY_FOLDED
from mnv2c.from_onnx.resized import explicit_sizes
from mnv2c.from_onnx.static import check_operands, check_ports, check_result

if TYPE_CHECKING:
    import numpy as np
    import onnx


def infer(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Fold what is computed from constants and shapes, state every type and shape in the model; return the shapes.

    The model is plain, its inputs are static. OnnxError, naming the node, for a shape that is unknown, or over a limit.
    """
    return _Inference(model).run()


class _Inference:
    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        self.model, self.graph = model, model.graph
        self.outputs = {value.name for value in model.graph.output}
        self.types: dict[str, onnx.TypeProto] = {value.name: value.type for value in model.graph.input}
        self.small: dict[str, onnx.TensorProto] = {}
        self.values: dict[str, np.ndarray[Any, Any]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {
            value.name: tuple(entry.dim_value for entry in value.type.tensor_type.shape.dim)
            for value in model.graph.input
        }
        for tensor in model.graph.initializer:
            self._add_constant(tensor)
            if tensor.name in self.small:
                self.values[tensor.name] = numpy_helper.to_array(tensor)

    def _add_constant(self, tensor: onnx.TensorProto) -> None:
        from onnx import helper

        self.shapes[tensor.name] = tuple(tensor.dims)
        self.types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
        if prod(tensor.dims) <= MAXIMUM_FOLDED_ELEMENTS:
            self.small[tensor.name] = tensor

    def run(self) -> dict[str, tuple[int, ...]]:
        kept = type(self.graph)()
        for node in self.graph.node:
            if not self._fold(node):
                self._infer(node)
                kept.node.append(node)
        if len(self.graph.node) - len(kept.node) > MAXIMUM_FOLDED_NODES:
            raise OnnxError(f"it computes more than {MAXIMUM_FOLDED_NODES:,} sizes; export it with a fixed input size")
        self._state(kept)
        return self.shapes

    def _fold(self, node: onnx.NodeProto) -> bool:
        """Compute a node of constants and shapes, and keep its result as a constant; return whether it is one."""
        from onnx import numpy_helper

        if self.outputs.intersection(node.output):
            return False
        value = folded_value(node, self.values, self.shapes, self.model)
        if value is None:
            return False
        tensor = numpy_helper.from_array(value, node.output[0])
        self.values[tensor.name] = value
        self._add_constant(tensor)
        self.graph.initializer.append(tensor)
        return True

    def _infer(self, node: onnx.NodeProto) -> None:
        if node.op_type in ONLY_FOLDED:
            raise OnnxError(f"{node_name(node)}: its operands are not constant, which is not supported")
        check_operands(node, self.small, self.shapes)
        check_fit(node, self.shapes, self.values)
        self._write_out(node)
        for value in self._of_node(node):
            if not value.name:
                continue
            if not value.type.tensor_type.elem_type and value.name != node.output[0]:
                continue  # the mask of a Dropout, statistics of a BatchNormalization
            check_result(node, value.name, value.type)
            self.types[value.name] = value.type
            self.shapes[value.name] = tuple(entry.dim_value for entry in value.type.tensor_type.shape.dim)

    def _write_out(self, node: onnx.NodeProto) -> None:
        """State what onnx infers otherwise than onnxruntime computes it: windows of pools, scales of resizes."""
        from onnx import numpy_helper

        explicit_pads(node, self.shapes)
        sizes = explicit_sizes(node, self.shapes, self.values)
        if sizes is not None:
            self.values[sizes.name] = numpy_helper.to_array(sizes)
            self._add_constant(sizes)
            self.graph.initializer.append(sizes)

    def _of_node(self, node: onnx.NodeProto) -> list[onnx.ValueInfoProto]:
        """Let onnx infer the results of one node."""
        from onnx import helper, shape_inference

        names = [name for name in dict.fromkeys(node.input) if name]
        unknown = next((name for name in names if name not in self.types), None)
        if unknown is not None:
            raise OnnxError(f"{node_name(node)} reads {quoted(unknown)}, whose shape is unknown before it runs")
        inputs = [helper.make_value_info(name, self.types[name]) for name in names if name not in self.small]
        constants = [self.small[name] for name in names if name in self.small]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "node", inputs, outputs, constants)
        single = helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)
        try:
            return list(shape_inference.infer_shapes(single, strict_mode=True).graph.output)
        except Exception as error:  # onnx raises its own kinds, and others
            raise OnnxError(f"{node_name(node)}: its operands do not fit each other: {one_line(error)}") from error

    def _state(self, kept: onnx.GraphProto) -> None:
        """Write what was found into the model."""
        from onnx import helper

        graph = self.graph
        graph.ClearField("node")
        graph.node.extend(kept.node)
        graph.ClearField("value_info")
        made = [name for node in graph.node for name in node.output if name in self.types and name not in self.outputs]
        graph.value_info.extend(helper.make_value_info(name, self.types[name]) for name in made)
        for value in graph.output:
            declared = value.type.tensor_type.elem_type
            found = self.types[value.name]
            if declared and declared != found.tensor_type.elem_type:
                raise OnnxError(
                    f"the output {quoted(value.name)} is declared as {type_name(declared)}, and "
                    f"{type_name(found.tensor_type.elem_type)} is computed; export the model again"
                )
            value.type.CopyFrom(found)
        check_ports(graph)
