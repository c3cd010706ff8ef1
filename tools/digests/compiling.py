"""Compiles cases, in processes of their own where there are several at a time.

The code of each kernel is that of an object of its own: in the library's loops are aligned, so that what fills the gaps
depends on the kernels before, which lie there in the order of their symbols.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import onnx

import mnv2c
from mnv2c.codegen import object as machine_code
from mnv2c.codegen.object import build_object
from mnv2c.targets import Target
from tools.digests.folder import Digests, read
from tools.digests.foreign import GRAPHS
from tools.digests.matrix import MODELS, Case
from tools.digests.objects import Function, function

NAME = "network"
"""Of every library, whatever its model is called."""


def compiled(cases: Sequence[Case], jobs: int = 1) -> Iterator[tuple[Case, Digests]]:
    """Compile the cases and yield their digests in order."""
    run: Callable[..., Any] = map
    if jobs == 1:
        yield from zip(cases, run(digests, cases), strict=True)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from zip(cases, pool.map(digests, cases), strict=True)


def digests(case: Case, name: str = NAME) -> Digests:
    """Compile one case into a folder that is gone afterwards, and return its digests."""
    os.environ.pop("MNV2C_SCHEDULES", None)
    with tempfile.TemporaryDirectory(prefix="digests-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(scratch)
        model, options = _model(case, folder), dict(MODELS[case.model].options)
        # An empty folder of one's own: only the records that are shipped, or none at all.
        records = str(folder / "records") if case.schedules else "none"
        (folder / "records").mkdir()
        how: dict[str, Any] = {**options, "threads": case.threads, "schedules": records}
        limit = None if case.limit is None else _limit(case.limit, model, case.target, how)
        kept = _Kept()
        with mock.patch.object(machine_code, "build_object", kept.build):
            made = mnv2c.compile(
                model, case.target, output=folder / "out", name=name, arena_limit=limit, check="none", **how
            )
        return read(made.directory, kept.kernels)


class _Kept:
    """Takes the place of what builds the object of all kernels, and builds one for each as well."""

    def __init__(self) -> None:
        self.kernels: dict[str, Function] = {}

    def build(self, functions: Mapping[str, Any], target: Target, *, text: bool = False) -> Any:
        for symbol, kernel in functions.items():
            alone = build_object({"kernel": kernel.with_attr("global_symbol", "kernel")}, target)
            self.kernels[symbol] = function(alone.content, "kernel")
        return build_object(functions, target, text=text)


def _model(case: Case, folder: Path) -> str | Path:
    model = MODELS[case.model]
    if model.name in GRAPHS:
        path = folder / f"{model.name}.onnx"
        onnx.save(GRAPHS[model.name](), path)
        return path
    if model.description:
        path = folder / "description.toml"
        path.write_text(model.description, encoding="utf-8")
        return path
    return model.name


def _limit(share: float, model: str | Path, target: str, how: dict[str, Any]) -> int:
    sizes = [point.arena_bytes for point in mnv2c.plan_model(model, target, **how).frontier]
    return round(min(sizes) + share * (max(sizes) - min(sizes)))
