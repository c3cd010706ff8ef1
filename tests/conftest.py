"""Fixtures for every test: golden files, and hypothesis without its clock."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent

settings.register_profile("mnv2c", deadline=None)  # a busy machine is no failure
settings.load_profile("mnv2c")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``emulated`` where no ARM code can run; `make test` says so loudly at its end."""
    if platform.machine() == "aarch64" or shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static"):
        return
    for item in items:
        if item.get_closest_marker("emulated"):
            item.add_marker(pytest.mark.skip(reason="qemu-aarch64 is missing: apt-get install qemu-user"))
