"""``--dump DIR``: the artefact of every phase, numbered in the order of the pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from mnv2c.compiler.compilation import Compilation

Files: TypeAlias = Mapping[str, str | bytes]


class Dump:
    """Writes artefacts as they are made; does nothing without a folder. Raises OutputError."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            from mnv2c.package import check_writable

            check_writable(self.folder)

    @property
    def wanted(self) -> bool:
        """Whether there is a folder to write to."""
        return self.folder is not None

    def write(self, found: Files) -> None:
        """Write artefacts; a name may begin with a folder of its own."""
        from mnv2c.package import write

        for name, content in found.items() if self.folder is not None else ():
            place = Path(self.folder or "", name)
            write(place.parent, {place.name: content})


def no_files(state: Compilation) -> Files:
    """Of a phase without an artefact."""
    return {}


def onnx(state: Compilation) -> Files:
    """The model that is compiled."""
    return {"10-model.onnx": state.source.serialized}


def relax(name: str) -> Callable[[Compilation], Files]:
    """Return what writes the Relax module, as it is then, under this name."""
    return lambda state: {name: str(state.module.script())}


def plan_and_kernels(state: Compilation) -> Files:
    """The plan, with schedules and rings, and the kernels' TIR."""

    def found(index: int) -> Files:
        kernels, program = state.kernels[index], state.programs[index]
        described = {**asdict(program), "weights": len(program.weights)}
        described["kernels"] = {
            symbol: {
                "schedule": layout.schedule.to_dict(),
                "rings": {name: asdict(ring) for name, ring in layout.rings.items()},
                "flow": asdict(layout.flow),
            }
            for symbol, layout in kernels.layouts.items()
        }
        scripts = "\n".join(str(function.script()) for function in kernels.functions.values())
        return {"40-plan.json": json.dumps(described, indent=1) + "\n", "50-kernels.py": scripts}

    return _of_each_target(state, found)


def llvm(state: Compilation) -> Files:
    """LLVM's text of the kernels."""
    return _of_each_target(state, lambda index: {"60-model.ll": state.texts[index]})


def _of_each_target(state: Compilation, files: Callable[[int], Files]) -> Files:
    """The artefacts of every target; of several each has a folder."""
    if len(state.targets) == 1:
        return files(0)
    each = ((target.name, files(index)) for index, target in enumerate(state.targets))
    return {f"{folder}/{name}": content for folder, found in each for name, content in found.items()}
