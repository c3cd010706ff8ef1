"""Write out the padding that an operator leaves to ``auto_pad`` or ``ceil_mode`` (ONNX: Conv, MaxPool, AveragePool)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

SAME = {b"SAME_UPPER": 0, b"SAME_LOWER": 1}
"""How many of an odd padding's two unequal halves come first: the smaller (0) or the larger one (1)."""

POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})


def explicit_pads(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Replace ``auto_pad`` = SAME_UPPER or SAME_LOWER, and ``ceil_mode`` of pools; ``shapes`` are the operands'."""
    from onnx import helper

    is_pool = node.op_type in POOLS
    if not (is_pool or node.op_type == "Conv") or not all(name in shapes for name in node.input[:2]):
        return
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    window = attributes.get("kernel_shape") if is_pool else shapes[node.input[1]][2:]
    image = shapes[node.input[0]][2:]
    if window is None or len(window) != len(image) or not _fits(attributes, len(window)):
        return
    pads: list[int] | None = None
    if attributes.get("auto_pad") in SAME:
        pads = _same(attributes, image, window)
    elif is_pool and attributes.get("ceil_mode"):
        pads = _whole_windows(attributes, image, window)
    if pads is not None:
        written = ("auto_pad", "pads", "ceil_mode")
        kept = [entry for entry in node.attribute if entry.name not in written]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", pads)])


def _fits(attributes: Mapping[str, Any], count: int) -> bool:
    """Whether every list has an entry per dimension; onnx's inference says what is wrong with others."""
    lengths = {"strides": count, "dilations": count, "pads": 2 * count}
    return all(len(attributes.get(name, range(length))) == length for name, length in lengths.items())


def _same(attributes: Mapping[str, Any], image: tuple[int, ...], window: tuple[int, ...]) -> list[int]:
    ones, late = [1] * len(window), not SAME[attributes["auto_pad"]]
    strides, dilations = attributes.get("strides", ones), attributes.get("dilations", ones)
    halves = [same_padding(*extents, late=late) for extents in zip(image, window, strides, dilations, strict=True)]
    return [half[0] for half in halves] + [half[1] for half in halves]


def _whole_windows(attributes: Mapping[str, Any], image: tuple[int, ...], window: tuple[int, ...]) -> list[int] | None:
    """The padding with which all windows are whole that ``ceil_mode`` asks for; None where that changes a mean.

    A window may begin in the image or the padding before it, not behind: ONNX's own inference before 1.17 counts
    such a window, onnxruntime does not.
    """
    count = len(window)
    ones, pads = [1] * count, list(attributes.get("pads", [0] * 2 * count))
    strides, dilations = attributes.get("strides", ones), attributes.get("dilations", ones)
    after = []
    for extents in zip(image, window, strides, dilations, pads[:count], pads[count:], strict=True):
        extent, taps, stride, dilation, first, last = extents
        reach = (taps - 1) * dilation + 1
        results = -(-(extent + first + last - reach) // stride) + 1
        if (results - 1) * stride >= extent + first:
            results -= 1
        needed = max((results - 1) * stride + reach - extent - first, 0)
        if attributes.get("count_include_pad") and needed > last:
            return None
        after.append(needed)
    return [*pads[:count], *after]


def same_padding(extent: int, window: int, stride: int, dilation: int, late: bool) -> tuple[int, int]:
    """Return the padding before and after one dimension for ceil(extent / stride) results; ``late``: more after."""
    total = max(0, (-(-extent // stride) - 1) * stride + (window - 1) * dilation + 1 - extent)
    small, large = total // 2, total - total // 2
    return (small, large) if late else (large, small)
