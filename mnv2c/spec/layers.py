"""From a model description to its layers: shapes, windows, parameters and MAdds, in execution order.

A block is named ``block_1`` to ``block_17``; its layers are ``expand`` (absent when t = 1), ``depthwise``,
``project`` and ``add``. Where the ``add`` stands depends on the spec's ``shortcut``:

- ``bottleneck``: after ``project``, joined with the block's input, when the stride is 1 and the channels agree
  (paper, section 4).
- ``expansion`` (Figure 6b): after ``expand``, joined with the expanded tensor (after ReLU6, and after its own
  ``add`` if it has one) of the block before it in the same line, when both have the same shape.
- ``none``: nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from mnv2c.errors import SpecError
from mnv2c.spec.channels import last_channels, scaled, stem_channels
from mnv2c.spec.model import ModelSpec
from mnv2c.spec.padding import CONVENTIONS, Pair, output_size
from mnv2c.spec.table2 import EXPANSION, IMAGE_CHANNELS, KERNEL, STEM_STRIDE

Shape = tuple[int, int, int]  # height, width, channels

WEIGHTLESS = frozenset({"add", "pool"})
MAXIMUM_PARAMETERS = 400_000_000  # an ONNX file holds at most 2 GiB
MAXIMUM_ELEMENTS = 1 << 29  # of one tensor: 2 GiB of float32, so that int32 byte offsets reach everywhere


@dataclass(frozen=True)
class Layer:
    """One layer: a convolution (with its batch normalisation and activation), ``add``, ``pool`` or ``dense``.

    ``kind`` is the stage name; ``inputs`` are the names of the layers it reads, () being the image; shapes are
    (height, width, channels); ``padding`` is ((top, bottom), (left, right)); ``activation`` is "relu6" or "linear".
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

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight: OIHW for a convolution, (out, in) for ``dense``, () where there is none."""
        if self.kind in WEIGHTLESS:
            return ()
        matrix = (self.output_shape[2], self.input_shape[2] // self.groups)
        return matrix if self.kind == "dense" else matrix + self.kernel

    @property
    def has_batch_norm(self) -> bool:
        """Whether batch normalisation follows, as it does every convolution."""
        return len(self.weight_shape) == 4

    @property
    def parameters_without_bn(self) -> int:
        """Weights, and the bias of ``dense``; no other layer has one."""
        return (prod(self.weight_shape) if self.weight_shape else 0) + self.output_shape[2] * (self.kind == "dense")

    @property
    def parameters(self) -> int:
        """Weights and bias, and the trained scale and shift of batch normalisation."""
        return self.parameters_without_bn + 2 * self.output_shape[2] * self.has_batch_norm

    @property
    def madds(self) -> int:
        """Multiply-adds of the convolution or fully connected layer; nothing else is counted."""
        return prod(self.output_shape[:2]) * prod(self.weight_shape) if self.weight_shape else 0


class _Builder:
    """Appends layers one after another; ``self.shape`` and ``self.last`` describe the newest tensor."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.layers: list[Layer] = []
        self.shape: Shape = (spec.height, spec.image_width, IMAGE_CHANNELS)
        self.last: tuple[str, ...] = ()
        self.stride = 1  # of the newest tensor, relative to the image
        self.rate = 1  # dilation of the next spatial convolution

    def append(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shape, self.last = layer.output_shape, (layer.name,)

    def pointwise(self, name: str, kind: str, channels: int, activation: str) -> None:
        shape = (*self.shape[:2], channels)
        self.append(Layer(name, kind, self.last, self.shape, shape, activation=activation))

    def spatial(self, name: str, kind: str, channels: int, groups: int, stride: int, dilation: int) -> None:
        """A 3x3 convolution with ReLU6 under the spec's padding convention."""
        pad = CONVENTIONS[self.spec.padding]
        pads = tuple(pad(size, KERNEL, stride, dilation) for size in self.shape[:2])
        sizes = [output_size(self.shape[i], KERNEL, stride, dilation, pads[i]) for i in range(2)]
        self.append(
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
                activation="relu6",
            )
        )

    def add(self, name: str, other: tuple[str, ...]) -> None:
        self.append(Layer(name, "add", self.last + other, self.shape, self.shape))

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


def _block(net: _Builder, name: str, t: int, channels: int, stride: int, peer: Layer | None) -> Layer | None:
    """One inverted residual (Table 1); returns its expanded layer, which the next block of its line may add."""
    spec, start, start_shape = net.spec, net.last, net.shape
    expanded = None
    if t > 1:
        net.pointwise(f"{name}.expand", "expand", t * start_shape[2], "relu6")
        if spec.shortcut == "expansion" and peer is not None and peer.output_shape == net.shape:
            net.add(f"{name}.add", (peer.name,))
        expanded = net.layers[-1]
    stride, dilation = net.window(stride)
    net.spatial(f"{name}.depthwise", "depthwise", net.shape[2], net.shape[2], stride, dilation)
    net.pointwise(f"{name}.project", "project", channels, spec.bottleneck_activation)
    if spec.shortcut == "bottleneck" and stride == 1 and net.shape[2] == start_shape[2]:
        net.add(f"{name}.add", start)
    return expanded


def _body(net: _Builder) -> None:
    """The stem and the bottlenecks of Table 2."""
    spec = net.spec
    net.spatial("stem", "stem", stem_channels(spec.width, spec.stem_head), 1, *net.window(STEM_STRIDE))
    number = 0
    for row in spec.rows:
        t = spec.expansion if row.t == EXPANSION else row.t
        expanded: Layer | None = None
        for repeat in range(row.n):
            number += 1
            stride = row.s if repeat == 0 else 1
            expanded = _block(net, f"block_{number}", t, scaled(row.c, spec.width), stride, expanded)


def _classifier(net: _Builder) -> None:
    """The last three lines of Table 2; the final 1x1 convolution on one pixel is a fully connected layer."""
    channels = last_channels(net.spec.width, net.spec.stem_head)
    net.pointwise("head.pointwise", "pointwise", channels, "relu6")
    window = net.shape[:2]
    net.append(Layer("head.pool", "pool", net.last, net.shape, (1, 1, channels), kernel=window, stride=window))
    net.append(Layer("head.dense", "dense", net.last, net.shape, (1, 1, net.spec.classes)))


@lru_cache(maxsize=64)
def layers(spec: ModelSpec) -> tuple[Layer, ...]:
    """Return the layers in execution order; raises SpecError when the model is too large to be compiled."""
    net = _Builder(spec)
    _body(net)
    _classifier(net)
    parameters = sum(layer.parameters for layer in net.layers)
    if parameters > MAXIMUM_PARAMETERS:
        raise SpecError(
            f"{spec.name} has {parameters:,} parameters; {MAXIMUM_PARAMETERS:,} are possible: "
            "reduce width, expansion or classes"
        )
    largest = max(net.layers, key=lambda layer: prod(layer.output_shape))
    if prod(largest.output_shape) > MAXIMUM_ELEMENTS:
        raise SpecError(
            f"{spec.name}: layer {largest.name} has {prod(largest.output_shape):,} elements; "
            f"{MAXIMUM_ELEMENTS:,} are possible: reduce resolution, width or expansion"
        )
    return tuple(net.layers)
