"""Command-line options that several verbs share."""

from __future__ import annotations

import argparse
from typing import Any

MODEL = "a model of the zoo (mobilenet_v2, ssdlite_mobilenet_v2, deeplabv3_mobilenet_v2) or a description (SPEC.toml)"


def add_model(parser: argparse.ArgumentParser, help: str = MODEL) -> None:
    """Add MODEL and the options that override its description."""
    parser.add_argument("model", metavar="MODEL", help=help)
    parser.add_argument("--width", type=float, metavar="W", help="width multiplier, such as 0.35 or 1.4")
    parser.add_argument("--resolution", metavar="R", help="input size in pixels: 224, or HEIGHTxWIDTH such as 96x160")
    parser.add_argument(
        "--classes", type=int, metavar="N", help="number of classes; of a detector, slots of the scores"
    )


def add_input_shape(parser: argparse.ArgumentParser) -> None:
    """Add the sizes that an ONNX file leaves open."""
    text = (
        "size of the input of a FILE.onnx that leaves it open: 1,3,224,224 or 1x3x224x224; of one of several, "
        "NAME=1,3,224,224 (may be given several times)"
    )
    parser.add_argument("--input-shape", action="append", metavar="SHAPE", help=text)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add the choice between a weights file and seeded random weights."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--weights", metavar="FILE", help="weights of the model: a .safetensors or .pth file")
    source.add_argument("--seed", type=int, default=0, metavar="N", help="seed of random weights (default: 0)")
    parser.add_argument(
        "--weights-source",
        metavar="NAME",
        help="whose tensor names and conventions: mnv2c, torchvision, torchvision_v1, timm, hf, tf_object_detection, "
        "qfgaohao, hf_segmenter (default: by the names)",
    )


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """Add how pictures become the network's input, for what the weights' source does not tell."""
    default = "(default: as the weights' source has it, else {0})"
    values = "of red,green,blue, for pixel values of 0 to 1 "
    parser.add_argument("--mean", metavar="R,G,B", help="mean " + values + default.format("0.5,0.5,0.5"))
    parser.add_argument("--std", metavar="R,G,B", help="deviation " + values + default.format("0.5,0.5,0.5"))
    fits = "how pictures of another shape are fitted: stretch, letterbox, crop "
    parser.add_argument("--fit", metavar="HOW", help=fits + default.format("crop for classifiers"))
    parser.add_argument(
        "--channels", metavar="ORDER", help="rgb or bgr, the order of the input's channels (default: rgb)"
    )


def preprocessing(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the user said of pictures as the API's ``preprocessing``."""
    given = {"mean": options.mean, "deviation": options.std, "fit": options.fit, "channels": options.channels}
    return {name: value for name, value in given.items() if value is not None}


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add what a plan may use: memory, and threads to be compiled for."""
    limit = "most memory for a run (default: the smallest plan that is as fast as the fastest within half a percent)"
    parser.add_argument("--arena-limit", type=int, metavar="BYTES", help=limit)
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="most threads to share a run (default: 1)")


def add_schedules(parser: argparse.ArgumentParser) -> None:
    """Add where the user's records of tuning lie."""
    text = 'folder of own records of tuning (default: $MNV2C_SCHEDULES, else in your data folder), or the word "none"'
    parser.add_argument("--schedules", metavar="DIR", help=text)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads`` of a compiled library."""
    text = "threads that share the work of a run, at most those it was compiled for (default: those)"
    parser.add_argument("--threads", type=int, metavar="N", help=text)


def add_variant(parser: argparse.ArgumentParser) -> None:
    """Add ``--variant`` of a library with kernels for several CPUs."""
    text = "of kernels for several CPUs those of this target (default: the library's own choice)"
    parser.add_argument("--variant", metavar="T", help=text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def model_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the overrides of ``add_model`` as keyword arguments of the API."""
    known = {"width": options.width, "resolution": options.resolution, "classes": options.classes}
    return known | ({"input_shape": options.input_shape} if hasattr(options, "input_shape") else {})
