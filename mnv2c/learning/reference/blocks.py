"""The two parts that the paper's networks are made of: a normalised convolution and the inverted residual."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mnv2c.spec import ModelSpec

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu6": nn.ReLU6, "relu": nn.ReLU, "linear": nn.Identity}


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation, and an activation: "relu6", "relu" or "linear".

    Under "symmetric" padding PyTorch's own padding is used; under "tf_same" the padding of a stride follows from the
    size of the input at hand. Without a stride the two are the same.
    """

    def __init__(
        self,
        spec: ModelSpec,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        activation: str = "relu6",
        epsilon: float | None = None,
    ) -> None:
        super().__init__()
        self.same = spec.padding == "tf_same" and kernel > 1 and stride > 1
        self.conv = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride,
            padding=0 if self.same else (kernel - 1) // 2 * dilation,
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(outputs, eps=spec.bn_epsilon if epsilon is None else epsilon)
        self.activation = ACTIVATIONS[activation]()
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map float32 [N, C, H, W] to [N, C', ceil(H / stride), ceil(W / stride)]."""
        if self.same:
            x = functional.pad(x, [*self._around(x.shape[3], 1), *self._around(x.shape[2], 0)])
        y: torch.Tensor = self.activation(self.bn(self.conv(x)))
        return y

    def _around(self, size: int, axis: int) -> tuple[int, int]:
        """TensorFlow's SAME: as much as the last window hangs over, the smaller half first."""
        stride, dilation, kernel = self.conv.stride[axis], self.conv.dilation[axis], self.conv.kernel_size[axis]
        last_window_ends = (size - 1) // stride * stride + dilation * (kernel - 1) + 1
        over = max(0, last_window_ends - size)
        return over // 2, over - over // 2


class Bottleneck(nn.Module):
    """Table 1 of the paper: expansion by ``t``, depthwise 3x3, linear projection; the shortcut is the spec's."""

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int, *, t: int, stride: int, dilation: int) -> None:
        super().__init__()
        inner = t * inputs
        self.expand = Convolution(spec, inputs, inner) if t > 1 else None
        self.depthwise = Convolution(spec, inner, inner, kernel=3, stride=stride, dilation=dilation, groups=inner)
        self.project = Convolution(spec, inner, outputs, activation=spec.bottleneck_activation)
        self.adds_input = spec.shortcut == "bottleneck" and stride == 1 and inputs == outputs
        self.joins_expansions = spec.shortcut == "expansion"

    def forward(self, x: torch.Tensor, before: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Map the block's input, and the expanded tensor of the block before it in its line, to the same two.

        Figure 6b's shortcut joins the expanded tensors where they are of one shape.
        """
        expanded = None
        inner = x
        if self.expand is not None:
            inner = self.expand(x)
            if self.joins_expansions and before is not None and before.shape == inner.shape:
                inner = inner + before
            expanded = inner
        y: torch.Tensor = self.project(self.depthwise(inner))
        return (y + x if self.adds_input else y), expanded
