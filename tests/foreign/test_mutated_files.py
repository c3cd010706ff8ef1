"""Damaged files give one typed line, or compile; never another exception, whatever was damaged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

import mnv2c
from mnv2c import targets
from mnv2c.compiler.guard import one_line_errors
from mnv2c.errors import Mnv2cError
from mnv2c.from_onnx.read import parse_onnx
from mnv2c.plan.assemble import assemble
from tests.foreign.exporters import DYNAMO, KERAS, TORCHSCRIPT, network
from tests.foreign.mutations import MUTATIONS
from tests.pipeline import fuse, schedule

FILES = [network(style, size=8).SerializeToString() for style in (TORCHSCRIPT, DYNAMO, KERAS)]
PER_MUTATION = 20
"""Cases of each of the 15 mutations: 300 together."""


def outcome(content: bytes, folder: Path, compile_too: bool) -> str:
    """What becomes of a file: the type of error, or how far it got; the phases up to code when ``compile_too``."""
    try:
        model, reference = parse_onnx(content, folder)
        if not compile_too:
            return "read"
        with one_line_errors("mutant", "compiled"):
            found = fuse(model)
            kernels = schedule(found, "mutant", targets.load("x86-64-v3"))
            source: Any = SimpleNamespace(serialized=reference)
            reference(source, assemble(found, kernels.nodes))
        return "compiled"
    except Mnv2cError as error:
        assert "\n" not in str(error), str(error)
        assert len(str(error)) < 1000
        return type(error).__name__


def mutant(name: str, seed: int) -> bytes:
    random = Random(f"{name} {seed}")
    return MUTATIONS[name](random.choice(FILES), random)


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutated_files_are_refused_in_one_line_or_compile(name: str, tmp_path: Path) -> None:
    """A file that can be read goes all the way to its kernels and its reference run, a fifth of them at least."""
    results = [outcome(mutant(name, seed), tmp_path, compile_too=seed % 5 == 0) for seed in range(PER_MUTATION)]
    assert set(results) <= {"read", "compiled", "OnnxError", "CompilerError"}, Counter(results)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_many_mutated_files(name: str, tmp_path: Path) -> None:
    results = Counter(outcome(mutant(name, seed), tmp_path, compile_too=True) for seed in range(1000, 1100))
    assert set(results) <= {"compiled", "OnnxError", "CompilerError"}, results


def test_a_refused_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(mutant("truncate", 0))
    with pytest.raises(Mnv2cError, match=r"broken\.onnx"):
        mnv2c.compile(path, output=tmp_path / "out", dump=tmp_path / "dump")
    assert [entry.name for entry in tmp_path.iterdir()] == ["broken.onnx"]
