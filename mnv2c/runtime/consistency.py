"""What the values of a ``NAME.json`` must be beside each other: places lie in their buffers, names are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mnv2c.runtime.fields import IDENTIFIER, FieldError, table, text, texts, whole

if TYPE_CHECKING:
    from mnv2c.runtime.description import Description, Place, Tensor

ANSWERS = ("classes", "boxes", "mask", "logits")
FUNCTION = re.compile("[a-z][a-z_]{0,63}")
LIBC = re.compile("[a-z]{1,16}")
MOST_DETECTIONS = 1 << 20
MOST_WORKSPACE = 1 << 34


def check_described(description: Description) -> None:
    """Raise FieldError where a place lies outside its buffer, or what else is used has another type."""
    if description.arena_alignment & (description.arena_alignment - 1):
        raise FieldError(f"arena_alignment is {description.arena_alignment} and no power of two")
    for step in description.steps:
        for place in step.results:
            _check_place(description, place)
    for buffer in description.buffers or ():
        if not buffer.first <= buffer.last < len(description.steps):
            raise FieldError(f"buffers: one is in use from step {buffer.first} to {buffer.last}")
        if buffer.offset + buffer.bytes > description.arena_bytes:
            raise FieldError(f"buffers: one ends {buffer.offset + buffer.bytes} bytes into the arena, behind its end")
    _check_rest(description.metadata)


def _check_place(description: Description, place: Place) -> None:
    ports: tuple[Tensor, ...] = description.inputs if place.space == "input" else description.outputs
    if place.space == "arena":
        sizes = [description.arena_bytes]
    else:
        sizes = [port.bytes for port in ports]
    if place.index >= len(sizes) or place.offset + place.tensor.bytes > sizes[place.index]:
        raise FieldError(f"results: one lies outside of {place.space} {place.index}")


def _check_rest(raw: Any) -> None:
    target = table(raw["target"], "target")
    for name, pattern in (("libc", LIBC), ("triple", re.compile("[a-z0-9_.-]{1,64}")), ("name", re.compile(r"\S+"))):
        text(target, name, pattern)
    if "functions" in raw:
        texts(raw, "functions", FUNCTION)
    if raw.get("labels"):
        texts(raw, "labels")
    if raw.get("frames"):
        frames = table(raw["frames"], "frames")
        if frames.get("answer") not in (None, *ANSWERS):
            raise FieldError("frames: the kind of answer is unknown")
        for name, most in (("workspace_bytes", MOST_WORKSPACE), ("detections", MOST_DETECTIONS)):
            if name in frames:
                whole(frames, name, 0, most)
    text(raw, "name", IDENTIFIER)
