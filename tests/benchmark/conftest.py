"""What several tests of the benchmark need."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest network for an ARM CPU. Tests must not change the folder."""
    import mnv2c

    folder = tmp_path_factory.mktemp("counted")
    mnv2c.compile("mobilenet_v2", "cortex-a76", output=folder, width=0.35, resolution=32, seed=1)
    return folder
