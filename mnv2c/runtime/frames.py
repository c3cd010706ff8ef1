"""What a library does with frames beside its network, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import LibraryError
from mnv2c.runtime.frame import Answer, CClass, CDetection, ClassScore, CLimits, Detection, Frame, to_c

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnv2c.runtime.description import Description


class FrameFunctions:
    """What a library does with frames beside its network, from the library itself or compiled for this machine."""

    def __init__(self, description: Description, functions: ctypes.CDLL) -> None:
        """``functions`` holds what ``NAME_frame.c`` and ``NAME_labels.c`` define."""
        self.description, self._functions = description, functions
        self.kind = (description.metadata.get("frames") or {}).get("answer")
        self.labels: tuple[str, ...] = tuple(description.metadata.get("labels") or ())

    def load(self, frame: Frame) -> NDArray[np.float32]:
        """The network's input of a frame; LibraryError for a frame that the library refuses."""
        port = self.description.inputs[0]
        tensor = np.empty(port.shape, np.float32)
        self.check(self.function("load_frame")(ctypes.byref(to_c(frame)), pointer(tensor)))
        return tensor

    def answer(self, outputs: Sequence[NDArray[Any]], frame: Frame, **how: Any) -> Answer:
        """What the raw outputs for ``frame`` mean: see ``Library.run_frame``, also for ``how``."""
        match self.kind:
            case "classes":
                return self._top(outputs[0], **how)
            case "boxes":
                names = [port.name for port in self.description.outputs]
                return self._detect(outputs[names.index("boxes")], outputs[names.index("scores")], frame, **how)
            case "mask":
                return self.mask(outputs[0], frame)
        raise LibraryError(f"{self.description.name}: what its outputs mean is not known; call library(x) instead")

    def mask(self, mask: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
        """A mask of the network's size in that of the frame as it is stored; 255 where the network did not see it."""
        made = np.empty((frame.height, frame.width), np.uint8)
        place = np.ascontiguousarray(mask, np.uint8)
        stride = ctypes.c_size_t(frame.width)
        self.check(self.function("frame_mask")(pointer(place), ctypes.byref(to_c(frame)), pointer(made), stride))
        return made

    def _top(self, scores: NDArray[np.float32], top: int = 5) -> tuple[ClassScore, ...]:
        best, count = (CClass * max(top, 1))(), ctypes.c_uint()
        self.check(self.function("top")(pointer(scores), best, ctypes.c_uint(top), ctypes.byref(count)))
        return self.classes(best, count.value)

    def _detect(
        self,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        frame: Frame,
        score: float | None = None,
        overlap: float | None = None,
    ) -> tuple[Detection, ...]:
        most = int(self.description.metadata["frames"]["detections"])
        found, count = (CDetection * most)(), ctypes.c_uint()
        memory = aligned(int(self.description.metadata["frames"]["workspace_bytes"]), 64)
        size = ctypes.c_size_t(memory.nbytes)
        limits = self.limits(score, overlap)
        place = pointer(boxes), pointer(scores), ctypes.byref(to_c(frame)), ctypes.byref(limits), pointer(memory), size
        self.check(self.function("detect")(*place, found, ctypes.c_uint(most), ctypes.byref(count)))
        return self.detections(found, count.value)

    def limits(self, score: float | None, overlap: float | None) -> CLimits:
        """Those of the caller, else those of training."""
        trained = self.description.metadata["frames"]
        return CLimits(trained["score"] if score is None else score, trained["overlap"] if overlap is None else overlap)

    def classes(self, best: Any, count: int) -> tuple[ClassScore, ...]:
        """The C array as values."""
        return tuple(ClassScore(each.class_id, self.label(each.class_id), each.score) for each in best[:count])

    def detections(self, found: Any, count: int) -> tuple[Detection, ...]:
        """The C array as values."""
        return tuple(
            Detection(each.class_id, self.label(each.class_id), each.score, (each.x0, each.y0, each.x1, each.y1))
            for each in found[:count]
        )

    def label(self, class_id: int) -> str:
        """The label of a class, "class 7" where it has none."""
        return self.labels[class_id] if class_id < len(self.labels) else f"class {class_id}"

    def function(self, name: str) -> Any:
        """A function of the library; LibraryError where it has none of that name."""
        full = f"{self.description.name}_{name}"
        if name not in self.description.metadata.get("functions", ()):
            raise LibraryError(
                f"{self.description.name}: has no {full}: its input is no picture, or its outputs unknown"
            )
        return self._functions[full]

    def check(self, status: int) -> None:
        """Raise LibraryError for any ``NAME_status`` but success."""
        if status != 0:
            raise LibraryError(f"{self.description.name}: {REASONS.get(status, f'status {status}')}")


REASONS = {
    7: "a buffer is missing",
    13: "a frame or a plane of it is missing",
    14: "a frame's format, yuv, rotation or fit does not exist",
    15: "a frame has no pixels or too many to a side",
    16: "the rows of a frame are longer than their distance",
    17: "the workspace is too small or not aligned",
}
"""What the statuses of these functions mean; NAME_strerror is not there where they are compiled apart."""


def compiled_apart(description: Description, folder: Path) -> FrameFunctions:
    """The same functions for this machine, where the library is for another one; ``folder`` is for their file.

    LibraryError without a compiler, or where the folder of the library lacks its sources.
    """
    from mnv2c.link.select import host_linker

    name = description.name
    files = (f"{name}.h", f"{name}_frame.c", f"{name}_labels.c")
    if missing := [file for file in files if not (description.folder / file).is_file()]:
        raise LibraryError(f"{name}: {', '.join(missing)} missing in {description.folder}; compile the model again")
    sources = {file: description.source(file) for file in files}
    exports = [f"{name}_{function}" for function in description.metadata["functions"]]
    linked = host_linker().link(
        name, sources=sources | {"stub.c": STUB.format(name=name)}, objects={}, blobs={}, exports=exports,
        abi=description.abi,
    )  # fmt: skip
    path = folder / f"lib{name}_frames.so"
    path.write_bytes(linked.shared)
    return FrameFunctions(description, ctypes.CDLL(str(path)))


STUB = """\
#include "{name}.h"
{name}_status {name}_run({name}_ctx *context, const void *const inputs[], void *const outputs[])
{{
    (void)context;
    (void)inputs;
    (void)outputs;
    return ({name}_status)10; /* the network runs elsewhere */
}}
"""


def aligned(size: int, alignment: int) -> NDArray[np.uint8]:
    """An array of ``size`` bytes whose address is a multiple of ``alignment``; at least one, since none has any."""
    size = max(size, 1)
    block = np.zeros(size + alignment, np.uint8)
    start = -block.ctypes.data % alignment
    return block[start : start + size]


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """The address of an array's first element."""
    return ctypes.c_void_p(array.ctypes.data)
