"""qfgaohao's ``mb2-ssd-lite`` (pytorch-ssd): the state dict of ``create_mobilenetv2_ssd_lite``.

The depthwise convolutions of the predictions have a bias and batch normalisation behind it: the bias is taken off the
mean. The last map has a 1x1 convolution alone.
"""

from mnv2c.weights.source import Rule, Source

BLOCK = "base_net.{block}.conv"
EXTRA = "extras.{index}.conv"
BOXES = "regression_headers.{index}"
SCORES = "classification_headers.{index}"

QFGAOHAO = Source(
    name="qfgaohao",
    title="qfgaohao mb2-ssd-lite",
    families=("detector",),
    rules=(
        Rule("stem", "base_net.0.0", "base_net.0.1"),
        Rule("plain.depthwise", f"{BLOCK}.0", f"{BLOCK}.1"),
        Rule("plain.project", f"{BLOCK}.3", f"{BLOCK}.4"),
        Rule("expanded.expand", f"{BLOCK}.0", f"{BLOCK}.1"),
        Rule("expanded.depthwise", f"{BLOCK}.3", f"{BLOCK}.4"),
        Rule("expanded.project", f"{BLOCK}.6", f"{BLOCK}.7"),
        Rule("head.pointwise", "base_net.{after}.0", "base_net.{after}.1"),
        Rule("extra.squeeze", f"{EXTRA}.0", f"{EXTRA}.1"),
        Rule("extra.depthwise", f"{EXTRA}.3", f"{EXTRA}.4"),
        Rule("extra.pointwise", f"{EXTRA}.6", f"{EXTRA}.7"),
        Rule("boxes.depthwise", f"{BOXES}.0", f"{BOXES}.1", biased=True),
        Rule("boxes.predict", f"{BOXES}.3"),
        Rule("boxes.alone", BOXES),
        Rule("scores.depthwise", f"{SCORES}.0", f"{SCORES}.1", biased=True),
        Rule("scores.predict", f"{SCORES}.3"),
        Rule("scores.alone", SCORES),
    ),
    conventions={"padding": "symmetric", "bn_epsilon": 1e-5, "detector_head": "qfgaohao", "boxes": "qfgaohao"},
    classes=21,
    class_offset=1,  # slot 0 is the background
    preprocessing={
        "fit": "stretch",
        "crop": 1.0,
        "interpolation": "bilinear",
        "mean": (127 / 255, 127 / 255, 127 / 255),
        "deviation": (128 / 255, 128 / 255, 128 / 255),
    },
    licence="code and weights MIT; trained on Pascal VOC, whose own terms apply",
)
