"""Compiled networks between pages that nobody may touch: behind every buffer, then before every buffer.

Arena, inputs and outputs have exactly the bytes that the header states. Behind the weights lies the library's metadata,
before them its code, so kernels are run with guarded weights by tests/kernels/native.py.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mnv2c.api import compile_model
from mnv2c.errors import LibraryError
from mnv2c.runtime import emulator
from mnv2c.runtime.metadata import read
from mnv2c.verification.comparison import random_inputs, reference_tensors, relative_error
from tests.foreign.exporters import STYLES, network
from tests.runtime import fake

HOST = {"x86_64": "x86-64-v3", "aarch64": "aarch64"}.get(platform.machine(), "")
NETWORKS: dict[str, dict[str, Any]] = {
    "square": {"model": "mobilenet_v2", "width": 0.35, "resolution": 32, "classes": 10},
    "odd": {"model": "mobilenet_v2", "width": 0.5, "resolution": "37x51", "classes": 7},
    "detector": {"model": "ssdlite_mobilenet_v2", "width": 0.35, "resolution": "97x129", "classes": 5},
    "segmenter": {"model": "deeplabv3_mobilenet_v2_aspp", "width": 0.35, "resolution": "65x49", "classes": 4},
    "no join": {"model": "mobilenet_v2", "width": 0.35, "resolution": "41x63", "classes": 10, "join": False},
    "threads": {"model": "mobilenet_v2", "width": 0.35, "resolution": "41x63", "classes": 10, "threads": 3},
}
PLACES: dict[str, tuple[str, ...]] = {"behind": (), "before": ("-DAT_START",)}


def targets() -> list[Any]:
    arm = [("cortex-a53", "aarch64"), ("cortex-a7", "arm")]
    emulated = [
        pytest.param(name, marks=[pytest.mark.emulated, *_needs(arch)], id=name)
        for name, arch in arm
        if arch != platform.machine()
    ]
    return [HOST, *emulated]


def _needs(arch: str) -> list[pytest.MarkDecorator]:
    missing = emulator.find_qemu(arch) is None
    return [pytest.mark.skipif(missing, reason=f"qemu-{arch} is missing (apt-get install qemu-user)")]


def check(folder: Path) -> None:
    """Run both ways and compare with the reference."""
    description = read(folder)
    inputs = random_inputs(description, 3)
    reference = reference_tensors(folder / f"{description.name}.onnx", inputs, [])
    for where, flags in PLACES.items():
        found = emulator.run(folder, tuple(inputs.values()), flags=flags)
        for port, value in zip(description.outputs, found.outputs, strict=True):
            if value.dtype == np.float32:
                assert relative_error(value, reference[port.name], "same") <= 1e-4, f"guard pages {where}"


@pytest.mark.parametrize("fault", ["WRITES_BEFORE_ARENA", "WRITES_BEFORE_OUTPUT"])
def test_the_page_before_a_buffer_is_guarded(fault: str, tmp_path: Path) -> None:
    """That behind it: tests/runtime/test_emulator.py."""
    folder = fake.build(tmp_path, fault=fault)
    with pytest.raises(LibraryError, match="crashed: SIGSEGV"):
        emulator.run(folder, [fake.random_input()], flags=PLACES["before"])


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize(("style", "size"), [("torchscript", 21), ("keras", 13)])
def test_nothing_beside_a_buffer_is_touched(style: str, size: int, target: str, tmp_path: Path) -> None:
    """Odd sizes, with planar inputs and with channels-last ones."""
    onnx.save(network(STYLES[style], size=size), tmp_path / "foreign.onnx")
    check(compile_model(tmp_path / "foreign.onnx", target, output=tmp_path / "out").directory)


@pytest.mark.slow
@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_beside_a_buffer_of_larger_networks_is_touched(name: str, target: str, tmp_path: Path) -> None:
    check(compile_model(target=target, output=tmp_path, **NETWORKS[name]).directory)
