"""Every published width and resolution of MobileNetV2: compiles without a fallback, and every step is right."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import pytest

from mnv2c.api import compile_model
from mnv2c.runtime import emulator
from mnv2c.verification.comparison import compare

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = (96, 128, 160, 192, 224)
CORNERS = tuple(product((WIDTHS[0], WIDTHS[-1]), (RESOLUTIONS[0], RESOLUTIONS[-1])))

pytestmark = pytest.mark.slow


def check(folder: Path, target: str, width: float, resolution: int) -> None:
    compiled = compile_model("mobilenet_v2", target, output=folder, width=width, resolution=resolution, name="net")
    assert compiled.metadata["fallbacks"] == []
    report = compare(compiled.directory)
    report.raise_if_failed()
    print(f"{target} {width} {resolution}: error {report.max_rel_error:.2e}, arena {compiled.metadata['arena_bytes']}")
    shutil.rmtree(folder)  # thirty libraries with their references are a gigabyte


@pytest.mark.parametrize(("width", "resolution"), list(product(WIDTHS, RESOLUTIONS)))
def test_here(tmp_path: Path, width: float, resolution: int) -> None:
    check(tmp_path / "net", "host", width, resolution)


@pytest.mark.emulated
@pytest.mark.parametrize(("width", "resolution"), CORNERS)
def test_on_64_bit_arm(tmp_path: Path, width: float, resolution: int) -> None:
    check(tmp_path / "net", "cortex-a76", width, resolution)


@pytest.mark.parametrize(("width", "resolution"), CORNERS)
def test_on_32_bit_arm(tmp_path: Path, width: float, resolution: int) -> None:
    if emulator.find_qemu("arm") is None:
        pytest.skip(f"qemu-arm is missing (apt-get install qemu-user): NOT run: cortex-a7, {width}, {resolution}")
    check(tmp_path / "net", "cortex-a7", width, resolution)
