"""Hugging Face ``MobileNetV2ForImageClassification`` and ``ForSemanticSegmentation`` (transformers,
models/mobilenet_v2), TensorFlow's own weights.

The part called ``conv_stem`` is the stem and the first block, which never has a shortcut.
"""

from dataclasses import replace

from mnv2c.weights.source import Rule, Source

STEM = "mobilenet_v2.conv_stem"
LAYER = "mobilenet_v2.layer.{earlier}"

HF = Source(
    name="hf",
    title="Hugging Face MobileNetV2ForImageClassification",
    rules=(
        Rule("stem", f"{STEM}.first_conv.convolution", f"{STEM}.first_conv.normalization"),
        Rule("plain.depthwise", f"{STEM}.conv_3x3.convolution", f"{STEM}.conv_3x3.normalization"),
        Rule("plain.project", f"{STEM}.reduce_1x1.convolution", f"{STEM}.reduce_1x1.normalization"),
        Rule("expanded.expand", f"{LAYER}.expand_1x1.convolution", f"{LAYER}.expand_1x1.normalization"),
        Rule("expanded.depthwise", f"{LAYER}.conv_3x3.convolution", f"{LAYER}.conv_3x3.normalization"),
        Rule("expanded.project", f"{LAYER}.reduce_1x1.convolution", f"{LAYER}.reduce_1x1.normalization"),
        Rule("head.pointwise", "mobilenet_v2.conv_1x1.convolution", "mobilenet_v2.conv_1x1.normalization"),
        Rule("head.dense", "classifier"),
    ),
    conventions={"padding": "tf_same", "bn_epsilon": 1e-3},
    absent=("block_1.add",),
    classes=1001,
    class_offset=1,  # class 0 is the background
    preprocessing={  # shortest edge resized to 256, crop of 224
        "crop": 0.875,
        "interpolation": "bilinear",
        "mean": (0.5, 0.5, 0.5),
        "deviation": (0.5, 0.5, 0.5),
    },
    licence="code Apache-2.0; weights of google/mobilenet_v2_*: see the model card; ImageNet's own terms apply",
)

HEAD = "segmentation_head"

HF_SEGMENTER = replace(
    HF,
    name="hf_segmenter",
    title="Hugging Face MobileNetV2ForSemanticSegmentation",
    families=("segmenter",),
    rules=(
        *(rule for rule in HF.rules if not rule.role.startswith("head.")),
        Rule("head.image", f"{HEAD}.conv_pool.convolution", f"{HEAD}.conv_pool.normalization"),
        Rule("head.branch_0", f"{HEAD}.conv_aspp.convolution", f"{HEAD}.conv_aspp.normalization"),
        Rule("head.project", f"{HEAD}.conv_projection.convolution", f"{HEAD}.conv_projection.normalization"),
        Rule("head.classes", f"{HEAD}.classifier.convolution"),
    ),
    conventions={**HF.conventions, "aspp": False, "head_activation": "relu", "head_bn_epsilon": 1e-5},
    unused=("mobilenet_v2.conv_1x1.",),  # part of every model there; the head reads the map before it
    classes=21,
    class_offset=0,
    preprocessing={  # TensorFlow's DeepLab fills up what is not square with grey
        "fit": "letterbox",
        "crop": 1.0,
        "interpolation": "bilinear",
        "mean": (0.5, 0.5, 0.5),
        "deviation": (0.5, 0.5, 0.5),
    },
    licence="code Apache-2.0; weights of google/deeplabv3_mobilenet_v2_*: see the model card; trained on Pascal VOC",
)
