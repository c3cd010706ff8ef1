"""torchvision's ``mobilenet_v2`` (torchvision/models/mobilenetv2.py), with the two published sets of weights.

Both have the same names, so the newer one (IMAGENET1K_V2) is what is recognised.
"""

from dataclasses import replace

from mnv2c.weights.source import Rule, Source

TORCHVISION = Source(
    name="torchvision",
    title="torchvision mobilenet_v2",
    rules=(
        Rule("stem", "features.0.0", "features.0.1"),
        Rule("plain.depthwise", "features.{block}.conv.0.0", "features.{block}.conv.0.1"),
        Rule("plain.project", "features.{block}.conv.1", "features.{block}.conv.2"),
        Rule("expanded.expand", "features.{block}.conv.0.0", "features.{block}.conv.0.1"),
        Rule("expanded.depthwise", "features.{block}.conv.1.0", "features.{block}.conv.1.1"),
        Rule("expanded.project", "features.{block}.conv.2", "features.{block}.conv.3"),
        Rule("head.pointwise", "features.{after}.0", "features.{after}.1"),
        Rule("head.dense", "classifier.1"),
    ),
    conventions={"padding": "symmetric", "bn_epsilon": 1e-5},
    classes=1000,
    preprocessing={  # resized to 232, crop of 224
        "crop": 224 / 232,
        "interpolation": "bilinear",
        "mean": (0.485, 0.456, 0.406),
        "deviation": (0.229, 0.224, 0.225),
    },
    licence="code BSD-3-Clause; weights trained on ImageNet, whose own terms apply",
)

TORCHVISION_V1 = replace(
    TORCHVISION,
    name="torchvision_v1",
    title="torchvision mobilenet_v2, IMAGENET1K_V1",
    preprocessing={**TORCHVISION.preprocessing, "crop": 0.875},  # resized to 256
)
