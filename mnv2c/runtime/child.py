"""Runs a compiled library in a process of its own, so that a crash of it is no crash of the caller.

``python -m mnv2c.runtime.child``: the arguments are those of `main`. Needs only numpy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import CannotRunError, Mnv2cError
from mnv2c.runtime.description import Description
from mnv2c.runtime.frame import Answer, Frame
from mnv2c.runtime.guarded import Guarded
from mnv2c.runtime.metadata import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANNOT_RUN, FAILED = 3, 4
"""Exit codes: this machine lacks what the library needs; the library failed. ``error.txt`` says why."""


def main(arguments: Sequence[str]) -> int:
    """Run the library of a folder; arguments: the folder, a folder for data, threads, the variant or "".

    Reads ``input_R_I.npy`` from the data folder, input I of run R, and writes ``output_R_I.npy``: run after run, for as
    many as there are, in one `Guarded` context. With several threads the last run is ``backwards``, in another one.
    With ``frame.npy``, a uint8 array [height, width, 3] in RGB, it also runs that frame stretched to the network's
    input, and writes ``loaded.npy``, that input, and ``answer.npy`` (see `as_array`).
    """
    folder, data, threads, variant = arguments
    try:
        _run(_described(folder, variant), Path(data), int(threads))
    except CannotRunError as error:
        return _told(Path(data), error, CANNOT_RUN)
    except Mnv2cError as error:
        return _told(Path(data), error, FAILED)
    return 0


def as_array(answer: Answer) -> NDArray[Any]:
    """An answer as an array: rows of (class, score), or of (class, score, x0, y0, x1, y1); a mask as it is."""
    if isinstance(answer, np.ndarray):
        return answer
    rows = [(each.class_id, each.score, *getattr(each, "box", ())) for each in answer]
    return np.array(rows, np.float64).reshape(len(rows), -1)


def _described(folder: str, variant: str) -> Description:
    description = read(folder)
    return description.of(variant) if variant else description


def _run(description: Description, data: Path, threads: int) -> None:
    library = Guarded(description, threads)
    runs = [library] * len(list(data.glob("input_*_0.npy")))
    if threads > 1:
        runs[-1] = Guarded(description, threads, backwards=True)
    for run, context in enumerate(runs):
        inputs = [np.load(data / f"input_{run}_{index}.npy") for index in range(len(description.inputs))]
        outputs = context(*inputs)
        for index, output in enumerate(outputs if isinstance(outputs, tuple) else (outputs,)):
            np.save(data / f"output_{run}_{index}.npy", output)
    if (data / "frame.npy").is_file():
        frame = Frame.of(np.load(data / "frame.npy"), fit="stretch")
        np.save(data / "loaded.npy", library.frames.load(frame))
        if "run_frame" in description.metadata.get("functions", ()):  # not where the answer is the caller's to make
            np.save(data / "answer.npy", as_array(library.run_frame(frame)))


def _told(data: Path, error: Mnv2cError, code: int) -> int:
    (data / "error.txt").write_text(json.dumps(str(error)), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
