"""Write out the padding of convolutions that leave it to ``auto_pad`` (ONNX, operator Conv)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

SAME = {b"SAME_UPPER": 0, b"SAME_LOWER": 1}
"""How many of an odd padding's two unequal halves come first: the smaller (0) or the larger one (1)."""


def explicit_pads(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Replace ``auto_pad`` = SAME_UPPER or SAME_LOWER of every Conv whose operands have static ``shapes``."""
    from onnx import helper

    for node in graph.node:
        if node.op_type != "Conv" or not all(name in shapes for name in node.input[:2]):
            continue
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        if attributes.get("auto_pad") not in SAME:
            continue
        image, window = shapes[node.input[0]][2:], shapes[node.input[1]][2:]
        ones = [1] * len(window)
        halves = [
            same_padding(*extents, late=not SAME[attributes["auto_pad"]])
            for extents in zip(
                image, window, attributes.get("strides", ones), attributes.get("dilations", ones), strict=True
            )
        ]
        kept = [entry for entry in node.attribute if entry.name not in ("auto_pad", "pads")]
        pads = [half[0] for half in halves] + [half[1] for half in halves]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", pads)])


def same_padding(extent: int, window: int, stride: int, dilation: int, late: bool) -> tuple[int, int]:
    """Return the padding before and after one dimension for ceil(extent / stride) results; ``late``: more after."""
    total = max(0, (-(-extent // stride) - 1) * stride + (window - 1) * dilation + 1 - extent)
    small, large = total // 2, total - total // 2
    return (small, large) if late else (large, small)
