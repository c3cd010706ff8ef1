"""The two padding conventions that published MobileNetV2 weights were trained with.

``symmetric`` (PyTorch) pads both sides alike; ``tf_same`` (TensorFlow's SAME) pads as little as possible and the
odd element at the end, so that a stride-2 layer on an even extent is padded by (0, 1). Both give ceil(size / stride).
"""

from __future__ import annotations

from collections.abc import Callable

Pair = tuple[int, int]


def reach(kernel: int, dilation: int) -> int:
    """Return the number of input positions a kernel spans."""
    return dilation * (kernel - 1) + 1


def symmetric(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Return (before, after) for an odd kernel: half of its reach on both sides."""
    half = reach(kernel, dilation) // 2
    return half, half


def tf_same(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Return (before, after) of TensorFlow's SAME: just enough for ceil(size / stride) outputs."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + reach(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


CONVENTIONS: dict[str, Callable[[int, int, int, int], Pair]] = {"symmetric": symmetric, "tf_same": tf_same}


def output_size(size: int, kernel: int, stride: int, dilation: int, pad: Pair) -> int:
    """Return the number of positions at which the kernel fits into the padded input."""
    return (size + sum(pad) - reach(kernel, dilation)) // stride + 1
