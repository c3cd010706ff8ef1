"""The networks that people compile beside MobileNetV2: every step equals onnxruntime's, and no join is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mnv2c.verification import tolerance
from tests.zoo.measure import measure
from tests.zoo.networks import ON_AARCH64, ON_ARMV7, ZOO, Network

SMALL = {name: network for name, network in ZOO.items() if network.small is not None}
MARGIN = 2
"""Kernels that a network may have more or fewer than its row says: other vectors, other costs, other joins."""

needs_qemu_arm = pytest.mark.skipif(
    shutil.which("qemu-arm") is None and shutil.which("qemu-arm-static") is None,
    reason="qemu-arm is missing: apt-get install qemu-user",
)


def test_every_run_has_ten_small_networks_and_the_slow_ones_enough_for_arm() -> None:
    assert len(SMALL) >= 10
    assert len(set(ON_AARCH64) & set(ZOO)) >= 10
    assert len(set(ON_ARMV7) & set(ZOO)) >= 5


@pytest.mark.parametrize("network", SMALL.values(), ids=SMALL)
def test_every_step_of_a_small_form_equals_onnxruntime(network: Network, tmp_path: Path) -> None:
    found = measure(network.small_model(), tmp_path)
    assert not found.fault
    assert found.error <= tolerance.FLOAT32


@pytest.mark.slow
@pytest.mark.parametrize("network", ZOO.values(), ids=ZOO)
def test_every_step_equals_onnxruntime(network: Network, tmp_path: Path) -> None:
    found = measure(network.model(), tmp_path)
    assert not found.fault
    assert found.error <= tolerance.FLOAT32
    assert abs(found.fused - network.fused) <= MARGIN
    assert abs(sum(found.fallbacks.values()) - network.fallbacks) <= MARGIN


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.parametrize("target", ["cortex-a76"])
@pytest.mark.parametrize("name", ON_AARCH64)
def test_every_step_equals_onnxruntime_on_aarch64(name: str, target: str, tmp_path: Path) -> None:
    found = measure(ZOO[name].model(), tmp_path, target)
    assert not found.fault
    assert found.error <= tolerance.FLOAT32


@pytest.mark.slow
@pytest.mark.emulated
@needs_qemu_arm
@pytest.mark.parametrize("name", ON_ARMV7)
def test_every_step_equals_onnxruntime_on_armv7(name: str, tmp_path: Path) -> None:
    found = measure(ZOO[name].model(), tmp_path, "cortex-a7")
    assert not found.fault
    assert found.error <= tolerance.FLOAT32
