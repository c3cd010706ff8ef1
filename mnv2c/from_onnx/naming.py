"""How error messages quote what a foreign file calls its things: on one line, printable, of bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnv2c.common.escape import LONGEST_NAME, quoted

if TYPE_CHECKING:
    import onnx

__all__ = ["node_name", "one_line", "quoted", "type_name"]


def node_name(node: onnx.NodeProto) -> str:
    """Return ``node "name" (Operator)``; a node without a name is known by its first result."""
    name = node.name or next((output for output in node.output if output), "")
    operator = quoted(node.op_type)[1:-1]
    return f"node {quoted(name)} ({operator})" if name else f"a node without name or result ({operator})"


def one_line(error: BaseException) -> str:
    """Return the first line that says something of an exception's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return quoted(lines[0][: 2 * LONGEST_NAME])[1:-1] if lines else type(error).__name__


def type_name(number: int) -> str:
    """Return ONNX's name of an element type, or the number that is none."""
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(number)) if number in TensorProto.DataType.values() else str(number)
