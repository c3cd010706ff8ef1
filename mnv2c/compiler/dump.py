"""``--dump DIR``: the artefact of every phase, numbered in the order of the pipeline."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnv2c.compiler.artefacts import Kernels
    from mnv2c.plan.program import Program


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

    def within(self, name: str) -> Dump:
        """Return what writes into a folder ``name`` inside this one."""
        return Dump(None if self.folder is None else self.folder / name)

    def text(self, name: str, content: str) -> None:
        """Write a text artefact."""
        self._write(name, content)

    def onnx(self, content: bytes) -> None:
        """Write the ONNX model."""
        self._write("10-model.onnx", content)

    def plan(self, program: Program, kernels: Kernels) -> None:
        """Write the plan, with schedules and rings, and the kernels' TIR."""
        if self.folder is None:
            return
        plan = {**asdict(program), "weights": len(program.weights)}
        plan["kernels"] = {
            symbol: {
                "schedule": layout.schedule.to_dict(),
                "rings": {name: asdict(ring) for name, ring in layout.rings.items()},
                "flow": asdict(layout.flow),
            }
            for symbol, layout in kernels.layouts.items()
        }
        self._write("40-plan.json", json.dumps(plan, indent=1) + "\n")
        self._write("50-kernels.py", "\n".join(_script(function) for function in kernels.functions.values()))

    def _write(self, name: str, content: str | bytes) -> None:
        if self.folder is not None:
            from mnv2c.package import write

            write(self.folder, {name: content})


def _script(function: Any) -> str:
    text: str = function.script()
    return text
