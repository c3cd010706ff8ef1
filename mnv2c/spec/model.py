"""The model description: one frozen dataclass whose every field is checked when it is made.

Some fields belong to one family (``FAMILY_FIELDS``) and mean nothing in the others. A family has its own usual values
(``FAMILY_DEFAULTS``), which descriptions take for what they do not state.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from mnv2c.common.escape import shown
from mnv2c.errors import SpecError, nearest
from mnv2c.spec.priors import CONVENTIONS as BOX_CONVENTIONS
from mnv2c.spec.table2 import CLASSES, EXPANSION, TABLE2, Row

Check = Callable[[Any], Any]  # returns the value in its canonical type, or raises SpecError without the field's name


def _number(low: float, high: float) -> Check:
    """A real number, ``low`` excluded and ``high`` included."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
            raise SpecError(f"is {shown(value)}; give a number above {low:g} and at most {high:g}")
        return float(value)

    return check


def _whole(low: int, high: int) -> Check:
    """A whole number between ``low`` and ``high``, both included."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SpecError(f"is {shown(value)}; give a whole number from {low} to {high}")
        return value

    return check


def _choice(*choices: str | int) -> Check:
    """One of a few literal values, all of one type."""
    names = [str(choice) for choice in choices]

    def check(value: Any) -> Any:
        if type(value) is not type(choices[0]) or value not in choices:
            raise SpecError(f"is {shown(value)}{nearest(str(value), names)}; choose from {', '.join(names)}")
        return value

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"is {shown(value)}; give true or false")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", value):
        raise SpecError(f"is {shown(value)}; give a letter followed by at most 63 letters, digits, '_', '.' or '-'")
    return value


MINIMUM_SIZE, MAXIMUM_SIZE = 32, 4096  # pixels of the image's sides
ROW_LIMITS: dict[str, Check] = {"t": _whole(1, 32), "c": _whole(1, 8192), "n": _whole(1, 64), "s": _choice(1, 2)}
MAXIMUM_ROWS = 64
MAXIMUM_BLOCKS = 128
MAXIMUM_HALVINGS = 8  # lines with stride 2; under a small output stride each doubles the dilation


def _rows(value: Any) -> tuple[Row, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAXIMUM_ROWS:
        raise SpecError(f"must be a list of 1 to {MAXIMUM_ROWS} lines [t, c, n, s]")
    rows = tuple(_row(index, line) for index, line in enumerate(value, start=1))
    if sum(row.n for row in rows) > MAXIMUM_BLOCKS:
        raise SpecError(f"have more than {MAXIMUM_BLOCKS} blocks")
    if sum(row.s == 2 for row in rows) > MAXIMUM_HALVINGS:
        raise SpecError(f"have stride 2 more than {MAXIMUM_HALVINGS} times")
    return rows


def _row(index: int, line: Any) -> Row:
    if not isinstance(line, list | tuple) or len(line) != len(ROW_LIMITS):
        raise SpecError(f"line {index} is {shown(line)}; give four whole numbers [t, c, n, s]")
    for (column, check), number in zip(ROW_LIMITS.items(), line, strict=True):
        try:
            check(number)
        except SpecError as error:
            raise SpecError(f"line {index}: {column} {error}") from None
    return Row(*line)


CHECKS: dict[str, Check] = {
    "name": _name,
    "family": _choice("classifier", "detector", "segmenter"),
    "width": _number(0, 8),
    "height": _whole(MINIMUM_SIZE, MAXIMUM_SIZE),
    "image_width": _whole(MINIMUM_SIZE, MAXIMUM_SIZE),
    "classes": _whole(1, 100_000),
    "expansion": _whole(1, 32),
    "output_stride": _choice(32, 16, 8),
    "padding": _choice("symmetric", "tf_same"),
    "bn_epsilon": _number(0, 0.1),
    "bottleneck_activation": _choice("linear", "relu6"),
    "shortcut": _choice("bottleneck", "expansion", "none"),
    "stem_head": _choice("scaled", "fixed"),
    "rows": _rows,
    "detector_head": _choice("ssdlite", "ssd", "qfgaohao"),
    "boxes": _choice(*BOX_CONVENTIONS),
    "aspp": _flag,
    "head_activation": _choice("relu", "relu6"),
    "head_bn_epsilon": _number(0, 0.1),
    "output": _choice("mask", "logits"),
    "align_corners": _flag,
}

FAMILY_FIELDS: dict[str, tuple[str, ...]] = {
    "classifier": (),
    "detector": ("detector_head", "boxes"),
    "segmenter": ("aspp", "head_activation", "head_bn_epsilon", "output", "align_corners"),
}
FAMILY_DEFAULTS: dict[str, dict[str, Any]] = {
    "classifier": {},
    "detector": {"height": 320, "image_width": 320, "classes": 91, "padding": "tf_same", "bn_epsilon": 1e-3},
    "segmenter": {
        "height": 513,
        "image_width": 513,
        "classes": 21,
        "output_stride": 16,
        "padding": "tf_same",
        "bn_epsilon": 1e-3,
    },
}
MASK_CLASSES = 256  # a mask holds one byte per pixel


def family_fields(family: str) -> tuple[str, ...]:
    """Return the fields that mean something in this family, in order."""
    foreign = {name for other, names in FAMILY_FIELDS.items() if other != family for name in names}
    return tuple(name for name in CHECKS if name not in foreign)


@dataclass(frozen=True)
class ModelSpec:
    """A network of MobileNetV2: Table 2 under the multipliers, conventions and ablations below; raises SpecError.

    ``width`` is the width multiplier; the image has ``height`` x ``image_width`` pixels. ``expansion`` replaces
    every t = 6 of ``rows`` (t = 1 and other values stay). ``output_stride`` below 32 turns later strides into
    dilation. ``bottleneck_activation`` follows the projection's batch normalisation, before any shortcut.
    ``shortcut`` (Figure 6b) joins what ``mnv2c.spec.layers`` says. ``stem_head`` "fixed" leaves the first and the last
    convolution at 32 and 1280 channels whatever the width, as timm's ``mobilenetv2_110d`` and ``_120d`` do.

    A detector's ``classes`` are the slots of its scores, a background slot included; ``detector_head`` is a key of
    ``mnv2c.spec.detector.HEADS`` and ``boxes`` one of ``mnv2c.spec.priors.CONVENTIONS``. A segmenter may have ``aspp``;
    ``head_activation`` and ``head_bn_epsilon`` are those of the layers behind the blocks; ``output`` is the "mask" at
    the image's size or the "logits" of the last map, and ``align_corners`` how the mask's logits are resized.
    """

    name: str = "mobilenet_v2"
    family: str = "classifier"
    width: float = 1.0
    height: int = 224
    image_width: int = 224
    classes: int = CLASSES
    expansion: int = EXPANSION
    output_stride: int = 32
    padding: str = "symmetric"
    bn_epsilon: float = 1e-5
    bottleneck_activation: str = "linear"
    shortcut: str = "bottleneck"
    stem_head: str = "scaled"
    rows: tuple[Row, ...] = TABLE2
    detector_head: str = "ssdlite"
    boxes: str = "tf_object_detection"
    aspp: bool = False
    head_activation: str = "relu"
    head_bn_epsilon: float = 1e-5
    output: str = "mask"
    align_corners: bool = True

    def __post_init__(self) -> None:
        """Check every field and store it in its canonical type."""
        for field in fields(self):
            try:
                value = CHECKS[field.name](getattr(self, field.name))
            except SpecError as error:
                raise SpecError(f"{field.name} {error}") from None
            object.__setattr__(self, field.name, value)
        if self.family == "detector" and self.output_stride != 32:
            raise SpecError(f"output_stride is {self.output_stride}; a detector has 32")
        if self.family == "segmenter" and self.output == "mask" and self.classes > MASK_CLASSES:
            raise SpecError(
                f'classes is {self.classes}; a mask has at most {MASK_CLASSES}: reduce them, or set output = "logits"'
            )

    @property
    def resolution(self) -> str:
        """The image size as ``224x224`` (height x width)."""
        return f"{self.height}x{self.image_width}"
