"""``ssdlite_mobilenet_v2_coco`` of the TensorFlow Object Detection API: the checkpoint's variables, saved by name.

TensorFlow is not needed here: whoever has the checkpoint writes its variables, as they are stored, to safetensors.
"""

from mnv2c.weights.source import SLIM, SLIM_BATCH_NORM, Rule, Source

BODY = "FeatureExtractor/MobilenetV2"
BLOCK = f"{BODY}/expanded_conv_{{previous}}"
EXTRA = f"{BODY}/layer_{{behind}}"
SPATIAL = f"{EXTRA}_2_Conv2d_{{next}}_3x3_s2_{{outer}}"


def _normalised(role: str, name: str) -> Rule:
    return Rule(role, name, f"{name}/BatchNorm")


TF_OBJECT_DETECTION = Source(
    name="tf_object_detection",
    title="TensorFlow Object Detection ssdlite_mobilenet_v2",
    families=("detector",),
    rules=(
        _normalised("stem", f"{BODY}/Conv"),
        _normalised("plain.depthwise", f"{BODY}/expanded_conv/depthwise"),
        _normalised("plain.project", f"{BODY}/expanded_conv/project"),
        _normalised("expanded.expand", f"{BLOCK}/expand"),
        _normalised("expanded.depthwise", f"{BLOCK}/depthwise"),
        _normalised("expanded.project", f"{BLOCK}/project"),
        _normalised("head.pointwise", f"{BODY}/Conv_1"),
        _normalised("extra.squeeze", f"{EXTRA}_1_Conv2d_{{next}}_1x1_{{inner}}"),
        _normalised("extra.depthwise", f"{SPATIAL}_depthwise"),
        _normalised("extra.pointwise", SPATIAL),
        _normalised("boxes.depthwise", "BoxPredictor_{index}/BoxEncodingPredictor_depthwise"),
        Rule("boxes.predict", "BoxPredictor_{index}/BoxEncodingPredictor"),
        _normalised("scores.depthwise", "BoxPredictor_{index}/ClassPredictor_depthwise"),
        Rule("scores.predict", "BoxPredictor_{index}/ClassPredictor"),
    ),
    conventions={
        "padding": "tf_same",
        "bn_epsilon": 1e-3,
        "detector_head": "ssdlite",
        "boxes": "tf_object_detection",
    },
    batch_norm=SLIM_BATCH_NORM,
    storage=SLIM,
    ignored=("/Momentum", "/RMSProp", "/RMSProp_1", "global_step"),
    absent=("block_1.add",),
    classes=91,
    class_offset=1,  # slot 0 is the background
    preprocessing={
        "fit": "stretch",
        "crop": 1.0,
        "interpolation": "bilinear",
        "mean": (0.5, 0.5, 0.5),
        "deviation": (0.5, 0.5, 0.5),
    },
    licence="code and weights Apache-2.0; trained on COCO, whose own terms apply",
)
