"""What several tests of the benchmark need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mnv2c.compiler import Compiled


@pytest.fixture(scope="session")
def network(compiled_for_arm: Compiled) -> Path:
    """The smallest network for an ARM CPU. Tests must not change the folder."""
    return compiled_for_arm.directory
