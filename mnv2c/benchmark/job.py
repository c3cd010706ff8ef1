"""What all contestants of a comparison are given: one folder with the same network and the same input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import Mnv2cError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "job.json"


class UnavailableError(Mnv2cError):
    """A peer cannot take part; the message says why and what would help."""


@dataclass(frozen=True)
class Job:
    """``library`` is its NAME.json; ``spec`` is the model's TOML, empty where the library came from an ONNX file;
    ``variant`` selects among a library's kernels for several CPUs.

    ``folder`` holds ``input_N.npy`` for the library, and for the peers ``model.onnx``, its input ``picture.npy`` and,
    if there is a ``spec``, ``weights.npz`` by mnv2c's names.
    """

    folder: Path
    library: Path
    inputs: int
    threads: int
    spec: str
    macs: int = 0
    variant: str = ""

    @property
    def model(self) -> Path:
        """The network as ONNX; begins with channels-first pictures where the original begins by transposing."""
        return self.folder / "model.onnx"

    def library_inputs(self) -> tuple[NDArray[Any], ...]:
        """The inputs of the library."""
        return tuple(np.load(self.folder / f"input_{index}.npy") for index in range(self.inputs))

    def picture(self) -> NDArray[Any]:
        """The only input, as ``model`` takes it."""
        array: NDArray[Any] = np.load(self.folder / "picture.npy")
        return array

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights by mnv2c's names; UnavailableError where the network is no model of mnv2c's own."""
        if not self.spec:
            raise UnavailableError("runs mnv2c's own models only, and this library was made from an ONNX file")
        with np.load(self.folder / "weights.npz") as file:
            return dict(file)

    def write(self) -> None:
        """Leave the job in its folder for the contestants."""
        values = {**asdict(self), "folder": str(self.folder), "library": str(self.library)}
        (self.folder / FILE).write_text(json.dumps(values), encoding="utf-8")


def read(folder: Path) -> Job:
    """Read what ``Job.write`` wrote."""
    values = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return Job(**{**values, "folder": folder, "library": Path(values["library"])})
