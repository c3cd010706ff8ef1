"""One layer of a network as plain data: what it computes, on which shapes, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mnv2c.spec.padding import Pair

Shape = tuple[int, int, int]  # height, width, channels

WEIGHTLESS = frozenset({"add", "pool", "broadcast", "concat", "stack", "resize", "argmax"})


@dataclass(frozen=True)
class Layer:
    """One layer: a convolution (with its batch normalisation or bias, and activation), ``dense``, or a weightless one.

    ``kind`` is the stage name. Convolutions are ``stem``, ``expand``, ``depthwise``, ``project``, ``pointwise`` and
    ``regular`` (all channels with all channels, 3x3). Weightless are ``add``; ``pool`` (the mean of a map);
    ``broadcast`` (one pixel to a whole map); ``concat`` (of channels); ``stack`` (the heads of all maps as (1, N,
    values)); ``resize`` (bilinear) and ``argmax`` (over the channels). ``inputs`` are the names of the layers it reads,
    () being the image; shapes are (height, width, channels), ``input_shape`` that of the first input; ``padding`` is
    ((top, bottom), (left, right)); ``activation`` is "relu6", "relu" or "linear". ``bn_epsilon`` is None where no batch
    normalisation follows; such a convolution has a bias.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    groups: int = 1
    activation: str = "linear"
    bn_epsilon: float | None = None

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight: OIHW for a convolution, (out, in) for ``dense``, () where there is none."""
        if self.kind in WEIGHTLESS:
            return ()
        matrix = (self.output_shape[2], self.input_shape[2] // self.groups)
        return matrix if self.kind == "dense" else matrix + self.kernel

    @property
    def has_batch_norm(self) -> bool:
        """Whether batch normalisation follows, as it does every convolution but those that predict."""
        return self.bn_epsilon is not None

    @property
    def has_bias(self) -> bool:
        """Whether it has weights and, for want of batch normalisation, a bias."""
        return bool(self.weight_shape) and not self.has_batch_norm

    @property
    def parameters_without_bn(self) -> int:
        """Weights and bias."""
        return (prod(self.weight_shape) if self.weight_shape else 0) + self.output_shape[2] * self.has_bias

    @property
    def parameters(self) -> int:
        """Weights and bias, and the trained scale and shift of batch normalisation."""
        return self.parameters_without_bn + 2 * self.output_shape[2] * self.has_batch_norm

    @property
    def madds(self) -> int:
        """Multiply-adds of the convolution or fully connected layer; nothing else is counted."""
        return prod(self.output_shape[:2]) * prod(self.weight_shape) if self.weight_shape else 0
