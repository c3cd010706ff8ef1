"""Inference at several scales and with mirrored pictures: the probabilities of all of them, averaged (paper, Table 7).

Every library gives logits of the same classes, at its own input size; all see the whole frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import UserError
from mnv2c.pictures.logits import resized, softmax

if TYPE_CHECKING:
    from mnv2c.runtime import Description, Frame
    from mnv2c.runtime.execution import Executor

Array = np.ndarray[Any, Any]


class Averaged:
    """Libraries whose answers are averaged; the first one's size is that of the result."""

    def __init__(self, libraries: Sequence[tuple[Description, Executor]], flip: bool) -> None:
        """UserError for libraries that do not give logits of the same number of classes."""
        for description, _ in libraries:
            if (description.metadata.get("frames") or {}).get("answer") != "logits":
                raise UserError(
                    f'{description.name}: its answers cannot be averaged; compile a segmenter with output = "logits"'
                )
        if len({description.outputs[0].shape[-1] for description, _ in libraries}) != 1:
            raise UserError("libraries with different numbers of classes cannot be averaged")
        self._libraries = [(description, machine, machine.frames()) for description, machine in libraries]
        self._flip = flip

    def __call__(self, frame: Frame) -> tuple[Array, float]:
        """Return the mask in the size of the frame, an upright RGB picture, and the milliseconds of all runs."""
        first, _, frames = self._libraries[0]
        height, width = first.inputs[0].shape[1:3]
        total, spent = np.zeros((height, width, first.outputs[0].shape[-1]), np.float64), 0.0
        mirrored = replace(frame, planes=(np.ascontiguousarray(frame.planes[0][:, ::-1]),))
        for description, machine, functions in self._libraries:
            align = _aligned_corners(description)
            for seen in (frame, mirrored) if self._flip else (frame,):
                (logits,), milliseconds = machine.run((functions.load(seen),))
                shares = softmax(resized(logits[0].astype(np.float64), height, width, align))
                total += shares if seen is frame else shares[:, ::-1]
                spent += milliseconds
        return frames.mask(total.argmax(-1).astype(np.uint8), frame), spent


def _aligned_corners(description: Description) -> bool:
    """The convention of the network's own upsampling."""
    return bool(description.metadata["frames"].get("align_corners", False))
