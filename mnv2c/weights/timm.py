"""timm's ``mobilenetv2_050``, ``_100``, ``_110d``, ``_120d`` and ``_140`` (timm/models/efficientnet.py)."""

from mnv2c.weights.source import Rule, Source

TIMM = Source(
    name="timm",
    title="timm mobilenetv2",
    rules=(
        Rule("stem", "conv_stem", "bn1"),
        Rule("plain.depthwise", "blocks.{line}.{repeat}.conv_dw", "blocks.{line}.{repeat}.bn1"),
        Rule("plain.project", "blocks.{line}.{repeat}.conv_pw", "blocks.{line}.{repeat}.bn2"),
        Rule("expanded.expand", "blocks.{line}.{repeat}.conv_pw", "blocks.{line}.{repeat}.bn1"),
        Rule("expanded.depthwise", "blocks.{line}.{repeat}.conv_dw", "blocks.{line}.{repeat}.bn2"),
        Rule("expanded.project", "blocks.{line}.{repeat}.conv_pwl", "blocks.{line}.{repeat}.bn3"),
        Rule("head.pointwise", "conv_head", "bn2"),
        Rule("head.dense", "classifier"),
    ),
    conventions={"padding": "symmetric", "bn_epsilon": 1e-5},
    classes=1000,
    preprocessing={
        "crop": 0.875,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "deviation": (0.229, 0.224, 0.225),
    },
    licence="code and weights Apache-2.0; trained on ImageNet, whose own terms apply",
)
