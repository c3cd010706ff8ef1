"""Appends the layers of a network one after another; every part of a network is a function over a builder."""

from __future__ import annotations

from mnv2c.spec.layer import Layer, Shape
from mnv2c.spec.model import ModelSpec
from mnv2c.spec.padding import CONVENTIONS, Pair, output_size
from mnv2c.spec.table2 import IMAGE_CHANNELS, KERNEL


class Builder:
    """``shape`` and ``last`` describe the newest tensor, which the next layer reads; ``at`` goes back to another."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.layers: list[Layer] = []
        self.shape: Shape = (spec.height, spec.image_width, IMAGE_CHANNELS)
        self.last: tuple[str, ...] = ()
        self.stride = 1  # of the newest tensor, relative to the image
        self.rate = 1  # dilation of the next spatial convolution
        self.bn_epsilon = spec.bn_epsilon
        self.tap: Layer | None = None  # what the last layer with stride 2 reads

    def append(self, layer: Layer) -> Layer:
        """Append a layer and make it the newest."""
        self.layers.append(layer)
        self.at(layer)
        return layer

    def at(self, layer: Layer) -> None:
        """Let the next layer read the output of ``layer``."""
        self.shape, self.last = layer.output_shape, (layer.name,)

    def pointwise(self, name: str, kind: str, channels: int, activation: str, *, bias: bool = False) -> Layer:
        """A 1x1 convolution with batch normalisation, or with a bias instead."""
        shape = (*self.shape[:2], channels)
        epsilon = None if bias else self.bn_epsilon
        return self.append(Layer(name, kind, self.last, self.shape, shape, activation=activation, bn_epsilon=epsilon))

    def spatial(
        self,
        name: str,
        kind: str,
        channels: int,
        groups: int,
        stride: int = 1,
        dilation: int = 1,
        activation: str = "relu6",
        *,
        bias: bool = False,
    ) -> Layer:
        """A 3x3 convolution under the spec's padding convention, with batch normalisation or with a bias instead."""
        pad = CONVENTIONS[self.spec.padding]
        pads = tuple(pad(size, KERNEL, stride, dilation) for size in self.shape[:2])
        sizes = [output_size(self.shape[i], KERNEL, stride, dilation, pads[i]) for i in range(2)]
        return self.append(
            Layer(
                name,
                kind,
                self.last,
                self.shape,
                (sizes[0], sizes[1], channels),
                kernel=(KERNEL, KERNEL),
                stride=(stride, stride),
                dilation=(dilation, dilation),
                padding=(pads[0], pads[1]),
                groups=groups,
                activation=activation,
                bn_epsilon=None if bias else self.bn_epsilon,
            )
        )

    def depthwise(self, name: str, stride: int = 1, dilation: int = 1) -> Layer:
        """A depthwise 3x3 convolution with ReLU6."""
        return self.spatial(name, "depthwise", self.shape[2], self.shape[2], stride, dilation)

    def pool(self, name: str) -> Layer:
        """The mean of the newest map."""
        window = self.shape[:2]
        return self.append(
            Layer(name, "pool", self.last, self.shape, (1, 1, self.shape[2]), kernel=window, stride=window)
        )

    def weightless(self, name: str, kind: str, shape: Shape, *others: Layer) -> Layer:
        """A layer without weights, of the newest tensor and ``others``."""
        inputs = self.last + tuple(layer.name for layer in others)
        return self.append(Layer(name, kind, inputs, self.shape, shape))

    def window(self, stride: int) -> Pair:
        """Return the (stride, dilation) a layer really gets under the spec's output stride (TF-Slim's rule).

        Once the output stride is reached, a layer loses its stride and keeps the rate, which grows for later ones.
        """
        if self.stride < self.spec.output_stride:
            self.stride *= stride
            return stride, 1
        dilation = self.rate
        self.rate *= stride
        return 1, dilation
