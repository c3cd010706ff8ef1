"""Fixtures for every test: golden files, two compiled models, and hypothesis without its clock."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from mnv2c.common import files
from mnv2c.verification import onnx_reference
from tests.sharing import once

if TYPE_CHECKING:
    from mnv2c.compiler import Compiled

ROOT = Path(__file__).parent

os.environ["MNV2C_SCHEDULES"] = "none"  # neither a developer's own records nor shipped ones, but for who asks for them
os.environ["MNV2C_CHECK"] = "native"  # what tests compile for ARM they run themselves, where that is their subject
os.environ.update(onnx_reference.SILENT)  # tests import ONNX Runtime themselves
files.sync = lambda path: None  # hundreds of compiles would wait for the disk; tests/faults runs its own processes

settings.register_profile("mnv2c", deadline=None)  # a busy machine is no failure
settings.load_profile("mnv2c")


LIMIT, SLOW_LIMIT = 600, 3600
"""Seconds that a test may take: many times what one does, so that one that hangs costs no more than these."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files with what is found")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return ``golden(name, text)``: text must equal tests/golden/<path of the test file>/<name>."""
    folder = ROOT / "golden" / request.path.relative_to(ROOT).with_suffix("")

    def compare(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.exists(), f"{path} is missing: run pytest --update-golden and look at what it writes"
        assert text == path.read_text("utf-8"), f"{path} differs: if that is right, run pytest --update-golden"

    return compare


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """MobileNetV2 at its smallest, width 0.35 and 32x32, compiled for this machine; ``dump/`` holds the artefacts.

    Tests must not change the folder.
    """
    import mnv2c

    def make(folder: Path) -> Compiled:
        return mnv2c.compile("mobilenet_v2", output=folder, width=0.35, resolution=32, seed=1, dump=folder / "dump")

    return once(tmp_path_factory, "compiled", make)


@pytest.fixture(scope="session")
def compiled_for_arm(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The same network for cortex-a76. Tests must not change the folder."""
    import mnv2c

    def make(folder: Path) -> Compiled:
        return mnv2c.compile("mobilenet_v2", "cortex-a76", output=folder, width=0.35, resolution=32, seed=1)

    return once(tmp_path_factory, "compiled_for_arm", make)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Limit every test's time; skip what is marked ``emulated`` where no ARM code runs (`make test` says so loudly)."""
    runs_arm = platform.machine() == "aarch64" or shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    for item in items:
        limit = SLOW_LIMIT if item.get_closest_marker("slow") else LIMIT
        # A thread ends the process: a test that hangs in C, or waits for a child, never gets to handle a signal.
        item.add_marker(pytest.mark.timeout(limit, method="thread"))
        if item.get_closest_marker("emulated") and not runs_arm:
            item.add_marker(pytest.mark.skip(reason="qemu-aarch64 is missing: apt-get install qemu-user"))
