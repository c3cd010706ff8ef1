"""The zoo: every network with its real size, what it becomes, and a small form of the same structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from tests.zoo import excited, mobile, residual, searched, shuffled, tasks


@dataclass(frozen=True)
class Network:
    """``build()`` makes the network at its real size, ``build(**small)`` one for every run (None: only in slow ones).

    ``fused`` and ``fallbacks`` are the numbers of kernels on x86-64 with AVX-512, joins kept.
    """

    build: Callable[..., onnx.ModelProto]
    fused: int
    fallbacks: int
    real: Mapping[str, Any] = field(default_factory=dict)
    small: Mapping[str, Any] | None = None

    def model(self) -> onnx.ModelProto:
        return self.build(**self.real)

    def small_model(self) -> onnx.ModelProto:
        assert self.small is not None
        return self.build(**self.small)


_FEW = ((1, 8, 1, 1), (3, 16, 2, 2), (3, 16, 1, 2))

ZOO = {
    "mobilenet_v2": Network(mobile.mobilenet_v2, 13, 0),
    "mobilenet_v2_140": Network(mobile.mobilenet_v2, 13, 0, {"width": 1.4}),
    "mobilenet_v2_between_expansions": Network(
        mobile.between_expansions, 13, 0, small={"size": 64, "width": 0.5, "classes": 10, "rows": _FEW}
    ),
    "mnasnet1_0": Network(mobile.mnasnet, 14, 0),
    "efficientnet_lite0": Network(mobile.efficientnet_lite0, 14, 0),
    "mobilenet_v1": Network(mobile.mobilenet_v1, 10, 0, small={"size": 112, "width": 0.25, "classes": 10}),
    "mobileone_s0": Network(mobile.mobileone_s0, 9, 0, small={"size": 64, "classes": 10, "stages": ((20, 2), (32, 3))}),
    "mobilenet_v4_conv_small": Network(
        mobile.mobilenet_v4_conv_small, 16, 1, small={"size": 128, "classes": 10, "blocks": mobile.V4_SMALL[:3]}
    ),
    "mobilenet_v4_conv_medium": Network(mobile.mobilenet_v4_conv_medium, 33, 10),
    "mobilenet_v3_small": Network(
        excited.mobilenet_v3_small, 59, 157, small={"size": 64, "classes": 10, "rows": excited.V3_SMALL[:2]}
    ),
    "mobilenet_v3_large": Network(excited.mobilenet_v3_large, 61, 164),
    "efficientnet_b0": Network(excited.efficientnet_b0, 98, 130),
    "shufflenet_v1_x1_5_g3": Network(
        shuffled.shufflenet_v1, 20, 145, small={"size": 64, "channels": 96, "classes": 10, "repeats": (2,)}
    ),
    "shufflenet_v2_x1_0": Network(
        shuffled.shufflenet_v2, 21, 75, small={"size": 64, "channels": 44, "classes": 10, "repeats": (2,), "last": 64}
    ),
    "ghostnet_100": Network(excited.ghostnet, 96, 108, small={"size": 64, "classes": 10, "rows": excited.GHOSTNET[:2]}),
    "fastvit_t8": Network(searched.fastvit_t8, 41, 135),
    "nasnet_a_mobile": Network(searched.nasnet_a, 148, 292),
    "resnet18": Network(residual.resnet18, 17, 11),
    "resnet50": Network(residual.resnet50, 14, 1, small={"size": 96, "width": 32, "depths": (1, 1), "classes": 10}),
    "repvgg_a0": Network(residual.repvgg_a0, 21, 0),
    "squeezenet1_1": Network(shuffled.squeezenet1_1, 17, 5),
    "ssd300_vgg": Network(tasks.ssd300_vgg, 17, 14),
    "yolo_v2_416": Network(tasks.yolo_v2, 23, 52),
    "ssdlite_mobilenet_v1": Network(tasks.ssdlite_mobilenet_v1, 10, 0, small={"size": 96, "width": 0.25, "classes": 5}),
    "ssdlite_mobilenet_v3_large": Network(tasks.ssdlite_mobilenet_v3_large, 67, 160),
    "deeplabv3_mobilenet_v1": Network(
        tasks.deeplabv3_mobilenet_v1, 11, 1, small={"size": 97, "width": 0.25, "channels": 24, "classes": 5}
    ),
    "deeplabv3_resnet101": Network(tasks.deeplabv3_resnet101, 31, 2),
    "lraspp_mobilenet_v3_large": Network(tasks.lraspp_mobilenet_v3_large, 66, 163),
    "blazeface": Network(tasks.blazeface, 18, 64),
}

ON_AARCH64 = (
    "mobilenet_v2", "mobilenet_v2_between_expansions", "mnasnet1_0", "mobilenet_v1", "mobileone_s0",
    "mobilenet_v4_conv_small", "mobilenet_v3_small", "shufflenet_v2_x1_0", "resnet50", "ssdlite_mobilenet_v1",
)  # fmt: skip
ON_ARMV7 = (
    "mobilenet_v2", "mobilenet_v2_between_expansions", "mobilenet_v1", "mobilenet_v4_conv_small", "resnet18"
)  # fmt: skip
