"""MobileNetV2 on several threads: the same bits as on one, and the reference's values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mnv2c import runtime
from mnv2c.api import compile_model
from mnv2c.errors import UserError
from mnv2c.runtime.metadata import read
from mnv2c.verification.comparison import compare, random_inputs
from tests.sharing import once


def build(folder: Path, threads: int, target: str = "host") -> Path:
    """MobileNetV2 0.35/96 for so many threads."""
    return compile_model(
        "mobilenet_v2", target, output=folder, width=0.35, resolution=96, threads=threads, name="net"
    ).directory


def check(folder: Path, threads: int) -> None:
    description = read(folder)
    assert description.threads == threads
    cuts = {chain["parts"]["cut"] for chain in description.metadata["chains"] if chain["parts"]}
    assert cuts == {"strips", "columns"}
    inputs = tuple(random_inputs(description, 0).values())
    alone = runtime.load(folder, threads=1)
    wanted = np.asarray(alone(*inputs)).tobytes()
    for count in range(1, threads + 1):
        compare(folder, threads=count).raise_if_failed()
        library = runtime.load(folder, threads=count)
        library.selftest()
        assert all(np.asarray(library(*inputs)).tobytes() == wanted for _ in range(100))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "four_threads", lambda folder: build(folder, 4))


def test_four_threads(folder: Path) -> None:
    check(folder, 4)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [2, 3, 7, 16])
def test_other_numbers_of_threads(tmp_path: Path, threads: int) -> None:
    check(build(tmp_path, threads), threads)


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.parametrize("target", ["cortex-a76", "cortex-a7"])
def test_two_threads_on_arm(tmp_path: Path, target: str) -> None:
    """The emulated program has no libc and thus no threads: one runs all parts."""
    compare(build(tmp_path, 2, target)).raise_if_failed()


def test_the_parts_are_described(folder: Path) -> None:
    meta = json.loads((folder / "net.json").read_text())
    entry = (folder / "net.c").read_text()
    strips = [chain for chain in meta["chains"] if chain["parts"] and chain["parts"]["cut"] == "strips"]
    assert strips
    assert not any(chain["in_place"] for chain in strips)
    assert entry.count("static const int32_t steps_of[][2]") == len(strips)
    assert meta["threads"] == 4


@pytest.mark.parametrize("threads", [0, -1, 17])
def test_impossible_numbers_of_threads(tmp_path: Path, threads: int) -> None:
    with pytest.raises(UserError, match=f"threads {threads}: give 1 to 16"):
        build(tmp_path / "out", threads)
    assert not (tmp_path / "out").exists()
